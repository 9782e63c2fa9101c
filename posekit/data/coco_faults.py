"""Reading a COCO file past its faults: entries at fault are mended so that their other faults show, then left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posekit.data.coco import from_content
from posekit.data.coco_category import choose_category, read_skeleton
from posekit.data.coco_structure import load_json
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError

_OPTIONAL = ("skeleton", "flip_pairs", "sigmas", "kpt_oks_sigmas", "symmetry")
"""Keys of a category that are not needed to go on."""


def read_coco_past(
    file: Path, images: Path | None = None, category: str | None = None
) -> tuple[Dataset | None, list[DataError]]:
    """What is sound of a COCO file, or ``None``; and its faults, one for each kind.

    Args:
        file: the JSON.
        images: as in `read_coco`.
        category: as in `read_coco`.
    """
    faults: list[DataError] = []
    try:
        content = load_json(file)
    except DataError as error:
        return None, [error]
    _mend_category(file, content, category, faults)
    aside = _Aside(content)
    while True:
        try:
            dataset = from_content(content, file, images, category)
        except DataError as error:
            faults.append(error)
            if not aside.take(error):
                return None, faults
            continue
        return (from_content(content, file, images, category) if aside.drop() else dataset), faults


def _mend_category(file: Path, content: dict[str, Any], category: str | None, faults: list[DataError]) -> None:
    """Tell what is wrong with each key of the category by itself, and take those out that are."""
    try:
        chosen = choose_category(file, content["categories"], category)
        plain = {key: value for key, value in chosen.items() if key not in _OPTIONAL}
        read_skeleton(file, plain)
    except DataError:
        return  # is told when the file is read
    for key in [key for key in _OPTIONAL if key in chosen]:
        try:
            read_skeleton(file, plain | {key: chosen[key]})
        except DataError as error:
            faults.append(error.about((), key))
            own = content["categories"][[id(entry) for entry in content["categories"]].index(id(chosen))]
            del own[key]


class _Aside:
    """Entries of a COCO file that were mended to look for further faults, or that must go in the end."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self._mended: set[tuple[int, str]] = set()
        self._lost: set[int] = set()

    def take(self, error: DataError) -> bool:
        """Mend or remove the entries of an error; false where there is nothing new to mend, or no image left."""
        fresh = [entry for entry in error.entries if (id(entry), error.key) not in self._mended]
        images = {id(entry) for entry in self._content["images"]}
        for entry in fresh:
            self._mended.add((id(entry), error.key))
            if id(entry) in images:
                self._image(entry, error.key)
            else:
                self._annotation(entry, error.key)
        return bool(fresh) and bool(self._content["images"])

    def drop(self) -> bool:
        """Leave out the annotations that lost what they were about; whether there are such."""
        kept = [entry for entry in self._content["annotations"] if id(entry) not in self._lost]
        some = len(kept) < len(self._content["annotations"])
        self._content["annotations"] = kept
        return some

    def _image(self, entry: dict[str, Any], key: str) -> None:
        if key == "width":
            entry["width"] = entry["height"] = None
            return
        kept = [other for other in self._content["images"] if other is not entry]
        number = entry.get("id")
        self._content["images"] = kept
        if not any(other.get("id") == number for other in kept):
            # Else every annotation of the image would be told as a fault of its own.
            annotations = self._content["annotations"]
            self._content["annotations"] = [other for other in annotations if other.get("image_id") != number]

    def _annotation(self, entry: dict[str, Any], key: str) -> None:
        entry[key] = None
        if key == "image_id":
            # In any image its other faults show as well.
            entry["image_id"] = self._content["images"][0]["id"]
        if key == "id":
            entry["id"] = self._free_id()
        if key in ("image_id", "keypoints"):
            self._lost.add(id(entry))

    def _free_id(self) -> int:
        return 1 + max((i for e in self._content["annotations"] if isinstance(i := e.get("id"), int)), default=0)
