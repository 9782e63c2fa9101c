"""The structure of a COCO file: three lists of objects, of which only the fields that are needed are built.

Segmentations and other unused fields are skipped, and lists of numbers stay text until they are parsed all together.
Files that the fast parser refuses (NaN, very large numbers, invalid Unicode) are parsed by Python's own parser, which
also reports the line of an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from posekit.data.errors import DataError, decoded, read_content, shown

EXPECTED = "COCO JSON with images, annotations and categories"
Entry = Mapping[str, Any]

ABSENT = msgspec.Raw(b"null")


class ImageEntry(msgspec.Struct, gc=False):
    """An image of a COCO file; fields have the types of the file."""

    id: Any = None
    file_name: Any = None
    width: Any = None
    height: Any = None
    to_source: Any = None
    source: Any = None
    source_id: Any = None


class AnnotationEntry(msgspec.Struct, gc=False):
    """An annotation of a COCO file; lists of numbers are JSON text, or already objects."""

    id: Any = None
    image_id: Any = None
    category_id: Any = None
    area: Any = None
    iscrowd: Any = None
    ignore: Any = None
    keypoints: msgspec.Raw = ABSENT
    bbox: msgspec.Raw = ABSENT
    depth: msgspec.Raw = ABSENT


class Document(msgspec.Struct):
    """The needed fields of a COCO file."""

    images: list[ImageEntry]
    annotations: list[AnnotationEntry]
    categories: list[dict[str, Any]]


_DECODER = msgspec.json.Decoder(Document)


def load_document(file: Path) -> Document:
    """The needed fields of a COCO file.

    Raises:
        DataError: the file is not JSON, or lacks one of its three lists of objects.
    """
    return parse_document(read_content(file, EXPECTED), file)


def parse_document(content: bytes, file: Path) -> Document:
    """`load_document` of bytes; ``file`` is for messages.

    Raises:
        DataError: as `load_document`.
    """
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _carefully(load_json(content, file, EXPECTED), file)


def load_json(content: bytes, file: Path, expected: str) -> Any:
    """The value of a JSON file.

    Args:
        content: of the file.
        file: its path, for the message.
        expected: what it should contain, for the message.

    Raises:
        DataError: it is empty, not UTF-8, or not JSON.
    """
    if not content.strip():
        raise DataError(f"{file}: the file is empty; expected {expected}")
    try:
        return json.loads(decoded(content, file, expected))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file}: not JSON at line {error.lineno}, column {error.colno} ({error.msg}); expected {expected}"
        ) from None
    except RecursionError:
        raise DataError(f"{file}: the JSON is nested too deeply; expected {expected}") from None
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        # Python reads no whole number of more than 4300 digits.
        raise DataError(f"{file}: a whole number has too many digits to be read; expected {expected}") from None


def _carefully(content: Any, file: Path) -> Document:
    """The document of a file that Python parsed; raises what it lacks."""
    if isinstance(content, list):
        raise DataError(f"{file}: expected {EXPECTED}, got a list (a results file?); give the file with the labels")
    if not isinstance(content, dict):
        raise DataError(f"{file}: expected {EXPECTED}, got {type(content).__name__}")
    for key in ("images", "annotations", "categories"):
        if key not in content:
            raise DataError(f"{file}: expected {EXPECTED}; '{key}' is missing, the file has {shown(sorted(content))}")
        entries = content[key]
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise DataError(f"{file}: expected '{key}' to be a list of objects, got {_kind(entries)}")
    return Document(
        images=[ImageEntry(**_known(entry, ImageEntry)) for entry in content["images"]],
        annotations=[AnnotationEntry(**_known(entry, AnnotationEntry)) for entry in content["annotations"]],
        categories=content["categories"],
    )


def _known(entry: Entry, kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {key: entry[key] for key in kind.__struct_fields__ if key in entry}


def _kind(value: Any) -> str:
    inner = sorted({type(v).__name__ for v in value}) if isinstance(value, list) else []
    return f"{type(value).__name__} of {', '.join(inner)}" if inner else type(value).__name__
