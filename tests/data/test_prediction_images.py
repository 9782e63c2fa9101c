"""Predictions are of the image whose name they have; ids count only where there are no names, and never twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from broken import coco_content, jpeg, write

from posekit.data.agreement import agreement
from posekit.data.coco import read_coco, to_content, to_results, write_results
from posekit.data.dataset import Dataset, merged
from posekit.data.errors import DataError
from posekit.data.pack import pack, read_pack
from posekit.data.predictions import in_files, read_predictions
from posekit.geometry.keypoints import Poses
from posekit.metrics.coco_ap import coco_ap


def labelled(folder: Path, names: list[str], ids: list[int] | None = None) -> Dataset:
    """A set of images that are labelled alike but for a shift of each."""
    content = coco_content()
    first = content["annotations"][0]
    ids = ids or list(range(1, len(names) + 1))
    content["images"] = [{"id": i, "file_name": name} for i, name in zip(ids, names, strict=True)]
    content["annotations"] = [
        first
        | {"id": 1, "image_id": i, "bbox": [2 + n, 3, 20, 14], "keypoints": [4 + n, 5, 2, 20 + n, 6, 2, 9 + n, 15, 1]}
        for n, i in enumerate(ids)
    ]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return read_coco(write(folder, content, dict.fromkeys(names, jpeg())))


def perfect(dataset: Dataset, ids: list[int], names: list[str] | None = None, key: str = "file_name") -> list[dict]:
    """Results of a perfect model, image by image, under other ids and with names."""
    poses = [Poses(dataset.xy[i : i + 1], np.ones((1, 3)), np.ones(1)) for i in range(len(dataset.xy))]
    results = [to_results(pose, number)[0] for pose, number in zip(poses, ids, strict=True)]
    return results if names is None else [r | {key: name} for r, name in zip(results, names, strict=True)]


def stored(folder: Path, content: object) -> Path:
    file = folder / "results.json"
    file.write_text(json.dumps(content))
    return file


def found(dataset: Dataset, file: Path) -> float:
    """How far the predictions that belong to labels are from them, in pixels."""
    predictions = read_predictions(file, dataset)
    assert (predictions.score > 0).any()
    there = predictions.score > 0
    return float(np.abs(predictions.xy - in_files(dataset))[there].max())


NAMES = ["000.jpg", "001.jpg", "002.jpg", "003.jpg"]


@pytest.mark.parametrize("key", ["file_name", "path"])
def test_names_decide_and_running_ids_do_not_matter(tmp_path, key):
    dataset = labelled(tmp_path, NAMES, [4, 3, 2, 1])
    file = stored(tmp_path, perfect(dataset, [1, 2, 3, 4], [f"elsewhere/{name}" for name in NAMES], key))
    assert found(dataset, file) < 1e-3
    assert not agreement(dataset, read_predictions(file, dataset)).outlier.any()
    assert len(read_predictions(file, dataset).score.nonzero()[0]) == 12


def test_without_names_ids_are_those_of_the_label_file(tmp_path):
    dataset = labelled(tmp_path, NAMES, [40, 30, 20, 10])
    assert found(dataset, stored(tmp_path, perfect(dataset, [40, 30, 20, 10]))) < 1e-3
    with pytest.raises(DataError, match=r"image ids must be those of the label file, as 40 is, not as in \[1, 2, 3\]"):
        read_predictions(stored(tmp_path, perfect(dataset, [1, 2, 3, 4])), dataset)


def test_names_of_other_images_are_refused_though_ids_would_fit(tmp_path):
    dataset = labelled(tmp_path, NAMES)
    file = stored(tmp_path, perfect(dataset, [1, 2, 3, 4], [f"x{name}" for name in NAMES]))
    with pytest.raises(
        DataError, match=r"file names must be those of the images, as .*000\.jpg is, not as in 'x000\.jpg'"
    ):
        read_predictions(file, dataset)


def test_images_that_agree_without_a_box_that_does_are_told_so(tmp_path):
    dataset = labelled(tmp_path, NAMES)
    results = perfect(replace(dataset, xy=dataset.xy + 1000), [1, 2, 3, 4], NAMES)
    with pytest.raises(DataError, match="images agree, but no boxes overlap"):
        read_predictions(stored(tmp_path, results), dataset)


CAMERAS = ["cam1/0001.jpg", "cam2/0001.jpg", "cam2/0002.jpg"]


@pytest.mark.parametrize("prefix", ["", "photos/", "/home/me/set/", "C:\\photos\\"])
def test_folders_tell_files_of_the_same_name_apart(tmp_path, prefix):
    dataset = labelled(tmp_path, CAMERAS)
    names = [f"{prefix}{name}" for name in CAMERAS]
    order = [2, 0, 1]
    results = perfect(dataset, [1, 2, 3], names)
    assert found(dataset, stored(tmp_path, [results[i] for i in order])) < 1e-3
    part = labelled(tmp_path / "part", CAMERAS[1:])
    part = replace(part, xy=dataset.xy[1:], boxes=dataset.boxes[1:])
    assert found(part, stored(tmp_path, results)) < 1e-3


def test_a_base_name_of_two_images_is_refused(tmp_path):
    dataset = labelled(tmp_path, CAMERAS)
    file = stored(tmp_path, perfect(dataset, [1, 2, 3], ["0001.jpg", "0001.jpg", "0002.jpg"]))
    with pytest.raises(DataError, match=r"file_name '0001\.jpg' occurs with 1 and with 2; .* contradict"):
        read_predictions(file, dataset)
    results = perfect(dataset, [1, 2, 3], ["0001.jpg", "0001.jpg", "0002.jpg"])
    for result in results:
        del result["image_id"]
    with pytest.raises(
        DataError, match=r"'0001\.jpg' could be any of .*cam1/0001\.jpg, .*cam2/0001\.jpg; write the folder"
    ):
        read_predictions(stored(tmp_path, results), dataset)


def test_two_names_for_one_image_are_refused(tmp_path):
    dataset = labelled(tmp_path, ["a/0.jpg"])
    results = perfect(dataset, [1], ["b/0.jpg"]) + perfect(dataset, [2], ["c/0.jpg"])
    with pytest.raises(DataError, match=r"'b/0\.jpg', 'c/0\.jpg' could all be .*a/0\.jpg"):
        read_predictions(stored(tmp_path, results), dataset)


def test_one_id_of_two_names_is_refused(tmp_path):
    dataset = labelled(tmp_path, NAMES)
    file = stored(tmp_path, perfect(dataset, [1, 1, 2, 3], NAMES))
    with pytest.raises(DataError, match=r"image_id 1 occurs with '000\.jpg' and with '001\.jpg'"):
        read_predictions(file, dataset)


def test_names_for_some_only_are_refused(tmp_path):
    dataset = labelled(tmp_path, NAMES)
    results = perfect(dataset, [1, 2, 3, 4], NAMES)
    del results[2]["file_name"]
    with pytest.raises(
        DataError, match="1 of 4 predictions have no 'file_name', but others do: ids number 2 of the list"
    ):
        read_predictions(stored(tmp_path, results), dataset)


def test_an_object_of_predictions_may_go_by_names(tmp_path):
    dataset = labelled(tmp_path, NAMES, [4, 3, 2, 1])
    results = perfect(dataset, [1, 2, 3, 4], NAMES)
    by_name = {r["file_name"]: np.reshape(r["keypoints"], (-1, 3)).tolist() for r in results}
    assert found(dataset, stored(tmp_path, {"predictions": by_name})) < 1e-3


def test_files_that_number_their_images_alike_need_names(tmp_path):
    a, b = labelled(tmp_path / "a", NAMES[:2]), labelled(tmp_path / "b", NAMES[2:])
    b = replace(b, xy=b.xy + 5, boxes=b.boxes + 5)
    both = merged([a, b])
    assert [image.id for image in both.images] == [1, 2, 3, 4]
    results = perfect(both, [1, 2, 1, 2])
    with pytest.raises(
        DataError, match="the data has 2 ids for two files each, such as 1, 2; give each prediction its file_name"
    ):
        read_predictions(stored(tmp_path, results), both)
    assert found(both, stored(tmp_path, perfect(both, [1, 2, 3, 4], NAMES))) < 1e-3


def test_joined_files_keep_the_ids_that_they_came_with(tmp_path):
    a, b = labelled(tmp_path / "a", NAMES[:2], [7, 3]), labelled(tmp_path / "b", NAMES[2:], [9, 5])
    both = merged([a, b])  # annotation ids collide, so all is numbered anew
    assert found(both, stored(tmp_path, perfect(both, [7, 3, 9, 5]))) < 1e-3


def test_predictions_of_files_are_matched_with_the_crops_of_a_pack(tmp_path):
    dataset = labelled(tmp_path, CAMERAS, [30, 20, 10])
    packed = read_pack(pack(dataset, tmp_path / "a.zip", 64))
    assert found(packed, stored(tmp_path, perfect(dataset, [30, 20, 10]))) < 1e-2
    assert found(packed, stored(tmp_path, perfect(dataset, [1, 2, 3], CAMERAS))) < 1e-2


REFUSED = {
    "id as word": (
        [{"image_id": "a", "keypoints": [1, 2, 1] * 3}],
        "1 of 1 predictions have no whole number as 'image_id'",
    ),
    "no id": (
        [{"keypoints": [1, 2, 1] * 3}],
        "no whole number as 'image_id': ids number 0 of the list; the first has nothing",
    ),
    "another length": (
        [{"image_id": 1, "keypoints": [1, 2, 1] * n} for n in (3, 2)],
        "1 of 2 predictions do not have 9 numbers in 'keypoints' .*; the first has 6 numbers",
    ),
    "no points": ([{"image_id": 1, "keypoints": [1, 2, 1]}, {"image_id": 1}], "the first has no keypoints"),
    "points as text": ([{"image_id": 1, "keypoints": ["1", 2, 1] * 3}], r"the first has keypoints\[0\] = '1'"),
    "points far away": (
        [{"image_id": 1, "keypoints": [1e9, 2, 1] * 3}],
        "1 predictions have points far outside any image",
    ),
    "a number": (7, "not predictions as JSON.*got the number 7"),
    "a list of numbers": ([1, 2], r"not predictions as JSON.*got the list \[1, 2\]"),
    "predictions as list": ({"predictions": [1]}, r"'predictions' is the list \[1\]"),
    "poses as text": ({"predictions": {"1": "x"}}, "image '1' has text 'x', expected one pose of"),
    "endless ids": ([{"image_id": 2**70, "keypoints": [1, 2, 1] * 3}], "no whole number as 'image_id'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_nothing_is_refused(tmp_path, name):
    content, message = REFUSED[name]
    file = stored(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_predictions(file, labelled(tmp_path, NAMES))
    assert str(caught.value).startswith(f"{file}: ")


def test_ids_may_be_text_and_points_lists(tmp_path):
    dataset = labelled(tmp_path, NAMES)
    results = perfect(dataset, [1, 2, 3, 4])
    for result in results:
        result["image_id"] = f"{result['image_id']}"
        result["keypoints"] = np.reshape(result["keypoints"], (-1, 3)).tolist()
    assert found(dataset, stored(tmp_path, results)) < 1e-3


def test_ap_does_not_depend_on_annotation_ids(tmp_path):
    dataset = labelled(tmp_path, NAMES)
    assert dataset.annotation_id.tolist() == [1, 1, 1, 1]
    results = perfect(dataset, [1, 2, 3, 4])
    figures = [
        coco_ap(
            to_content(replace(dataset, annotation_id=np.array(ids)), tmp_path), results, dataset.skeleton.oks_sigmas
        )
        for ids in ([1, 1, 1, 1], [1, 2, 3, 4], [0, 9, 5, 0])
    ]
    assert [f["AP"] for f in figures] == pytest.approx([1, 1, 1])
    assert figures[0] == pytest.approx(figures[1], nan_ok=True)


def test_results_that_were_written_are_read_back(tmp_path):
    dataset = labelled(tmp_path, NAMES)
    poses = [Poses(dataset.xy[i : i + 1], np.ones((1, 3)), np.ones(1)) for i in range(4)]
    assert found(dataset, write_results(poses, [1, 2, 3, 4], tmp_path / "r.json")) < 1e-3
