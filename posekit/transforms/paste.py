"""People of other images pasted into a scene: they cover what lies behind them and say so.

Source: after Ghiasi et al. 2021, arXiv:2012.07177. Differs: the outlines come from the points (`silhouette`), as
pose data seldom has masks, and hidden points of the people behind stay labelled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.geometry.boxes import area, extent
from posekit.geometry.skeleton import Skeleton
from posekit.transforms.geometric import Placement, place
from posekit.transforms.joining import joined
from posekit.transforms.scene import clipped, in_view, leaving
from posekit.transforms.silhouette import Mask, find_head, head_points, silhouette

if TYPE_CHECKING:
    from posekit.data.sample import Sample

Float = NDArray[np.floating]

HEIGHTS = (0.3, 0.95)
"""Smallest and largest share of the view that a pasted person takes, along the side that fills first."""

SPREAD = 0.8
"""Share of the view, along each axis, over which the middles of pasted people lie."""

ENLARGED = 2.0
"""Donors are blown up by at most so much; more would show as a blur."""

MARGIN = 0.1
"""How far an outline may reach beyond the person's box, in fractions of its longer side."""

HIDDEN, SEEN = 1, 2
"""Visibilities of a labelled point."""

COVERED = 0.8
"""Share of a person's labelled points in view that may be covered; with more, the person is a region to ignore."""


def paste(
    sample: Sample,
    people: Sequence[Sample],
    rng: np.random.Generator,
    skeleton: Skeleton,
    *,
    most: int = 2,
    flip: float = 0.5,
) -> Sample:
    """Paste some people, each at a drawn place in a drawn size.

    Args:
        sample: the view to paste into.
        people: images whose instance 0 is the person; read only when drawn.
        rng: the only source of randomness; the number of draws depends on ``most`` alone.
        skeleton: of the points of all.
        most: people pasted; from one up, evenly.
        flip: share of them that are mirrored.

    Returns:
        See `put`. Nobody is pasted where ``people`` is empty; a person is left out where too little is labelled.
    """
    count, randomness = rng.random(), rng.random((most, 5)).tolist()
    if not len(people):
        return sample
    height, width = sample.image.shape[:2]
    for which, tall, x, y, mirrored in randomness[: 1 + int(count * most)]:
        donor = people[int(which * len(people))]
        wide, high = extent(donor.instances.boxes[0]).tolist()
        largest = ENLARGED * max(wide / width, high / height)
        drawn = HEIGHTS[0] * (HEIGHTS[1] / HEIGHTS[0]) ** tall
        placement = Placement(
            donor.instances.boxes[0],
            padding=1.0,
            scale=min(drawn, largest),
            shift=(SPREAD * (x - 0.5), SPREAD * (y - 0.5)),
            flip=mirrored < flip and skeleton.flippable,
        )
        sample = put(sample, donor, placement, skeleton)
    return sample


def put(sample: Sample, donor: Sample, placement: Placement, skeleton: Skeleton) -> Sample:
    """Paste one person over a view.

    Points of others under the person turn hidden; who is covered but for a fifth of the points becomes a region to
    ignore, and so does a head that is seen but of which nothing is labelled. The view's frame and ``to_source`` stay.

    Args:
        sample: the view.
        donor: the image whose instance 0 is the person, of the view's skeleton.
        placement: of the person in the view.
        skeleton: of the points of both.

    Returns:
        The view with one instance more, the last; the view itself where the points do not tell an outline, or where
        the person would lie outside.

    Raises:
        ValueError: the person's box has no extent.
    """
    moved, frame = _placed(donor, placement, sample.image.shape[:2], skeleton)
    cover = _cover(moved, frame, skeleton)
    face = _unlabelled_head(moved, frame, skeleton)
    moved = in_view(moved)
    if cover is None or not len(moved.instances.boxes):
        return sample
    sample = _behind(sample, cover)
    return dataclasses.replace(
        sample,
        image=_blended(sample.image, moved.image, cover),
        instances=joined([sample.instances, moved.instances]),
        ignore=np.concatenate([sample.ignore, face]),
    )


