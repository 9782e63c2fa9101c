"""Boxes for given images from a COCO file, matched by path."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.errors import DataError, listed, read_text


@dataclass(frozen=True, eq=False)
class ImageBoxes:
    """The boxes of one image.

    Args:
        image_id: of the image in the file; ``None``: the file does not have the image.
        boxes: (N, 4) x0 y0 x1 y1.
        faults: messages about boxes that were left out, with file and annotation.
    """

    image_id: int | None
    boxes: NDArray[np.float64]
    faults: tuple[str, ...] = ()


def read_boxes(file: Path, images: Sequence[Path]) -> list[ImageBoxes]:
    """Boxes of images from a COCO file; points are not needed.

    A name in the file matches the image whose path ends with it; if the file lies beside the images, the full path
    decides.

    Args:
        file: COCO JSON with images and annotations that have a bbox.
        images: paths of the images that need boxes.

    Returns:
        The boxes of each image; a box without extent is left out and listed in ``faults``.

    Raises:
        DataError: the file is no COCO JSON, a box is not four numbers, or a name matches two of the images.
    """
    content = _content(file)
    names: dict[Any, str] = {image["id"]: str(image["file_name"]) for image in content["images"]}
    which = _matched(file, names, images)
    boxes: list[list[list[float]]] = [[] for _ in images]
    faults: list[list[str]] = [[] for _ in images]
    ids: list[int | None] = [None] * len(images)
    for number, index in which.items():
        ids[index] = number
    for annotation in content["annotations"]:
        index = which.get(annotation["image_id"], -1)
        if index < 0:
            continue
        x, y, w, h = annotation["bbox"]
        if all(map(math.isfinite, (x, y, w, h))) and w > 0 and h > 0:
            boxes[index].append([x, y, x + w, y + h])
        else:
            faults[index].append(
                f"{images[index]}: annotation {annotation.get('id')!r} of {file} has the bbox {[x, y, w, h]}; expected "
                "x y width height with width and height above 0; left out"
            )
    return [
        ImageBoxes(i, np.array(per, np.float64).reshape(-1, 4), tuple(told))
        for i, per, told in zip(ids, boxes, faults, strict=True)
    ]


def _content(file: Path) -> dict[str, Any]:
    """The content of the file, with the types of the needed fields checked."""
    what = "COCO JSON with images and annotations that have a bbox of four numbers"
    text = read_text(file, what)
    try:
        content = json.loads(text)
        _check_keys(content)
        for image in content["images"]:
            if not isinstance(image["file_name"], str) or not isinstance(image["id"], int):
                raise TypeError(f"image {image.get('id')!r} has the file_name {image['file_name']!r}")
        for annotation in content["annotations"]:
            hash(annotation["image_id"])
            annotation["bbox"] = [float(v) for v in annotation["bbox"]]
            if len(annotation["bbox"]) != 4:
                raise ValueError(
                    f"annotation {annotation.get('id')!r} has {len(annotation['bbox'])} numbers as its bbox"
                )
    except _MissingError as error:
        raise DataError(f"{file}: expected {what}; {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise DataError(f"{file}: expected {what}; {type(error).__name__}: {error}") from None
    return content  # type: ignore[no-any-return]


def _check_keys(content: dict[str, Any]) -> None:
    """Refuse a file that lacks a needed field.

    Raises:
        _MissingError: the message names the field and the first object without it.
    """
    for part, keys in (("images", ("id", "file_name")), ("annotations", ("image_id", "bbox"))):
        if part not in content:
            raise _MissingError(f"it has no {part!r}")
        for number, entry in enumerate(content[part]):
            for key in keys:
                if key not in entry:
                    lacking = sum(key not in other for other in content[part])
                    first = f"the first is {entry['id']!r}" if "id" in entry else f"the first is number {number}"
                    raise _MissingError(f"{lacking} of its {len(content[part])} {part} have no {key!r}, {first}")


class _MissingError(ValueError):
    """A field is missing."""


def _matched(file: Path, names: dict[Any, str], images: Sequence[Path]) -> dict[Any, int]:
    """Id of each image of the file to its place among the images wanted."""
    locations = {os.path.realpath(image): index for index, image in enumerate(images)}
    by_name: dict[str, list[int]] = {}
    for path, index in locations.items():
        by_name.setdefault(Path(path).name, []).append(index)
    paths = {index: PurePosixPath(Path(path).as_posix()).parts for path, index in locations.items()}
    matched: dict[Any, int] = {}
    taken: dict[int, str] = {}
    for number, name in names.items():
        posix = PurePosixPath(name.replace("\\", "/"))
        exact = locations.get(os.path.realpath(file.parent / posix))
        parts = posix.parts
        found = (
            [exact]
            if exact is not None
            else [i for i in by_name.get(posix.name, []) if paths[i][-len(parts) :] == parts[-len(paths[i]) :]]
        )
        if len(found) > 1:
            raise DataError(
                f"{file}: {name!r} could be any of {listed([str(images[i]) for i in found])}; write the folder into "
                "file_name, or predict one folder at a time"
            )
        for index in found:
            if index in taken:
                raise DataError(f"{file}: {taken[index]!r} and {name!r} are both {images[index]}; name each image once")
            taken[index] = name
            matched[number] = index
    return matched
