"""Reading the one labelled instance of each crop, and building its `Poses`."""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.geometry.keypoints import INSTANCE, Instances, Poses


def one_labelled(instances: Instances, points: int) -> tuple[Tensor, Tensor]:
    """Locations of the points of each image's only instance, and which of them are known.

    Args:
        instances: one slot an image, torch tensors.
        points: K that the codec was made for.

    Returns:
        ``xy`` (B, K, 2) in image pixels, finite, at least float32, and ``known`` (B, K) bool: labelled, finite, and in
        a slot that holds an instance.

    Raises:
        ValueError: there is not exactly one slot an image, or another number of points.
    """
    xy = instances.keypoints.xy
    if xy.ndim != 4 or xy.shape[1] != 1 or xy.shape[2] != points:
        raise ValueError(
            f"a top-down codec encodes one instance an image: expected xy (B, 1, {points}, 2), got {tuple(xy.shape)}; "
            "crop the images to one box each"
        )
    xy = xy.to(torch.promote_types(xy.dtype, torch.float32))
    finite = xy.isfinite().all(-1)
    known = instances.keypoints.labelled & finite & (instances.role == INSTANCE)[..., None]
    return torch.where(finite[..., None], xy, 0.0)[:, 0], known[:, 0]


def one_box(instances: Instances, like: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of the box of each image's only instance: (B, 2) image pixels, and its area (B,) beside it.

    Without an area in the file it is that of the box. Both are at least 0 and have the dtype of ``like``.
    """
    boxes = instances.boxes[:, 0].to(like.dtype)
    size = (boxes[:, 2:] - boxes[:, :2]).clamp_min(0.0)
    area = instances.area[:, 0].to(like.dtype)
    return size, torch.where(area > 0, area, size.prod(-1))


def one_depth(instances: Instances, known: Tensor) -> tuple[Tensor, Tensor]:
    """Depths of the points of each image's only instance.

    Args:
        instances: one slot an image.
        known: (B, K) bool, which points are known.

    Returns:
        (B, K) in the data's units, 0 where unknown, at least float32, and (B, K) bool: point and depth are known.
    """
    points = instances.keypoints
    if points.depth is None:
        return points.xy.new_zeros(known.shape, dtype=torch.float32), torch.zeros_like(known)
    depth = points.depth[:, 0].to(torch.promote_types(points.depth.dtype, torch.float32))
    depth_known = known & depth.isfinite()
    if points.depth_known is not None:
        depth_known = depth_known & points.depth_known[:, 0].bool()
    return torch.where(depth_known, depth, 0.0), depth_known


def levels(depth: Tensor, extent: float, bins: int) -> Tensor:
    """Depths relative to the root to layers; whole numbers are layer centres."""
    return (depth / extent + 0.5) * bins - 0.5


def inside_image(xy: Tensor, image: tuple[int, int]) -> Tensor:
    """(B, K) bool: the point lies in [0, width] x [0, height]."""
    height, width = image
    return (xy >= 0).all(-1) & (xy <= xy.new_tensor((width, height))).all(-1)


def one_pose(xy: Tensor, score: Tensor, spread: Tensor | None = None, depth: Tensor | None = None) -> Poses:
    """Points of one instance an image as `Poses` with N = 1.

    Args:
        xy: (B, K, 2) image pixels.
        score: (B, K); clamped to [0, 1].
        spread: (B, K, 2) image pixels.
        depth: (B, K) in the data's units.
    """
    score = score.clamp(0.0, 1.0)[:, None]
    return Poses(
        xy=xy[:, None],
        score=score,
        instance_score=score.mean(-1),
        spread=None if spread is None else spread[:, None],
        depth=None if depth is None else depth[:, None],
    )
