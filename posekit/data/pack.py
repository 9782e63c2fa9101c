"""Packs: a data set as one file of crops at training size and their labels, small to copy and fast to train from.

A pack is an uncompressed zip of ``labels.json`` (COCO, points in pixels of the crops, and for each crop ``to_source``
and the file it was cut from) and ``images/``. Packing is deterministic: the same data gives the same bytes.
"""

from __future__ import annotations

import lzma
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from posekit.data.coco import to_content
from posekit.data.coco_dataset import FURTHEST, from_document
from posekit.data.coco_structure import ImageEntry, parse_document
from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.errors import DataError, shown
from posekit.data.image import decode_image
from posekit.data.inputs import refuse_overwriting
from posekit.data.json_values import decimal, whole
from posekit.geometry.affine import invert, transform

ENDING = ".zip"
LABELS = "labels.json"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every entry, so that the bytes depend only on the content."""

SMALLEST = 1e-9
"""Matrices with a smaller determinant are refused."""

Float = NDArray[np.floating]


def pack(dataset: Dataset, out: Path | str, size: int, padding: float = 1.6, quality: int = 92) -> Path:
    """Write one crop for each trainable instance, and its labels.

    A crop is the part of the image inside a square around the box, never enlarged, so training crops of any aspect
    ratio with less padding are the same as from the image. Other instances and regions to ignore are not kept;
    original annotation ids and depths are.

    Args:
        dataset: to pack.
        out: archive to write, ending in ``.zip``; its folder is made.
        size: longest side of a crop, pixels.
        padding: side of the square, as a multiple of the longer side of the box.
        quality: of the JPEGs, 1 to 100.

    Returns:
        The path written.

    Raises:
        ValueError: ``out`` does not end in ``.zip``, or size or padding is too small.
        DataError: an image cannot be read, a box has no extent, or ``out`` is what the data set was read from.
    """
    out = Path(out)
    if out.suffix.lower() != ENDING:
        raise ValueError(f"{out}: the name of a pack ends in {ENDING}; use {out.name}{ENDING}")
    if size < 8 or padding < 1:
        raise ValueError(f"a pack needs size of 8 or more and padding of 1 or more; got {size} and {padding}")
    refuse_overwriting(out, dataset)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    records, matrices = [], []
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for i, (record, image, matrix) in enumerate(_crops(dataset, size, padding)):
            name = f"images/{i:06d}.jpg"
            _store(archive, name, _jpeg(image, quality))
            records.append(replace(record, path=name, width=image.shape[1], height=image.shape[0], id=i + 1))
            matrices.append(matrix)
        _store(archive, LABELS, msgspec.json.encode(_labels(dataset, records, matrices)))
    # An interrupted run leaves no incomplete pack under the final name.
    return part.replace(out)


def _store(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = 3
    archive.writestr(entry, content)


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return bytes(encoded.tobytes())


def _crops(
    dataset: Dataset, size: int, padding: float
) -> Iterator[tuple[ImageRecord, NDArray[np.uint8], NDArray[np.float64]]]:
    """Each instance's image record, crop, and matrix from pixels of the image to pixels of the crop."""
    console = Console(file=sys.stderr)
    rows = track(dataset.rows, "packing", console=console, transient=True, disable=not console.is_terminal)
    last, image = -1, np.zeros((0, 0, 3), np.uint8)
    for row in rows:
        at = int(dataset.image[row])
        record = dataset.images[at]
        if at != last:
            last, image = at, record.read()
        try:
            yield record, *cut(image, dataset.boxes[row], size, padding)
        except ValueError as error:
            number = dataset.annotation_id[row]
            raise DataError(f"{dataset.file}: annotation {number} of {record.path}: {error}") from None


