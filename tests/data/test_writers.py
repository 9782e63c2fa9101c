"""Writers keep every image, and what they were read from: n images give n copies, and no input is written over."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from broken import coco_content, jpeg, picture, write, yolo_set
from hypothesis import given
from hypothesis import strategies as st

from posekit.data.coco import read_coco, write_coco
from posekit.data.dataset import Dataset, merged
from posekit.data.distinct_names import distinct_names
from posekit.data.errors import DataError
from posekit.data.pack import pack, read_pack
from posekit.data.readers import read
from posekit.data.yolo import read_yolo, write_yolo


def set_of(folder: Path, names: list[str]) -> Dataset:
    """A set with one image of each name, all different, and one annotation in each."""
    content = coco_content()
    first = content["annotations"][0]
    content["images"] = [{"id": i, "file_name": name} for i, name in enumerate(names, 1)]
    content["annotations"] = [
        first | {"id": i, "image_id": i, "bbox": [i, 3, 20, 14]} for i in range(1, len(names) + 1)
    ]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    images = {name: jpeg(np.roll(picture(), 2 * i, 1)) for i, name in enumerate(dict.fromkeys(names))}
    return read_coco(write(folder, content, images))


def state(folder: Path) -> dict[str, str]:
    """Every file below a folder and the sum of its bytes."""
    return {str(p): hashlib.md5(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


NAMES = {
    "two cameras": ["cam1/0001.jpg", "cam2/0001.jpg"],
    "two endings": ["a.jpg", "a.jpeg", "b.jpg"],
    "a number in the way": ["a.jpg", "a.jpeg", "a_2.jpg", "x/a_2.jpg"],
    "in upper case": ["a.jpg", "A.jpg"],
    "folders called images": ["cam1/images/0.jpg", "cam2/images/0.jpg", "cam2/labels/0.jpg"],
    "one within another": ["a.jpg", "b/a.jpg", "b/b/a.jpg"],
    "one file twice": ["a.jpg", "a.jpg"],
}


@pytest.mark.parametrize("name", NAMES)
def test_n_images_give_n_copies_with_their_own_labels(tmp_path, name):
    dataset = set_of(tmp_path / "in", NAMES[name])
    before = state(tmp_path / "in")
    again = read(write_yolo(dataset, tmp_path / "out"))
    assert again.scenes == len(NAMES[name])
    assert len(list((tmp_path / "out" / "labels").rglob("*.txt"))) == len(NAMES[name])
    looks = {image.read().tobytes(): i for i, image in enumerate(again.images)}
    boxes = np.array([dataset.boxes[dataset.rows_of_image(i)[0]] for i in range(dataset.scenes)])
    for i, record in enumerate(dataset.images):
        copy = looks[record.read().tobytes()]
        if NAMES[name].count(NAMES[name][i]) == 1:
            np.testing.assert_allclose(again.boxes[again.rows_of_image(copy)[0]], boxes[i], atol=1e-6)
    assert state(tmp_path / "in") == before


def test_names_that_differ_stay_as_they_are(tmp_path):
    again = read(write_yolo(set_of(tmp_path / "in", ["x/a.jpg", "y/b.jpg"]), tmp_path / "out"))
    assert sorted(Path(r.path).name for r in again.images) == ["a.jpg", "b.jpg"]
    assert {Path(r.path).parent.name for r in again.images} == {"train"}


@given(
    st.lists(
        st.sampled_from(["a.jpg", "A.jpg", "a.png", "a_2.jpg", "x/a.jpg", "x/y/a.jpg", "images/a.jpg", "../a.jpg"])
    )
)
def test_names_are_always_kept_apart(names):
    apart = distinct_names([f"/somewhere/{name}" for name in names])
    assert len({str(name.with_suffix("")).lower() for name in apart}) == len(names)
    assert not any(name.is_absolute() or ".." in name.parts or "images" in name.parts for name in apart)


def test_a_yolo_set_is_not_written_over_itself(tmp_path):
    file = yolo_set(tmp_path / "set")
    before = state(tmp_path)
    with pytest.raises(DataError, match=r"data\.yaml: the data set was read from this file"):
        write_yolo(read_yolo(file), tmp_path / "set", "val")
    assert state(tmp_path) == before


def test_files_in_the_way_are_refused_before_anything_is_written(tmp_path):
    first, second = set_of(tmp_path / "a", ["1.jpg", "2.jpg"]), set_of(tmp_path / "b", ["0.jpg", "2.jpg"])
    write_yolo(first, tmp_path / "out")
    for record in second.images:
        Path(record.path).write_bytes(jpeg(picture()[::-1].copy()))
    before = state(tmp_path)
    with pytest.raises(
        DataError, match=r"2 of the 4 files to be written are there already, with other content: .*2\.jpg"
    ):
        write_yolo(replace(second, xy=second.xy + 1, boxes=second.boxes + 1), tmp_path / "out")
    assert state(tmp_path) == before
    write_yolo(first, tmp_path / "out")
    assert state(tmp_path) == before
    write_yolo(second, tmp_path / "out", "val")
    assert read(tmp_path / "out" / "data.yaml", split="train").scenes == 2
    assert read(tmp_path / "out" / "data.yaml", split="val").scenes == 2


def test_images_that_lie_where_they_would_be_copied_stay(tmp_path):
    dataset = set_of(tmp_path / "set", ["images/train/1.jpg", "images/train/2.jpg"])
    before = state(tmp_path)
    again = read(write_yolo(dataset, tmp_path / "set"))
    assert again.scenes == 2
    assert {k: v for k, v in state(tmp_path).items() if k in before} == before


def test_a_link_to_an_input_is_not_written_through(tmp_path):
    dataset = set_of(tmp_path / "in", ["1.jpg"])
    target = tmp_path / "out" / "images" / "train" / "1.jpg"
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(DataError, match="there already"):
        write_yolo(dataset, tmp_path / "out")
    assert not (tmp_path / "nowhere.jpg").exists()


def test_nothing_is_written_outside_the_folder(tmp_path):
    dataset = set_of(tmp_path / "in", ["1.jpg"])
    with pytest.raises(ValueError, match=r"the name of a split must be a plain word, such as train; got '\.\./x'"):
        write_yolo(dataset, tmp_path / "out", "../x")
    (tmp_path / "other").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels").symlink_to(tmp_path / "other")
    with pytest.raises(DataError, match=r"out of .*name a folder without such links"):
        write_yolo(dataset, tmp_path / "out")
    assert list((tmp_path / "other").iterdir()) == []


def test_a_set_of_other_points_is_not_mixed_in(tmp_path):
    file = write_yolo(set_of(tmp_path / "in", ["1.jpg"]), tmp_path / "out")
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(content | {"kpt_names": {0: ["a", "b", "c"]}, "flip_idx": [0, 1, 2]}))
    with pytest.raises(DataError, match=r"has other points or classes \(kpt_names, flip_idx would change\)"):
        write_yolo(set_of(tmp_path / "other", ["2.jpg"]), tmp_path / "out", "val")


def test_images_of_kinds_that_yolo_readers_skip_are_written_as_png(tmp_path):
    dataset = set_of(tmp_path / "in", ["1.jpg"])
    odd = tmp_path / "in" / "1.jfif"
    odd.write_bytes(Path(dataset.images[0].path).read_bytes())
    again = read(write_yolo(replace(dataset, images=(replace(dataset.images[0], path=str(odd)),)), tmp_path / "out"))
    assert Path(again.images[0].path).name == "1.jfif.png"
    np.testing.assert_array_equal(again.images[0].read(), dataset.images[0].read())


@pytest.mark.parametrize("link", [False, True])
def test_a_coco_file_is_not_written_over_itself(tmp_path, link):
    dataset = set_of(tmp_path / "in", ["1.jpg"])
    file = target = tmp_path / "in" / "labels.json"
    if link:
        target = tmp_path / "link.json"
        target.symlink_to(file)
    before = state(tmp_path)
    for read_ in (dataset, merged([dataset, read_coco(_copy(file, tmp_path / "b.json"))])):
        with pytest.raises(DataError, match="the data set was read from this file; give another file"):
            write_coco(read_, target)
    (tmp_path / "b.json").unlink()
    assert state(tmp_path) == before


def _copy(file: Path, to: Path) -> Path:
    to.write_bytes(file.read_bytes())
    return to


def test_labels_are_not_written_over_an_image(tmp_path):
    dataset = set_of(tmp_path / "in", ["1.jpg"])
    with pytest.raises(DataError, match=r"1\.jpg: the data set was read from this file"):
        write_coco(dataset, tmp_path / "in" / "1.jpg")


def test_a_pack_is_not_written_over_itself(tmp_path):
    packed = read_pack(pack(set_of(tmp_path / "in", ["1.jpg"]), tmp_path / "a.zip", 16))
    before = state(tmp_path)
    with pytest.raises(DataError, match=r"a\.zip: the data set was read from this file"):
        pack(packed, tmp_path / "a.zip", 8)
    assert state(tmp_path) == before


def test_a_pack_knows_files_of_the_same_name_apart(tmp_path):
    dataset = set_of(tmp_path / "in", ["cam1/0001.jpg", "cam2/0001.jpg", "cam2/0002.jpg"])
    once = read_pack(pack(dataset, tmp_path / "a.zip", 16))
    assert [r.origin for r in once.images] == [("cam1/0001.jpg", 1), ("cam2/0001.jpg", 2), ("cam2/0002.jpg", 3)]
    twice = read_pack(pack(once, tmp_path / "b.zip", 8))
    assert [r.origin for r in twice.images] == [r.origin for r in once.images]
    alone = read_pack(pack(set_of(tmp_path / "in2", ["cam1/1.jpg", "cam2/2.jpg"]), tmp_path / "c.zip", 16))
    assert [r.origin[0] for r in alone.images] == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (None, "image 1 has None as 'to_source'"),
        ([[1, 0], [0, 1]], "image 1 has .* as 'to_source', the 3 x 3 matrix"),
        ([[1, 0, float("nan")], [0, 1, 0], [0, 0, 1]], "image 1 has .* as 'to_source'"),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 1]], "image 1 has .* as 'to_source'"),
        ([["1", 0, "x"], [0, 1, 0], [0, 0, 1]], "image 1 has .* as 'to_source'"),
    ],
)
def test_a_pack_whose_crops_lead_nowhere_is_refused(tmp_path, matrix, message):
    made = pack(set_of(tmp_path / "in", ["1.jpg"]), tmp_path / "a.zip", 16)
    with zipfile.ZipFile(made) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(entries.pop("labels.json"))
    content["images"][0]["to_source"] = matrix
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("labels.json", json.dumps(content))
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match=message):
        read_pack(tmp_path / "b.zip")


def test_a_pack_without_one_of_its_crops_names_it(tmp_path):
    made = pack(set_of(tmp_path / "in", ["1.jpg"]), tmp_path / "a.zip", 16)
    with zipfile.ZipFile(made) as archive, zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        other.writestr("labels.json", archive.read("labels.json"))
    with pytest.raises(DataError, match=r"incomplete pack: 'images/000000\.jpg' is not in it"):
        read_pack(tmp_path / "b.zip")


def test_a_base_name_is_never_taken_for_two_images(tmp_path):
    content = coco_content()
    for entry, name in zip(content["images"], ("cam1/0001.jpg", "cam2/0001.jpg"), strict=True):
        entry["file_name"] = name
    dataset = read_coco(write(tmp_path, content, {"0001.jpg": jpeg()}))
    assert [r.path for r in dataset.images] == [f"{tmp_path}/cam1/0001.jpg", f"{tmp_path}/cam2/0001.jpg"]
    assert "some have the same base name in different folders, so full names must match" in dataset.inferred[-1]
