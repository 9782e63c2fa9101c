"""Pictures of training targets: one synthetic person for each representation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from codec_fields import directions_panel, offsets_panel
from codec_pages import FOLDER, codec_of
from codec_panels import (
    ENLARGED,
    HEIGHT,
    INK,
    PAPER,
    SHOWN,
    Array,
    Image,
    Panel,
    bars_panel,
    maps_panel,
    numbers_panel,
    points_panel,
    volume_panels,
)

from posekit.codecs.base import Codec
from posekit.data.synthetic import Synthetic
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import INSTANCE, Instances, Keypoints
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN
from posekit.skeletons.body import COCO17

SEED, INDEX = 0, 3
"""The synthetic person: completely inside the image, all points labelled."""
LEVELS = 8
"""Colours are multiples of this, so that files stay small."""
CAPTION, GAP = 26, 10
"""Height of the caption below a panel, and the gap between panels, pixels."""


def scene() -> tuple[Image, Instances]:
    """A pale grey image of a person and its labels as a batch of one."""
    drawn = Synthetic(COCO17, INDEX + 1, size=PLAIN.size, seed=SEED, outside=0)
    labels = drawn.dataset()
    (row,) = np.flatnonzero(labels.image == INDEX)
    grey = cv2.cvtColor(cv2.medianBlur(drawn.image(INDEX), 5), cv2.COLOR_RGB2GRAY).astype(np.float64)
    pale = np.repeat((170 + LEVELS * np.rint(80 * grey / 255 / LEVELS))[..., None], 3, -1).astype(np.uint8)
    xy = torch.from_numpy(labels.xy[row].astype(np.float32))[None, None]
    depth = None if labels.depth is None else torch.from_numpy(labels.depth[row].astype(np.float32))[None, None]
    seen = torch.full(xy.shape[:-1], 2)
    return pale, Instances(
        keypoints=Keypoints(xy=xy, visibility=seen, depth=depth, depth_known=None if depth is None else seen > 0),
        boxes=torch.from_numpy(labels.boxes[row].astype(np.float32))[None, None],
        area=torch.tensor([[float(labels.area[row])]]),
        category=torch.zeros(1, 1, dtype=torch.long),
        role=torch.full((1, 1), INSTANCE),
    )


def panels(codec: Codec, image: Image, labels: Instances) -> Iterator[tuple[str, Panel]]:
    """The person, then a panel for each map that the network gives; bins of all axes share one.

    A representation that trains only locations has a panel of them.
    """
    xy = labels.keypoints.xy[0, 0].double().numpy()
    target = codec.encode(labels).maps
    yield "points", points_panel(image, xy)
    bins, drawn = {}, 0
    for name, shape in codec.shapes.items():
        shown = "probability" if name == "heatmap" and name not in target else name
        if shown not in target:
            continue
        values = target[shown][0].double().numpy()
        size = "x".join(map(str, shape))
        if values.ndim == 2 and values.shape[1] > 4:
            bins[name] = values
        for caption, panel in panels_of(shown, codec, image, xy, values):
            yield f"{caption} {size}", panel
            drawn += 1
    if bins:
        yield (
            ", ".join(f"{name} {'x'.join(map(str, v.shape))}" for name, v in bins.items()),
            bars_panel(image, xy, bins),
        )
    elif not drawn:
        yield "xy", numbers_panel(image, xy)


def panels_of(name: str, codec: Codec, image: Image, xy: Array, values: Array) -> Iterator[tuple[str, Panel]]:
    """Panels of one target, by its name and its axes."""
    if values.ndim == 2:
        if values.shape[1] == 2:
            yield name, numbers_panel(image, xy)
        return
    grid, points = grid_of(codec, values), len(xy)
    if name == "offset":
        yield name, offsets_panel(image, xy, values, grid)
    elif name == "paf":
        yield name, directions_panel(image, values, grid)
    elif name == "volume":
        front, side = volume_panels(image, values.reshape(points, -1, *values.shape[1:])[list(SHOWN)])
        yield name, front
        yield "from the side,", side
    else:
        yield name, maps_panel(image, values[list(SHOWN)] if len(values) >= points else values)


def grid_of(codec: Codec, values: Array) -> Grid:
    """The codec's grid, or an even grid of as many cells if it has none of that size."""
    grid = getattr(codec, "grid", None)
    if grid is not None and grid.shape == values.shape[-2:]:
        return grid
    (height, width), (rows, columns) = codec.image, values.shape[-2:]
    return Grid(height=rows, width=columns, image_height=height, image_width=width)


def picture(name: str) -> Image:
    """All panels of a representation side by side with their captions."""
    image, labels = scene()
    columns = []
    for caption, panel in panels(codec_of(name), image, labels):
        height, width = panel.canvas.shape[:2]
        small = cv2.resize(panel.canvas, (width // ENLARGED, height // ENLARGED), interpolation=cv2.INTER_AREA)
        column = np.full((HEIGHT + CAPTION, max(small.shape[1], 8 * len(caption)), 3), PAPER, np.uint8)
        column[:HEIGHT, : small.shape[1]] = small
        cv2.putText(column, caption, (2, HEIGHT + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
        columns += [column, np.full((HEIGHT + CAPTION, GAP, 3), PAPER, np.uint8)]
    page = np.concatenate(columns[:-1], 1).astype(np.float64)
    return np.clip(LEVELS * np.rint(page / LEVELS), 0, 255).astype(np.uint8)


def write_all() -> list[Path]:
    """Draw every picture; returns the files that changed."""
    changed = []
    FOLDER.mkdir(exist_ok=True)
    for name in REPRESENTATIONS:
        file = FOLDER / f"{name}.png"
        coded = cv2.imencode(".png", picture(name)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
        if not file.exists() or file.read_bytes() != coded:
            file.write_bytes(coded)
            changed.append(file)
    return changed
