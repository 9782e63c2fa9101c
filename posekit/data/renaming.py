"""Convert samples from one skeleton to another; points are matched by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.sample import Sample
from posekit.geometry.keypoints import IGNORE, INSTANCE, Keypoints
from posekit.geometry.skeleton import Skeleton

SHARED = 3
"""Smallest number of shared names (or all, if a skeleton has fewer): two points do not locate a body."""


def renamed(sample: Sample, source: Skeleton, target: Skeleton) -> Sample:
    """A sample under another skeleton's points; those that its own skeleton lacks are unlabelled.

    Args:
        sample: of ``source``; boxes and areas stay as they are.
        source: names of the points it has.
        target: names of the points wanted.

    Raises:
        DataError: fewer than `SHARED` names agree.
    """
    order = shared_points(source, target, sample.path)
    instances = sample.instances
    return replace(sample, instances=replace(instances, keypoints=_reordered(instances.keypoints, order)))


def as_skeleton(dataset: Dataset, skeleton: Skeleton) -> Dataset:
    """A data set under another skeleton's points; those that its own skeleton lacks are unlabelled.

    Instances none of whose labelled points is left become regions to ignore.

    Args:
        dataset: boxes, areas and images stay as they are.
        skeleton: of the result.

    Raises:
        DataError: fewer than `SHARED` names agree.
    """
    order = shared_points(dataset.skeleton, skeleton, dataset.file or "the data set")
    points = _reordered(Keypoints(dataset.xy, dataset.visibility, dataset.depth, dataset.depth_known), order)
    lost = (dataset.role == INSTANCE) & ~points.labelled.any(-1)
    missing = [name for name, at in zip(skeleton.points, order.tolist(), strict=True) if at < 0]
    said = f"points by name, from {dataset.skeleton.name} to {skeleton.name}; never labelled: {missing or 'none'}"
    return replace(
        dataset,
        skeleton=skeleton,
        xy=points.xy,
        visibility=points.visibility,
        depth=points.depth,
        depth_known=points.depth_known,
        role=np.where(lost, IGNORE, dataset.role).astype(dataset.role.dtype),
        inferred=(*dataset.inferred, said),
    )


def shared_points(source: Skeleton, target: Skeleton, where: str) -> NDArray[np.int64]:
    """(K of target,) index in ``source`` of the point of the same name; -1 where there is none.

    Args:
        source: names that there are.
        target: names that are wanted.
        where: of the data, for the message.

    Raises:
        DataError: fewer than `SHARED` names agree.
    """
    place = {name: i for i, name in enumerate(source.points)}
    order = np.array([place.get(name, -1) for name in target.points], np.int64)
    found = int((order >= 0).sum())
    least = min(SHARED, len(source.points), len(target.points))
    if found < least:
        raise DataError(
            f"{where}: points of {source.name!r} can only be converted to those of {target.name!r} if at least {least} "
            f"names agree; {found} do. It has {list(source.points)}, wanted are {list(target.points)}: "
            "rename its points"
        )
    return order


def _reordered(points: Keypoints, order: NDArray[np.int64]) -> Keypoints:
    """The points in another order; zeros, which mean unlabelled, where the order says -1."""
    there = order >= 0
    depth, known = points.depth, points.depth_known
    if depth is not None:
        known = (np.ones(depth.shape, bool) if known is None else known)[..., order] & there
        depth = depth[..., order] * there.astype(depth.dtype)
    return Keypoints(
        xy=points.xy[..., order, :] * there[:, None].astype(points.xy.dtype),
        visibility=points.visibility[..., order] * there.astype(points.visibility.dtype),
        depth=depth,
        depth_known=known,
    )
