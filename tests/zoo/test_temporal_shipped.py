"""The temporal network in the package: small, for COCO's points, and of use on people it has not seen."""

import numpy as np

from posekit.data.labelled_tracks import with_errors
from posekit.data.moving_people import turning_person
from posekit.geometry.boxes import around
from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.metrics.motion import position_error, steadiness
from posekit.postprocess.smooth.temporal import Temporal, TemporalOffline
from posekit.skeletons import SKELETONS
from posekit.zoo.temporal import SHIPPED, load_temporal

COCO = SKELETONS["coco17"]


def test_it_is_small_and_says_what_it_is_for():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 300_000
    network = load_temporal("")
    assert network.spec.points == COCO.points and network.lifts and network.window == 64
    assert tuple(network.ahead) == (0, 1, 2, 4, 12)


def test_it_steadies_a_person_that_it_has_not_seen():
    times, true, _ = turning_person(COCO, 3.0, 25, seed=5)
    seen = with_errors(times, true, COCO, 0.04, np.random.default_rng(5))
    boxes = around(true, np.ones(true.shape[:2], bool))
    track = Track(1, np.arange(75), times, Poses(seen.xy, seen.score, seen.score.mean(-1), boxes=boxes))
    network = load_temporal("")
    for filter, most in ((Temporal(network=network, delay=40), 0.6), (TemporalOffline(network=network), 0.5)):
        poses = filter.track(track).poses
        assert position_error(poses.xy, true) < most * position_error(seen.xy, true)
        assert steadiness(poses.xy, true).error < 0.3 * steadiness(seen.xy, true).error


def test_it_lifts_people_that_it_has_not_seen():
    """Better than the mean depth of each point of all of them."""
    found, depths = [], []
    network = load_temporal("")
    for seed in range(6, 10):
        times, true, depth = turning_person(COCO, 3.0, 25, seed=seed)
        seen = with_errors(times, true, COCO, 0.04, np.random.default_rng(seed))
        boxes = around(true, np.ones(true.shape[:2], bool))
        track = Track(1, np.arange(75), times, Poses(seen.xy, seen.score, seen.score.mean(-1), boxes=boxes))
        size = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], -1))[:, None]
        found.append(TemporalOffline(network=network, lift=True).track(track).poses.depth / size)
        depths.append(depth / size)
    lifted, right = np.concatenate(found), np.concatenate(depths)
    assert np.abs(lifted - right).mean() < 0.75 * np.abs(right - right.mean(0)).mean()
