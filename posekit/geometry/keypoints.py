"""The central data types: labels (`Keypoints`, `Instances`) and predictions (`Poses`).

They hold NumPy arrays or torch tensors and never mix the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from posekit.geometry.skeleton import Skeleton

Array = Any
"""A NumPy array or a torch tensor; geometry works on both without importing torch."""

EMPTY, INSTANCE, IGNORE = 0, 1, 2
"""Roles of a slot in `Instances`: empty, an instance, a region to ignore."""
HIDDEN, SEEN = 1, 2
"""Visibility of labelled points; 0 is unlabelled."""


def _each(value: Any, change: Callable[[Array], Array]) -> Any:
    """Apply ``change`` to every array of a dataclass, leaving ``None`` unchanged."""
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
        xy: (..., K, 2) image pixels, continuous, always finite; points outside the image keep their location.
        visibility: (..., K) 0 unlabelled, 1 hidden, 2 seen.
        depth: (..., K) depth relative to the root, or ``None``.
        depth_known: (..., K) bool, where ``depth`` is known, or ``None``.
    """

    xy: Array
    visibility: Array
    depth: Array | None = None
    depth_known: Array | None = None

    def __post_init__(self) -> None:
        if self.xy.shape[-1:] != (2,) or tuple(self.xy.shape[:-1]) != tuple(self.visibility.shape):
            raise ValueError(
                f"keypoints need xy (..., K, 2) and visibility (..., K); "
                f"got {tuple(self.xy.shape)} and {tuple(self.visibility.shape)}"
            )

    @property
    def labelled(self) -> Array:
        """(..., K) bool: where a label exists, seen or hidden."""
        return self.visibility > 0

    def flipped(self, width: float, skeleton: Skeleton) -> Keypoints:
        """The points of the image mirrored left to right: x becomes ``width - x`` and mirror points are swapped.

        Args:
            width: of the image, pixels.
            skeleton: whose mirror pairs are swapped, visibility and depth with them.

        Raises:
            ValueError: the skeleton has symmetry ``none``.
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
    """``values`` as a 1-D array of the framework, dtype and device of ``array``."""
    if hasattr(array, "new_tensor"):
        return array.new_tensor(values)
    import numpy as np

    return np.asarray(values, dtype=array.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """Labels of a batch of images, padded to N slots each.

    Args:
        keypoints: (B, N, K).
        boxes: (B, N, 4) x0 y0 x1 y1, image pixels.
        area: (B, N) square pixels; of the segment where the data has it.
        category: (B, N) index of the category.
        role: (B, N) `EMPTY`, `INSTANCE` or `IGNORE`.

    A `Sample` holds the same without the batch axis.
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
    """Predictions of a model: points with scores.

    Args:
        xy: (..., N, K, 2) pixels.
        score: (..., N, K) in [0, 1]: certainty of the location.
        instance_score: (..., N).
        visible: (..., N, K) probability of being seen rather than hidden, or ``None``.
        boxes: (..., N, 4), category (..., N), ids (..., N): or ``None``.
        spread: (..., N, K, 2) standard deviation in pixels, or ``None``.
        depth: (..., N, K), or ``None``.
        filled: (..., N, K) bool, points that were missing and that a filter over time has filled in, or ``None``.
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
    filled: Array | None = None

    def __len__(self) -> int:
        return int(self.xy.shape[0])

    def __getitem__(self, index: Any) -> Poses:
        """Select along the first axis: images of a batch, or instances of one image.

        Args:
            index: a slice, a mask or indices keep the axis. A single number selects an image of a batch; for the poses
                of one image it selects one instance and keeps the axis, so that the result is `Poses` again.

        Raises:
            IndexError: there is no such item.
        """
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} poses; got index {index}")
        if isinstance(index, int) and self.xy.ndim == 3:
            index = [index]
        return self.each(lambda array: array[index])

    def __iter__(self) -> Iterator[Poses]:
        return (self[number] for number in range(len(self)))

    def each(self, change: Callable[[Array], Array]) -> Poses:
        """The same value with ``change`` applied to every array."""
        return _each(self, change)  # type: ignore[no-any-return]

    @classmethod
    def empty(cls, points: int) -> Poses:
        """Poses without any instance, for the given number of points, NumPy arrays."""
        import numpy as np

        zeros = np.zeros((0, points), np.float32)
        return cls(xy=np.zeros((0, points, 2), np.float32), score=zeros, instance_score=zeros[:, 0])

    @classmethod
    def concatenate(cls, parts: Sequence[Poses]) -> Poses:
        """Concatenate poses along the first axis, NumPy arrays.

        A field that any part with instances lacks is ``None`` in the result; parts without instances are ignored.

        Args:
            parts: at least one.

        Raises:
            ValueError: there is none.
        """
        import numpy as np

        if not parts:
            raise ValueError("there is nothing to concatenate; give at least one value of Poses")
        some = [part for part in parts if len(part)] or list(parts[:1])
        joined = {}
        for field in fields(cls):
            arrays = [getattr(part, field.name) for part in some]
            joined[field.name] = None if any(a is None for a in arrays) else np.concatenate(arrays)
        return cls(**joined)

    def transformed(self, matrix: Array) -> Poses:
        """The poses in another frame: points, boxes and spreads are transformed, depths are unchanged.

        Args:
            matrix: (3, 3) affine, or (B, 3, 3) one for each image of a batch; a NumPy array for NumPy poses.

        Returns:
            Transformed poses. Boxes are the axis-aligned boxes around the moved corners; spreads are multiplied by the
            mean scale of the matrix.
        """
        import numpy as np

        turn = matrix[..., :2, :2]
        move = matrix[..., :2, 2]
        extra = (1,) * (self.xy.ndim - 1 - (matrix.ndim - 2))
        turn_ = turn.reshape(*turn.shape[:-2], *extra, 2, 2)
        move_ = move.reshape(*move.shape[:-1], *extra, 2)
        xy = ((turn_ @ self.xy[..., None])[..., 0] + move_).astype(self.xy.dtype, copy=False)
        boxes, spread = self.boxes, self.spread
        if boxes is not None:
            corners = boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].reshape(*boxes.shape[:-1], 4, 2)
            corners = (turn_ @ corners[..., None])[..., 0] + move_
            boxes = np.concatenate([corners.min(-2), corners.max(-2)], -1).astype(boxes.dtype, copy=False)
        if spread is not None:
            scale = np.sqrt(np.abs(np.linalg.det(turn)))
            spread = spread * scale.reshape(*scale.shape, *(1,) * (spread.ndim - scale.ndim)).astype(spread.dtype)
        return replace(self, xy=xy, boxes=boxes, spread=spread)

    def above(self, threshold: float) -> Poses:
        """The instances of one image whose score exceeds ``threshold``; coordinates are unchanged."""
        return self[self.instance_score > threshold]

    def points_of(self, skeleton: Skeleton, name: str) -> Array:
        """(..., N, 2) location of the named point."""
        return self.xy[..., skeleton.index([name])[0], :]

    def to_dict(self, skeleton: Skeleton) -> list[dict[str, Any]]:
        """The poses of one image as plain dicts for JSON, one for each instance.

        Args:
            skeleton: names the points.

        Returns:
            ``score``, ``points`` (name to ``x``, ``y``, ``score`` and further known fields, image pixels, the centre of
            the first pixel at 0.5), and, where known, ``box`` (x0 y0 x1 y1), ``id``, ``category``.

        Raises:
            ValueError: the poses are not those of one image, or have another number of points.
        """
        if self.xy.ndim != 3 or self.xy.shape[1] != len(skeleton.points):
            raise ValueError(
                f"expected poses of one image, (N, {len(skeleton.points)}, 2) for skeleton {skeleton.name!r}; got "
                f"{tuple(self.xy.shape)}"
            )
        plain = {field.name: a.tolist() for field in fields(self) if (a := getattr(self, field.name)) is not None}
        return [_described(plain, number, skeleton) for number in range(len(self))]


def _described(plain: dict[str, Any], number: int, skeleton: Skeleton) -> dict[str, Any]:
    """One instance as `Poses.to_dict` gives it."""
    entry: dict[str, Any] = {"score": plain["instance_score"][number]}
    for name, short in (("boxes", "box"), ("ids", "id"), ("category", "category")):
        if name in plain:
            entry[short] = plain[name][number]
    points = {}
    for k, point in enumerate(skeleton.points):
        x, y = plain["xy"][number][k]
        points[point] = {"x": x, "y": y, "score": plain["score"][number][k]}
        for name in ("visible", "spread", "depth"):
            if name in plain:
                points[point][name] = plain[name][number][k]
    return {**entry, "points": points}
