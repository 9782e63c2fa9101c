"""Left and right in the name of a point: its side marks, and the rest of the name without them.

Side marks are words of several languages (``left``, ``links``, ``gauche``, 左), single letters next to a separator, a
capital or a digit (``l_eye``, ``wingL``, ``RHip``, ``leg_L1``), codes of two letters for legs and corners (``LF``,
``tr``), and an l or r glued to a word (``Lhip``, ``rpaw``). The last is weak evidence, since ``lip`` and ``rib`` begin
the same way: `posekit.geometry.sides` also considers the other names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Side = Literal["left", "right"]
Kind = Literal["marks", "words", "code", "glued"]
KINDS: tuple[Kind, ...] = ("marks", "words", "code", "glued")
"""Kinds of reading, the most reliable first: all words and single letters, words alone, a code, a glued letter."""

# Language: words of the left, words of the right. A word stands alone between separators, capitals and digits.
_WORDS: dict[str, tuple[str, str]] = {
    "short": ("lft lhs", "rgt rght rhs"),
    "german": ("links linke linker linkes linken linkem", "rechts rechte rechter rechtes rechten rechtem"),
    "french": ("gauche", "droit droite"),
    "spanish": ("izquierdo izquierda izq", "derecho derecha der"),
    "italian": ("sinistro sinistra sx", "destro destra dx"),
    "portuguese": ("esquerdo esquerda esq", "direito direita dir"),
    "latin": ("sinister sin", "dexter dextra dex"),
    "swedish": ("vänster vanster", "höger hoger"),
    "danish": ("venstre", "højre hojre høyre hoyre"),
    "polish": ("lewy lewa lewe", "prawy prawa prawe"),
    "russian": ("левый левая левое", "правый правая правое"),
    "japanese": ("hidari", "migi"),
    "ships": ("port", "starboard"),
}
_SIDES: tuple[Side, Side] = ("left", "right")
_SIDE_OF_WORD = {
    word: (side, language)
    for language, both in _WORDS.items()
    for side, words in zip(_SIDES, both, strict=True)
    for word in words.split()
}
UNSURE = frozenset(("links", "port", "dir", "der", "dex", "sin", "dx", "sx"))
"""Words of a side that also have other meanings: alone they are no sign of a missing partner."""

# Scripts without spaces: a sign anywhere in the name.
_SIGNS: dict[str, tuple[Side, str]] = {
    "左": ("left", "chinese"),
    "右": ("right", "chinese"),
    "왼": ("left", "korean"),
    "오른": ("right", "korean"),
}
# Left and right are marks anywhere, even within a word (`leftear`), but not in these words.
_NO_SIDES = re.compile("leftover|cleft|bright|upright|fright|wright|outright|copyright", re.IGNORECASE)
_ENGLISH = re.compile("left|right", re.IGNORECASE)
_NUMBER = re.compile("[0-9]+")
_RUN = re.compile(r"[^\W\d_]+|\d+")
_PLACE = "fbhmaput"
"""Letters of a code next to the side: front, back, hind, middle, anterior, posterior, upper, top, and so on."""
_STYLED = frozenset(("english", "letter", "code", "first", "last"))
"""Kinds of mark that both partners write in the same case; words of other languages also change their endings."""
_PLACEHOLDER = re.compile("\0[^\0]*\0")
_COUNTING = 6
"""If more different single letters than these occur at one position of the names, they enumerate and are no sides."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a name.

    Args:
        kind: kind of reading, see `KINDS`.
        sides: of each mark, in order.
        languages: of each mark: the language of a word, or ``letter``, ``code``, or ``first`` and ``last`` for a glued
            letter.
        marks: each mark as it is written.
        stem: the name with a placeholder for each mark; the same for both partners.
        plain: the name's letters and digits in lower case, without its marks; the same for partners written
            differently.
        token: the word that holds the glued letter; empty for other kinds.
    """

    kind: Kind
    sides: tuple[Side, ...]
    languages: tuple[str, ...]
    marks: tuple[str, ...]
    stem: str
    plain: str
    token: str = ""

    @property
    def mirrored(self) -> tuple[Side, ...]:
        """The sides of the partner."""
        return tuple("right" if side == "left" else "left" for side in self.sides)

    @property
    def rest(self) -> str:
        """The word without its glued letter, in lower case."""
        word = self.token.lower()
        return word[1:] if self.languages == ("first",) else word[:-1]


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    side: Side
    language: str


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or a number of a name."""

    start: int
    end: int
    text: str


def readings(name: str, kind: Kind, counting: Collection[str] = ()) -> tuple[Reading, ...]:
    """All readings of a name of one kind; empty where it has no such mark.

    Args:
        name: of a point.
        kind: see `KINDS`; codes and glued letters are only tried where there are no more reliable marks.
        counting: of all the names, see `letters_that_count`.

    >>> [r.sides for r in readings("left_eye_right_corner", "marks")]
    [('left', 'right')]
    """
    tokens = _tokens(name)
    marks = sorted(_sure_marks(name, tokens, counting), key=lambda mark: mark.start)
    if kind == "marks":
        return (_reading(name, marks, kind),) if marks else ()
    words = [mark for mark in marks if mark.language != "letter"]
    if kind == "words":
        return (_reading(name, words, kind),) if words and len(words) < len(marks) else ()
    if marks:
        return ()
    if kind == "code":
        return tuple(_reading(name, code, kind) for token in tokens for code in _codes(token))
    return tuple(_reading(name, [mark], kind, token.text) for token in tokens for mark in _glued(token))


