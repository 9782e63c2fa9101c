"""Check before a training that the images of its data are there."""

from __future__ import annotations

from pathlib import Path

from posekit.data.errors import DataError
from posekit.data.source import Data
from posekit.evaluation.sets import Sets

NAMED = 3
"""Number of missing images that are named."""


def check_images(sets: Sets, data: Data) -> None:
    """Refuse data of which image files are missing.

    Args:
        sets: training and validation data.
        data: where they were read from.

    Raises:
        DataError: images are missing; the message names some of them and the option for their folder.
    """
    records = [record for part in (sets.train, sets.val, sets.people) if part is not None for record in part.images]
    paths = {Path(record.path) for record in records if record.load is None}
    missing = sorted(path for path in paths if not path.exists())
    if not missing:
        return
    if data.images is not None and len(missing) == len(paths):
        raise DataError(
            f"--data.images {data.images}: none of the {len(paths)} images is in it, such as {missing[0].name}"
        )
    rest = len(missing) - NAMED
    names = ", ".join(path.name for path in missing[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
    raise DataError(
        f"{len(missing)} of {len(paths)} images are missing: {names}; "
        "give the folder of the images (--data.images FOLDER), or correct the names in the label file"
    )
