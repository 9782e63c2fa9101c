"""What the points of an instance are called, which mirror each other, and how they hang together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

DEFAULT_SIGMA = 0.05
"""OKS sigma of a point nobody measured; printed with every metric that uses it."""

Symmetry = Literal["anatomical", "positional", "none"]

# Each pair of words turns the name of a left point into the name of the right one.
_SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("左", "右"))
_SHORT = (("l", "r"), ("L", "R"))
_SEPARATORS = ("_", "-", " ", ".")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Skeleton:
    """Names of the K points of one kind of instance and what is known about them.

    Everything is given by name; indices are derived. ``symmetry`` says what a reflection of the image does:
    ``anatomical`` (a left hand becomes a right hand: swap mirror pairs), ``positional`` (the points are places
    on the screen, so a horizontal flip swaps the pairs as well, a vertical one does not), or ``none``
    (nothing is known: flips are refused).

    Raises:
        ValueError: names repeat, or mirror pairs, bones or sigmas speak of unknown points.
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
            raise ValueError(
                f"skeleton {self.name!r}: points {twice} stand in two mirror pairs; a point has one mirror"
            )
        unknown = sorted(set(self.sigmas) - known)
        if unknown:
            raise ValueError(
                f"skeleton {self.name!r}: sigmas names unknown points {unknown}; known: {list(self.points)}"
            )
        bad = sorted(p for p, s in self.sigmas.items() if not 0 < s < 10)
        if bad:
            raise ValueError(f"skeleton {self.name!r}: sigmas of {bad} are not between 0 and 10")

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Index of each point's mirror; a point without one is its own."""
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
        """OKS sigma of each point; `DEFAULT_SIGMA` where none is known."""
        return tuple(self.sigmas.get(p, DEFAULT_SIGMA) for p in self.points)

    @property
    def unknown_sigmas(self) -> tuple[str, ...]:
        """Points whose sigma is the declared default."""
        return tuple(p for p in self.points if p not in self.sigmas)

    @property
    def flippable(self) -> bool:
        """Whether a mirrored image has a known pose."""
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


def _mirror_name(name: str) -> set[str]:
    """Names that the right counterpart of a left point may have."""
    found = set()
    for left, right in _SIDES:
        if left in name:
            found.add(name.replace(left, right, 1))
    for left, right in _SHORT:
        for separator in _SEPARATORS:
            if name.startswith(left + separator):
                found.add(right + name[len(left) :])
            if name.endswith(separator + left):
                found.add(name[: -len(left)] + right)
            middle = separator + left + separator
            if middle in name:
                found.add(name.replace(middle, separator + right + separator, 1))
    return found


def infer_mirror(points: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Find the (left, right) pairs that the names give away.

    Understands left/right anywhere in the name, l_/r_, _l/_r, -l/-r in any case, and 左/右.

    Args:
        points: names of the points.

    Returns:
        Pairs of names, in the order of their left point; empty where the names say nothing.

    >>> infer_mirror(("nose", "left_eye", "right_eye", "hand-l", "hand-r"))
    (('left_eye', 'right_eye'), ('hand-l', 'hand-r'))
    """
    known = set(points)
    pairs: list[tuple[str, str]] = []
    taken: set[str] = set()
    for name in points:
        for other in sorted(_mirror_name(name)):
            if other in known and other not in taken and name not in taken and other != name:
                pairs.append((name, other))
                taken |= {name, other}
                break
    return tuple(pairs)


def infer_skeleton(
    name: str,
    points: Sequence[str],
    *,
    mirror: Sequence[tuple[str, str]] | None = None,
    bones: Sequence[tuple[str, str]] = (),
    sigmas: Mapping[str, float] | None = None,
    namesake: Skeleton | None = None,
) -> tuple[Skeleton, tuple[str, ...]]:
    """Make the best skeleton that names alone allow, and say what was guessed.

    Args:
        name: of the category.
        points: names of the points, in the order of the labels.
        mirror: pairs when the data says them; ``None`` infers them from the names.
        bones: pairs of names, when the data says them.
        sigmas: OKS sigmas by name, when the data says them.
        namesake: a known skeleton of the same names, whose bones and sigmas hold where the data says none.

    Returns:
        The skeleton, and one sentence for each thing that was inferred.
    """
    mirror, symmetry, about_mirror = _mirror_of(points, mirror)
    said = [f"{len(points)} points: {', '.join(points)}", about_mirror]
    known = None if namesake is None else f"from {namesake.name}, whose names these are"
    if bones:
        said.append("bones, from the file: " + ", ".join(f"{a}-{b}" for a, b in bones))
    elif namesake is not None and namesake.bones:
        bones = namesake.bones
        said.append(f"bones: {known}")
    else:
        said.append("bones: none given")
    source = "from the file"
    if not sigmas and namesake is not None and namesake.sigmas:
        sigmas, source = namesake.sigmas, str(known)
    skeleton = Skeleton(
        name=name,
        points=tuple(points),
        mirror=tuple(mirror),
        bones=tuple(bones),
        sigmas=dict(sigmas or {}),
        symmetry=symmetry,
    )
    unknown = skeleton.unknown_sigmas
    if unknown:
        who = "all points" if len(unknown) == len(points) else ", ".join(unknown)
        said.append(f"OKS sigmas: {DEFAULT_SIGMA} (the declared default) for {who}")
    else:
        said.append(f"OKS sigmas, {source}: " + ", ".join(f"{s:g}" for s in skeleton.oks_sigmas))
    return skeleton, tuple(said)


def _mirror_of(
    points: Sequence[str], mirror: Sequence[tuple[str, str]] | None
) -> tuple[Sequence[tuple[str, str]], Symmetry, str]:
    """Mirror pairs, given or told by the names, what a mirror image means with them, and a sentence about them."""
    if mirror is not None:
        return (
            mirror,
            "anatomical",
            "mirror pairs, from the file: " + (", ".join(f"{a}/{b}" for a, b in mirror) or "none"),
        )
    if mirror := infer_mirror(points):
        return mirror, "anatomical", "mirror pairs, from the names: " + ", ".join(f"{a}/{b}" for a, b in mirror)
    return (
        (),
        "none",
        "mirror pairs: the names tell none, so images are not flipped in training; say `flip_pairs: []` in the "
        "category where flipping needs no swap, or name points left_.../right_...",
    )
