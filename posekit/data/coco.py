"""COCO key-point files: read, write, and results of predictions.

COCO counts pixel centres from 0; a point moves by half a pixel on the way in and back on the way out. Its boxes are
edges already and stay. Read and written again a file says the same of points, boxes, areas, crowds and ids; keys that
nothing here uses (segmentation, licences, ...) are dropped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.coco_category import choose_category, read_skeleton
from posekit.data.coco_depth import depth_entries, read_depths
from posekit.data.coco_structure import Entry, check_annotations, check_images, check_values, load_json
from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.errors import DataError
from posekit.data.folders import find_images
from posekit.geometry.boxes import around, extent, from_xywh, to_xywh
from posekit.geometry.keypoints import IGNORE, INSTANCE, Poses
from posekit.geometry.skeleton import Skeleton

HALF_PIXEL = 0.5
AREA_OF_BOX = 0.53
"""Share of its box that a person's segment fills, where a file gives no area (the habit of CrowdPose)."""


def read_coco(path: Path | str, images: Path | None = None, category: str | None = None) -> Dataset:
    """Read a COCO key-point file.

    Annotations that are crowds, or have no labelled point, become regions to ignore. A missing ``bbox`` is put around
    the points with a tenth to spare, a missing ``area`` is 0.53 of the box; both are said in ``inferred``. A list
    ``depth`` beside ``keypoints`` gives depths about the root, see `posekit.data.coco_depth`.

    Args:
        path: of the JSON.
        images: folder of the images; found by trying where it is not given.
        category: whose points, where several categories have some.

    Raises:
        DataError: the file is not what it should be; all faults of a kind are told together.
    """
    file = Path(path)
    return from_content(load_json(file), file, images, category)


def from_content(
    content: dict[str, Any],
    file: Path,
    images: Path | None = None,
    category: str | None = None,
    look: bool = True,
) -> Dataset:
    """`read_coco` of what is already parsed; ``file`` is where it came from, ``look`` whether images are looked for."""
    chosen = choose_category(file, content["categories"], category)
    skeleton, said = read_skeleton(file, chosen)
    check_images(file, content["images"])
    position = {entry["id"]: i for i, entry in enumerate(content["images"])}
    annotations = [a for a in content["annotations"] if a.get("category_id", chosen["id"]) == chosen["id"]]
    if len(annotations) < len(content["annotations"]):
        left = len(content["annotations"]) - len(annotations)
        said += (f"{left} annotations of other categories are left out",)
    points = len(skeleton.points)
    check_annotations(file, annotations, position, points)
    nothing = [0] * (3 * points)
    flat = np.array([a.get("keypoints") or nothing for a in annotations], np.float64).reshape(-1, points, 3)
    ids = [a.get("id", i) for i, a in enumerate(annotations, 1)]
    check_values(file, annotations, ids, flat)
    xy, visibility = flat[..., :2] + HALF_PIXEL, flat[..., 2].astype(np.int8)
    boxes, area, guessed = _boxes(annotations, xy, visibility > 0)
    crowd = np.array([bool(a.get("iscrowd", 0)) for a in annotations], bool)
    depth, depth_known = read_depths(file, annotations, points)
    names = [entry["file_name"] for entry in content["images"]]
    paths, where = find_images(file, names, images) if look else (names, f"images: in {file}")
    return Dataset(
        skeleton=skeleton,
        images=tuple(_record(entry, p) for entry, p in zip(content["images"], paths, strict=True)),
        xy=xy,
        visibility=visibility,
        boxes=boxes,
        area=area,
        category=np.zeros(len(annotations), np.int64),
        role=np.where(crowd | ~(visibility > 0).any(1), IGNORE, INSTANCE).astype(np.int8),
        image=np.array([position[a["image_id"]] for a in annotations], np.int64),
        annotation_id=_numbers(file, annotations, ids),
        inferred=(*said, *guessed, where),
        crowd=crowd,
        depth=depth,
        depth_known=depth_known,
        category_id=chosen["id"],
        file=str(file),
    )


def _record(entry: Entry, path: str) -> ImageRecord:
    width, height = entry.get("width") or 0, entry.get("height") or 0
    return ImageRecord(path=path, width=int(width), height=int(height), id=entry["id"])


def _numbers(file: Path, annotations: Sequence[Entry], ids: Sequence[Any]) -> np.ndarray:
    bad = [i for i in ids if not isinstance(i, int)]
    if bad:
        error = DataError(f"{file}: {len(bad)} annotations have an 'id' that is no whole number, such as {bad[0]!r}")
        raise error.about((a for a, i in zip(annotations, ids, strict=True) if not isinstance(i, int)), "id")
    return np.array(ids, np.int64)


