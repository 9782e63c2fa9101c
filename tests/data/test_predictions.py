"""Predictions read from files, put beside labels, and what the two say of each other."""

import json
from dataclasses import replace

import numpy as np
import pytest
from figures import FOUR
from hypothesis import given
from hypothesis import strategies as st

from posekit.data.agreement import agreement, repaired
from posekit.data.coco import write_results
from posekit.data.errors import DataError
from posekit.data.predictions import Predictions, in_files, read_predictions
from posekit.data.synthetic import Synthetic
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS

COCO = SKELETONS["coco17"]
BODY = Skeleton(
    "body",
    ("left_hip", "right_hip", "left_knee", "right_knee", "hat", "nose"),
    mirror=(("left_hip", "right_hip"), ("left_knee", "right_knee")),
)


@pytest.fixture(scope="module")
def drawn():
    """Six images of up to two figures of `FOUR`."""
    return Synthetic(FOUR, count=6, size=(64, 80), seed=2, people=2).dataset()


def said_of(dataset, order):
    """The labels as predictions, image by image."""
    rows = dataset.rows
    images = dataset.image[rows]
    poses = []
    for image in range(len(dataset.images)):
        here = rows[images == image][::order]
        score = (dataset.visibility[here] > 0) * 0.75
        poses.append(Poses(dataset.xy[here], score, score.mean(1)))
    return poses, [record.id for record in dataset.images]


@pytest.mark.parametrize("order", [1, -1])
def test_results_come_back_beside_the_instances_they_are_of(drawn, tmp_path, order):
    file = write_results(*said_of(drawn, order), tmp_path / "results.json")
    assert len(drawn) > len(drawn.images)
    read = read_predictions(file, drawn)
    rows = drawn.rows
    known = drawn.visibility[rows] > 0
    np.testing.assert_allclose(read.xy[known], drawn.xy[rows][known], atol=1e-3)
    np.testing.assert_allclose(read.score[known], 0.75)


def test_points_go_by_name(tmp_path):
    dataset = Synthetic(BODY, count=2, size=(64, 64), seed=0).dataset()
    dataset = replace(dataset, visibility=np.full_like(dataset.visibility, 2))
    pose = np.arange(51, dtype=float).reshape(17, 3) / 60
    pose[:, :2] = np.concatenate([dataset.boxes[0, :2], dataset.boxes[0, 2:]])[None].reshape(2, 2)[np.arange(17) % 2]
    file = tmp_path / "predictions.json"
    file.write_text(json.dumps({"info": "x", "predictions": {str(dataset.images[0].id): pose.tolist()}}))
    read = read_predictions(file, dataset, "coco17")
    for k, name in enumerate(BODY.points):
        if name == "hat":
            assert read.score[0, k] == 0
        else:
            at = COCO.points.index(name)
            np.testing.assert_allclose(read.xy[0, k], pose[at, :2] + 0.5)
            assert read.score[0, k] == pose[at, 2]
    assert not read.score[1].any()
    # Seventeen points are COCO's unless somebody says otherwise.
    assert np.array_equal(read_predictions(file, dataset).score, read.score)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not JSON at line 1, column 2.*expected predictions as JSON"),
        ("{}", r"not predictions as JSON.*'predictions' is nothing, the file has \[\]"),
        ("[]", "holds no predictions"),
        (
            '[{"image_id": 1, "keypoints": [1, 2]}]',
            "not predictions as JSON.*'keypoints' of 2 numbers are not three a point",
        ),
        ('[{"image_id": 1, "keypoints": [1, 2, NaN, 1, 2, 1, 1, 2, 1, 1, 2, 1]}]', "not finite"),
        ('[{"image_id": 1, "keypoints": [1, 2, 1, 1, 2, 1]}]', "2 points and 'coco17' has 17: name a skeleton"),
        (
            '[{"image_id": 999, "keypoints": [1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1]}]',
            r"none of its 1 predictions .* as in \[999\]",
        ),
    ],
)
def test_files_that_are_no_predictions_are_refused(drawn, tmp_path, content, message):
    file = tmp_path / "file.json"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        read_predictions(file, drawn)


def test_unknown_names_are_refused(drawn, tmp_path):
    file = write_results(*said_of(drawn, 1), tmp_path / "results.json")
    with pytest.raises(DataError, match="no skeleton 'cocoo'"):
        read_predictions(file, drawn, "cocoo")
    with pytest.raises(DataError, match=r"4 points and 'coco17' has 17$"):
        read_predictions(file, drawn, "coco17")


