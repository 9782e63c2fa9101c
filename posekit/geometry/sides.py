"""Mirror pairs from the names of points: pairs, names without a partner, and pairs that contradict the names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from posekit.geometry.side_names import KINDS, Side, readings
from posekit.geometry.side_search import Pair, Search

_LISTED = 12
"""How many names without a partner are listed; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Left and right in the names of points.

    Args:
        pairs: (left, right) names, in the order of their left point.
        alone: names that look left or right but have no partner, in their order.
        similar: pairs of names without a partner that may be partners of each other, one of them misspelt.
    """

    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]
    similar: dict[str, str]

    def about_alone(self) -> str:
        """A clause on the names without a partner and possible misspellings; empty where there are none.

        >>> find_sides(("left_hipp", "right_hip")).about_alone()
        'left_hipp, right_hip look left or right but have no partner (are left_hipp and right_hip one pair, misspelt?)'
        """
        if not self.alone:
            return ""
        rest = len(self.alone) - _LISTED
        names = ", ".join(self.alone[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
        verb = "look left or right but have" if len(self.alone) > 1 else "looks left or right but has"
        one = next(iter(self.similar.items()), None)
        guess = f" (are {one[0]} and {one[1]} one pair, misspelt?)" if one else ""
        return f"{names} {verb} no partner{guess}"


def find_sides(points: Sequence[str]) -> Sides:
    """Pair the names of left and right points, and find those that have no partner.

    Partners differ only in their side marks: first those written in the same style, then those that are not
    (``left_hip`` and ``RHip``), where just one left and one right name remain. An l or r glued to a word is a side mark
    if the partner exists and the rest is a body part or begins with a consonant (no English word has l or r before
    one); if there are two such pairs, any glued letter is one unless the name is an ordinary word.

    Args:
        points: names of the points.

    >>> find_sides(("nose", "left_ear", "right_ear", "Lhip", "Rhip", "lip", "rip")).pairs
    (('left_ear', 'right_ear'), ('Lhip', 'Rhip'))
    >>> find_sides(("left_hipp", "right_hip", "lip")).alone
    ('left_hipp', 'right_hip')
    """
    return _find_sides(tuple(points))


def infer_mirror(points: Sequence[str]) -> tuple[Pair, ...]:
    """The (left, right) pairs inferred from the names, see `find_sides`.

    Args:
        points: names of the points.

    Returns:
        Pairs of names, in the order of their left point; empty where the names have no sides.

    >>> infer_mirror(("nose", "left_eye", "right_eye", "hand-l", "hand-r"))
    (('left_eye', 'right_eye'), ('hand-l', 'hand-r'))
    """
    return find_sides(points).pairs


def contradictions(points: Sequence[str], mirror: Iterable[Pair]) -> tuple[str, ...]:
    """Contradictions between given mirror pairs and the names; empty where they agree or the names have no sides.

    Args:
        points: names of the points.
        mirror: pairs of names, as the data gives them.

    Returns:
        One clause each: for a name paired with another one than its counterpart, for two names of the same side, and
        for names with a side that are in no pair.

    >>> contradictions(("left_eye", "right_eye", "nose"), [("left_eye", "nose")])
    ('left_eye is paired with nose, not with right_eye',)
    """
    sides = find_sides(points)
    given = _both_ways(mirror)
    named = _both_ways(sides.pairs)
    side = {name: _certain_side(name) for name in points}
    found = []
    for one, other in given.items():
        if named.get(one, other) != other:
            found.append(f"{one} is paired with {other}, not with {named[one]}")
        elif points.index(one) < points.index(other) and side[one] is not None and side[one] == side[other]:
            found.append(f"{one} is paired with {other}, and both are {side[one]}")
    found += [f"{a} and {b} are not paired" for a, b in sides.pairs if a not in given and b not in given]
    found += [f"{name} is paired with none" for name in sides.alone if name not in given]
    return tuple(found)


def _both_ways(pairs: Iterable[Pair]) -> dict[str, str]:
    """Map each name of a pair to the other."""
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


def _certain_side(name: str) -> Side | None:
    """The side on which all reliable marks of a name agree."""
    sides = {side for reading in readings(name, "marks") for side in reading.sides}
    return sides.pop() if len(sides) == 1 else None


@lru_cache(maxsize=64)
def _find_sides(points: tuple[str, ...]) -> Sides:
    search = Search(points)
    for kind in KINDS:
        search.pair_exactly(kind)
    search.pair_loosely()
    alone = tuple(name for name in search.free() if search.lacks_partner(name))
    order = {name: i for i, name in enumerate(points)}
    return Sides(
        pairs=tuple(sorted(search.pairs, key=lambda pair: order[pair[0]])),
        alone=alone,
        similar={name: other for name in alone if (other := search.similar(name))},
    )
