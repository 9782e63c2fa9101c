"""From one skeleton to another: by name, by rules, and without points that do not count."""

from dataclasses import replace

import numpy as np
import pytest

from posekit.geometry.keypoints import Poses
from posekit.geometry.mapping import map_points
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS

COCO, LSP = SKELETONS["coco17"], SKELETONS["lsp14"]


def body(count=2):
    random = np.random.default_rng(0)
    return Poses(
        xy=random.uniform(0, 90, (count, 17, 2)).astype(np.float32),
        score=random.uniform(0.2, 1, (count, 17)).astype(np.float32),
        instance_score=np.ones(count, np.float32),
        spread=random.uniform(1, 2, (count, 17, 2)).astype(np.float32),
    )


def test_points_by_name_and_a_neck_between_the_shoulders():
    poses = body()
    mapped = map_points(COCO, LSP)(poses)
    left, right = (COCO.points.index(f"{side}_shoulder") for side in ("left", "right"))
    neck, knee = LSP.points.index("neck"), "left_knee"
    np.testing.assert_allclose(mapped.xy[:, neck], (poses.xy[:, left] + poses.xy[:, right]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(mapped.score[:, neck], np.minimum(poses.score[:, left], poses.score[:, right]))
    np.testing.assert_array_equal(mapped.xy[:, LSP.points.index(knee)], poses.xy[:, COCO.points.index(knee)])
    assert mapped.spread is None and mapped.xy.dtype == np.float32


def test_a_position_that_is_not_finite_spoils_no_other_point():
    poses = body()
    xy = poses.xy.copy()
    xy[0, COCO.points.index("nose")] = np.nan
    xy[1, COCO.points.index("left_shoulder")] = np.inf
    mapped = map_points(COCO, LSP)(replace(poses, xy=xy))
    broken = ~np.isfinite(mapped.xy).all(-1)
    assert not broken[0].any()
    assert {LSP.points[i] for i in np.flatnonzero(broken[1])} == {"left_shoulder", "neck", "head_top"}


def test_spread_is_kept_where_every_point_is_there_and_nobody_stays_nobody():
    some = Skeleton(name="some", points=("right_knee", "nose"))
    mapped = map_points(COCO, some)
    poses = body()
    np.testing.assert_array_equal(mapped(poses).spread[:, 1], poses.spread[:, 0])
    assert mapped(Poses.empty(17)).xy.shape == (0, 2, 2)
    assert map_points(COCO, LSP)(Poses.empty(17)).score.shape == (0, 14)


def test_points_that_cannot_be_made_are_named():
    with pytest.raises(ValueError, match="has no tip, end for 'tool'"):
        map_points(COCO, Skeleton(name="tool", points=("tip", "nose", "end")))
    with pytest.raises(ValueError, match="poses have 3 points"):
        map_points(COCO, LSP)(Poses.empty(3))