def body(count=40, seed=0):
    """Labels of `BODY` far enough apart that sides can be told, all of them known."""
    draw = np.random.default_rng(seed)
    dataset = Synthetic(BODY, count=count, size=(64, 64), seed=0).dataset()
    rows = len(dataset.xy)
    xy = draw.uniform(0, 20, (rows, 6, 2)) + np.array([[60, 0], [0, 0], [60, 70], [0, 70], [30, -40], [30, -30]])
    boxes = np.concatenate([xy.min(1), xy.max(1)], -1)
    return replace(dataset, xy=xy, visibility=np.full((rows, 6), 2, np.int8), boxes=boxes)


def test_swapped_sides_are_found_and_put_right():
    truth = body()
    flip = list(BODY.flip)
    wrong = np.arange(len(truth)) % 5 == 2
    labels = replace(truth, xy=np.where(wrong[:, None, None], truth.xy[:, flip], truth.xy))
    noisy = truth.xy + np.random.default_rng(1).normal(0, 2, truth.xy.shape)
    predictions = Predictions(noisy, np.full(noisy.shape[:2], 0.9))
    found = agreement(labels, predictions)
    assert np.array_equal(found.swapped, wrong)
    assert not found.outlier.any()
    mended = repaired(labels, found)
    assert np.array_equal(mended.xy, truth.xy)
    assert (
        mended.inferred[-1] == f"left and right corrected in {wrong.sum()} of {len(truth)} instances, "
        "according to the predictions"
    )
    assert not agreement(mended, predictions).swapped.any()


def test_what_cannot_tell_sides_is_left_alone():
    truth = body()
    labels = replace(truth, xy=truth.xy[:, list(BODY.flip)])
    unsure = Predictions(truth.xy, np.full(truth.xy.shape[:2], 0.2))
    assert not agreement(labels, unsure).swapped.any()
    sure = Predictions(truth.xy, np.full(truth.xy.shape[:2], 0.9))
    assert agreement(labels, sure).swapped.all()
    one = replace(labels, visibility=labels.visibility * np.array([2, 2, 0, 2, 2, 2], np.int8) // 2)
    assert not agreement(one, sure).swapped.any()
    # Sides that are as wrong either way were not swapped.
    assert not agreement(labels, Predictions(truth.xy + 500, sure.score)).swapped.any()


def test_outliers_are_single_points_that_lie_elsewhere():
    truth = body()
    xy = truth.xy.copy()
    xy[3, 1] += 60
    xy[4, :4] += 60
    labels = replace(truth, xy=xy)
    score = np.full(truth.xy.shape[:2], 0.9)
    score[:, 5] = 0.1
    xy[5, 5] += 60
    found = agreement(labels, Predictions(truth.xy, score))
    expected = np.zeros(score.shape, bool)
    expected[3, 1] = True
    # Most of instance 4 is contradicted, so the model is not believed; of point 5 it is never sure.
    assert np.array_equal(found.outlier, expected)
    assert np.array_equal(found.trust(0.25), np.where(expected, np.float32(0.25), np.float32(1)))
    assert np.isnan(found.distance[:, 5]).all() and found.distance[3, 1] > 0.2


@given(st.integers(0, 1000), st.floats(1.0, 4.0))
def test_repairing_never_takes_labels_further_from_predictions(seed, factor):
    truth = body(8, seed)
    draw = np.random.default_rng(seed)
    labels = replace(truth, xy=truth.xy[:, list(BODY.flip)] if seed % 2 else truth.xy)
    predictions = Predictions(truth.xy + draw.normal(0, 10, truth.xy.shape), draw.uniform(0, 1, truth.xy.shape[:2]))
    found = agreement(labels, predictions, factor=factor)
    after = agreement(repaired(labels, found), predictions, factor=factor)
    both = np.isfinite(found.distance) & np.isfinite(after.distance)
    before, now = (np.where(both, x.distance, 0).sum(1) for x in (found, after))
    assert (now <= before + 1e-9).all()


def test_arguments_that_make_no_sense_are_refused():
    truth = body(2)
    said = Predictions(truth.xy, np.ones(truth.xy.shape[:2]))
    with pytest.raises(ValueError, match=r"at least 1; got 0\.5"):
        agreement(truth, said, factor=0.5)
    with pytest.raises(ValueError, match="2 instances were labelled and 1 predicted"):
        agreement(truth, Predictions(said.xy[:1], said.score[:1]))


def test_labels_of_packed_crops_are_compared_in_the_pixels_of_their_files():
    truth = body(3)
    cut = np.array([[2.0, 0, 5], [0, 2, -7], [0, 0, 1]])
    packed = replace(truth, images=tuple(replace(image, to_source=cut) for image in truth.images))
    np.testing.assert_allclose(in_files(packed), truth.xy * 2 + (5, -7))
    found = agreement(packed, Predictions(in_files(packed) + 3, np.ones(truth.xy.shape[:2])))
    np.testing.assert_allclose(
        found.distance, agreement(truth, Predictions(truth.xy + 1.5, np.ones(truth.xy.shape[:2]))).distance
    )
