"""Read labelled data of any known format, chosen by the ending of the file name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from posekit.data.coco import read_coco
from posekit.data.dataset import Dataset, merged
from posekit.data.errors import DataError, listed, plain_path
from posekit.data.folders import is_folder
from posekit.data.pack import read_pack
from posekit.data.yolo import read_yolo
from posekit.data.yolo_config import load_yaml
from posekit.data.yolo_images import split_key

Reader = Callable[[Path, Path | None, str | None, str | None], Dataset]


def _coco(path: Path, images: Path | None, category: str | None, split: str | None) -> Dataset:
    return read_coco(path, images=images, category=category)


def _yolo(path: Path, images: Path | None, category: str | None, split: str | None) -> Dataset:
    return read_yolo(path, split=split or "train", category=category)


def _pack(path: Path, images: Path | None, category: str | None, split: str | None) -> Dataset:
    return read_pack(path, category=category)


READERS: dict[str, Reader] = {".json": _coco, ".yaml": _yolo, ".yml": _yolo, ".zip": _pack}
"""Reader of each kind of file."""


def read(
    path: Path | str | Sequence[Path | str],
    images: Path | str | None = None,
    category: str | None = None,
    split: str | None = None,
) -> Dataset:
    """Read labelled data; several files are joined.

    Args:
        path: of a label file (COCO JSON, YOLO data.yaml, or a pack), or of several.
        images: folder of the images, if they are not where a COCO file says.
        category: category to use, if a file has several.
        split: ``"train"`` or ``"val"`` of a YOLO set; default: train.

    Raises:
        DataError: a file has an unknown format or is invalid; or files do not fit each other.
    """
    images = None if images is None else Path(images)
    paths = [path] if isinstance(path, Path | str) else path
    return merged([_reader(Path(p))(Path(p), images, category, split) for p in paths])


def _reader(path: Path) -> Reader:
    reader = READERS.get(path.suffix.lower())
    if reader is None and is_folder(path):
        raise DataError(f"{path}: expected a label file, got a folder; {_inside(path)}")
    if reader is None:
        raise DataError(f"{plain_path(path)}: no reader for this kind of file; known endings are {', '.join(READERS)}")
    return reader


def _inside(folder: Path) -> str:
    """Advice on which file to give instead of a folder."""
    files = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in READERS)
    files = files or sorted(str(p.relative_to(folder)) for p in folder.glob("*/*") if p.suffix.lower() in READERS)
    if files:
        return f"give a file in it: {listed(files)}"
    if (folder / "labels").is_dir():
        return (
            "it has no data.yaml (Label Studio writes none): write one there with `train: images`, `names: [NAME]` and "
            "`kpt_shape: [K, 3]`, where K is the number of points"
        )
    return f"give a file that ends in {', '.join(READERS)}"


def has_split(path: Path | str, split: str) -> bool:
    """Whether a label file holds several splits, and this one among them: only YOLO's data.yaml does.

    Raises:
        DataError: it is an invalid data.yaml.
    """
    file = Path(path)
    return READERS.get(file.suffix.lower()) is _yolo and split_key(load_yaml(file), split) is not None
