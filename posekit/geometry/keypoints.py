"""The three values that travel: what is true of points (`Keypoints`, `Instances`) and what a model says (`Poses`).

They hold whatever arrays they are given, NumPy or torch, and never mix the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from posekit.geometry.skeleton import Skeleton

Array = Any
"""A NumPy array or a torch tensor; geometry works on both and imports neither framework for it."""

EMPTY, INSTANCE, IGNORE = 0, 1, 2
"""Roles of a slot in `Instances`: nothing there, an instance, a region where nothing is judged."""


def _each(value: Any, change: Callable[[Array], Array]) -> Any:
    """Apply ``change`` to every array inside a value type, leaving ``None`` alone."""
    new = {}
    for field in fields(value):
        old = getattr(value, field.name)
        if isinstance(old, Keypoints):
            new[field.name] = _each(old, change)
        elif old is not None:
            new[field.name] = change(old)
    return replace(value, **new)


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """Labelled points.

    Args:
        xy: (..., K, 2) image pixels, continuous, always finite; points outside the image keep their place.
        visibility: (..., K) 0 unlabelled, 1 hidden, 2 seen.
        depth: (..., K) depth relative to the root, or ``None``.
        depth_known: (..., K) bool, where ``depth`` counts, or ``None``.
    """

    xy: Array
    visibility: Array
    depth: Array | None = None
    depth_known: Array | None = None

    def __post_init__(self) -> None:
        if self.xy.shape[-1:] != (2,) or tuple(self.xy.shape[:-1]) != tuple(self.visibility.shape):
            raise ValueError(
                f"keypoints want xy (..., K, 2) and visibility (..., K); "
                f"got {tuple(self.xy.shape)} and {tuple(self.visibility.shape)}"
            )

    @property
    def labelled(self) -> Array:
        """(..., K) bool: where a label exists, seen or hidden."""
        return self.visibility > 0

    def flipped(self, width: float, skeleton: Skeleton) -> Keypoints:
        """The points of the image mirrored left to right: x becomes ``width - x`` and mirror points trade places.

        Args:
            width: of the image, pixels.
            skeleton: whose mirror pairs are swapped, visibility and depth with them.

        Raises:
            ValueError: the skeleton does not know what a mirror does.
        """
        if not skeleton.flippable:
            raise ValueError(
                f"skeleton {skeleton.name!r} has symmetry 'none': a mirrored pose is unknown; "
                "give mirror pairs, or symmetry='positional'"
            )
        order = list(skeleton.flip)
        xy = self.xy[..., order, :]
        mirrored = xy * _like(xy, (-1.0, 1.0)) + _like(xy, (float(width), 0.0))
        return Keypoints(
            xy=mirrored,
            visibility=self.visibility[..., order],
            depth=None if self.depth is None else self.depth[..., order],
            depth_known=None if self.depth_known is None else self.depth_known[..., order],
        )


def _like(array: Array, values: tuple[float, ...]) -> Array:
    """``values`` as a 1-D array of the kind, type and device of ``array``."""
    if hasattr(array, "new_tensor"):
        return array.new_tensor(values)
    import numpy as np

    return np.asarray(values, dtype=array.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """What is true of a batch of images, padded to N slots each.

    Args:
        keypoints: (B, N, K).
        boxes: (B, N, 4) x0 y0 x1 y1, image pixels.
        area: (B, N) square pixels; the segment's where the data has it.
        category: (B, N) index of the category.
        role: (B, N) `EMPTY`, `INSTANCE` or `IGNORE`.

    A `Sample` holds the same without the leading B.
    """

    keypoints: Keypoints
    boxes: Array
    area: Array
    category: Array
    role: Array

    def each(self, change: Callable[[Array], Array]) -> Instances:
        """The same value with ``change`` applied to every array: move, stack, index."""
        return _each(self, change)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """What a model says: points with scores.

    Args:
        xy: (..., N, K, 2) pixels.
        score: (..., N, K) in [0, 1]: how sure the location is.
        instance_score: (..., N).
        visible: (..., N, K) probability of being seen rather than hidden, or ``None``.
        boxes: (..., N, 4), category (..., N), ids (..., N): or ``None``.
        spread: (..., N, K, 2) standard deviation in pixels, or ``None``.
        depth: (..., N, K), or ``None``.
    """

    xy: Array
    score: Array
    instance_score: Array
    visible: Array | None = None
    boxes: Array | None = None
    category: Array | None = None
    ids: Array | None = None
    spread: Array | None = None
    depth: Array | None = None

    def __len__(self) -> int:
        return int(self.xy.shape[-3])

    def each(self, change: Callable[[Array], Array]) -> Poses:
        """The same value with ``change`` applied to every array."""
        return _each(self, change)  # type: ignore[no-any-return]

    def above(self, threshold: float) -> Poses:
        """The instances of one image whose score exceeds ``threshold``; coordinates are never touched."""
        keep = self.instance_score > threshold
        return self.each(lambda a: a[keep])

    def points_of(self, skeleton: Skeleton, name: str) -> Array:
        """(..., N, 2) place of the named point."""
        return self.xy[..., skeleton.index([name])[0], :]
