"""Reading label files under the names of a known skeleton, where the user says that theirs is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.known_skeletons import proposal
from posekit.data.readers import read
from posekit.skeletons import SKELETONS


def read_named(
    files: Sequence[Path],
    *,
    images: Path | None = None,
    category: str | None = None,
    split: str | None = None,
    skeleton: str | None = None,
) -> Dataset:
    """Read and join label files.

    Args:
        files: COCO JSON, YOLO data.yaml, or packs.
        images: folder of the images, where a file does not lead to it.
        category: whose points, where a file has several categories.
        split: ``"train"`` or ``"val"``, where a file holds both.
        skeleton: key of `SKELETONS` with as many points; its names, mirror pairs and sigmas replace the file's.

    Raises:
        DataError: a file is not what it should be, or the skeleton is unknown or has another number of points.
    """
    return named(read(list(files), images=images, category=category, split=split), skeleton)


def named(dataset: Dataset, skeleton: str | None) -> Dataset:
    """A data set under the names of a known skeleton; without one, ``inferred`` gets a proposal.

    Args:
        dataset: as it was read.
        skeleton: as in `read_named`.

    Raises:
        DataError: the skeleton is unknown or has another number of points.
    """
    if skeleton is None:
        said = proposal(dataset.skeleton.points)
        return replace(dataset, inferred=(*dataset.inferred, said)) if said else dataset
    if skeleton not in SKELETONS:
        raise DataError(f"no skeleton {skeleton!r}; known: {', '.join(SKELETONS)}")
    known = SKELETONS[skeleton]
    if len(known.points) != len(dataset.skeleton.points):
        raise DataError(
            f"skeleton {known.name!r} has {len(known.points)} points, the data {len(dataset.skeleton.points)}"
        )
    said = f"skeleton {known.name}, as asked: names, mirror pairs, bones and sigmas come from it, in the file's order"
    return replace(dataset, skeleton=known, inferred=(said,))
