"""Write a split of a YOLO-pose set: one image and one label file for each image; input files are not changed."""

from __future__ import annotations

from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path
from shutil import copyfile
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.distinct_names import distinct_names
from posekit.data.errors import DataError, listed
from posekit.data.image import image_size
from posekit.data.inputs import refuse_overwriting
from posekit.data.yolo_config import load_yaml
from posekit.data.yolo_images import SUFFIXES
from posekit.geometry.keypoints import INSTANCE


def write_yolo(dataset: Dataset, folder: Path | str, split: str = "train") -> Path:
    """Write a split of a YOLO-pose set: images (copied), labels, and the data.yaml, which keeps its other splits.

    Images with equal names keep their folders or are numbered. Existing files are never changed: if one has other
    content, nothing is written. The format has no areas, iscrowd, ids, bones or depths: these are left out. Regions to
    ignore are left out too, unless they are unlabelled instances.

    Args:
        dataset: to write.
        folder: of the set; made.
        split: name of the split.

    Returns:
        The path of the data.yaml.

    Raises:
        DataError: a file is in the way, or the folder holds a set of other points.
        ValueError: the name of the split is not a plain word.
    """
    if not split.replace("_", "").replace("-", "").isalnum():
        raise ValueError(f"the name of a split must be a plain word, such as train; got {split!r}")
    root = Path(folder)
    yaml_file, content = _yaml(dataset, root, split)
    images = [root / "images" / split / name for name in _names(dataset.images)]
    labels = [root / "labels" / split / image.relative_to(root / "images" / split) for image in images]
    labels = [label.with_name(f"{label.stem}.txt") for label in labels]
    texts = _texts(dataset)
    _refuse_changes(dataset.images, images, labels, texts)
    for record, image, label, text in zip(dataset.images, images, labels, texts, strict=True):
        image.parent.mkdir(parents=True, exist_ok=True)
        label.parent.mkdir(parents=True, exist_ok=True)
        _put(record, image)
        label.write_bytes(text)
    for part in ("images", "labels"):
        (root / part / split).mkdir(parents=True, exist_ok=True)
    yaml_file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return yaml_file


def _names(images: Sequence[ImageRecord]) -> list[Path]:
    """Names of the copies; endings unknown to readers of the format are replaced."""
    paths = [record.path if _copied(record) else f"{record.path}.png" for record in images]
    return [Path(name) for name in distinct_names(paths)]


def _copied(record: ImageRecord) -> bool:
    """Whether an image can keep its ending."""
    return Path(record.path).suffix.lower() in SUFFIXES


def _texts(dataset: Dataset) -> list[bytes]:
    """The label file of each image."""
    written = np.ones(len(dataset.role), bool) if dataset.is_crowd is None else ~dataset.is_crowd
    written &= (dataset.role == INSTANCE) | ~(dataset.visibility > 0).any(1)
    texts = []
    for i, record in enumerate(dataset.images):
        rows = dataset.rows_of_image(i)
        lines = _lines(dataset, rows[written[rows]], _size(record))
        texts.append("".join(f"{line}\n" for line in lines).encode())
    return texts


def _size(record: ImageRecord) -> NDArray[np.float64]:
    """(2,) width and height of an image."""
    if record.load is None:
        height, width = image_size(record.path)
    elif record.width and record.height:
        height, width = record.height, record.width
    else:
        height, width = record.read().shape[:2]
    return np.array([width, height], np.float64)


def _lines(dataset: Dataset, rows: NDArray[np.int64], size: NDArray[np.float64]) -> list[str]:
    boxes = dataset.boxes[rows] / np.tile(size, 2)
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    points = dataset.xy[rows] / size
    flat = np.concatenate([points, dataset.visibility[rows][..., None]], -1).reshape(len(rows), -1)
    return [" ".join(["0", *(f"{v:.10g}" for v in row)]) for row in np.concatenate([centre, extent, flat], 1).tolist()]


def _refuse_changes(
    records: Sequence[ImageRecord], images: Sequence[Path], labels: Sequence[Path], texts: Sequence[bytes]
) -> None:
    """Refuse to write where another file, or a link, is in the way.

    Raises:
        DataError: there are such files.
    """
    in_the_way = [
        path
        for record, image, label, text in zip(records, images, labels, texts, strict=True)
        for path, same in ((image, lambda p, r=record: _same(r, p)), (label, lambda p, t=text: p.read_bytes() == t))
        if (path.exists() or path.is_symlink()) and not (path.is_file() and same(path))
    ]
    if in_the_way:
        raise DataError(
            f"{len(in_the_way)} of the {len(images) + len(labels)} files to be written are there already, with other "
            f"content: {listed(in_the_way)}; write into another folder or split, or take them away"
        )


def _same(record: ImageRecord, path: Path) -> bool:
    """Whether a file already has the content to be written."""
    if record.load is None and _copied(record):
        source = Path(record.path)
        return source.samefile(path) or cmp(source, path, shallow=False)
    return path.read_bytes() == _encoded(record, path.suffix)


def _put(record: ImageRecord, path: Path) -> None:
    """Copy an image, or write it where it is made on access."""
    if path.exists():
        return
    if record.load is None and _copied(record):
        copyfile(record.path, path)
    else:
        path.write_bytes(_encoded(record, path.suffix))


def _encoded(record: ImageRecord, suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, cv2.cvtColor(record.read(), cv2.COLOR_RGB2BGR))[1].tobytes())


def _yaml(dataset: Dataset, root: Path, split: str) -> tuple[Path, dict[str, Any]]:
    """The path and content of the data.yaml.

    Raises:
        DataError: the data set was read from it, it has other points, or it leads out of the folder.
    """
    file = root / "data.yaml"
    refuse_overwriting(file, dataset)
    for part in ("images", "labels"):
        place = (root / part / split).resolve()
        if not place.is_relative_to(root.resolve()):
            raise DataError(f"{root / part / split}: leads to {place}, out of {root}; name a folder without such links")
    skeleton = dataset.skeleton
    content: dict[str, Any] = {
        "kpt_shape": [len(skeleton.points), 3],
        "names": {0: skeleton.name},
        "kpt_names": {0: list(skeleton.points)},
    }
    if skeleton.flippable:
        content["flip_idx"] = list(skeleton.flip)
    if skeleton.sigmas:
        content["kpt_oks_sigmas"] = list(skeleton.oks_sigmas)
    before = load_yaml(file) if file.exists() else {"path": "."}
    other = [key for key in (*content, "flip_idx") if key in before and before[key] != content.get(key)]
    if other:
        changes = ", ".join(dict.fromkeys(other))
        raise DataError(f"{file}: has other points or classes ({changes} would change); write into another folder")
    return file, before | {split: f"images/{split}"} | content
