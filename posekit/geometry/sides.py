"""Which points mirror each other, as far as their names say: pairs, names left over, and pairs against the names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from posekit.geometry.side_names import KINDS, Side, readings
from posekit.geometry.side_search import Pair, Search

_LISTED = 12
"""So many names without a partner are listed; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What the names of points say about left and right.

    Args:
        pairs: (left, right) names, in the order of their left point.
        alone: names that look left or right and have no partner, in their order.
        similar: of such a name, another without a partner that may be its partner misspelt.
    """

    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]
    similar: dict[str, str]

    def about_alone(self) -> str:
        """The names without a partner, and what may be misspelt, as a clause; empty where there are none.

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
    """Pair the names that say left and right, and find those that do but have no partner.

    Partners differ in their marks of a side and in nothing else: first those written alike, then those that are not
    (``left_hip`` and ``RHip``), where just one left and one right name remain. An l or r glued to a word counts where
    the partner exists and the rest is a part of a body, or begins with a consonant (no English word has l or r before
    one); beside two such pairs any that is no ordinary word counts as well.

    Args:
        points: names of the points.

    >>> find_sides(("nose", "left_ear", "right_ear", "Lhip", "Rhip", "lip", "rip")).pairs
    (('left_ear', 'right_ear'), ('Lhip', 'Rhip'))
    >>> find_sides(("left_hipp", "right_hip", "lip")).alone
    ('left_hipp', 'right_hip')
    """
    return _find_sides(tuple(points))


def infer_mirror(points: Sequence[str]) -> tuple[Pair, ...]:
    """The (left, right) pairs that the names give away, see `find_sides`.

    Args:
        points: names of the points.

    Returns:
        Pairs of names, in the order of their left point; empty where the names say nothing.

    >>> infer_mirror(("nose", "left_eye", "right_eye", "hand-l", "hand-r"))
    (('left_eye', 'right_eye'), ('hand-l', 'hand-r'))
    """
    return find_sides(points).pairs


def contradictions(points: Sequence[str], mirror: Iterable[Pair]) -> tuple[str, ...]:
    """What given mirror pairs say against the names; empty where they agree, or the names say nothing.

    Args:
        points: names of the points.
        mirror: pairs of names, as the data gives them.

    Returns:
        One clause each: for names paired with another than the one of the same name on the other side, for two of
        one side, and for names with a side that are in no pair.

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
    """Each name of a pair to the other."""
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


def _certain_side(name: str) -> Side | None:
    """The side that all the sure marks of a name say."""
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
