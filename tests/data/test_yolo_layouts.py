"""YOLO-pose sets laid out as Ultralytics, Roboflow, CVAT and Label Studio lay them, and what people make of these."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from broken import ROW, YOLO, jpeg, yolo_set

from posekit.data.errors import DataError
from posekit.data.readers import has_split, read
from posekit.data.yolo import read_yolo
from posekit.data.yolo_config import flip_idx_against_names

TWO = ROW.replace(" 2 ", " ").removesuffix(" 1")
"""The same labels without visibilities."""


def lay(folder: Path, content: dict | str, files: dict[str, str | bytes]) -> Path:
    """Write a data.yaml and files beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    file = folder / "data.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return file


def notes(dataset):
    return " | ".join(dataset.inferred)


def roboflow(folder: Path, **values) -> Path:
    content = {
        **{"train": "../train/images", "val": "../valid/images", "test": "../test/images"},
        **{"kpt_shape": [3, 3], "flip_idx": [0, 1, 2], "nc": 1, "names": ["mouse"]},
        "roboflow": {"workspace": "w", "project": "p", "version": 1, "license": "CC BY 4.0"},
    }
    parts = [(part, number) for part in ("train", "valid") for number in (0, 1)]
    return lay(
        folder,
        content | values,
        {f"{part}/images/{i}.jpg": jpeg() for part, i in parts} | {f"{part}/labels/{i}.txt": ROW for part, i in parts},
    )


def test_roboflow_names_a_folder_above_and_means_the_one_beside(tmp_path):
    file = roboflow(tmp_path / "set")
    train, val = read(file), read(file, split="val")
    assert [r.path for r in train.images] == [f"{tmp_path}/set/train/images/{i}.jpg" for i in (0, 1)]
    assert [r.path for r in val.images] == [f"{tmp_path}/set/valid/images/{i}.jpg" for i in (0, 1)]
    assert len(train) == len(val) == 2
    assert f"train: '../train/images' does not exist, {tmp_path}/set/train/images is used" in notes(train)
    assert has_split(file, "val")


def test_what_is_written_comes_before_what_may_be_meant(tmp_path):
    file = roboflow(tmp_path / "set")
    lay(tmp_path, {}, {"train/images/other.jpg": jpeg(), "train/labels/other.txt": ROW})
    dataset = read(file)
    assert [Path(r.path).name for r in dataset.images] == ["other.jpg"]
    assert "is not there" not in notes(dataset)


def test_roboflow_gives_every_set_a_flip_idx_that_swaps_nothing(tmp_path):
    assert "flip_idx leaves every point in its place, as Roboflow writes" in notes(read(roboflow(tmp_path / "set")))


@pytest.mark.parametrize(
    "path", ["/content/drive/set/train/images", "C:\\Users\\me\\set\\train\\images", "set/train/images"]
)
def test_a_path_of_another_machine_is_looked_for_by_its_last_folders(tmp_path, path):
    dataset = read(roboflow(tmp_path / "set", train=path))
    assert dataset.scenes == 2
    assert f"does not exist, {tmp_path}/set/train/images is used" in notes(dataset)


def test_a_bare_folder_called_images_stands_for_no_split(tmp_path):
    file = lay(tmp_path, YOLO | {"train": "/other/train/images"}, {"images/a.jpg": jpeg(), "labels/a.txt": ROW})
    with pytest.raises(DataError, match=r"'/other/train/images' was not found; tried .*: correct 'path'"):
        read(file)


@pytest.mark.parametrize("root", [None, "", ".", "mice", "../datasets/mice", "datasets/mice", "/not/here"])
def test_ultralytics_path_may_be_relative_to_anything(tmp_path, root):
    content = {k: v for k, v in YOLO.items() if k != "path"} | ({} if root is None else {"path": root})
    inner = "" if root in (None, "", ".", "/not/here") else "mice/"
    files = {f"{inner}images/train/a.jpg": jpeg(), f"{inner}labels/train/a.txt": ROW}
    assert len(read(lay(tmp_path, content, files))) == 1


