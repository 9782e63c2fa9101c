"""Read YOLO-pose sets: a data.yaml, images, and a text file of labels for each.

Coordinates are fractions of the width and height of the image, so they are ours divided by its size, without the half
pixel of COCO.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.coco_dataset import AREA_OF_BOX
from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.errors import DataError, listed, one_line, plain_path, shown
from posekit.data.folders import is_file
from posekit.data.image import image_size
from posekit.data.yolo_config import class_names, load_yaml, read_skeleton
from posekit.data.yolo_images import find_split
from posekit.data.yolo_labels import FURTHEST_POINT
from posekit.data.yolo_labels import label_path as label_path
from posekit.data.yolo_labels import label_rows as label_rows
from posekit.data.yolo_labels import parse_rows as parse_rows
from posekit.data.yolo_labels import visibility_of as visibility_of
from posekit.data.yolo_writer import write_yolo as write_yolo
from posekit.geometry.boxes import area
from posekit.geometry.keypoints import IGNORE, INSTANCE


def read_yolo(path: Path | str, split: str = "train", category: str | None = None) -> Dataset:
    """Read one split of a YOLO-pose set, in the layout of Ultralytics, Roboflow, CVAT or Label Studio.

    An image without a label file, or with an empty one, has no instances. Where ``kpt_shape`` has two numbers a point,
    a point at (0, 0) or below is unlabelled and all others are seen. Areas are 0.53 of the box, since the format has
    none. Images that are not where the data.yaml says are searched beside it; this, and everything else that is
    inferred, is noted in ``inferred``.

    Args:
        path: of the data.yaml.
        split: ``"train"``, ``"val"`` or ``"test"``.
        category: name of the class, if the labels have several.

    Raises:
        DataError: the set is invalid.
    """
    file = Path(path)
    return from_yaml(load_yaml(file), file, split, category)


def from_yaml(
    content: dict[str, Any],
    file: Path,
    split: str = "train",
    category: str | None = None,
    leave_out: Collection[Path] = (),
) -> Dataset:
    """`read_yolo` of a data.yaml that is already parsed, without some of its images.

    Raises:
        DataError: the set is invalid.
    """
    k, dims = content["kpt_shape"]
    names = class_names(file, content)
    found, locations = find_split(file, content, split)
    paths = [path for path in found if path not in leave_out]
    labels = [label_path(path) for path in paths]
    bare = _without_labels(file, paths, labels)
    tables = [label_rows(label, 5 + k * dims) for label in labels]
    image = np.repeat(np.arange(len(paths)), [len(t) for t in tables])
    rows = np.concatenate([*tables, np.zeros((0, 5 + k * dims))])
    visibility = _checked(file, labels, tables, rows, names, (k, dims))
    chosen = _choose(file, names, rows[:, 0], category)
    kept = rows[:, 0] == chosen
    image, rows, visibility = image[kept], rows[kept], visibility[kept]
    skeleton, notes = read_skeleton(file, content, chosen, names[chosen])
    notes += locations
    if not kept.all():
        notes += (f"{(~kept).sum()} labels of other classes are left out",)
    if dims == 2:
        notes += ("visibility: the labels have none; points at (0, 0) or below are unlabelled, all others seen",)
    records = tuple(_record(file, path, i) for i, path in enumerate(paths, 1))
    sizes = np.array([(r.width, r.height) for r in records], np.float64)[image]
    points = rows[:, 5:].reshape(len(rows), k, dims)[..., :2]
    # Labelled points are never so far out; where nothing is labelled, numbers mean nothing.
    points = np.where((np.abs(points) > FURTHEST_POINT).any(-1, keepdims=True), 0.0, points)
    corner, extent = rows[:, 1:3] - rows[:, 3:5] / 2, rows[:, 3:5]
    boxes = np.concatenate([corner, corner + extent], 1) * np.tile(sizes, 2)
    return Dataset(
        skeleton=skeleton,
        images=records,
        xy=points * sizes[:, None],
        visibility=visibility,
        boxes=boxes,
        area=AREA_OF_BOX * area(boxes),
        category=np.zeros(len(rows), np.int64),
        role=np.where((visibility > 0).any(1), INSTANCE, IGNORE).astype(np.int8),
        image=image,
        annotation_id=np.arange(1, len(rows) + 1),
        inferred=one_line((*notes, *bare, f"{len(rows)} areas: the format has none, {AREA_OF_BOX} of the box taken")),
        category_id=chosen,
        file=str(file),
    )


def _record(file: Path, path: Path, number: int) -> ImageRecord:
    if not is_file(path):
        raise DataError(f"{file}: the image {plain_path(path)} is listed but does not exist; add it, or unlist it")
    height, width = image_size(path)
    return ImageRecord(path=str(path), width=width, height=height, id=number)


def _without_labels(file: Path, paths: Sequence[Path], labels: Sequence[Path]) -> tuple[str, ...]:
    """A note on images that have no label file.

    Raises:
        DataError: no image has one.
    """
    bare = [path for path, label in zip(paths, labels, strict=True) if not is_file(label)]
    if not bare:
        return ()
    if len(bare) == len(paths):
        raise DataError(
            f"{file}: none of its {len(paths)} images has a label file; looked for {labels[0]} and the like: put the "
            "folder 'labels' beside 'images'"
        )
    names = listed([path.name for path in bare])
    return (f"labels: {len(bare)} of {len(paths)} images have no label file, so no instances: {names}",)


def _checked(
    file: Path,
    labels: Sequence[Path],
    tables: Sequence[NDArray[np.float64]],
    rows: NDArray[np.float64],
    names: dict[int, str],
    shape: tuple[int, int],
) -> NDArray[np.int8]:
    """(rows, K) visibility, after checking classes and points.

    Raises:
        DataError: a class is unknown or a point invalid; the message has the label file.
    """
    try:
        _known(file, file, rows[:, 0], names)
        return visibility_of(file, rows[:, 5:].reshape(len(rows), *shape))
    except DataError:
        # Only now is it worth the time to look which file it is.
        for label, table in zip(labels, tables, strict=True):
            _known(file, label, table[:, 0], names)
            visibility_of(label, table[:, 5:].reshape(len(table), *shape))
        raise


def _known(file: Path, label: Path, classes: NDArray[np.float64], names: dict[int, str]) -> None:
    unknown = [c for c in np.unique(classes).astype(int).tolist() if c not in names]
    if unknown:
        raise DataError(f"{label}: labels have classes {unknown}, 'names' of {file} only {shown(names)}; add them")


def _choose(file: Path, names: dict[int, str], classes: NDArray[np.float64], wish: str | None) -> int:
    """Number of the class named ``wish``, or the only one with labels."""
    present = np.unique(classes).astype(int).tolist()
    if wish is not None:
        found = [i for i, name in names.items() if name == wish]
        if not found:
            raise DataError(f"{file}: no class {wish!r}; the file has: {listed(list(map(shown, names.values())))}")
        return found[0]
    if len(present) > 1:
        classes_ = listed([shown(names[c]) for c in present])
        raise DataError(f"{file}: several classes have labels: {classes_}; choose one (--data.category NAME)")
    return present[0] if present else next(iter(names))
