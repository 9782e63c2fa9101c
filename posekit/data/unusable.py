"""Find boxes without extent, before training and prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.errors import TOLD
from posekit.geometry.boxes import or_around_points, usable
from posekit.geometry.keypoints import INSTANCE

FIX = "draw them around the instance, or leave bbox out: it is then put around the points"
"""What to do about unusable boxes."""


def unusable_boxes(dataset: Dataset) -> NDArray[np.int64]:
    """Trainable rows whose box has no width, no height, or a value that is not finite.

    Such an instance cannot be cropped, and a one-stage model would train it as background.

    Args:
        dataset: regions to ignore are left out.

    Returns:
        (bad,) rows of the arrays of ``dataset``, in their order.
    """
    rows = np.flatnonzero(dataset.role == INSTANCE)
    return np.asarray(rows[~usable(dataset.boxes[rows])], np.int64)


def with_usable_boxes(dataset: Dataset) -> Dataset:
    """The same set with boxes without extent put around the points of the instance, with a note."""
    told = about_unusable_boxes(dataset)
    if not told:
        return dataset
    boxes = or_around_points(dataset.boxes, dataset.xy, dataset.visibility > 0)
    sentence = f"warning: {told.removesuffix(FIX)}they are put around the points"
    return replace(dataset, boxes=boxes, inferred=(*dataset.inferred, sentence))


def about_unusable_boxes(dataset: Dataset) -> str:
    """A message with the unusable boxes, their annotations, their images and the fix; empty if there are none."""
    rows = unusable_boxes(dataset)
    if not len(rows):
        return ""
    what = f"{len(rows)} boxes have no width or no height: ids {listed_rows(dataset, rows)}"
    return f"{dataset.file}: {what}; {FIX}" if dataset.file else f"{what}; {FIX}"


def listed_rows(dataset: Dataset, rows: NDArray[np.int64]) -> str:
    """Ids of annotations with the names of their images; the first few if there are many.

    >>> listed_rows(dataset, np.array([17]))                                                       # doctest: +SKIP
    '18 (in 017.png)'
    """
    images: dict[int, str] = {}
    for row in rows[: 4 * TOLD].tolist():
        name = dataset.images[int(dataset.image[row])].path.replace("\\", "/").rsplit("/", 1)[-1]
        images.setdefault(int(dataset.annotation_id[row]), " ".join(name.split()))
    names = [f"{number} (in {name})" for number, name in list(images.items())[:TOLD]]
    rest = len(np.unique(dataset.annotation_id[rows])) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest > 0 else "")