@pytest.mark.parametrize("names", [{0: "mouse"}, ["mouse"], {"0": "mouse"}])
@pytest.mark.parametrize(
    "points",
    [
        {0: YOLO["kpt_names"][0]},
        YOLO["kpt_names"][0],
        {"0": YOLO["kpt_names"][0]},
        dict(enumerate(YOLO["kpt_names"][0])),
    ],
)
def test_names_may_be_lists_or_mappings(tmp_path, names, points):
    dataset = read(yolo_set(tmp_path, content=YOLO | {"names": names, "kpt_names": points}))
    assert dataset.skeleton.name == "mouse"
    assert dataset.skeleton.points == ("nose", "left_paw", "right_paw")


def test_cvat_lists_images_below_a_folder_that_is_not_there(tmp_path):
    content = {"Train": "Train.txt", "names": {0: "mouse"}, "path": ".", "kpt_shape": [3, 3]}
    files = {f"images/Train/frame_{i:06d}.PNG": jpeg() for i in range(3)}
    files |= {f"labels/Train/frame_{i:06d}.txt": ROW for i in range(2)}
    files["Train.txt"] = "".join(f"data/images/Train/frame_{i:06d}.PNG\n" for i in range(3))
    dataset = read(lay(tmp_path, content, files))
    assert (dataset.scenes, len(dataset)) == (3, 2)
    assert "Train.txt: 'data/images/Train/frame_000000.PNG' and others do not exist" in notes(dataset)
    assert "labels: 1 of 3 images have no label file, so no instances: frame_000002.PNG" in notes(dataset)


def test_cvat_without_images_says_so(tmp_path):
    content = {"train": "train.txt", "names": {0: "mouse"}, "path": ".", "kpt_shape": [3, 3]}
    file = lay(tmp_path, content, {"train.txt": "data/images/train/a.png\n", "labels/train/a.txt": ROW})
    with pytest.raises(
        DataError, match=r"none of the 1 images that .*train\.txt lists exists, such as 'data/images/train/a\.png'"
    ):
        read(file)


@pytest.mark.parametrize(
    "line", ["./images/train/a.jpg", "images/train/a.jpg", "images\\train\\a.jpg", "/else/images/train/a.jpg"]
)
def test_lists_may_name_images_in_any_way(tmp_path, line):
    path = yolo_set(tmp_path, content=YOLO | {"train": "train.txt"})
    (tmp_path / "train.txt").write_text(f"{line}\n\n")
    assert len(read(path)) == 1


def test_lists_may_lie_elsewhere_than_the_images(tmp_path):
    path = yolo_set(tmp_path, content=YOLO | {"train": "lists/train.txt"})
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text("images/train/a.jpg\n")
    dataset = read(path)
    assert len(dataset) == 1
    assert f"{tmp_path}/images/train/a.jpg is used" in notes(dataset)


def test_label_studio_has_classes_in_a_file_and_no_splits(tmp_path):
    files = {"images/1a2b-a.jpg": jpeg(), "labels/1a2b-a.txt": ROW, "classes.txt": "mouse\nrat\n", "notes.json": "{}"}
    dataset = read(lay(tmp_path, {"train": "images", "kpt_shape": [3, 3]}, files))
    assert (len(dataset), dataset.skeleton.name) == (1, "mouse")
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "notes.json").unlink()
    with pytest.raises(
        DataError, match=r"got a folder; it has no data\.yaml \(Label Studio writes none\): write one .*kpt_shape"
    ):
        read(tmp_path)


def test_a_folder_is_answered_with_the_files_in_it(tmp_path):
    with pytest.raises(DataError, match=r"expected a label file, got a folder; give a file in it: data\.yaml"):
        read(roboflow(tmp_path / "set").parent)


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/a.jpg", "labels/train/a.txt"),
        ("train/images/a.jpg", "train/labels/a.txt"),
        ("train/images/b/c/a.jpg", "train/labels/b/c/a.txt"),
        ("images/train/images/a.jpg", "images/train/labels/a.txt"),
        ("images/train/images/a.jpg", "labels/train/images/a.txt"),
        ("Images/train/a.JPG", "Labels/train/a.txt"),
        ("IMAGES/train/a.jpeg", "labels/train/a.txt"),
        ("images/train/a.b.jpg", "labels/train/a.b.txt"),
        ("images/train/a.jpg", "labels/train/a.TXT"),
        ("train/a.jpg", "train/a.txt"),
        ("images/train/a.jpg", "images/train/a.txt"),
    ],
)
def test_labels_are_found_where_tools_put_them(tmp_path, image, label):
    content = YOLO | {"train": str(Path(image).parent)}
    assert len(read(lay(tmp_path / "set", content, {image: jpeg(), label: ROW}))) == 1