def cut(
    image: NDArray[np.uint8], box: Float, size: int, padding: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of an image inside a padded square around a box, shrunk to ``size`` where it is larger.

    Args:
        image: (H, W, 3).
        box: (4,) x0 y0 x1 y1, pixels.
        size: longest side of the crop.
        padding: side of the square, as a multiple of the longer side of the box.

    Returns:
        The crop, and (3, 3) from pixels of the image to pixels of the crop.

    Raises:
        ValueError: the box has no extent, or lies outside the image.
    """
    height, width = image.shape[:2]
    reach = max(box[2] - box[0], box[3] - box[1]) * padding / 2
    middle = (box[:2] + box[2:]) / 2
    x0, y0 = np.maximum(np.floor(middle - reach), 0).astype(int).tolist()
    x1, y1 = np.minimum(np.ceil(middle + reach), (width, height)).astype(int).tolist()
    if not (reach > 0 and x0 < x1 and y0 < y1):
        raise ValueError(f"box {box.round(2).tolist()} has no extent within the image of {width}x{height}")
    crop = image[y0:y1, x0:x1]
    scale = min(1.0, size / max(2 * reach, 1.0))
    if scale < 1:
        shape = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        # Averaging over areas avoids aliasing; a warp would sample single pixels.
        crop = np.asarray(cv2.resize(crop, shape, interpolation=cv2.INTER_AREA), np.uint8)
    sx, sy = crop.shape[1] / (x1 - x0), crop.shape[0] / (y1 - y0)
    return crop, np.array([[sx, 0.0, -x0 * sx], [0.0, sy, -y0 * sy], [0.0, 0.0, 1.0]])


def _labels(dataset: Dataset, records: list[ImageRecord], matrices: list[NDArray[np.float64]]) -> dict[str, Any]:
    rows = dataset.rows
    matrix = np.stack(matrices) if matrices else np.zeros((0, 3, 3))
    corners = dataset.boxes[rows].reshape(-1, 2, 2)
    packed = replace(
        dataset,
        images=tuple(records),
        xy=transform(dataset.xy[rows], matrix),
        visibility=dataset.visibility[rows],
        boxes=transform(corners, matrix).reshape(-1, 4),
        area=dataset.area[rows] * matrix[:, 0, 0] * matrix[:, 1, 1],
        category=dataset.category[rows],
        role=dataset.role[rows],
        image=np.arange(len(rows)),
        annotation_id=dataset.annotation_id[rows],
        is_crowd=None,
        depth=None if dataset.depth is None else dataset.depth[rows],
        depth_known=None if dataset.depth_known is None else dataset.depth_known[rows],
    )
    content = to_content(packed, Path())
    sources = _source_names([dataset.images[at].origin[0] for at in dataset.image[rows].tolist()])
    for entry, record, row, m, name in zip(content["images"], records, rows, matrix, sources, strict=True):
        source = dataset.images[dataset.image[row]]
        frame = np.eye(3) if source.to_source is None else source.to_source
        entry |= {
            "file_name": record.path,
            "to_source": (frame @ invert(m)).round(9).tolist(),
            "source": name,
            "source_id": source.origin[1],
        }
    return content


def _source_names(paths: list[str]) -> list[str]:
    """Unique names of files, without folders where base names are unique."""
    apart = sorted(set(paths))
    last = [Path(path).name for path in apart]
    if len(set(last)) == len(apart):
        short = dict(zip(apart, last, strict=True))
    else:
        folder = os.path.commonpath([Path(path).absolute().parent for path in apart])
        short = {path: Path(path).absolute().relative_to(folder).as_posix() for path in apart}
    return [short[path] for path in paths]


# Everything that a damaged archive makes the standard library raise.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(KeyError, IndexError, ValueError, OSError, EOFError, RuntimeError, MemoryError, OverflowError),
)


def read_pack(path: Path | str, category: str | None = None) -> Dataset:
    """Read a pack: encoded crops are held in memory and decoded on access.

    Args:
        path: of the archive.
        category: if given, must be that of the pack.

    Raises:
        DataError: the file is not a pack, or damaged.
    """
    file = Path(path)
    labels, encoded = _unzipped(file)
    document = parse_document(labels, file)
    dataset = from_document(document, file, category=category, look=False)
    pairs = zip(dataset.images, document.images, strict=True)
    return replace(dataset, images=tuple(_crop(file, record, entry, encoded) for record, entry in pairs))


def _unzipped(file: Path) -> tuple[bytes, dict[str, bytes]]:
    """The labels, and all other entries by name."""
    if file.is_dir():
        raise DataError(f"{file}: expected a pack (posekit data pack), got a folder")
    try:
        with zipfile.ZipFile(file) as archive:
            labels = archive.read(LABELS)
            return labels, {name: archive.read(name) for name in archive.namelist() if name != LABELS}
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; expected a pack (posekit data pack)") from None
    except _DAMAGED as error:
        problem = " ".join(str(error).split())[:200]
        raise DataError(f"{file}: incomplete pack ({problem}); write it again with `posekit data pack`") from None


def _crop(file: Path, record: ImageRecord, entry: ImageEntry, encoded: dict[str, bytes]) -> ImageRecord:
    """The record of one crop, with its bytes and the matrix to its file.

    Raises:
        DataError: the archive lacks one of them.
    """
    rows = entry.to_source
    square = isinstance(rows, list) and len(rows) == 3 and all(isinstance(row, list) and len(row) == 3 for row in rows)
    numbers = [decimal(value) for row in rows for value in row] if square else []
    matrix = np.array([np.nan if n is None else n for n in numbers], np.float64)
    known = len(matrix) == 9 and np.isfinite(matrix).all() and np.abs(matrix).max() < FURTHEST
    if not known or abs(np.linalg.det(matrix.reshape(3, 3)[:2, :2])) < SMALLEST:
        raise DataError(
            f"{file}: not a pack: image {record.id} has {shown(rows)} as 'to_source', the 3 x 3 matrix to pixels of "
            "the file it was cut from; write it again with `posekit data pack`"
        )
    if record.path not in encoded:
        raise DataError(f"{file}: incomplete pack: {shown(record.path)} is not in it; write it again")
    name = f"{file}:{record.path}"
    return replace(
        record,
        path=name,
        load=partial(decode_image, encoded[record.path], name),
        to_source=matrix.reshape(3, 3),
        source=entry.source if isinstance(entry.source, str) else "",
        source_id=whole(entry.source_id),
    )
