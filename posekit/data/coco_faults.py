"""Read a COCO file and collect its faults: objects at fault are reported and left out."""

from __future__ import annotations

from pathlib import Path

from posekit.data.coco_category import choose_category, read_skeleton
from posekit.data.coco_dataset import from_document
from posekit.data.coco_structure import Document, load_document
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError

_OPTIONAL = ("skeleton", "flip_pairs", "sigmas", "kpt_oks_sigmas", "symmetry")
"""Keys of a category that are not needed to go on."""


def read_coco_past(
    file: Path, images: Path | None = None, category: str | None = None
) -> tuple[Dataset | None, list[DataError]]:
    """The data of a COCO file without faults, or ``None``; and its faults, one for each kind.

    Annotations without an image or with points at fault are left out, as are images without an id or a name; other
    invalid values count as not given. An object with several faults is listed in each.

    Args:
        file: of the JSON.
        images: as in `read_coco`.
        category: as in `read_coco`.
    """
    faults: list[DataError] = []
    try:
        document = load_document(file)
        _mend_category(file, document, category, faults)
        return from_document(document, file, images, category, faults=faults), faults
    except DataError as error:
        return None, [*faults, error]


def _mend_category(file: Path, document: Document, wish: str | None, faults: list[DataError]) -> None:
    """Report what is wrong with each key of the category, and remove the invalid ones."""
    chosen = choose_category(file, document.categories, wish)
    needed = {key: value for key, value in chosen.items() if key not in _OPTIONAL}
    read_skeleton(file, needed)
    bad = []
    for key in (key for key in _OPTIONAL if key in chosen):
        try:
            read_skeleton(file, needed | {key: chosen[key]})
        except DataError as error:
            faults.append(error)
            bad.append(key)
    document.categories = [
        {key: value for key, value in entry.items() if entry is not chosen or key not in bad}
        for entry in document.categories
    ]