def test_no_labels_at_all_are_a_mistake(tmp_path):
    file = lay(tmp_path, YOLO, {"images/train/a.jpg": jpeg()})
    with pytest.raises(
        DataError, match=r"none of its 1 images has a label file; looked for .*labels/train/a\.txt and the like"
    ):
        read(file)


@pytest.mark.parametrize("text", ["", "\n", " \r\n\t\n", "\ufeff\n"])
def test_a_label_file_of_blank_lines_is_an_image_without_instances(tmp_path, text):
    path = yolo_set(tmp_path)
    (tmp_path / "images" / "train" / "b.jpg").write_bytes(jpeg())
    (tmp_path / "labels" / "train" / "b.txt").write_text(text, encoding="utf-8")
    dataset = read(path)
    assert (dataset.scenes, len(dataset)) == (2, 1)


def test_blank_lines_between_labels_are_skipped(tmp_path):
    assert len(read(yolo_set(tmp_path, f"\n{ROW}\n\n  \n{ROW}\r\n\n"))) == 2


def test_two_numbers_a_point_are_enough(tmp_path):
    dataset = read(yolo_set(tmp_path, TWO, YOLO | {"kpt_shape": [3.0, "2"]}))
    assert dataset.visibility.tolist() == [[2, 2, 2]]


def test_other_words_for_val(tmp_path):
    for word in ("valid", "validation", "Val"):
        file = yolo_set(tmp_path / word, content=YOLO | {word: "images/train"})
        assert has_split(file, "val")
        assert len(read_yolo(file, "val")) == 1
    assert not has_split(yolo_set(tmp_path / "none", content=YOLO | {"val": None}), "val")


REFUSED = {
    "flip_idx as text": ({"flip_idx": "0, 2, 1"}, "'flip_idx' to hold each of 0 to 2 once, got text '0, 2, 1'"),
    "flip_idx of words": ({"flip_idx": ["0", "2", "one"]}, "'flip_idx' to hold each of 0 to 2 once"),
    "flip_idx of fractions": ({"flip_idx": [0, 2, 1.5]}, "'flip_idx' to hold each of 0 to 2 once"),
    "flip_idx beyond": ({"flip_idx": [0, 2, 2**70]}, "'flip_idx' to hold each of 0 to 2 once"),
    "too many points": ({"kpt_shape": [10**9, 3]}, r"expected 'kpt_shape' to be .*got \[1000000000, 3\]"),
    "shape of truths": ({"kpt_shape": [True, 3]}, "expected 'kpt_shape' to be"),
    "names of lists": ({"names": [["mouse"]]}, "expected 'names' to be a list, or a mapping"),
    "one name": ({"names": "mouse"}, "expected 'names' to be a list, or a mapping .*got 'mouse'"),
    "names twice": ({"names": {0: "mouse", "0": "rat"}}, "expected 'names' to be a list, or a mapping"),
    "nc as word": ({"names": None, "nc": "many"}, "expected 'nc' to be the number of classes, got text 'many'"),
    "split of numbers": (
        {"train": 7},
        "expected 'train' to be a folder, a list of images, or several; got the number 7",
    ),
    "path of numbers": ({"path": [1]}, r"expected 'path' to be a folder, got the list \[1\]"),
    "a name too long": ({"train": "x" * 5000}, "was not found; tried"),
    "a name with an end": ({"train": "a\0b"}, "was not found; tried"),
    "endless sigma": ({"kpt_oks_sigmas": [0.1, 0.1, 10**400]}, "sigmas of .* are not between 0 and 10"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_nothing_is_refused(tmp_path, name):
    values, message = REFUSED[name]
    with pytest.raises(DataError, match=message) as caught:
        read(yolo_set(tmp_path, content=YOLO | values))
    assert str(tmp_path / "data.yaml") in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kpt_shape: !!timestamp x", "the YAML has a value that cannot be read"),
        ("kpt_shape: 2001-99-99", "the YAML has a value that cannot be read"),
        ("kpt_shape: [" + "[" * 3000, "not YAML|nested too deeply"),
        ("a: \x01", "not YAML .*special characters are not allowed"),
        ("kpt_shape: &a [*a]", "expected 'kpt_shape' to be"),
    ],
)
def test_yaml_that_cannot_be_read_is_refused_in_one_line(tmp_path, text, message):
    file = lay(tmp_path, text, {})
    with pytest.raises(DataError, match=message) as caught:
        read(file)
    assert "\n" not in str(caught.value)


