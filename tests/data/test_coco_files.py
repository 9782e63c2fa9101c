"""COCO files: the frame, round trips, what is inferred, where images are looked for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from broken import coco_content, jpeg, write
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from posekit.data.coco import read_coco, to_content, write_coco, write_results
from posekit.data.errors import DataError
from posekit.data.readers import has_split, read
from posekit.geometry.keypoints import IGNORE, INSTANCE, Poses


def entries(path):
    return {a["id"]: a for a in json.loads(path.read_text())["annotations"]}


def test_points_move_by_half_a_pixel_and_boxes_do_not(tmp_path):
    dataset = read_coco(write(tmp_path, coco_content()))
    np.testing.assert_array_equal(dataset.xy[0], [[4.5, 5.5], [20.5, 6.5], [9.5, 15.5]])
    np.testing.assert_array_equal(dataset.visibility[0], [2, 2, 1])
    np.testing.assert_array_equal(dataset.boxes[0], [2, 3, 22, 17])
    assert dataset.area[0] == 150
    assert dataset.skeleton.edges == ((0, 1), (0, 2))
    assert dataset.skeleton.flip == (0, 2, 1)


def test_what_is_read_is_written_again(tmp_path):
    content = coco_content()
    content["annotations"][1].update(iscrowd=1, keypoints=[0] * 9, bbox=[0.13, 2.77, 5.1, 6.3], area=12.345)
    content["annotations"][2].update(keypoints=[0] * 9)
    content["categories"][0].update(id=4, sigmas=[0.1, 0.2, 0.3], symmetry="positional")
    content["categories"][0]["flip_pairs"] = [["left_paw", "right_paw"]]
    for entry in content["annotations"]:
        entry["category_id"] = 4
    path = write(tmp_path, content)
    again = write_coco(read_coco(path), tmp_path / "again.json")
    old, new = entries(path), entries(again)
    for number, entry in old.items():
        for key in ("image_id", "category_id", "bbox", "area", "keypoints"):
            assert new[number][key] == pytest.approx(entry[key], abs=1e-9), key
        assert new[number]["iscrowd"] == entry.get("iscrowd", 0)
    written = json.loads(again.read_text())
    assert written["images"] == content["images"]
    assert written["categories"] == [
        {
            k: content["categories"][0][k]
            for k in ("id", "name", "keypoints", "skeleton", "flip_pairs", "symmetry", "sigmas")
        }
    ]


points = hnp.arrays(np.float64, (2, 3, 2), elements=st.floats(-5000, 5000, width=32))


@settings(deadline=None, max_examples=25)
@given(xy=points, seen=hnp.arrays(np.int64, (2, 3), elements=st.integers(0, 2)))
def test_any_points_survive_the_round_trip(tmp_path_factory, xy, seen):
    folder = tmp_path_factory.mktemp("coco")
    content = coco_content()
    content["annotations"] = content["annotations"][:2]
    for entry, points_, visible in zip(content["annotations"], xy, seen, strict=True):
        entry["keypoints"] = np.concatenate([points_, visible[:, None]], 1).ravel().tolist()
    path = write(folder, content)
    first = read_coco(path)
    again = read_coco(write_coco(first, folder / "again.json"))
    np.testing.assert_allclose(again.xy, xy + 0.5, atol=1e-6)
    np.testing.assert_array_equal(again.visibility, seen)
    np.testing.assert_array_equal(again.role, first.role)


def test_crowds_and_unlabelled_ones_are_regions_to_ignore(tmp_path):
    content = coco_content()
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["keypoints"] = [0] * 9
    assert read_coco(write(tmp_path, content)).role.tolist() == [IGNORE, IGNORE, INSTANCE]


def test_what_is_missing_is_made_up_and_said(tmp_path):
    content = coco_content()
    del content["annotations"][0]["bbox"], content["annotations"][0]["area"]
    dataset = read_coco(write(tmp_path, content))
    np.testing.assert_allclose(dataset.boxes[0], [4.5 - 1.6, 5.5 - 1.0, 20.5 + 1.6, 15.5 + 1.0])
    assert dataset.area[0] == pytest.approx(0.53 * 19.2 * 12)
    said = " ".join(dataset.inferred)
    assert "1 boxes: none given" in said
    assert "1 areas: none given, 0.53 of the box" in said
    assert "mirror pairs, from the names: left_paw/right_paw" in said


def test_mirror_pairs_may_be_indices_and_none_at_all(tmp_path):
    content = coco_content()
    content["categories"][0].update(flip_pairs=[[0, 2]])
    assert read_coco(write(tmp_path, content)).skeleton.mirror == (("nose", "right_paw"),)
    content["categories"][0].update(flip_pairs=[], keypoints=["a", "b", "c"])
    skeleton = read_coco(write(tmp_path, content)).skeleton
    assert skeleton.flippable
    assert skeleton.mirror == ()


def test_sigmas_may_be_called_as_in_yolo(tmp_path):
    content = coco_content()
    content["categories"][0]["kpt_oks_sigmas"] = [0.1, 0.2, 0.3]
    assert read_coco(write(tmp_path, content)).skeleton.oks_sigmas == (0.1, 0.2, 0.3)


def test_one_of_several_categories_is_chosen_by_name(tmp_path):
    content = coco_content()
    content["categories"].append({"id": 2, "name": "rat", "keypoints": ["snout", "tail"]})
    content["annotations"][1].update(category_id=2, keypoints=[1, 2, 2, 3, 4, 2])
    path = write(tmp_path, content)
    rats = read_coco(path, category="rat")
    assert (len(rats), rats.skeleton.points, rats.category_id) == (1, ("snout", "tail"), 2)
    assert "2 annotations of other categories are left out" in rats.inferred
    with pytest.raises(DataError, match=r"no category 'cat' with points; the file has: 'mouse' \(3 points\), 'rat'"):
        read_coco(path, category="cat")


def test_a_category_without_points_does_not_count(tmp_path):
    content = coco_content()
    content["categories"].append({"id": 2, "name": "cage"})
    assert read_coco(write(tmp_path, content)).skeleton.name == "mouse"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("ann", "{}.jpg"),
        ("ann/images", "{}.jpg"),
        ("images", "{}.jpg"),
        ("images/train", "{}.jpg"),
        ("train", "{}.jpg"),
        ("data", "../data/{}.jpg"),
        ("images", "elsewhere\\{}.jpg"),
        ("images/train", "train/{}.jpg"),
    ],
)
def test_images_are_found_where_people_put_them(tmp_path, place, name):
    content = coco_content()
    for entry in content["images"]:
        entry["file_name"] = name.format(entry["id"])
    folder = tmp_path / place
    folder.mkdir(parents=True)
    for number in (7, 9):
        (folder / f"{number}.jpg").write_bytes(jpeg())
    file = tmp_path / "ann" / "keypoints_train.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))
    assert read_coco(file).instance(0).image.shape == (20, 30, 3)


def test_the_named_folder_comes_first_and_must_exist(tmp_path):
    path = write(tmp_path / "a", coco_content())
    other = tmp_path / "b"
    other.mkdir()
    for number in (7, 9):
        (other / f"{number}.jpg").write_bytes(jpeg())
    assert read_coco(path, images=other).images[0].path == str(other / "7.jpg")
    with pytest.raises(DataError, match="no such folder; expected the images of"):
        read_coco(path, images=tmp_path / "c")


def test_images_that_are_nowhere_are_told_when_asked_for(tmp_path):
    path = write(tmp_path, coco_content(), {"other.jpg": jpeg()})
    dataset = read_coco(path)
    assert "none was found in or near" in dataset.inferred[-1]
    with pytest.raises(DataError, match=r"7\.jpg: no such image"):
        dataset.instance(0)


def test_images_are_found_again_from_another_folder(tmp_path):
    dataset = read_coco(write(tmp_path / "a", coco_content()))
    again = read_coco(write_coco(dataset, tmp_path / "b" / "c" / "labels.json"))
    assert again.images[0].path == dataset.images[0].path
    assert to_content(dataset, tmp_path / "a")["images"][0]["file_name"] == "7.jpg"


def test_results_are_as_coco_reads_them(tmp_path):
    xy = np.arange(12, dtype=np.float32).reshape(2, 3, 2) + 0.5
    score = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    poses = Poses(xy=xy, score=score, instance_score=np.array([0.25, 0.75], np.float32))
    path = write_results([poses], [7], tmp_path / "new" / "results.json", category_id=3)
    first, second = json.loads(path.read_text())
    assert first == {
        "image_id": 7,
        "category_id": 3,
        "keypoints": pytest.approx([0, 1, 0, 2, 3, 0.2, 4, 5, 0.4]),
        "score": 0.25,
    }
    assert second["score"] == 0.75
    with pytest.raises(ValueError, match="1 images have poses, 2 ids were given"):
        write_results([poses], [7, 9], path)


def test_readers_go_by_the_end_of_the_name_and_join_files(tmp_path):
    path = write(tmp_path, coco_content())
    assert len(read(str(path))) == 3
    assert len(read([path, path])) == 6
    assert not has_split(path, "train")


def test_a_set_without_annotations_is_written_and_read(tmp_path):
    content = coco_content() | {"annotations": []}
    empty = read_coco(write(tmp_path / "a", content))
    again = read_coco(write_coco(empty, tmp_path / "b" / "labels.json"), images=tmp_path / "a")
    assert (len(again), again.scenes) == (0, 2)
