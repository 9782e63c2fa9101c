"""The files of an export: the model, which replaces no file but an older export, and the report beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posekit.zoo.catalogue import checksum
from posekit.zoo.exported import SUFFIXES

ENDINGS = {runtime: suffix for suffix, runtime in SUFFIXES.items()}
"""Ending of the file by runtime."""
REPORT, FAILED = ".report.json", ".failed.json"
"""Endings of the report, after that of the file: of a model that was written, and of one that was not."""


def report_of(file: Path, *, passed: bool = True) -> Path:
    """The report beside an exported file; that of an export that failed has another name, since an older file stays."""
    return file.with_name(file.name + (REPORT if passed else FAILED))


def parts_of(file: Path) -> list[Path]:
    """All files of an exported model: OpenVINO's .xml has a .bin beside it, a cascade is a folder of three."""
    if file.is_dir():
        return sorted(file.glob(f"*{ENDINGS['onnx']}"))
    return [file, file.with_suffix(".bin")] if file.suffix.lower() == ENDINGS["openvino"] else [file]


def check_target(file: Path, to: str) -> None:
    """Refuse a file that cannot be written, or is none of ours.

    Raises:
        ValueError: another ending than that of the runtime, a folder, or a file that was not exported.
    """
    if file.suffix.lower() != ENDINGS[to]:
        raise ValueError(f"{file}: a file for {to} ends in {ENDINGS[to]}")
    if file.is_dir():
        raise ValueError(f"{file} is a folder; expected the name of a file")
    digests = _digests(report_of(file))
    for part in parts_of(file):
        if part.exists() and (part.is_dir() or digests.get(part.name) != checksum(part)):
            raise ValueError(
                f"{part} exists and is not what posekit exported (by the checksum in {report_of(file)}): give another "
                "--out, or move it"
            )


def _digests(report: Path) -> dict[str, Any]:
    """Checksums of the exported files by name; empty without a report."""
    try:
        document = json.loads(report.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    digests = document.get("sha256") if isinstance(document, dict) else None
    return digests if isinstance(digests, dict) else {}


def write_report(report: Path, made: Path, document: Mapping[str, Any]) -> None:
    """Write what was compared and how it ended, with size and checksums of the files that were made.

    Args:
        report: the file to write.
        made: the exported model.
        document: all else; numbers that JSON lacks (NaN, infinity) become null.
    """
    parts = [part for part in parts_of(made) if part.is_file()]
    files = {
        "bytes": sum(part.stat().st_size for part in parts),
        "sha256": {part.name: checksum(part) for part in parts},
    }
    text = json.dumps(_plain({**document, **files}), indent=2, allow_nan=False)
    report.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
