"""YOLO sets: the frame, round trips, two or three numbers a point, splits."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from broken import ROW, YOLO, coco_content, jpeg, write, yolo_set

from posekit.data.coco import read_coco
from posekit.data.errors import DataError
from posekit.data.readers import has_split, read
from posekit.data.synthetic import Synthetic
from posekit.data.yolo import label_path, read_yolo, write_yolo
from posekit.geometry.keypoints import IGNORE
from posekit.geometry.skeleton import Skeleton


def test_coordinates_are_fractions_of_the_image(tmp_path):
    dataset = read_yolo(yolo_set(tmp_path))
    np.testing.assert_allclose(dataset.xy[0], [[6, 6], [21, 6], [9, 16]])
    np.testing.assert_array_equal(dataset.visibility[0], [2, 2, 1])
    np.testing.assert_allclose(dataset.boxes[0], [6, 4, 24, 16])
    assert dataset.area[0] == pytest.approx(0.53 * 18 * 12)
    assert dataset.skeleton.mirror == (("left_paw", "right_paw"),)
    assert dataset.instance(0).image.shape == (20, 30, 3)


def test_two_numbers_a_point_and_no_names(tmp_path):
    content = {k: v for k, v in YOLO.items() if k not in ("kpt_names", "flip_idx", "names")} | {"kpt_shape": [3, 2]}
    dataset = read_yolo(yolo_set(tmp_path, "0 0.5 0.5 0.6 0.6 0.2 0.3 0 0 0.3 0.8", content))
    assert dataset.visibility.tolist() == [[2, 0, 2]]
    assert dataset.skeleton.points == ("point_0", "point_1", "point_2")
    assert dataset.skeleton.symmetry == "none"
    assert any("visibility: the labels have none" in s for s in dataset.inferred)


def test_sigmas_class_lists_and_unlabelled_rows(tmp_path):
    content = YOLO | {"names": ["mouse", "rat"], "kpt_oks_sigmas": [0.1, 0.2, 0.3], "kpt_names": YOLO["kpt_names"][0]}
    rows = f"{ROW}\n1{ROW[1:]}\n0 0.5 0.5 0.6 0.6" + " 0" * 9
    path = yolo_set(tmp_path, rows, content)
    dataset = read_yolo(path, category="mouse")
    assert dataset.skeleton.oks_sigmas == (0.1, 0.2, 0.3)
    assert (len(dataset), dataset.role.tolist()[1]) == (1, IGNORE)
    assert "1 labels of other classes are left out" in dataset.inferred
    with pytest.raises(DataError, match="no class 'cat'; the file has: 'mouse', 'rat'"):
        read_yolo(path, category="cat")


def test_a_split_may_be_a_list_of_images_or_of_folders(tmp_path):
    path = yolo_set(tmp_path)
    (tmp_path / "train.txt").write_text("images/train/a.jpg\n\n")
    for source in ("train.txt", ["images/train"]):
        path.write_text(yaml.safe_dump(YOLO | {"train": source}))
        assert len(read_yolo(path)) == 1


def test_an_image_without_labels_has_no_instances(tmp_path):
    path = yolo_set(tmp_path)
    (tmp_path / "images" / "train" / "b.jpg").write_bytes(jpeg())
    dataset = read_yolo(path)
    assert (dataset.scenes, len(dataset)) == (2, 1)
    assert len(dataset.scene(1).instances.role) == 0


def test_labels_lie_beside_the_last_folder_called_images(tmp_path):
    assert label_path(tmp_path / "images" / "images" / "x" / "a.b.png") == tmp_path / "images/labels/x/a.b.txt"
    assert label_path(tmp_path / "a.png") == tmp_path / "a.txt"


def test_synthetic_people_survive_the_round_trip(tmp_path):
    skeleton = Skeleton(name="tool", points=("tip", "left", "right"), mirror=(("left", "right"),), sigmas={"tip": 0.1})
    drawn = Synthetic(skeleton, count=5, size=(32, 48), people=3, seed=5).dataset()
    path = write_yolo(drawn, tmp_path, "train")
    again = read(path, split="train")
    np.testing.assert_allclose(again.xy, drawn.xy, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(again.boxes, drawn.boxes, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(again.visibility, drawn.visibility)
    np.testing.assert_array_equal(again.image, drawn.image)
    np.testing.assert_array_equal(again.instance(2).image, drawn.instance(2).image)
    assert again.skeleton.points == skeleton.points
    assert again.skeleton.flip == skeleton.flip
    assert again.skeleton.oks_sigmas == skeleton.oks_sigmas
    assert not has_split(path, "val")
    write_yolo(drawn, tmp_path, "val")
    assert has_split(path, "val")
    assert len(read(path, split="val")) == len(drawn)


def test_images_are_copied_crowds_left_out_and_names_kept_apart(tmp_path):
    content = coco_content()
    content["annotations"][1]["iscrowd"] = 1
    (tmp_path / "x" / "sub").mkdir(parents=True)
    content["images"][1]["file_name"] = "sub/7.jpg"
    path = write(tmp_path / "x", content, {"7.jpg": jpeg(), "sub/7.jpg": jpeg()})
    again = read_yolo(write_yolo(read_coco(path), tmp_path / "out"))
    assert [r.path.removeprefix(f"{tmp_path}/out/images/") for r in again.images] == ["train/7.jpg", "train/sub/7.jpg"]
    assert len(again.role) == 2
