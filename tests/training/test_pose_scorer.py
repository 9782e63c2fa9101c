"""A scoring network learns what poses look like, and who is truly meant."""

import numpy as np
import pytest
import torch

from posekit.data.synthetic import Synthetic
from posekit.geometry.keypoints import Instances, Keypoints, Poses
from posekit.metrics.similarity import oks
from posekit.postprocess.rescorer import PoseShape, rescore_by_shape
from posekit.skeletons import SKELETONS
from posekit.training.pose_scorer import rescorer_of, train_rescorer, train_scorer, true_oks

COCO = SKELETONS["coco17"]
SHAPE = PoseShape.published("coco")
STANDING = np.array(
    [
        *((50, 10), (53, 7), (47, 7), (57, 9), (43, 9), (63, 25), (37, 25), (68, 43), (32, 43)),
        *((70, 60), (30, 60), (58, 60), (42, 60), (59, 85), (41, 85), (60, 110), (40, 110)),
    ],
    dtype=np.float64,
)
AREA = 60.0 * 110.0


def people(count, rng):
    """Upright figures of any size and place, no two alike."""
    xy = STANDING + rng.normal(0, 2.0, (count, 17, 2))
    xy = xy * rng.uniform(0.7, 3.0, (count, 1, 1)) * rng.uniform(0.8, 1.2, (count, 1, 2))
    return xy + rng.uniform(0, 300, (count, 1, 2))


def shuffled(xy, rng, points=range(5, 17)):
    """Bones of each figure that trade places."""
    wrong = xy.copy()
    for pose in wrong:
        pose[list(points)] = pose[rng.permutation(list(points))]
    return wrong


def synthetic(count, rng):
    """Detections: good ones, some off, some with shuffled bones, and their true OKS; all score alike."""
    truth = people(count, rng)
    found = truth + rng.normal(0, 1, truth.shape) * rng.uniform(0, 12, (count, 1, 1))
    found[::2] = shuffled(found[::2], rng)
    area = np.prod(np.ptp(truth, axis=1), axis=-1)
    known = np.ones(truth.shape[:2], bool)
    return found, oks(found, truth, known, area, COCO.oks_sigmas)


def test_a_hundred_steps_teach_that_limbs_are_not_to_be_shuffled():
    rng = np.random.default_rng(0)
    found, worth = synthetic(1024, rng)
    score = np.full((1024, 17), 0.8)
    net = train_scorer(SHAPE.features(found, score), worth, epochs=25, batch=256)
    true = people(200, rng)
    both = np.stack((true, shuffled(true, rng)), 1)
    poses = Poses(xy=both, score=np.full((200, 2, 17), 0.8), instance_score=np.ones((200, 2)))
    ranked = rescore_by_shape(poses, SHAPE, rescorer_of(net, SHAPE).score).instance_score
    assert (ranked[:, 0] > ranked[:, 1]).mean() > 0.98
    assert np.median(ranked[:, 0]) > 3 * np.median(ranked[:, 1])


def test_teaching_is_the_same_every_time_and_touches_no_global_draw():
    rng = np.random.default_rng(1)
    found, worth = synthetic(40, rng)
    features = SHAPE.features(found, np.ones((40, 17)))
    torch.manual_seed(5)
    one = train_scorer(features, worth, epochs=2, batch=16, hidden=8)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), after)
    two = train_scorer(features, worth, epochs=2, batch=16, hidden=8)
    other = train_scorer(features, worth, epochs=2, batch=16, hidden=8, seed=1)
    states = [net.state_dict() for net in (one, two, other)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["l1.weight"], states[2]["l1.weight"])


def test_poses_of_unknown_worth_are_left_out():
    rng = np.random.default_rng(2)
    found, worth = synthetic(40, rng)
    features = SHAPE.features(found, np.ones((40, 17)))
    some = np.where(np.arange(40) < 20, worth, np.nan)
    one = train_scorer(features, some, epochs=1, hidden=8).state_dict()
    two = train_scorer(features[:20], worth[:20], epochs=1, hidden=8).state_dict()
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    with pytest.raises(ValueError, match="none of 40 poses has a known OKS"):
        train_scorer(features, np.full(40, np.nan))
    with pytest.raises(ValueError, match=r"expected features \(N, F\) and truth \(N,\); got \(40, 74\) and \(39,\)"):
        train_scorer(features, worth[1:])


def test_the_worth_of_a_pose_is_its_oks_with_whom_it_fits_best():
    truth = np.stack((STANDING, STANDING + 200, STANDING + 400, STANDING + 600))
    visibility = np.full((4, 17), 2)
    visibility[1, :5] = 0
    visibility[3] = 0
    people = Instances(
        keypoints=Keypoints(truth, visibility),
        boxes=np.zeros((4, 4)),
        area=np.full(4, AREA),
        category=np.zeros(4, int),
        role=np.array([1, 1, 2, 1]),
    )
    found = np.stack((STANDING + 3, STANDING + 198, STANDING + 400, STANDING + 600))
    found[1, :5] = 0
    poses = Poses(xy=found, score=np.ones((4, 17)), instance_score=np.ones(4))
    worth = true_oks(poses, people, COCO.oks_sigmas)
    known = np.arange(17) >= 5
    area = np.array([AREA])
    one = oks(found[:1], truth[:1], np.ones((1, 17), bool), area, COCO.oks_sigmas)
    two = oks(found[1:2], truth[1:2], known[None], area, COCO.oks_sigmas)
    # Regions to ignore and people without labels are nobody.
    np.testing.assert_allclose(worth, [one[0], two[0], 0, 0], atol=1e-9)
    nobody = people.each(lambda array: array[2:])
    assert np.isnan(true_oks(poses, nobody, COCO.oks_sigmas)).all()


def test_a_ranking_puts_true_people_first_in_images_it_was_not_taught_on():
    dataset = Synthetic(COCO, 24, (96, 96), seed=4, people=3, outside=0.0).dataset()
    rng = np.random.default_rng(3)
    everyone = []
    for number in range(len(dataset.images)):
        true = dataset.xy[dataset.rows_of_image(number)]
        both = np.concatenate((shuffled(true, rng), true + rng.normal(0, 0.3, true.shape)))
        # Wrong ones are surer of themselves.
        sure = np.repeat([0.9, 0.8], len(true))
        everyone.append(Poses(both, np.repeat(sure[:, None], 17, 1), sure))
    made = train_rescorer(everyone, dataset, epochs=200)
    assert made.after["AP"] > made.before["AP"] + 0.15
    assert made.poses == sum(len(poses) for poses in everyone[::2])


def test_a_ranking_needs_people_in_both_halves():
    dataset = Synthetic(COCO, 2, (96, 96), seed=4).dataset()
    nobody = Poses(np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros(0))
    with pytest.raises(ValueError, match="0 and 0 images with poses and labelled instances; give more images"):
        train_rescorer([nobody, nobody], dataset)
