"""COCO files as other tools and people write them: what can mean one thing only is read and noted, the rest refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from broken import coco_content, write

from posekit.data.check import check
from posekit.data.coco import read_coco, write_coco
from posekit.data.coco_faults import read_coco_past
from posekit.data.errors import DataError
from posekit.geometry.keypoints import IGNORE, INSTANCE

HUGE = "9" * 400
"""A number beyond every float."""


def changed(**values):
    """A sound file whose second annotation has other values; ``...`` removes a key."""
    content = coco_content()
    content["annotations"][1].update(values)
    for key in [key for key, value in values.items() if value is ...]:
        del content["annotations"][1][key]
    return content


def notes(dataset):
    return " | ".join(dataset.inferred)


def test_ids_may_be_text_and_fractions_without_a_rest(tmp_path):
    content = coco_content()
    content["images"][0]["id"], content["images"][1]["id"] = "7", 9.0
    content["categories"][0]["id"] = "1"
    for entry, number in zip(content["annotations"], ("10", 11.0, 12), strict=True):
        entry |= {"id": number, "image_id": str(entry["image_id"]), "category_id": 1.0}
    dataset = read_coco(write(tmp_path, content))
    assert [record.id for record in dataset.images] == [7, 9]
    assert dataset.annotation_id.tolist() == [10, 11, 12]
    assert dataset.image.tolist() == [0, 1, 1]
    assert dataset.category_id == 1
    for sentence in (
        "2 images have values such as text '7' as 'id': read as whole numbers",
        "3 annotations have values such as the number 1.0 as 'category_id': read as whole numbers",
        "3 annotations have values such as text '7' as 'image_id': read as whole numbers",
        "2 annotations have values such as text '10' as 'id': read as whole numbers",
    ):
        assert sentence in notes(dataset)


def test_text_that_is_the_id_of_another_is_refused(tmp_path):
    content = coco_content()
    content["images"][1]["id"] = "07"
    with pytest.raises(DataError, match="1 image ids are used twice: 7"):
        read_coco(write(tmp_path, content))


@pytest.mark.parametrize(("flag", "role"), [("0", INSTANCE), ("1", IGNORE), (True, IGNORE), ("false", INSTANCE)])
def test_flags_may_be_text(tmp_path, flag, role):
    dataset = read_coco(write(tmp_path, changed(iscrowd=flag)))
    assert dataset.role.tolist() == [INSTANCE, role, INSTANCE]
    assert ("'iscrowd': read as no and yes" in notes(dataset)) == isinstance(flag, str)


def test_what_is_marked_to_be_ignored_is_a_region_to_ignore(tmp_path):
    dataset = read_coco(write(tmp_path, changed(ignore=1)))
    assert dataset.role.tolist() == [INSTANCE, IGNORE, INSTANCE]
    assert "1 annotations marked 'ignore' are regions to ignore" in notes(dataset)
    again = read_coco(write_coco(dataset, tmp_path / "again.json"))
    assert again.role.tolist() == dataset.role.tolist()


def test_areas_and_sizes_may_be_text(tmp_path):
    content = changed(area="150.5")
    content["images"][0] |= {"width": "30", "height": 20.0}
    dataset = read_coco(write(tmp_path, content))
    assert dataset.area[1] == 150.5
    assert (dataset.images[0].width, dataset.images[0].height) == (30, 20)
    assert "1 annotations have values such as text '150.5' as 'area': read as numbers" in notes(dataset)


def test_points_may_be_lists_of_three(tmp_path):
    dataset = read_coco(write(tmp_path, changed(keypoints=[[4, 5, 2], [20, 6, 2], [9, 15, 1]])))
    np.testing.assert_array_equal(dataset.xy[1], dataset.xy[0])
    assert "1 annotations have 'keypoints' as lists of [x, y, visibility]: read as such" in notes(dataset)


def test_nan_is_an_unlabelled_point_where_the_visibility_says_so(tmp_path):
    nan = float("nan")
    dataset = read_coco(write(tmp_path, changed(keypoints=[4, 5, 2, nan, nan, 0, 9, 15, 1])))
    assert dataset.visibility[1].tolist() == [2, 0, 1]
    np.testing.assert_array_equal(dataset.xy[1, 1], [0.5, 0.5])
    assert "1 annotations have NaN for points without a label" in notes(dataset)


def test_annotations_without_ids_get_free_ones(tmp_path):
    content = changed(id=...)
    content["annotations"][0]["id"] = 2
    dataset = read_coco(write(tmp_path, content))
    assert dataset.annotation_id.tolist() == [2, 1, 3]
    assert "1 annotations have no 'id': numbered" in notes(dataset)


def test_a_free_id_is_none_of_those_given(tmp_path):
    content = changed(id=...)
    content["annotations"][0]["id"] = 1
    assert read_coco(write(tmp_path, content)).annotation_id.tolist() == [1, 2, 3]


def test_images_may_come_in_any_order(tmp_path):
    content = coco_content()
    wanted = [entry["image_id"] for entry in content["annotations"]]
    content["images"] = [*content["images"][1:], content["images"][0]]
    for number, order in enumerate((1, -1)):
        content["images"] = content["images"][::order]
        dataset = read_coco(write(tmp_path / str(number), content))
        assert [dataset.images[i].id for i in dataset.image] == wanted


def test_categories_that_are_not_there_are_named(tmp_path):
    content = coco_content()
    for entry in content["annotations"]:
        entry["category_id"] = 0
    said = r"annotations name a category that the file does not list: .*category_id 0; 'categories' has the ids 1;"
    with pytest.raises(DataError, match=said):
        read_coco(write(tmp_path, content))
    (finding,) = [finding for finding in check(write(tmp_path, content)) if finding.severity == "error"]
    assert "that the file does not list" in finding.what
    content["annotations"][0]["category_id"] = 1
    dataset = read_coco(write(tmp_path, content))
    assert len(dataset) == 1
    assert "no category has the id 0, which annotations name as their 'category_id'" in notes(dataset)


def test_segmentations_and_other_fields_may_be_anything(tmp_path):
    content = changed(segmentation={"counts": [1, float("nan")]}, attributes={"a": [None]}, num_keypoints="three")
    content["info"] = {"year": None}
    assert len(read_coco(write(tmp_path, content))) == 3


def test_invalid_text_in_what_nothing_uses_is_no_fault(tmp_path):
    file = write(tmp_path, coco_content())
    file.write_bytes(file.read_bytes().replace(b'{"images"', b'{"info": "caf\xe9", "images"', 1))
    assert len(read_coco(file)) == 3


def test_whole_numbers_are_written_as_such(tmp_path):
    written = write_coco(read_coco(write(tmp_path, changed(bbox=[1.25, 2, 3, 4.5]))), tmp_path / "out.json")
    second = json.loads(written.read_text())["annotations"][1]
    assert json.dumps(second["keypoints"]) == "[4, 5, 2, 20, 6, 2, 9, 15, 1]"
    assert json.dumps(second["bbox"]) == "[1.25, 2, 3, 4.5]"


REFUSED = {
    "id of 65 bits": (
        {"id": 2**64},
        r"'id' that is not a whole number, such as 18446744073709551616: ids 18446744073709551616",
    ),
    "id true": ({"id": True}, "'id' that is not a whole number, such as True"),
    "id of a list": ({"id": [1]}, r"'id' that is not a whole number, such as \[1\]"),
    "fraction as image": (
        {"image_id": 7.5},
        r"have an image_id that is not in 'images': ids 2; the first has image_id 7\.5",
    ),
    "image of 65 bits": ({"image_id": -(2**63) - 1}, "have an image_id that is not in 'images': ids 2"),
    "category as word": (
        {"category_id": "mouse"},
        "not a whole number: ids 2; the first has category_id 'mouse'; give the id",
    ),
    "flag of two": ({"iscrowd": 2}, "have an 'iscrowd' that is neither 0 nor 1: ids 2; the first has iscrowd 2"),
    "flag as word": (
        {"ignore": "maybe"},
        "have an 'ignore' that is neither 0 nor 1: ids 2; the first has ignore 'maybe'",
    ),
    "count of points": (
        {"keypoints": 3},
        "do not have 3 x 3 = 9 numbers .* ids 2; the first has keypoints of type int",
    ),
    "points as text": ({"keypoints": "4 5 2"}, "ids 2; the first has keypoints of type str"),
    "points far away": (
        {"keypoints": [4, 5e9, 2] * 3},
        r"points far outside any image: ids 2; the first has 5e\+09; give pixels",
    ),
    "box far away": ({"bbox": [0, 0, 1e308, 1]}, "no four finite numbers in 'bbox': ids 2"),
    "area endless": ({"area": 1e300}, "'area' that is not a number of at least 0: ids 2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_nothing_is_refused_with_file_id_and_value(tmp_path, name):
    values, message = REFUSED[name]
    file = write(tmp_path, changed(**values))
    with pytest.raises(DataError, match=message) as caught:
        read_coco(file)
    assert str(caught.value).startswith(f"{file}: 1 of 3 annotations ")


@pytest.mark.parametrize("key", ["id", "image_id", "category_id", "area", "iscrowd"])
@pytest.mark.parametrize("number", [HUGE, "1e400", "-" + HUGE, "9" * 5000])
def test_numbers_beyond_every_float_are_refused(tmp_path, key, number):
    content = changed(**{key: "@"})
    file = write(tmp_path, json.dumps(content).replace('"@"', number))
    with pytest.raises(DataError, match=f"'{key}'|too many digits|not in 'images'"):
        read_coco(file)


@pytest.mark.parametrize("place", ["keypoints", "bbox"])
def test_numbers_beyond_every_float_in_lists_are_refused(tmp_path, place):
    values = coco_content()["annotations"][1][place]
    file = write(tmp_path, json.dumps(changed(**{place: ["@", *values[1:]]})).replace('"@"', HUGE))
    with pytest.raises(DataError, match=r"NaN or infinite: ids 2|no four finite numbers in 'bbox': ids 2"):
        read_coco(file)


IMAGES = {
    "name of nothing": ({"file_name": ""}, "lack a 'file_name': ids 9; the first has text ''"),
    "name of a number": ({"file_name": 9}, "lack a 'file_name': ids 9; the first has the number 9"),
    "name with an end": ({"file_name": "9\0.jpg"}, "have an invalid 'file_name': ids 9"),
    "half a character": ({"file_name": "\ud800.jpg"}, "have an invalid 'file_name': ids 9"),
    "id of 65 bits": ({"id": 2**63}, "have no whole number as 'id': ids 9223372036854775808; .*at most 64 bits"),
    "endless width": (
        {"width": float("inf")},
        "width or height that is not a positive number: ids 9; the first has width inf",
    ),
    "half a pixel": (
        {"height": 20.5},
        r"width or height that is not a positive number: ids 9; the first has height 20\.5",
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_that_mean_nothing_are_refused(tmp_path, name):
    values, message = IMAGES[name]
    content = coco_content()
    content["images"][1].update(values)
    with pytest.raises(DataError, match=message):
        read_coco(write(tmp_path, content))


CATEGORIES = {
    "count of points": ({"keypoints": 3}, "expected 'keypoints' of category 'mouse' to be names, got the number 3"),
    "points by name": ({"keypoints": {"nose": 0}}, "to be names, got the object {'nose': 0}"),
    "half a character": ({"keypoints": ["nose", "left_paw", "\ud800"]}, "'keypoints' of category 'mouse' to be names"),
    "id as word": ({"id": "one"}, "category 'mouse' lacks a whole number as 'id'; it has text 'one'"),
    "endless sigma": ({"sigmas": [0.1, 0.1, 10**400]}, r"sigmas of \['right_paw'\] are not between 0 and 10"),
    "bone of words": ({"skeleton": [["nose", "tail"]]}, r"'skeleton' has \['tail'\]"),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_that_mean_nothing_are_refused(tmp_path, name):
    values, message = CATEGORIES[name]
    content = coco_content()
    content["categories"][0].update(values)
    with pytest.raises(DataError, match=message):
        read_coco(write(tmp_path, content))


def test_names_too_long_for_any_file_are_images_that_are_not_there(tmp_path):
    content = coco_content()
    content["images"][1]["file_name"] = "x" * 5000 + ".jpg"
    dataset = read_coco(write(tmp_path, content))
    with pytest.raises(DataError, match="the image cannot be read"):
        dataset.images[1].read()


def test_all_faults_are_kept_where_reading_goes_on(tmp_path):
    content = coco_content()
    content["annotations"] += [dict(content["annotations"][0], id=i) for i in (4, 5, 6)]
    content["annotations"][0] |= {"bbox": "none", "area": -1}
    content["annotations"][1] |= {"image_id": 99, "keypoints": [1, 2]}
    content["annotations"][3] |= {"keypoints": [1, 2, 3] * 3}
    content["annotations"][4] |= {"id": "x", "category_id": []}
    content["images"].append({"id": 7, "file_name": "again.jpg"})
    content["categories"][0]["sigmas"] = [1]
    dataset, faults = read_coco_past(write(tmp_path, content))
    assert sorted((fault.key, len(fault.entries)) for fault in faults) == [
        ("", 0),
        ("area", 1),
        ("bbox", 1),
        ("category_id", 1),
        ("id", 1),
        ("image_id", 1),
        ("keypoints", 1),
        ("keypoints", 1),
    ]
    assert dataset.annotation_id.tolist() == [1, 3, 6]
    assert dataset.scenes == 2
    np.testing.assert_allclose(dataset.boxes[0], [4.5 - 1.6, 5.5 - 1.0, 20.5 + 1.6, 15.5 + 1.0])


def test_a_file_that_cannot_be_parsed_has_one_fault(tmp_path):
    dataset, (fault,) = read_coco_past(write(tmp_path, "[1"))
    assert dataset is None
    assert "not JSON at line 1" in str(fault)
