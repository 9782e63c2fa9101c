"""COCO keypoint files: read and write labels, write results.

In COCO the centre of the first pixel is 0, so points are shifted by half a pixel when they are read, and back when they
are written; boxes are not shifted. Reading and writing keeps points, boxes, areas, iscrowd and ids; unused keys
(segmentation, licences, ...) are dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from posekit.data.coco_dataset import AREA_OF_BOX as AREA_OF_BOX
from posekit.data.coco_dataset import HALF_PIXEL, from_document
from posekit.data.coco_depth import depth_entries
from posekit.data.coco_structure import load_document
from posekit.data.dataset import Dataset
from posekit.data.inputs import refuse_overwriting
from posekit.geometry.boxes import to_xywh
from posekit.geometry.keypoints import IGNORE, Poses
from posekit.geometry.skeleton import Skeleton

CHUNK = 8192
"""Annotations that are written at a time."""


def read_coco(path: Path | str, images: Path | None = None, category: str | None = None) -> Dataset:
    """Read a COCO keypoint file.

    Annotations with iscrowd or marked ``ignore``, or have no labelled point, become regions to ignore. A missing
    ``bbox`` is put around the points with a tenth to spare, a missing ``area`` is 0.53 of the box. A list ``depth``
    beside ``keypoints`` gives depths about the root, see `posekit.data.coco_depth`. Whole numbers may be written as
    text or as 7.0, flags as text, and points as lists of three. Everything that was inferred or converted is noted in
    ``inferred``.

    Args:
        path: of the JSON.
        images: folder of the images; if not given, the usual folders are tried.
        category: whose points, where several categories have some.

    Raises:
        DataError: the file is invalid; all faults of a kind are reported together.
    """
    file = Path(path)
    return from_document(load_document(file), file, images, category)


def write_coco(dataset: Dataset, path: Path | str) -> Path:
    """Write a COCO keypoint file that `read_coco` reads back unchanged; images are not copied.

    Args:
        dataset: to write.
        path: of the JSON; its folder is made.

    Returns:
        The path written.

    Raises:
        DataError: the file is what the data set was read from.
    """
    file = Path(path)
    refuse_overwriting(file, dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        out.write(b'{"images":' + msgspec.json.encode(_image_entries(dataset, file.parent)) + b',"annotations":[')
        for start in range(0, len(dataset.role), CHUNK):
            rows = slice(start, start + CHUNK)
            out.write((b",\n" if start else b"\n") + _encoded(_annotation_entries(dataset, rows)))
        out.write(b'\n],"categories":' + msgspec.json.encode(_category_entries(dataset)) + b"}\n")
    return file


def _encoded(entries: list[dict[str, Any]]) -> bytes:
    """Annotations as JSON without the outer brackets; whole floats are written as integers."""
    text = msgspec.json.encode(entries)[1:-1]
    return text.replace(b".0,", b",").replace(b".0]", b"]").replace(b".0}", b"}")


def to_content(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """What `write_coco` writes, as plain objects; names of images are relative to ``folder``."""
    return {
        "images": _image_entries(dataset, folder),
        "annotations": _annotation_entries(dataset, slice(None)),
        "categories": _category_entries(dataset),
    }


def _annotation_entries(dataset: Dataset, rows: slice) -> list[dict[str, Any]]:
    visibility = dataset.visibility[rows]
    flat = np.concatenate([dataset.xy[rows] - HALF_PIXEL, visibility[..., None]], -1).round(6)
    keypoints = flat.reshape(len(flat), 3 * visibility.shape[1]).tolist()
    labelled = visibility > 0
    ignored = (dataset.role[rows] == IGNORE) & labelled.any(1)
    is_crowd = ignored if dataset.is_crowd is None else ignored | dataset.is_crowd[rows]
    columns = zip(
        dataset.annotation_id[rows].tolist(),
        [dataset.images[i].id for i in dataset.image[rows].tolist()],
        keypoints,
        labelled.sum(1).tolist(),
        to_xywh(dataset.boxes[rows]).round(6).tolist(),
        dataset.area[rows].round(6).tolist(),
        is_crowd.astype(int).tolist(),
        strict=True,
    )
    keys = ("id", "image_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd")
    category = {"category_id": dataset.category_id}
    return [
        dict(zip(keys, row, strict=True)) | category | deep
        for row, deep in zip(columns, depth_entries(dataset, rows), strict=True)
    ]


def _image_entries(dataset: Dataset, folder: Path) -> list[dict[str, Any]]:
    names = _names([record.path for record in dataset.images], folder)
    return [
        {"id": record.id, "file_name": name}
        | ({"width": record.width, "height": record.height} if record.width else {})
        for record, name in zip(dataset.images, names, strict=True)
    ]


def _names(paths: Sequence[str], folder: Path) -> list[str]:
    """The shortest names under which `read_coco` finds the images again."""
    roots = [root.absolute() for root in (folder / "images", folder.parent / "images", folder)]
    prefixes: dict[str, str] = {}
    names = []
    for path in paths:
        parent, name = os.path.split(path)
        if parent not in prefixes:
            full = Path(parent).absolute()
            root = next((root for root in roots if full.is_relative_to(root)), None)
            inner = full.as_posix() if root is None else full.relative_to(root).as_posix()
            prefixes[parent] = "" if inner == "." else inner.rstrip("/") + "/"
        names.append(prefixes[parent] + name)
    return names


def _category_entries(dataset: Dataset) -> list[dict[str, Any]]:
    return [_category_entry(dataset.skeleton, dataset.category_id)]


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
    """Write predictions in COCO's results format: one object for each instance.

    Args:
        poses: of each image, in pixels of its file; NumPy arrays (N, K, ...).
        image_ids: of each image.
        path: of the JSON; its folder is made.
        category_id: in the ground truth.

    Returns:
        The path written.

    Raises:
        ValueError: the numbers of ids and images differ.
    """
    if len(poses) != len(image_ids):
        raise ValueError(f"{len(poses)} images have poses, {len(image_ids)} ids were given; give one id for each image")
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
    """Predictions in one image in COCO's results format, with the box if there is one.

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