def _placed(
    donor: Sample, placement: Placement, size: tuple[int, int], skeleton: Skeleton
) -> tuple[Sample, tuple[float, float, float, float]]:
    """The donor's person in the view, and the part of the view that its image fills.

    Points outside the donor's image are nowhere to be seen in the view either: they become unlabelled.
    """
    whole = np.array([[0, 0, donor.image.shape[1], donor.image.shape[0]]], np.float32)
    person = donor.instances.each(lambda column: column[:1])
    # The frame of the image travels as a region to ignore would.
    moved = place(dataclasses.replace(donor, instances=person, ignore=whole), placement, size, skeleton)
    x0, y0, x1, y1 = moved.ignore[0].tolist()
    points = moved.instances.keypoints
    known = ((points.xy >= (x0, y0)) & (points.xy <= (x1, y1))).all(-1)
    points = dataclasses.replace(points, visibility=points.visibility * known.astype(points.visibility.dtype))
    person = dataclasses.replace(moved.instances, keypoints=points)
    return dataclasses.replace(moved, instances=person, ignore=whole[:0]), (x0, y0, x1, y1)


def _cover(moved: Sample, frame: tuple[float, float, float, float], skeleton: Skeleton) -> Mask | None:
    """(H, W) how much of each pixel the person covers; nothing beyond its image or far from its box."""
    points, box = moved.instances.keypoints, moved.instances.boxes[0]
    size = moved.image.shape[:2]
    cover = silhouette(points.xy[0], points.labelled[0], skeleton, size)
    if cover is None:
        return None
    spare = MARGIN * float(extent(box).max())
    low = np.maximum(box[:2] - spare, np.array(frame[:2]) + 1)
    high = np.minimum(box[2:] + spare, np.array(frame[2:]) - 1)
    # The outermost pixels of the donor's image are mixed with the black outside.
    cover *= _between(size[1], low[0], high[0]) * _between(size[0], low[1], high[1])[:, None]
    return cover if cover.max() > 0 else None


def _between(count: int, low: float, high: float) -> Mask:
    """(count,) 1 for pixels whose centres lie between two locations, else 0."""
    centre = np.arange(count, dtype=np.float32) + 0.5
    return ((centre >= low) & (centre <= high)).astype(np.float32)


def _unlabelled_head(moved: Sample, frame: tuple[float, float, float, float], skeleton: Skeleton) -> Float:
    """(1, 4) the box of a head that is seen and of which nothing is labelled, else (0, 4)."""
    none = np.zeros((0, 4), np.float32)
    points = moved.instances.keypoints
    head = find_head(points.xy[0], points.labelled[0], skeleton)
    if head is None or head.labelled or not head_points(skeleton).any():
        return none
    (x, y), r = head.centre, head.radius
    box = clipped(np.array([[x - r, y - r, x + r, y + r]], np.float32), frame)
    height, width = moved.image.shape[:2]
    box = clipped(box, (0.0, 0.0, float(width), float(height)))
    return box if area(box)[0] > 0 else none


def _behind(sample: Sample, cover: Mask) -> Sample:
    """What is still known of the people of a view once something covers part of it."""
    height, width = cover.shape
    points = sample.instances.keypoints
    inside = ((points.xy >= 0) & (points.xy < (width, height))).all(-1)
    column, row = np.where(inside[..., None], points.xy, 0).astype(np.int64).transpose(2, 0, 1)
    covered = inside & (cover[row, column] > 0.5)
    known = inside & points.labelled
    lost = (known & covered).sum(-1) > COVERED * known.sum(-1)
    seen = points.visibility == SEEN
    points = dataclasses.replace(
        points, visibility=np.where(covered & seen, HIDDEN, points.visibility).astype(points.visibility.dtype)
    )
    behind = dataclasses.replace(sample, instances=dataclasses.replace(sample.instances, keypoints=points))
    return leaving(behind, ~lost, clipped(sample.instances.boxes, (0.0, 0.0, float(width), float(height))))


def _blended(under: NDArray[np.uint8], over: NDArray[np.uint8], cover: Mask) -> NDArray[np.uint8]:
    x, y, width, height = cv2.boundingRect((cover > 0).astype(np.uint8))
    part = slice(y, y + height), slice(x, x + width)
    old = under[part].astype(np.float32)
    out = under.copy()
    out[part] = np.rint(old + (over[part] - old) * cover[part][..., None])
    return out
