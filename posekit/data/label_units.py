"""Labels in another unit than pixels of their images: fractions, percentages, pixels of a larger copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.unusable import listed_rows

Array = NDArray[Any]
Found = tuple[str, Literal["error", "warning"], str, str, Array]
"""Code, severity, what, fix and rows of a suspicion."""

MOST = 0.9
"""Share of the annotations from which on the whole file is taken to have the unit."""

SLACK = 0.01
"""Tolerance for fractions outside 0 to 1."""

SIGNIFICANCE = 1e-6
"""Significance: below this probability under uniform points, the pattern counts as a wrong unit."""


def another_unit(dataset: Dataset) -> Iterator[Found]:
    """Evidence of another unit of points or boxes of the trainable instances; at most one.

    YOLO sets are not checked: their fractions are converted on reading, and small values are small objects.
    """
    if dataset.file.lower().endswith((".yaml", ".yml")):
        return
    sizes = _sizes(dataset)
    found = _fractions(dataset, sizes)
    if found is None and (sizes > 0).all():
        found = _percentages(dataset, sizes) or _smaller_copy(dataset, sizes)
    if found is not None:
        yield found


def _sizes(dataset: Dataset) -> Array:
    """(len, 2) width and height of each instance's image; 0 where unknown."""
    sizes = np.array([(record.width, record.height) for record in dataset.images], np.float64).reshape(-1, 2)
    return np.asarray(sizes[dataset.image_of_instance()])


def _points(dataset: Dataset) -> Array:
    """(len, K, 2) labelled points as their file counts them, from the centres of pixels; NaN for others."""
    rows = dataset.rows
    return np.where((dataset.visibility[rows] > 0)[..., None], dataset.xy[rows] - 0.5, np.nan)


def _fractions(dataset: Dataset, sizes: Array) -> Found | None:
    points, boxes, rows = _points(dataset), dataset.boxes[dataset.rows], dataset.rows
    large = ((sizes == 0) | (sizes > 8)).all(1)
    limit = 1 + SLACK
    in_points = large & (np.nanmax(np.abs(points), (1, 2)) <= limit)
    in_boxes = large & (np.abs(boxes).max(1) <= limit) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    of_points, of_boxes = in_points.mean() >= MOST, in_boxes.mean() >= MOST
    if of_points or of_boxes:
        who = "points and boxes" if of_points and of_boxes else "points" if of_points else "boxes"
        signed = bool((points[in_points] < -SLACK).any() or (boxes[in_boxes] < -SLACK).any())
        first = "they go from -1 to 1: add 1 and halve, then " if signed else ""
        return (
            "fractions",
            "error",
            f"{who} lie within the first pixel of their images: are these fractions of the image?",
            f"{first}multiply x (and widths) by the width and y (and heights) by the height of the image: "
            "COCO counts in pixels",
            rows,
        )
    some = in_points & (np.isfinite(points[..., 0]).sum(1) > 1)
    if not some.any():
        return None
    return (
        "fractions",
        "warning",
        f"{some.sum()} annotations have all points within the first pixel: ids {listed_rows(dataset, rows[some])}",
        "are these fractions of the image? multiply them by its width and height",
        rows[some],
    )


def _unlikely(sizes: Array, part: Array, images: Array) -> bool:
    """Whether uniformly random points, one for each image, would hardly all lie in a part (width, height) of each."""
    share = np.clip(part / sizes, 1e-9, 1).prod(1)
    first = np.unique(images, return_index=True)[1]
    return bool(np.log(share[first]).sum() < np.log(SIGNIFICANCE))


def _percentages(dataset: Dataset, sizes: Array) -> Found | None:
    points = _points(dataset)
    low, high = np.nanmin(points), np.nanmax(points)
    part = np.full(sizes.shape, 100.0)
    if low < -1 or not 50 < high <= 101 or not _unlikely(sizes, part, dataset.image_of_instance()):
        return None
    return (
        "percentages",
        "warning",
        "all points lie within 100 pixels of the upper left corner, in images that are larger: are these percentages?",
        "divide by 100 and multiply by the width and height of the image: COCO counts in pixels",
        dataset.rows,
    )


def _smaller_copy(dataset: Dataset, sizes: Array) -> Found | None:
    """Points that fill the upper left part of their images, and that alike along both axes."""
    shares = _points(dataset) / sizes[:, None]
    low, high = np.nanmin(shares, (0, 1)), np.nanmax(shares, (0, 1))
    alike = abs(high[0] - high[1]) < 0.05 and (low < 0.1 * high).all()
    boxes_too = (dataset.boxes[dataset.rows][:, 2:] / sizes).max() < high.max() + 0.2
    if not (alike and boxes_too) or high.max() > 0.7:
        return None
    if not _unlikely(sizes, high * sizes, dataset.image_of_instance()):
        return None
    return (
        "smaller_copy",
        "warning",
        f"all points and boxes lie in the upper left {high.max():.0%} of the width and height of their images",
        f"were they labelled on smaller copies? then multiply points and boxes by {1 / high.max():.3g}, areas by its "
        "square",
        dataset.rows,
    )
