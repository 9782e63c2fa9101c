"""Search for the left and right partners among names: exact pairs, loose pairs, and names without a partner."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from posekit.geometry.side_names import KINDS, UNSURE, Kind, Reading, Side, counterpart, letters_that_count, readings

Pair = tuple[str, str]

_PARTS = (
    *("ear", "eye", "elbow", "arm", "ankle", "antenna", "antler", "axilla", "iris", "index", "inner", "outer", "upper"),
    *("udder", "hip", "knee", "leg", "foot", "feet", "paw", "hand", "wrist", "shoulder", "finger", "thumb", "toe"),
    *("heel", "wing", "fin", "flipper", "horn", "hoof", "brow", "cheek", "jaw", "mouth", "nostril", "whisker", "thigh"),
    *("shin", "calf", "shank", "fetlock", "hock", "stifle", "fore", "front", "back", "hind", "claw", "palm", "pupil"),
    *("pelvi", "pectoral", "tars", "carp", "tibia", "femur", "coxa", "pinky", "corner", "clavicle", "collar"),
)
"""Words, and prefixes of words, to which an l or r may be glued without other evidence."""

_ORDINARY = frozenset(
    "leg legs lip lips lid lids low lower lock lung lungs lump lobe lens line last long large lateral limb limbs light "
    "liver load loin loop lumbar lash lashes lead lean ledge level link lug lap lamp land lane lace lake late lever "
    "rib ribs rip rim rear roof root rump ring ridge rod rail ramp rest rotor round row rower radius ramus reg rein "
    "retina rung runner rudder rubber roll rock rope reel rack rash rid range reach roller rider router "
    "nail tail heel skull pedal petal medial distal proximal dorsal ventral metacarpal tarsal pectoral pawl earl kneel "
    "finger shoulder center corner upper outer inner antler flipper whisker udder skewer layer femur radar "
    "rhino rhinarium rhombus llama".split()
)
"""Words that begin or end with l or r without meaning a side."""

_VOWELS = "aeiouy"
"""Letters that follow l or r in most English words: lip and rib, but neither lhip nor rpaw."""

_SIMILAR = 0.85
"""Least `difflib` ratio between a name and a missing partner for the name to be taken as its misspelling."""


@dataclass(frozen=True, slots=True)
class _Match:
    """Two names that differ only in their side marks, and their readings."""

    left: str
    right: str
    readings: tuple[Reading, Reading]


class Search:
    """The pairs found so far, and the possible readings of each name.

    Args:
        points: names of the points.
    """

    def __init__(self, points: Sequence[str]) -> None:
        self.points = points
        self.pairs: list[Pair] = []
        counting = letters_that_count(points)
        self._read = {name: [r for kind in KINDS for r in readings(name, kind, counting)] for name in points}
        self._all = [reading for several in self._read.values() for reading in several]

    def free(self) -> list[str]:
        """Names that are in no pair yet."""
        taken = {name for pair in self.pairs for name in pair}
        return [name for name in self.points if name not in taken]

    def pair_exactly(self, kind: Kind) -> None:
        """Pair the free names that differ only in their side marks."""
        matches = self._matches(kind)
        if kind == "glued":
            likely = [match for match in matches if _likely(match.readings[0])]
            locations = {match.readings[0].languages for match in likely}
            beside = [
                m for m in matches if m.readings[0].languages in locations and not any(map(_ordinary, m.readings))
            ]
            matches = [*likely, *beside]
        for match in matches:
            self._take(match.left, match.right)

    def pair_loosely(self) -> None:
        """Pair free names that are written differently, where one left and one right name are otherwise the same."""
        groups: dict[str, dict[Side, list[str]]] = defaultdict(lambda: {"left": [], "right": []})
        for name in self.free():
            for reading in self._read[name]:
                if len(reading.sides) == 1 and (reading.kind != "glued" or _plain(reading)):
                    groups[reading.plain][reading.sides[0]].append(name)
        for both in groups.values():
            if len(both["left"]) == len(both["right"]) == 1:
                self._take(both["left"][0], both["right"][0])

    def lacks_partner(self, name: str) -> bool:
        """Whether a free name looks like a left or right one."""
        return any(self._sided(reading) for reading in self._read[name])

    def similar(self, name: str) -> str | None:
        """A free name that is nearly the missing partner of the given name."""
        wanted = counterpart(next(reading for reading in self._read[name] if self._sided(reading)))
        others = [other for other in self.free() if other != name]
        return next(iter(difflib.get_close_matches(wanted, others, 1, _SIMILAR)), None)

    def _take(self, left: str, right: str) -> None:
        if left != right and {left, right} <= set(self.free()):
            self.pairs.append((left, right))

    def _matches(self, kind: Kind) -> list[_Match]:
        found = {(r.stem, r.sides): (name, r) for name in self.free() for r in self._read[name] if r.kind == kind}
        return [
            _Match(name, *(found[stem, reading.mirrored][0], (reading, found[stem, reading.mirrored][1])))
            for (stem, sides), (name, reading) in found.items()
            if sides[0] == "left" and (stem, reading.mirrored) in found
        ]

    def _sided(self, reading: Reading) -> bool:
        """Whether a reading of a free name shows that its partner is missing."""
        if reading.kind == "code":
            return any(r.kind == "code" and r.sides == reading.mirrored for r in self._all)
        if reading.kind == "glued":
            opposite = any(r.kind == "glued" and r.sides == reading.mirrored and _plain(r) for r in self._all)
            named = reading.languages == ("first",) and reading.rest.startswith(_PARTS) and not _ordinary(reading)
            return named or (opposite and _plain(reading))
        return any(self._tells(reading, *mark) for mark in enumerate(reading.languages))

    def _tells(self, reading: Reading, at: int, language: str) -> bool:
        """Whether a mark is certainly a side, or the other side occurs in another name."""
        if reading.marks[at].lower() in UNSURE:
            side = reading.mirrored[at]
            return any((language, side) in zip(r.languages, r.sides, strict=True) for r in self._all)
        return True


def _likely(reading: Reading) -> bool:
    """Whether a glued l or r is a side, given that exchanging it gives another name."""
    if reading.languages == ("last",):
        return reading.rest.endswith(_PARTS)
    short = len(reading.rest) == 1 and reading.token.isupper()
    return short or reading.rest[0] not in _VOWELS or reading.rest.startswith(_PARTS)


def _ordinary(reading: Reading) -> bool:
    return reading.token.lower() in _ORDINARY


def _plain(reading: Reading) -> bool:
    """Whether a glued l or r is likely a side, even if exchanging it gives no other name."""
    return _likely(reading) and not _ordinary(reading)