def counterpart(reading: Reading) -> str:
    """The name of the partner, written in the same style.

    >>> counterpart(readings("LinkeHand_l", "marks")[0])
    'rechteHand_r'
    """
    marks = iter(zip(reading.languages, reading.marks, reading.mirrored, strict=True))
    return _PLACEHOLDER.sub(lambda _: _mirror_mark(*next(marks)), reading.stem)


def _mirror_mark(language: str, mark: str, side: Side) -> str:
    other = 0 if side == "left" else 1
    if language in _WORDS:
        own, theirs = (_WORDS[language][i].split() for i in (1 - other, other))
        return theirs[min(own.index(mark.lower()), len(theirs) - 1)]
    if language in (signs := {name: sign for sign, (one, name) in _SIGNS.items() if one == side}):
        return signs[language]
    word = side if language == "english" else side[0]
    return word.upper() if mark.isupper() else word.capitalize() if mark.istitle() else word


def letters_that_count(points: Sequence[str]) -> frozenset[str]:
    """Names with a gap at the position of a single letter that is no side there.

    That is a position with many different letters, as in corner_a, corner_b and so on, or one followed by a number with
    only L or only R: L1 is then a vertebra.
    """
    letters: dict[str, set[str]] = defaultdict(set)
    numbered: dict[str, set[str]] = defaultdict(set)
    for name in points:
        for token in _tokens(name):
            if len(token.text) == 1 and token.text.isalpha():
                gap = _gap(name, token)
                letters[gap].add(token.text.lower())
                if name[token.end : token.end + 1].isdigit():
                    numbered[_NUMBER.sub("#", gap)].add(token.text.lower())
    counting = {gap for gap, found in letters.items() if len(found) > _COUNTING}
    for gap in letters:
        found = numbered.get(_NUMBER.sub("#", gap))
        if found is not None and not found >= {"l", "r"}:
            counting.add(gap)
    return frozenset(counting)


def _gap(name: str, token: _Token) -> str:
    return f"{name[: token.start]}\0{name[token.end :]}"


def _tokens(name: str) -> list[_Token]:
    """Each word and number: `RShoulder_2b` has R, Shoulder, 2 and b."""
    found = []
    for run in _RUN.finditer(name):
        word, at = run.group(), run.start()
        cuts = [0, *(i for i in range(1, len(word)) if _begins(word, i)), len(word)]
        found += [_Token(at + a, at + b, word[a:b]) for a, b in pairwise(cuts)]
    return found


def _begins(word: str, i: int) -> bool:
    """Whether a capital begins a new word: after a lower-case letter, or as the last of several before one."""
    return word[i].isupper() and (word[i - 1].islower() or word[i + 1 : i + 2].islower())


def _sure_marks(name: str, tokens: Sequence[_Token], counting: Collection[str]) -> Iterator[_Mark]:
    """Words and single letters that name a side."""
    for sign, (side, language) in _SIGNS.items():
        yield from (_Mark(m.start(), m.end(), side, language) for m in re.finditer(sign, name))
    for found in _ENGLISH.finditer(_NO_SIDES.sub(lambda m: "." * len(m.group()), name)):
        yield _Mark(found.start(), found.end(), _side_of(found.group()[0].lower()), "english")
    for token in tokens:
        word = token.text.lower()
        if word in _SIDE_OF_WORD:
            yield _Mark(token.start, token.end, *_SIDE_OF_WORD[word])
        elif word in ("l", "r") and _gap(name, token) not in counting:
            yield _Mark(token.start, token.end, _side_of(word), "letter")


def _codes(token: _Token) -> Iterator[list[_Mark]]:
    """The side letters in a code of two: LF, rh, TL; in LL, LR, RL and RR both letters, or only the last."""
    word = token.text.lower()
    if len(word) != 2:
        return
    first, last = (_Mark(token.start + i, token.start + i + 1, _side_of(word[i]), "code") for i in (0, 1))
    if word in ("ll", "lr", "rl", "rr"):
        yield [first, last]
    if word[1] in "lr" and word[0] in _PLACE + "lr":
        yield [last]
    elif word[0] in "lr" and word[1] in _PLACE:
        yield [first]


def _side_of(letter: str) -> Side:
    return "left" if letter == "l" else "right"


def _glued(token: _Token) -> Iterator[_Mark]:
    """The first and the last letter of a word, where they are an l or an r."""
    word = token.text.lower()
    if word.isalpha() and word.isascii():
        if len(word) > 1 and word[0] in "lr":
            yield _Mark(token.start, token.start + 1, _side_of(word[0]), "first")
        if len(word) > 2 and word[-1] in "lr":
            yield _Mark(token.end - 1, token.end, _side_of(word[-1]), "last")


def _reading(name: str, marks: Sequence[_Mark], kind: Kind, token: str = "") -> Reading:
    stem, plain, at = "", "", 0
    for mark in marks:
        style = _style(name[mark.start : mark.end]) if mark.language in _STYLED else ""
        stem += f"{name[at : mark.start]}\0{mark.language}{style}\0"
        plain += name[at : mark.start]
        at = mark.end
    return Reading(
        kind=kind,
        sides=tuple(mark.side for mark in marks),
        languages=tuple(mark.language for mark in marks),
        marks=tuple(name[mark.start : mark.end] for mark in marks),
        stem=stem + name[at:],
        plain="".join(_RUN.findall(plain + name[at:])).lower(),
        token=token,
    )


def _style(word: str) -> str:
    """How a word is written: lower case, upper case, or mixed."""
    return "small" if word.islower() else "capital" if word.isupper() else "mixed"
