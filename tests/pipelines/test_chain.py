"""Two stages by engines whose answers are known: boxes are handed on, scores multiplied, weak boxes dropped."""

from dataclasses import replace

import numpy as np
import pytest
from figures import FOUR

from posekit.engines.spec import InferenceSpec
from posekit.geometry.framing import Crop, Letterbox
from posekit.geometry.keypoints import Poses
from posekit.pipelines.chain import CLEAR, Chain, enlarged_boxes
from posekit.pipelines.predictor import Predictor

SIZE = (32, 32)


class Finder:
    """Two instances in the same locations of every view; the second one's points lie outside its box."""

    spec = InferenceSpec(name="finder", skeleton=FOUR, size=SIZE, framing=Letterbox())

    def __call__(self, images):
        B = len(images)
        xy = np.array([[[8, 8], [12, 8], [8, 12], [12, 12]], [[20, 20], [30, 20], [20, 24], [24, 24]]], np.float32)
        boxes = np.array([[6, 6, 14, 14], [18, 18, 26, 26]], np.float32)
        scores = np.array([0.6, 0.9], np.float32)
        return Poses(
            xy=np.tile(xy, (B, 1, 1, 1)),
            score=np.full((B, 2, 4), 0.5, np.float32),
            instance_score=np.tile(scores, (B, 1)),
            boxes=np.tile(boxes, (B, 1, 1)),
        )


class Middle:
    """All points in the middle of every crop; the score says how bright the crop is."""

    spec = InferenceSpec(name="middle", skeleton=FOUR, size=SIZE, framing=Crop(padding=1.0))

    def __call__(self, images):
        score = images.reshape(len(images), -1).mean(-1)[:, None, None] / 255 * np.ones((1, 1, 4))
        xy = np.full((len(images), 1, 4, 2), 16, np.float32)
        return Poses(xy=xy, score=score.astype(np.float32), instance_score=score[..., 0].astype(np.float32))


def chain():
    return Chain(Predictor(Finder()), Predictor(Middle()))


def test_crops_below_a_score_are_saved():
    seen = []

    class Counted(Middle):
        def __call__(self, images):
            seen.append(len(images))
            return super().__call__(images)

    image = np.full((64, 64, 3), 99, np.uint8)
    (every,) = Chain(Predictor(Finder()), Predictor(Counted()))(image)
    (few,) = Chain(Predictor(Finder()), Predictor(Counted()), score_threshold=0.9)(image)
    assert seen == [2, 1]
    np.testing.assert_array_equal(few.xy, every.xy[:1])


def test_boxes_are_handed_on_and_scores_multiplied():
    image = np.full((64, 64, 3), 255, np.uint8)
    image[:32, :32] = 102
    (poses,) = chain()(image)
    # The second instance's point at (30, 20) of the view enlarges its box: x to 30, in the image's pixels twice that.
    np.testing.assert_allclose(poses.boxes, [[36, 36, 60, 52], [12, 12, 28, 28]])
    np.testing.assert_allclose(poses.xy[:, 0], [[48, 44], [20, 20]])
    np.testing.assert_allclose(poses.instance_score, [0.9, 0.6 * 0.4], atol=1e-3)


def test_many_images_and_none():
    images = [np.zeros((40 + n, 50, 3), np.uint8) for n in range(5)]
    two = Chain(Predictor(Finder()), Predictor(Middle()), holding=2)
    assert [len(poses) for poses in two(images)] == [2] * 5
    assert two([]) == []


def test_a_box_without_extent_is_dropped():
    class Flat(Finder):
        def __call__(self, images):
            poses = super().__call__(images)
            boxes = poses.boxes.copy()
            boxes[:, 0, 2] = boxes[:, 0, 0]
            return replace(poses, boxes=boxes, score=np.zeros_like(poses.score))

    (poses,) = Chain(Predictor(Flat()), Predictor(Middle()))(np.zeros((64, 64, 3), np.uint8))
    assert len(poses) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_box_that_is_not_finite_is_dropped(value):
    class Broken(Predictor):
        def _finished(self, pending):
            poses = super()._finished(pending)
            boxes = poses.boxes.copy()
            boxes[0, 2] = value
            return replace(poses, boxes=boxes, score=np.zeros_like(poses.score))

    (poses,) = Chain(Broken(Finder()), Predictor(Middle()))(np.zeros((64, 64, 3), np.uint8))
    assert len(poses) == 1


def test_boxes_and_wrong_pairs_are_refused():
    with pytest.raises(ValueError, match="a chain finds instances itself: leave out the boxes"):
        chain()(np.zeros((8, 8, 3), np.uint8), [[0, 0, 4, 4]])
    with pytest.raises(ValueError, match="a model that finds instances, then one that takes boxes; got middle, then"):
        Chain(Predictor(Middle()), Predictor(Finder()))
    assert chain().name == "finder+middle"
    assert chain().skeleton is FOUR and not chain().needs_boxes


def test_boxes_around_points_where_there_are_none():
    poses = Poses(
        xy=np.array([[[3.0, 4], [9, 8]], [[1, 1], [2, 2]]]),
        score=np.array([[0.9, 0.9], [0.1, 0.1]]),
        instance_score=np.ones(2),
    )
    np.testing.assert_allclose(enlarged_boxes(poses), [[3, 4, 9, 8], [0, 0, 0, 0]])


def test_a_point_of_just_the_least_score_is_in_the_box():
    poses = Poses(
        xy=np.array([[[3.0, 4], [9, 8], [30, 40]]]),
        score=np.array([[0.9, CLEAR, 0.99 * CLEAR]]),
        instance_score=np.ones(1),
        boxes=np.array([[2.0, 2, 5, 5]]),
    )
    np.testing.assert_allclose(enlarged_boxes(poses), [[2, 2, 9, 8]])