def _boxes(
    annotations: Sequence[Entry], xy: np.ndarray, labelled: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """(M, 4) corners and (M,) areas, made up where the file has none, and what was made up."""
    said: tuple[str, ...] = ()
    given = np.array([a.get("bbox") is not None for a in annotations], bool)
    xywh = np.array([a.get("bbox") or (0, 0, 0, 0) for a in annotations], np.float64).reshape(-1, 4)
    boxes = np.where(given[:, None], from_xywh(xywh), around(xy, labelled, margin=0.1))
    if not given.all():
        said += (f"{(~given).sum()} boxes: none given, put around the points with a tenth to spare on each side",)
    sized = np.array([a.get("area") is not None for a in annotations], bool)
    area = np.array([a.get("area") or 0 for a in annotations], np.float64)
    if not sized.all():
        area = np.where(sized, area, AREA_OF_BOX * extent(boxes).prod(-1))
        said += (f"{(~sized).sum()} areas: none given, {AREA_OF_BOX} of the box taken (OKS depends on it)",)
    return boxes, area, said


def write_coco(dataset: Dataset, path: Path | str) -> Path:
    """Write a COCO key-point file that `read_coco` reads back the same; images stay where they are.

    Args:
        dataset: to write.
        path: of the JSON; its folder is made.

    Returns:
        The path written.
    """
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(to_content(dataset, file.parent), ensure_ascii=False), encoding="utf-8")
    return file


def to_content(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """What `write_coco` writes, as plain objects; names of images lead from ``folder`` to them."""
    flat = np.concatenate([dataset.xy - HALF_PIXEL, dataset.visibility[..., None]], -1).round(6)
    keypoints = flat.reshape(len(flat), 3 * dataset.visibility.shape[1]).tolist()
    labelled = dataset.visibility > 0
    ignored = (dataset.role == IGNORE) & labelled.any(1)
    crowd = ignored if dataset.crowd is None else ignored | dataset.crowd
    columns = zip(
        dataset.annotation_id.tolist(),
        [dataset.images[i].id for i in dataset.image],
        keypoints,
        labelled.sum(1).tolist(),
        to_xywh(dataset.boxes).round(6).tolist(),
        dataset.area.round(6).tolist(),
        crowd.astype(int).tolist(),
        strict=True,
    )
    keys = ("id", "image_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd")
    category = {"category_id": dataset.category_id}
    return {
        "images": [_image_entry(record, folder) for record in dataset.images],
        "annotations": [
            dict(zip(keys, row, strict=True)) | category | deep
            for row, deep in zip(columns, depth_entries(dataset), strict=True)
        ],
        "categories": [_category_entry(dataset.skeleton, dataset.category_id)],
    }


def _image_entry(record: ImageRecord, folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": record.id, "file_name": _name(record.path, folder)}
    if record.width:
        entry |= {"width": record.width, "height": record.height}
    return entry


def _name(path: str, folder: Path) -> str:
    """The shortest name under which `read_coco` finds the image again."""
    full = Path(path).absolute()
    for root in (folder / "images", folder.parent / "images", folder):
        if full.is_relative_to(root.absolute()):
            return full.relative_to(root.absolute()).as_posix()
    return full.as_posix()


def _category_entry(skeleton: Skeleton, number: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": number,
        "name": skeleton.name,
        "keypoints": list(skeleton.points),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.edges],
    }
    if skeleton.flippable:
        entry["flip_pairs"] = [list(pair) for pair in skeleton.mirror]
        entry["symmetry"] = skeleton.symmetry
    if skeleton.sigmas:
        entry["sigmas"] = list(skeleton.oks_sigmas)
    return entry


def write_results(poses: Sequence[Poses], image_ids: Sequence[int], path: Path | str, category_id: int = 1) -> Path:
    """Write predictions the way COCO's evaluation reads them: one object an instance.

    Args:
        poses: of each image, in pixels of its file; NumPy arrays (N, K, ...).
        image_ids: of each image.
        path: of the JSON; its folder is made.
        category_id: in the ground truth.

    Returns:
        The path written.

    Raises:
        ValueError: not as many ids as images.
    """
    if len(poses) != len(image_ids):
        raise ValueError(f"{len(poses)} images have poses, {len(image_ids)} ids came; give one id an image")
    results = [
        entry
        for per_image, image_id in zip(poses, image_ids, strict=True)
        for entry in to_results(per_image, image_id, category_id)
    ]
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results), encoding="utf-8")
    return file


def to_results(poses: Poses, image_id: int, category_id: int = 1) -> list[dict[str, Any]]:
    """Predictions in one image as COCO's evaluation reads them, with the box where there is one.

    Args:
        poses: in pixels of the file; NumPy arrays (N, K, ...).
        image_id: of the image.
        category_id: in the ground truth.
    """
    xy, score = np.asarray(poses.xy), np.asarray(poses.score)
    numbers = np.concatenate([xy - HALF_PIXEL, score[..., None]], -1).astype(np.float64).round(4)
    flat = numbers.reshape(len(numbers), 3 * xy.shape[-2])  # says its width, so that no instances are none
    entries: list[dict[str, Any]] = [
        {"image_id": int(image_id), "category_id": category_id, "keypoints": row, "score": float(total)}
        for row, total in zip(flat.tolist(), poses.instance_score, strict=True)
    ]
    if poses.boxes is not None:
        for entry, box in zip(entries, to_xywh(np.asarray(poses.boxes, np.float64)).round(4).tolist(), strict=True):
            entry["bbox"] = box
    return entries