LINES = {
    "class of a half": (
        ROW.replace("0 0.5", "0.5 0.5", 1),
        "lines 1 do not begin with the number of a class",
    ),
    "class below": ("-1" + ROW[1:], "lines 1 do not begin with the number of a class"),
    "endless": (ROW.replace("0.2", "1e400"), "lines 1 have NaN or infinite numbers"),
    "a word": (f"\n{ROW.replace('0.2', 'left')}", "expected numbers only; line 2 has 'left'"),
    "boxes alone": ("0 0.5 0.5 0.6 0.6", r"the first has 5 \(boxes without points: is this a detection set\?\)"),
    "points in pixels": (ROW.replace("0.2 0.3", "60 90"), r"1 point is not in fractions .* such as \[60\.0, 90\.0\]"),
}


@pytest.mark.parametrize("name", LINES)
def test_labels_that_mean_nothing_are_refused_with_file_and_line(tmp_path, name):
    row, message = LINES[name]
    with pytest.raises(DataError, match=message) as caught:
        read(yolo_set(tmp_path, row))
    assert str(caught.value).startswith(f"{tmp_path}/labels/train/a.txt: ")


def test_numbers_of_unlabelled_points_mean_nothing(tmp_path):
    dataset = read(yolo_set(tmp_path, ROW.replace("0.2 0.3 2", "-1e30 5e30 0")))
    assert dataset.visibility.tolist() == [[0, 2, 1]]
    assert dataset.xy[0, 0].tolist() == [0, 0]


def test_an_image_that_is_listed_but_not_there_is_named(tmp_path):
    path = yolo_set(tmp_path, content=YOLO | {"train": "train.txt"})
    (tmp_path / "train.txt").write_text("images/train/a.jpg\nimages/train/b.jpg\n")
    with pytest.raises(DataError, match=r"data\.yaml: the image .*b\.jpg is listed but does not exist"):
        read(path)


def test_a_flip_idx_against_the_names_is_said(tmp_path):
    dataset = read(yolo_set(tmp_path, content=YOLO | {"flip_idx": [1, 0, 2]}))
    assert (
        "warning: flip_idx contradicts the names of the points: left_paw becomes nose, not right_paw, right_paw stays "
        "where it is, not left_paw; it is used as it is given: correct flip_idx or kpt_names"
    ) in notes(dataset)
    assert flip_idx_against_names(["a", "b"], [1, 0]) == ()


def test_an_empty_flip_idx_is_none(tmp_path):
    dataset = read(yolo_set(tmp_path, content=YOLO | {"flip_idx": []}))
    assert dataset.skeleton.mirror == (("left_paw", "right_paw"),)


def test_advice_speaks_of_the_keys_of_the_format(tmp_path):
    content = {k: v for k, v in YOLO.items() if k not in ("kpt_names", "flip_idx")}
    text = notes(read(yolo_set(tmp_path, content=content)))
    assert "give flip_idx ([0, ..., 2] where flipping needs no swap), or kpt_names with left_.../right_..." in text
    assert "flip_pairs" not in text
    lonely = YOLO | {"flip_idx": None, "kpt_names": {0: ["left_ear", "right_ear", "left_hipp"]}}
    text = notes(read(yolo_set(tmp_path / "lonely", content=lonely)))
    assert "correct kpt_names, or give flip_idx" in text
    assert "flip_pairs" not in text


def test_a_path_that_no_file_system_holds_is_shortened(tmp_path):
    file = tmp_path / "data.yaml"
    file.write_text(f"train: images/{'[' * 3000}\nval: images\nkpt_shape: [2, 3]\nnames: [a]\n")
    with pytest.raises(DataError, match="was not found") as error:
        read_yolo(file)
    assert len(str(error.value)) < 4000
