"""All faults of a label file in one go: what a reader refuses is set aside, and reading goes on without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from posekit.data.coco import from_content
from posekit.data.coco_category import choose_category, read_skeleton
from posekit.data.coco_structure import load_json
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.readers import read

T = TypeVar("T")
Result = tuple[Dataset | None, list[DataError]]


def read_with_faults(
    path: Path | str, images: Path | None = None, category: str | None = None, split: str | None = None
) -> Result:
    """Read a label file past its faults. It is parsed once.

    Args:
        path: of the file.
        images: as in `read`.
        category: as in `read`.
        split: as in `read`.

    Returns:
        What is sound of the data, or ``None`` where a fault leaves nothing to go on with; and the faults, one for each
        kind. An entry with several is told in each.
    """
    file = Path(path)
    if file.suffix.lower() == ".json":
        return _coco(file, images, category)
    try:
        return read(file, images=images, category=category, split=split), []
    except DataError as error:
        return None, [error]


class _Aside:
    """Entries of a COCO file that were mended to look for further faults, or that must go in the end."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self._mended: set[tuple[int, str]] = set()
        self._lost: set[int] = set()

    def take(self, error: DataError) -> bool:
        """Mend or remove the entries of an error; false where there is nothing new to mend."""
        fresh = [entry for entry in error.entries if (id(entry), error.key) not in self._mended]
        images = {id(entry) for entry in self.content["images"]}
        for entry in fresh:
            self._mended.add((id(entry), error.key))
            if id(entry) in images:
                self._image(entry, error.key)
            else:
                self._annotation(entry, error.key)
        return bool(fresh) and bool(self.content["images"])

    def _image(self, entry: dict[str, Any], key: str) -> None:
        if key == "width":
            entry.pop("width", None)
            entry.pop("height", None)
            return
        self.content["images"] = [other for other in self.content["images"] if other is not entry]
        number = entry.get("id")
        if not any(other.get("id") == number for other in self.content["images"]):
            kept = [other for other in self.content["annotations"] if other.get("image_id") != number]
            self.content["annotations"] = kept

    def _annotation(self, entry: dict[str, Any], key: str) -> None:
        entry.pop(key, None)
        if key == "image_id":
            # In any image its other faults show as well.
            entry["image_id"] = self.content["images"][0]["id"]
        if key in ("image_id", "keypoints"):
            self._lost.add(id(entry))

    def rest(self) -> dict[str, Any]:
        """The content without the annotations that lost what they were about."""
        kept = [entry for entry in self.content["annotations"] if id(entry) not in self._lost]
        return self.content | {"annotations": kept}


def _coco(file: Path, images: Path | None, category: str | None) -> Result:
    faults: list[DataError] = []
    content = _tried(faults, lambda: load_json(file))
    if content is None:
        return None, faults
    _mend_category(file, content, category, faults)
    aside = _Aside(content)
    while True:
        told = len(faults)
        dataset = _tried(faults, lambda: from_content(aside.content, file, images, category))
        if dataset is not None:
            break
        if not aside.take(faults[-1]):
            return None, faults
    if told and len(aside.rest()["annotations"]) < len(aside.content["annotations"]):
        dataset = from_content(aside.rest(), file, images, category)
    return dataset, faults


def _tried(faults: list[DataError], step: Callable[[], T]) -> T | None:
    try:
        return step()
    except DataError as error:
        faults.append(error)
        return None


_OPTIONAL = ("skeleton", "flip_pairs", "sigmas", "kpt_oks_sigmas", "symmetry")


def _mend_category(file: Path, content: dict[str, Any], category: str | None, faults: list[DataError]) -> None:
    """Tell what is wrong with each key of the category by itself, and take those out that are."""
    try:
        chosen = dict(choose_category(file, content["categories"], category))
        plain = {key: value for key, value in chosen.items() if key not in _OPTIONAL}
        read_skeleton(file, plain)
    except DataError:
        return
    for key in (key for key in _OPTIONAL if key in chosen):
        try:
            read_skeleton(file, plain | {key: chosen[key]})
        except DataError as error:
            faults.append(error)
            for entry in content["categories"]:
                if entry.get("id") == chosen["id"]:
                    entry.pop(key, None)
