"""Read a label file and collect all its faults; entries at fault are left out."""

from __future__ import annotations

from pathlib import Path

from posekit.data.coco_faults import read_coco_past
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.readers import read
from posekit.data.yolo_faults import read_yolo_past


def read_with_faults(
    path: Path | str, images: Path | None = None, category: str | None = None, split: str | None = None
) -> tuple[Dataset | None, list[DataError]]:
    """Read a label file and collect its faults instead of raising the first. It is parsed once.

    Args:
        path: of the file.
        images: as in `read`.
        category: as in `read`.
        split: as in `read`.

    Returns:
        The data without faults, or ``None`` if the file cannot be read at all; and the faults, one for each kind. An
        entry with several faults is listed in each.
    """
    file = Path(path)
    if file.suffix.lower() == ".json":
        return read_coco_past(file, images, category)
    if file.suffix.lower() in (".yaml", ".yml"):
        return read_yolo_past(file, split or "train", category)
    try:
        return read(file, images=images, category=category, split=split), []
    except DataError as error:
        return None, [error]
