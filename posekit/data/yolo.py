"""YOLO-pose sets: a data.yaml, images, and a text file of labels beside each.

Their coordinates are fractions of the image's width and height, so they are ours divided by its size: no half pixel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

import cv2
import numpy as np
import yaml

from posekit.data.coco import AREA_OF_BOX
from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.errors import DataError, listed, read_text
from posekit.data.image import image_size
from posekit.data.yolo_config import class_names, load_yaml, read_skeleton, split_images
from posekit.geometry.boxes import area
from posekit.geometry.keypoints import IGNORE, INSTANCE


def read_yolo(path: Path | str, split: str = "train", category: str | None = None) -> Dataset:
    """Read one split of a YOLO-pose set.

    An image without a label file has no instances. Where ``kpt_shape`` has two numbers a point, a point at (0, 0) or
    below is unlabelled and all others are seen. Areas are 0.53 of the box, since the format has none.

    Args:
        path: of the data.yaml.
        split: ``"train"``, ``"val"`` or ``"test"``.
        category: name of the class, where the labels have several.

    Raises:
        DataError: the set is not what it should be.
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
        DataError: the set is not what it should be.
    """
    k, dims = content["kpt_shape"]
    names = class_names(file, content)
    paths = [p for p in split_images(file, content, split) if p not in leave_out]
    tables = [label_rows(label_path(p), 5 + k * dims) for p in paths]
    image = np.repeat(np.arange(len(paths)), [len(t) for t in tables])
    rows = np.concatenate([*tables, np.zeros((0, 5 + k * dims))])
    chosen = _choose(file, names, rows[:, 0], category)
    kept = rows[:, 0] == chosen
    image, rows = image[kept], rows[kept]
    skeleton, said = read_skeleton(file, content, chosen, names[chosen])
    if not kept.all():
        said += (f"{(~kept).sum()} labels of other classes are left out",)
    records = tuple(_record(p, i) for i, p in enumerate(paths, 1))
    sizes = np.array([(r.width, r.height) for r in records], np.float64)[image]
    points = rows[:, 5:].reshape(len(rows), k, dims)
    visibility = visibility_of(file, points)
    if dims == 2:
        said += ("visibility: the labels have none; points at (0, 0) or below are unlabelled, all others seen",)
    corner, extent = rows[:, 1:3] - rows[:, 3:5] / 2, rows[:, 3:5]
    boxes = np.concatenate([corner, corner + extent], 1) * np.tile(sizes, 2)
    return Dataset(
        skeleton=skeleton,
        images=records,
        xy=points[..., :2] * sizes[:, None],
        visibility=visibility,
        boxes=boxes,
        area=AREA_OF_BOX * area(boxes),
        category=np.zeros(len(rows), np.int64),
        role=np.where((visibility > 0).any(1), INSTANCE, IGNORE).astype(np.int8),
        image=image,
        annotation_id=np.arange(1, len(rows) + 1),
        inferred=(*said, f"{len(rows)} areas: the format has none, {AREA_OF_BOX} of the box taken"),
        category_id=chosen,
        file=str(file),
    )


def _record(path: Path, number: int) -> ImageRecord:
    height, width = image_size(path)
    return ImageRecord(path=str(path), width=width, height=height, id=number)


def label_path(image: Path) -> Path:
    """The label file of an image: the last folder called images becomes labels, the ending .txt."""
    parts = list(image.with_suffix(".txt").parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts)


def label_rows(file: Path, width: int) -> np.ndarray:
    """(rows, width) numbers of one label file; none where there is no such file, or nothing in it.

    Raises:
        DataError: a line has another count of numbers, or something that is none.
    """
    if not file.exists() or not file.stat().st_size:
        return np.zeros((0, width))
    return parse_rows(file, read_text(file, "YOLO-pose labels").splitlines(), width)


def parse_rows(file: Path, lines: Sequence[str], width: int) -> np.ndarray:
    """`label_rows` of lines; ``file`` is for the message.

    Raises:
        DataError: as `label_rows`.
    """
    words = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    wrong = [(number, len(line)) for number, line in words if len(line) != width]
    if wrong:
        raise DataError(
            f"{file}: {len(wrong)} lines do not have {width} numbers (class, box, points as kpt_shape says): "
            f"lines {listed([i for i, _ in wrong])}; the first has {wrong[0][1]}; correct kpt_shape or the labels"
        )
    try:
        rows = np.array([line for _, line in words], np.float64).reshape(-1, width)
    except ValueError as error:
        raise DataError(f"{file}: expected numbers only; {error}") from None
    numbers = np.array([number for number, _ in words], np.int64)
    endless = numbers[~np.isfinite(rows).all(1)]
    if len(endless):
        raise DataError(f"{file}: lines {listed(endless.tolist())} have NaN or infinite numbers; write 0 0 0 instead")
    odd = numbers[(rows[:, 3:5] < 0).any(1) | (np.abs(rows[:, 1:5]) > 2).any(1)]
    if len(odd):
        raise DataError(
            f"{file}: lines {listed(odd.tolist())}: a box is not in fractions of the image (0 to 1); "
            "divide by width and height"
        )
    return rows


def visibility_of(file: Path, points: np.ndarray) -> np.ndarray:
    """(rows, K) int8 visibility of points (rows, K, 2 or 3) as a file has them.

    Raises:
        DataError: one is neither 0, 1 nor 2.
    """
    if points.shape[2] == 3:
        odd = ~np.isin(points[..., 2], (0, 1, 2))
        if odd.any():
            raise DataError(
                f"{file}: {odd.sum()} points have a visibility other than 0 (no label), 1 (hidden), 2 (seen), "
                f"such as {points[..., 2][odd][0]:g}; correct the labels, or kpt_shape"
            )
        return points[..., 2].astype(np.int8)
    return np.where((points > 0).any(-1) & (points >= 0).all(-1), 2, 0).astype(np.int8)


def _choose(file: Path, names: dict[int, str], classes: np.ndarray, wish: str | None) -> int:
    """Number of the class called ``wish``, or else the only one that has labels."""
    present = np.unique(classes).astype(int).tolist()
    unknown = [c for c in present if c not in names]
    if unknown:
        raise DataError(f"{file}: labels have classes {unknown}, 'names' only {names}; add them")
    if wish is not None:
        found = [i for i, name in names.items() if name == wish]
        if not found:
            raise DataError(f"{file}: no class {wish!r}; the file has: {', '.join(map(repr, names.values()))}")
        return found[0]
    if len(present) > 1:
        said = ", ".join(repr(names[c]) for c in present)
        raise DataError(f"{file}: several classes have labels: {said}; choose one (--data.category NAME)")
    return present[0] if present else next(iter(names))


def write_yolo(dataset: Dataset, folder: Path | str, split: str = "train") -> Path:
    """Write a split of a YOLO-pose set: images (copied), labels, and the data.yaml, which keeps its other splits.

    The format has no areas, crowds, ids, bones or depths: these are left out, regions to ignore too unless they are
    unlabelled instances.

    Args:
        dataset: to write.
        folder: of the set; made.
        split: name of the split.

    Returns:
        The path of the data.yaml.
    """
    root = Path(folder)
    names = _file_names(dataset.images)
    written = np.ones(len(dataset.role), bool) if dataset.crowd is None else ~dataset.crowd
    written &= (dataset.role == INSTANCE) | ~(dataset.visibility > 0).any(1)
    for part in ("images", "labels"):
        (root / part / split).mkdir(parents=True, exist_ok=True)
    for i, (record, name) in enumerate(zip(dataset.images, names, strict=True)):
        width, height = _put(record, root / "images" / split / name)
        rows = dataset.rows_of_image(i)
        rows = rows[written[rows]]
        text = "".join(f"{line}\n" for line in _lines(dataset, rows, np.array([width, height], np.float64)))
        (root / "labels" / split / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    return _write_yaml(dataset, root, split)


def _lines(dataset: Dataset, rows: np.ndarray, size: np.ndarray) -> list[str]:
    boxes = dataset.boxes[rows] / np.tile(size, 2)
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    points = dataset.xy[rows] / size
    flat = np.concatenate([points, dataset.visibility[rows][..., None]], -1).reshape(len(rows), -1)
    return [" ".join(["0", *(f"{v:.10g}" for v in row)]) for row in np.concatenate([centre, extent, flat], 1).tolist()]


def _file_names(images: Sequence[ImageRecord]) -> list[str]:
    """One name for each image; those that would share a label file get the image's number in front."""
    names = [Path(record.path).name for record in images]
    stems = Counter(Path(name).stem for name in names)
    return [n if stems[Path(n).stem] == 1 else f"{r.id}_{n}" for n, r in zip(names, images, strict=True)]


def _put(record: ImageRecord, path: Path) -> tuple[int, int]:
    """Copy an image, or write it where it is made on access; its (width, height)."""
    if record.load is None:
        if Path(record.path).absolute() != path.absolute():
            copyfile(record.path, path)
        height, width = image_size(path)
    else:
        image = record.read()
        height, width = image.shape[:2]
        path.write_bytes(cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
    return width, height


def _write_yaml(dataset: Dataset, root: Path, split: str) -> Path:
    file = root / "data.yaml"
    skeleton = dataset.skeleton
    content: dict[str, Any] = load_yaml(file) if file.exists() else {"path": "."}
    content |= {
        split: f"images/{split}",
        "kpt_shape": [len(skeleton.points), 3],
        "names": {0: skeleton.name},
        "kpt_names": {0: list(skeleton.points)},
    }
    if skeleton.flippable:
        content["flip_idx"] = list(skeleton.flip)
    if skeleton.sigmas:
        content["kpt_oks_sigmas"] = list(skeleton.oks_sigmas)
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file
