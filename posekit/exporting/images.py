"""Images for the check and the calibration of an export, cut to the size of the network. NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.image import read_image
from posekit.data.image_files import image_files
from posekit.data.synthetic import Synthetic
from posekit.engines.spec import InferenceSpec
from posekit.transforms.geometric import warp

LEVELS = (0, 114, 255)
"""Grey values of the images without content."""


def plateaus(spec: InferenceSpec) -> NDArray[np.uint8]:
    """(M, H, W, 3) images without content, and one of two halves: many cells have equal values in these."""
    height, width = spec.size
    flat = [np.full((height, width, 3), level, np.uint8) for level in LEVELS]
    halves = flat[0].copy()
    halves[:, width // 2 :] = 255
    return np.stack([*flat, halves])


def from_labels(spec: InferenceSpec, dataset: Dataset, count: int) -> NDArray[np.uint8]:
    """(N, H, W, 3) crops of labelled instances, or full images; evenly spread over the data.

    Raises:
        DataError: there is none.
    """
    if not (len(dataset.rows) if spec.needs_boxes else len(dataset.images)):
        what = "instance with a labelled point" if spec.needs_boxes else "image"
        raise DataError(f"{dataset.file or 'the data'}: no {what} to export with; give another label file")
    if spec.needs_boxes:
        rows = spread(dataset.rows, count)
        parts = (
            (dataset.images[image].read(), dataset.boxes[row][None])
            for row, image in zip(rows.tolist(), dataset.image[rows].tolist(), strict=True)
        )
    else:
        records = [dataset.images[number] for number in spread(np.arange(len(dataset.images)), count).tolist()]
        parts = ((record.read(), None) for record in records)
    return _cut(spec, parts)


def from_files(spec: InferenceSpec, sources: Sequence[str | Path], count: int) -> NDArray[np.uint8]:
    """(N, H, W, 3) of image files; each is one box.

    Raises:
        DataError: a source has no image, or one cannot be read.
    """
    files = image_files(sources)
    chosen = [files[number] for number in spread(np.arange(len(files)), count).tolist()]
    return _cut(spec, ((image, _whole(image) if spec.needs_boxes else None) for image in map(read_image, chosen)))


def drawn(spec: InferenceSpec, count: int) -> NDArray[np.uint8]:
    """(N, H, W, 3) synthetic images, where there are no real ones."""
    people = Synthetic(spec.skeleton, count, spec.size, people=1 if spec.needs_boxes else 4)
    return np.stack([people.image(number) for number in range(count)])


def spread(items: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most ``count`` of the items, evenly spread."""
    if len(items) <= count:
        return items
    return items[np.linspace(0, len(items) - 1, count).round().astype(np.int64)]


def _whole(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.array([[0.0, 0.0, image.shape[1], image.shape[0]]])


def _cut(
    spec: InferenceSpec, parts: Iterator[tuple[NDArray[np.uint8], NDArray[np.float64] | None]]
) -> NDArray[np.uint8]:
    """Crops of boxes, or the views of full images, in the size of the network."""
    return np.stack(
        [
            warp(image, matrix, spec.size)
            for image, boxes in parts
            for matrix in spec.framing.frames((image.shape[0], image.shape[1]), boxes, spec.size)
        ]
    )
