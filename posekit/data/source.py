"""Where labelled images are: the `data` part of a recipe."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Data:
    """Where the labelled images are."""

    train: tuple[Path, ...] = ()
    "label files: COCO JSON, YOLO data.yaml, or a pack; several are joined"
    val: tuple[Path, ...] = ()
    "label files for validation; none: every tenth image of train is held out"
    people: tuple[Path, ...] = ()
    "label files of single people, with any points, to paste into full images (--augment.scene.paste)"
    images: Path | None = None
    "folder of the images, if they are not where the label file says"
    category: str | None = None
    "category to use, if a file has several"
    skeleton: str | None = None
    "a known skeleton (coco17, face68, ...) with the same number of points; gives names, mirror pairs and sigmas"
