"""Four scenes on one canvas, cut at a drawn place: more people, in more surroundings, at other scales.

Source: after Bochkovskiy et al. 2020, arXiv:2004.10934 (YOLOv4). Differs: points beyond the edge of their own tile
become unlabelled, and neither they nor anything else is pushed to the edge.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from posekit.geometry.skeleton import Skeleton
from posekit.transforms.joining import joined
from posekit.transforms.scene import Scene, clipped, leaving, random_scene

if TYPE_CHECKING:
    from posekit.data.sample import Sample

CUT = (0.3, 0.7)
"""Where the canvas is cut, smallest and largest, in fractions of each side."""

ZOOM = 1.4
"""How much larger than fitted into its tile a scene is shown in the middle of its scales: between that and the whole
canvas, so that people do not all turn small."""


def random_mosaic(
    sample: Sample,
    scenes: Sequence[Sample],
    rng: np.random.Generator,
    skeleton: Skeleton,
    scene: Scene,
    size: tuple[int, int],
) -> Sample:
    """A sample and three others, each a random view of its own, in drawn order around a drawn cut.

    Args:
        sample: any number of instances.
        scenes: where the others are drawn from; read only when drawn.
        rng: the only source of randomness; the number of draws does not depend on the samples.
        skeleton: of the points of all.
        scene: ranges of the four views.
        size: (height, width) of the canvas, at least 8 pixels each.

    Returns:
        See `mosaic`; its ``path``, ``image_id``, ``index`` and ``to_source`` are the sample's own.

    Raises:
        ValueError: there are no scenes to draw from.
    """
    x, y, *which, turn = rng.random(6).tolist()
    if not len(scenes):
        raise ValueError("a mosaic draws three more scenes; got none to draw from")
    height, width = size
    low, high = CUT
    cut = round((low + (high - low) * x) * width), round((low + (high - low) * y) * height)
    four = [sample, *(scenes[int(u * len(scenes))] for u in which)]
    first = int(turn * 4)
    tiles = [
        random_scene(four[(i - first) % 4], rng, skeleton, scene, (y1 - y0, x1 - x0), ZOOM)
        for i, (x0, y0, x1, y1) in enumerate(tiling(cut, size))
    ]
    return mosaic(tiles, cut, size, first)


def tiling(cut: tuple[int, int], size: tuple[int, int]) -> tuple[tuple[int, int, int, int], ...]:
    """Four tiles x0 y0 x1 y1, by rows, around a cut (x, y)."""
    (x, y), (height, width) = cut, size
    return (0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)


def mosaic(tiles: Sequence[Sample], cut: tuple[int, int], size: tuple[int, int], first: int = 0) -> Sample:
    """Join four views into one.

    A point outside its own tile is not in the picture: it keeps its place and becomes unlabelled. Boxes and regions
    to ignore are cut to the tile; areas stay, as they say how large a person is. Who keeps no labelled point becomes
    a region to ignore.

    Args:
        tiles: by rows, each of the size that `tiling` gives it.
        cut: (x, y) where the four meet, pixels.
        size: (height, width) of the canvas.
        first: the tile whose names and ``to_source`` the canvas takes.

    Raises:
        ValueError: a tile has another size.
    """
    canvas = np.empty((*size, 3), np.uint8)
    parts = []
    for tile, (x0, y0, x1, y1) in zip(tiles, tiling(cut, size), strict=True):
        if tile.image.shape[:2] != (y1 - y0, x1 - x0):
            raise ValueError(
                f"{tile.path}: a canvas of {size[0]}x{size[1]} cut at x={cut[0]} y={cut[1]} has a tile of "
                f"{y1 - y0}x{x1 - x0} (height x width) here; got a view of {tile.image.shape[0]}x{tile.image.shape[1]}"
            )
        canvas[y0:y1, x0:x1] = tile.image
        parts.append(_laid(tile, (x0, y0, x1, y1)))
    return dataclasses.replace(
        parts[first],
        image=canvas,
        instances=joined([part.instances for part in parts]),
        ignore=np.concatenate([part.ignore for part in parts]),
    )


def _laid(tile: Sample, frame: tuple[int, int, int, int]) -> Sample:
    """What is true of a view that lies in a frame of the canvas."""
    x0, y0, x1, y1 = frame
    shift = np.array((x0, y0), np.float32)
    points = tile.instances.keypoints
    xy = points.xy + shift
    seen = ((points.xy >= 0) & (points.xy <= (x1 - x0, y1 - y0))).all(-1)
    points = dataclasses.replace(points, xy=xy, visibility=points.visibility * seen.astype(points.visibility.dtype))
    boxes = clipped(tile.instances.boxes + np.tile(shift, 2), frame)
    laid = dataclasses.replace(
        tile,
        instances=dataclasses.replace(tile.instances, keypoints=points, boxes=boxes),
        ignore=clipped(tile.ignore + np.tile(shift, 2), frame),
        to_source=tile.to_source @ np.array([[1.0, 0.0, -x0], [0.0, 1.0, -y0], [0.0, 0.0, 1.0]]),
    )
    return leaving(laid, points.labelled.any(-1), boxes)
