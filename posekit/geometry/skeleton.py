"""Skeletons: names of the points, mirror pairs, bones and OKS sigmas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.sides import contradictions, find_sides

if TYPE_CHECKING:
    from posekit.geometry.mapping import PointMap

DEFAULT_SIGMA = 0.05
"""OKS sigma of a point without a published one; printed with every metric that uses it."""

Symmetry = Literal["anatomical", "positional", "none"]

MIRROR_FIX = (
    "name points left_.../right_..., or give flip_pairs (COCO; [] where flipping needs no swap) or flip_idx (YOLO)"
)
"""Advice on how to enable flips."""

PARTNER_FIX = "correct the names, or give flip_pairs (COCO) or flip_idx (YOLO)"
"""Advice on names of a side without a partner."""

PAIRS_FIX = "correct flip_pairs (COCO) or flip_idx (YOLO), or leave it out where the names are right"
"""Advice on mirror pairs that contradict the names."""

_SINGLE = 12
"""How many points in no pair are listed; the rest are counted."""

_CLAUSES = 5
"""How many contradictions are listed; the rest are counted."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Skeleton:
    """The K points of one kind of instance by name, with mirror pairs, bones and OKS sigmas.

    Everything is given by name; indices are derived. ``symmetry`` says what a reflection of the image does:
    ``anatomical`` (a left hand becomes a right hand: swap mirror pairs), ``positional`` (the points are locations
    on the screen, so a horizontal flip swaps the pairs as well, a vertical one does not), or ``none``
    (nothing is known: flips are refused).

    Raises:
        ValueError: names repeat, or mirror pairs, bones or sigmas name unknown points.
    """

    name: str
    points: tuple[str, ...] = Field(min_length=1)
    mirror: tuple[tuple[str, str], ...] = ()
    bones: tuple[tuple[str, str], ...] = ()
    sigmas: dict[str, float] = Field(default_factory=dict)
    symmetry: Symmetry = "anatomical"

    def __post_init__(self) -> None:
        repeated = sorted({p for p in self.points if self.points.count(p) > 1})
        if repeated:
            raise ValueError(f"skeleton {self.name!r}: point names repeat: {repeated}; give every point its own name")
        known = set(self.points)
        for what, pairs in (("mirror", self.mirror), ("bones", self.bones)):
            unknown = sorted({p for pair in pairs for p in pair} - known)
            if unknown:
                raise ValueError(
                    f"skeleton {self.name!r}: {what} names unknown points {unknown}; known: {list(self.points)}"
                )
            selfish = sorted({a for a, b in pairs if a == b})
            if selfish:
                raise ValueError(f"skeleton {self.name!r}: {what} pairs {selfish} with itself; leave such points out")
        sided = [p for pair in self.mirror for p in pair]
        twice = sorted({p for p in sided if sided.count(p) > 1})
        if twice:
            raise ValueError(f"skeleton {self.name!r}: points {twice} are in two mirror pairs; a point has one mirror")
        unknown = sorted(set(self.sigmas) - known)
        if unknown:
            raise ValueError(
                f"skeleton {self.name!r}: sigmas names unknown points {unknown}; known: {list(self.points)}"
            )
        bad = sorted(p for p, s in self.sigmas.items() if not 0 < s < 10)
        if bad:
            raise ValueError(f"skeleton {self.name!r}: sigmas of {bad} are not between 0 and 10")

    def map_to(self, target: Skeleton) -> PointMap:
        """How the points of another skeleton follow from these; see `posekit.geometry.mapping.map_points`.

        Raises:
            ValueError: a point of the target cannot be made; all such points are named.
        """
        from posekit.geometry.mapping import map_points

        return map_points(self, target)

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Index of each point's mirror; a point without a mirror has its own index."""
        order = list(range(len(self.points)))
        for a, b in self.mirror:
            i, j = self.points.index(a), self.points.index(b)
            order[i], order[j] = j, i
        return tuple(order)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Bones as index pairs."""
        return tuple((self.points.index(a), self.points.index(b)) for a, b in self.bones)

    @cached_property
    def oks_sigmas(self) -> tuple[float, ...]:
        """OKS sigma of each point; `DEFAULT_SIGMA` if unknown."""
        return tuple(self.sigmas.get(p, DEFAULT_SIGMA) for p in self.points)

    @property
    def unknown_sigmas(self) -> tuple[str, ...]:
        """Points whose sigma is `DEFAULT_SIGMA`."""
        return tuple(p for p in self.points if p not in self.sigmas)

    @property
    def flippable(self) -> bool:
        """Whether the pose of a mirrored image is known."""
        return self.symmetry != "none"

    def index(self, names: Sequence[str]) -> tuple[int, ...]:
        """Indices of the named points.

        Raises:
            ValueError: a name is unknown.
        """
        unknown = [n for n in names if n not in self.points]
        if unknown:
            raise ValueError(f"skeleton {self.name!r} has no points {unknown}; known: {list(self.points)}")
        return tuple(self.points.index(n) for n in names)


def infer_skeleton(
    name: str,
    points: Sequence[str],
    *,
    mirror: Sequence[tuple[str, str]] | None = None,
    bones: Sequence[tuple[str, str]] = (),
    sigmas: Mapping[str, float] | None = None,
    known: Skeleton | None = None,
    symmetry: Symmetry | None = None,
) -> tuple[Skeleton, tuple[str, ...]]:
    """Build a skeleton from names and whatever else the data gives, and report what was inferred.

    Args:
        name: of the category.
        points: names of the points, in the order of the labels.
        mirror: pairs given by the data; ``None``: inferred from the names.
        bones: pairs of names given by the data.
        sigmas: OKS sigmas by name given by the data.
        known: a known skeleton with the same names, whose bones and sigmas are used where the data has none.
        symmetry: given by the data; it does not complete pairs that the names give only in part.

    Returns:
        The skeleton, and one sentence for each property that was inferred, or is doubtful about left and right.
    """
    half_known = mirror is None and bool(find_sides(points).alone)
    mirror, inferred, about_mirror = _mirror_of(points, mirror, symmetry)
    sentences = [f"{len(points)} points: {', '.join(points)}", *about_mirror]
    origin = None if known is None else f"from {known.name}, which has the same names"
    if bones:
        sentences.append("bones, from the file: " + ", ".join(f"{a}-{b}" for a, b in bones))
    elif known is not None and known.bones:
        bones = known.bones
        sentences.append(f"bones: {origin}")
    else:
        sentences.append("bones: none given")
    source = "from the file"
    if not sigmas and known is not None and known.sigmas:
        sigmas, source = known.sigmas, str(origin)
    skeleton = Skeleton(
        name=name,
        points=tuple(points),
        mirror=tuple(mirror),
        bones=tuple(bones),
        sigmas=dict(sigmas or {}),
        symmetry=symmetry or inferred,
    )
    if half_known:
        skeleton = replace(skeleton, symmetry="none")
    sentences += [f"warning: {fault}" for fault in side_faults(skeleton) if skeleton.flippable]
    unknown = skeleton.unknown_sigmas
    if unknown:
        who = "all points" if len(unknown) == len(points) else ", ".join(unknown)
        sentences.append(f"OKS sigmas: {DEFAULT_SIGMA} (the declared default) for {who}")
    else:
        sentences.append(f"OKS sigmas, {source}: " + ", ".join(f"{s:g}" for s in skeleton.oks_sigmas))
    return skeleton, tuple(sentences)


def _mirror_of(
    points: Sequence[str], mirror: Sequence[tuple[str, str]] | None, symmetry: Symmetry | None
) -> tuple[Sequence[tuple[str, str]], Symmetry, tuple[str, ...]]:
    """Mirror pairs, given or inferred from the names, the symmetry that follows, and sentences about both."""
    about = () if symmetry is None else (f"symmetry, from the file: {symmetry}",)
    if mirror is not None:
        return mirror, "anatomical", (f"mirror pairs, from the file: {_listed(mirror, points)}", *about)
    sides = find_sides(points)
    if sides.alone:
        about = (f"mirror pairs, from the names: {_listed(sides.pairs, points)}; {_unpaired(points)}",)
        return sides.pairs, "none", about
    if sides.pairs:
        return sides.pairs, "anatomical", (f"mirror pairs, from the names: {_listed(sides.pairs, points)}", *about)
    if symmetry is not None:
        return (), symmetry, ("mirror pairs: none found in the names", *about)
    return (), "none", (f"mirror pairs: none found in the names, so images are not flipped in training; {MIRROR_FIX}",)


def _listed(pairs: Sequence[tuple[str, str]], points: Sequence[str]) -> str:
    """The pairs, and the points that are in no pair."""
    paired = {name for pair in pairs for name in pair}
    single = [name for name in points if name not in paired]
    some = ", ".join(single[:_SINGLE]) + (f" and {len(single) - _SINGLE} more" if len(single) > _SINGLE else "")
    listed = ", ".join(f"{a}/{b}" for a, b in pairs) or "none"
    return f"{listed} (in no pair: {some})" if pairs and single else listed


def _unpaired(points: Sequence[str]) -> str:
    about = find_sides(points).about_alone()
    return f"{about}, so images are not flipped in training; {PARTNER_FIX}"


def side_faults(skeleton: Skeleton) -> tuple[str, ...]:
    """Doubts about left and right with advice, one sentence each; empty where names and pairs agree.

    If flips are on: mirror pairs that contradict the names (the pairs are used as given). If flips are off: names of a
    side that have no partner.

    >>> face = Skeleton(name="face", points=("left_eye", "right_eye"))
    >>> side_faults(face)[0][:65]
    'mirror pairs contradict the names of the points: left_eye and rig'
    """
    if not skeleton.flippable:
        return (_unpaired(skeleton.points),) if find_sides(skeleton.points).alone else ()
    found = contradictions(skeleton.points, skeleton.mirror)
    if not found:
        return ()
    rest = len(found) - _CLAUSES
    what = "; ".join(found[:_CLAUSES]) + (f"; and {rest} more" if rest > 0 else "")
    return (
        f"mirror pairs contradict the names of the points: {what}; flipped images would teach left "
        f"and right wrong; {PAIRS_FIX}",
    )
