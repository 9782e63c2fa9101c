"""Identities: who keeps an id, who gets a new one, and that order, location and scale change nothing."""

from __future__ import annotations

import numpy as np

from posekit.geometry.keypoints import Poses
from posekit.postprocess.track import Tracking
from posekit.skeletons import SKELETONS

COCO = SKELETONS["coco17"]
BODY = np.random.default_rng(3).uniform(0, 1, (17, 2)) * (30, 80)
"""A body of 30 x 80 pixels from its upper left corner."""


def frame(*corners, score=0.8):
    """The same body with its upper left corner at each of ``corners``."""
    xy = np.array(corners, float).reshape(-1, 1, 2) + BODY
    return Poses(
        xy=xy,
        score=np.full(xy.shape[:2], 0.7),
        instance_score=np.broadcast_to(score, len(xy)).astype(float),
        boxes=np.concatenate([xy.min(1), xy.max(1)], -1),
    )


def test_two_people_who_cross_keep_their_ids():
    tracker = Tracking().start(COCO)
    for number in range(41):
        found = tracker(frame((5 * number, 0), (200 - 5 * number, 4)), number / 10)
        assert found.ids.tolist() == [1, 2]
        assert found.ids.dtype == np.int64


def test_ids_stay_when_a_person_leaves():
    tracker = Tracking().start(COCO)
    tracker(frame((0, 0), (100, 0), (200, 0)), 0.0)
    assert tracker(frame((100, 0), (200, 0)), 0.1).ids.tolist() == [2, 3]
    assert tracker(frame((200, 0), (100, 0)), 0.2).ids.tolist() == [3, 2]
