"""Files changed at random: each is read, or refused by a DataError of one line that names it."""

from __future__ import annotations

import io
import json
import random
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from broken import ROW, YOLO, coco_content, jpeg, write, yolo_set
from figures import FOUR
from mutations import DIGITS, ENDLESS, as_json, changed, damaged

from posekit.data.coco import read_coco, write_coco
from posekit.data.coco_faults import read_coco_past
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.pack import pack, read_pack
from posekit.data.predictions import Predictions, read_predictions
from posekit.data.synthetic import Synthetic
from posekit.data.yolo import read_yolo

FEW, MANY = 150, 20_000
LONGEST = 4000
"""Characters of a message; paths may be long, and nothing else."""

SHARED_MEMORY = Path("/dev/shm")
"""Where many small files are written fast, if the machine has it."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name)


def coco_files(folder: Path, draw: random.Random) -> Callable[[], Path]:
    """A COCO file with everything that the reader knows, changed each time."""
    content = coco_content()
    content["annotations"][0] |= {"depth": [1.5, None, -2], "iscrowd": 0, "num_keypoints": 3}
    content["annotations"][1] |= {"ignore": 1, "segmentation": [[1, 2, 3, 4, 5, 6]]}
    content["categories"][0] |= {"flip_pairs": [[1, 2]], "sigmas": [0.1, 0.2, 0.3], "symmetry": "anatomical"}
    content["categories"].append({"id": 2, "name": "cage"})
    file = write(folder / "coco", content)
    return lambda: _written(file, changed_json(content, draw))


def yolo_files(folder: Path, draw: random.Random) -> Callable[[], Path]:
    """A YOLO set whose data.yaml, labels or list of images are changed each time."""
    content = YOLO | {"val": "list.txt", "names": ["mouse", "rat"], "kpt_oks_sigmas": [0.1, 0.2, 0.3]}
    file = yolo_set(folder / "yolo", content=content)
    (file.parent / "list.txt").write_text("images/train/a.jpg\n", encoding="utf-8")
    label, listing = file.parent / "labels" / "train" / "a.txt", file.parent / "list.txt"
    sound = {path: path.read_bytes() for path in (file, label, listing)}

    def make() -> Path:
        for path, before in sound.items():
            path.write_bytes(before)
        kind = draw.random()
        if kind < 0.5:
            file.write_bytes(_yaml(changed(content, draw)))
        elif kind < 0.65:
            file.write_bytes(damaged(sound[file], draw, YAML))
        elif kind < 0.95:
            label.write_bytes(_label(draw))
        else:
            file.write_bytes(_yaml(content | {"train": "list.txt"}))
            listing.write_bytes(damaged(sound[listing], draw, (b"a" * 300, b"../", b"/", b"\n.\n", b"\n..\n")))
        return file

    return make


YAML = (
    b"!!timestamp x",
    b"!!int ''",
    b"&a [*a]",
    b"*a",
    b"0b",
    b"1:60",
    b"!!binary %",
    b"? [a]: b",
    b"<<: 3",
    b"2001-99-99",
)


def _yaml(document: Any) -> bytes:
    try:
        return yaml.safe_dump(document).replace(DIGITS, "9" * 5000).replace(ENDLESS, "1e400").encode("utf-8", "replace")
    except (yaml.YAMLError, ValueError):
        return as_json(document)  # JSON is YAML, and says what its writer refuses


def _label(draw: random.Random) -> bytes:
    """Rows of numbers, with some changed."""
    if draw.random() < 0.3:
        return damaged(f"{ROW}\n{ROW}\n".encode(), draw, (b" ", b"\n", b" 1e400 ", b" nan ", b"-5 "))
    words = changed([ROW.split(), [float(w) for w in ROW.split()]], draw)
    rows = words if isinstance(words, list) else [words]
    return "\n".join(" ".join(map(_word, row)) if isinstance(row, list) else _word(row) for row in rows).encode(
        "utf-8", "replace"
    )


def _word(value: Any) -> str:
    return (
        {DIGITS: "9" * 5000, ENDLESS: "1e400"}.get(value, str(value)[:6000]) if isinstance(value, str) else repr(value)
    )


def pack_files(folder: Path, draw: random.Random) -> Callable[[], Path]:
    """A pack whose labels, or bytes, are changed each time."""
    made = pack(read_coco(write(folder / "pack", coco_content())), folder / "pack" / "whole.zip", 32)
    with zipfile.ZipFile(made) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    labels, whole, file = json.loads(entries.pop("labels.json")), made.read_bytes(), folder / "pack" / "x.zip"

    def make() -> Path:
        if draw.random() < 0.3:
            return _written(file, damaged(whole, draw, (b"PK\3\4", b"PK\1\2", b"PK\5\6")))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in entries.items():
                if draw.random() < 0.97:
                    archive.writestr(name, content)
            archive.writestr("labels.json", changed_json(labels, draw))
        return _written(file, buffer.getvalue())

    return make


def prediction_files(folder: Path, draw: random.Random) -> Callable[[], Path]:
    """Predictions in both forms, with and without names, changed each time."""
    folder = folder / "predictions"
    folder.mkdir(exist_ok=True)
    labels = drawn()
    poses = np.concatenate([labels.xy, labels.visibility[..., None] / 2], -1)
    numbers = [labels.images[i].id for i in labels.image]
    results = [
        {"image_id": n, "category_id": 1, "keypoints": pose.ravel().tolist(), "score": 0.5, "bbox": [1, 2, 3, 4]}
        for n, pose in zip(numbers, poses, strict=True)
    ]
    named = [r | {"file_name": labels.images[i].path} for r, i in zip(results, labels.image, strict=True)]
    by_id = {"predictions": {str(n): pose.tolist() for n, pose in zip(numbers, poses, strict=True)}}
    several = {"predictions": {str(n): [pose.tolist()] * 2 for n, pose in zip(numbers, poses, strict=True)}}
    forms = (results, named, by_id, several)
    return lambda: _written(folder / "results.json", changed_json(draw.choice(forms), draw))


def drawn() -> Dataset:
    """Two drawn images and their labels."""
    return Synthetic(FOUR, count=2, size=(64, 80), seed=2, people=2).dataset()


def changed_json(content: Any, draw: random.Random) -> bytes:
    if draw.random() < 0.75:
        return as_json(changed(content, draw))
    return damaged(as_json(content), draw)


def _written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def finite(dataset: Dataset) -> None:
    """What is read can be learnt from: finite, of the right sizes, and written and read it is the same."""
    everything = dataset.instances(slice(None))
    for array in (everything.keypoints.xy, everything.boxes, everything.area):
        assert np.isfinite(array).all()
    assert set(np.unique(dataset.visibility)) <= {0, 1, 2}
    assert ((dataset.image >= 0) & (dataset.image < dataset.scenes)).all()
    assert all(isinstance(sentence, str) and "\n" not in sentence for sentence in dataset.inferred)


def again(dataset: Dataset, file: Path) -> None:
    """Written and read once more a data set is the same."""
    written = write_coco(dataset, file)
    other = read_coco(written, images=Path(dataset.images[0].path).parent)
    np.testing.assert_allclose(other.xy, dataset.xy, atol=1e-6)
    np.testing.assert_array_equal(other.visibility, dataset.visibility)
    np.testing.assert_array_equal(other.annotation_id, dataset.annotation_id)
    np.testing.assert_allclose(other.boxes, dataset.boxes, atol=2e-6)


def use_coco(file: Path) -> None:
    """Read at once, and past faults; both agree on whether there are any."""
    past, faults = read_coco_past(file)
    try:
        dataset = read_coco(file)
    except DataError as error:
        assert faults, f"{error} is no fault"
        if past is not None:
            finite(past)
        raise
    assert not faults
    assert past is not None and len(past) == len(dataset)
    finite(dataset)
    again(dataset, file.with_name("again.json"))
    try:
        dataset.images[0].read()
    except DataError:
        pass


def use_yolo(file: Path) -> None:
    finite(read_yolo(file))


def use_pack(file: Path) -> None:
    dataset = read_pack(file)
    finite(dataset)
    dataset.images[0].read()


def use_predictions(file: Path) -> None:
    labels = drawn()
    predictions: Predictions = read_predictions(file, labels)
    assert predictions.xy.shape == (len(labels), len(FOUR.points), 2)
    assert np.isfinite(predictions.xy).all()
    assert ((predictions.score >= 0) & (predictions.score <= 1)).all()


READERS = {
    "coco": (coco_files, use_coco),
    "yolo": (yolo_files, use_yolo),
    "pack": (pack_files, use_pack),
    "predictions": (prediction_files, use_predictions),
}


def tried(make: Callable[[], Path], use: Callable[[Path], None], count: int) -> tuple[int, list[str]]:
    """How many of so many files are refused, and what went otherwise than it should."""
    refused, wrong = 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(count):
            file = make()
            try:
                use(file)
            except DataError as error:
                refused += 1
                text = str(error)
                if "\n" in text or len(text) > LONGEST or str(file.parent) not in text:
                    wrong.append(f"file {number}: message {text[:300]!r}")
            except Exception as error:
                wrong.append(f"file {number}: {type(error).__name__}: {str(error)[:200]}")
    return refused, wrong


@pytest.mark.parametrize("name", READERS)
def test_a_few_changed_files_are_read_or_refused(name, folder):
    files, use = READERS[name]
    refused, wrong = tried(files(folder, random.Random(f"{name} few")), use, FEW)
    assert wrong == []
    assert 0 < refused < FEW


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_changed_files_are_read_or_refused(name, folder):
    files, use = READERS[name]
    refused, wrong = tried(files(folder, random.Random(name)), use, MANY)
    assert wrong == [], f"{len(wrong)} of {MANY}"
    assert MANY / 10 < refused < MANY


def test_sound_files_are_read(folder):
    write(folder / "sound", coco_content(), {"7.jpg": jpeg(), "9.jpg": jpeg()})
    use_coco(folder / "sound" / "labels.json")
    use_yolo(yolo_set(folder / "sound_yolo"))
