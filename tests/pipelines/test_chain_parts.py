"""A chain whose second model reads faces or hands shows it one box, or two, for each body."""

import numpy as np
import pytest

from posekit.engines.spec import InferenceSpec
from posekit.geometry.framing import Crop, Letterbox
from posekit.geometry.keypoints import Poses
from posekit.geometry.parts import face_boxes, hand_boxes
from posekit.pipelines.chain import Chain
from posekit.pipelines.predictor import Predictor
from posekit.skeletons import SKELETONS

BODY = SKELETONS["coco17"]
SIZE = (64, 64)
SCORES = (0.6, 0.9)
NAMED = {
    "nose": (15, 16),
    "left_eye": (20, 10),
    "right_eye": (10, 10),
    "left_elbow": (26, 30),
    "left_wrist": (26, 40),
    "right_elbow": (6, 30),
    "right_wrist": (6, 38),
}


class Bodies:
    """Two bodies in the same locations of every view; the points in ``missing`` of the first were not found."""

    spec = InferenceSpec(name="bodies", skeleton=BODY, size=SIZE, framing=Letterbox())

    def __init__(self, *missing):
        xy, score = np.zeros((2, 17, 2), np.float32), np.zeros((2, 17), np.float32)
        for name, place in NAMED.items():
            k = BODY.points.index(name)
            xy[:, k], score[:, k] = place, 0.9
            score[0, k] *= name not in missing
        xy[1] += (24, 10)
        self.poses = Poses(xy=xy, score=score, instance_score=np.array(SCORES, np.float32))

    def __call__(self, images):
        return self.poses.each(lambda array: np.tile(array, (len(images), *[1] * array.ndim)))


class Middle:
    """All points in the middle of every crop, with a score of 0.5."""

    def __init__(self, skeleton):
        self.spec = InferenceSpec(name="middle", skeleton=skeleton, size=SIZE, framing=Crop(padding=1.0))

    def __call__(self, images):
        count = (len(images), 1, len(self.spec.skeleton.points))
        score = np.full(count, 0.5, np.float32)
        return Poses(xy=np.full((*count, 2), 32, np.float32), score=score, instance_score=score[..., 0])


def chain(part, *missing):
    finder = Predictor(Bodies(*missing))
    return Chain(finder, Predictor(Middle(SKELETONS[part]))), finder


@pytest.mark.parametrize(("part", "rule", "count"), [("face68", face_boxes, 1), ("hand21", hand_boxes, 2)])
def test_each_body_gives_as_many_boxes_as_it_has_such_parts(part, rule, count):
    both, finder = chain(part)
    image = np.zeros((64, 64, 3), np.uint8)
    (found,), (poses,) = finder(image), both(image)
    assert both.skeleton == SKELETONS[part]
    wanted = rule(found, BODY)
    assert len(poses) == len(wanted) == 2 * count
    score = np.repeat(found.instance_score, count) * 0.5
    order = np.argsort(-score, kind="stable")
    np.testing.assert_allclose(poses.instance_score, score[order], rtol=1e-6)
    np.testing.assert_allclose(poses.boxes, wanted[order], atol=1e-3)
    np.testing.assert_allclose(poses.xy[:, 0], ((wanted[:, :2] + wanted[:, 2:]) / 2)[order], atol=1e-2)


@pytest.mark.parametrize(
    ("part", "missing", "scores"),
    [
        ("face68", ("nose",), [0.45]),
        ("hand21", ("left_wrist",), [0.45, 0.45, 0.3]),
        ("hand21", ("left_wrist", "right_elbow"), [0.45, 0.45]),
    ],
)
def test_parts_that_were_not_found_are_left_out(part, missing, scores):
    both, _ = chain(part, *missing)
    image = np.zeros((64, 64, 3), np.uint8)
    for poses in both([image, image]):
        np.testing.assert_allclose(poses.instance_score, scores, rtol=1e-6)
        assert np.isfinite(poses.xy).all()


def test_nobody_gives_no_parts():
    empty = Poses.empty(17).each(lambda array: array[None])

    class Empty(Bodies):
        def __call__(self, images):
            return empty.each(lambda array: np.tile(array, (len(images), *[1] * (array.ndim - 1))))

    for part in ("face68", "hand21"):
        both = Chain(Predictor(Empty()), Predictor(Middle(SKELETONS[part])))
        (poses,) = both(np.zeros((64, 64, 3), np.uint8))
        assert poses.xy.shape == (0, len(SKELETONS[part].points), 2)
