"""One skeleton's samples under another's points."""

from dataclasses import replace

import numpy as np
import pytest

from posekit.data.errors import DataError
from posekit.data.renaming import as_skeleton, renamed, shared_points
from posekit.data.synthetic import Synthetic
from posekit.geometry.keypoints import IGNORE, INSTANCE
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons.body import COCO17, CROWDPOSE14, LSP14


@pytest.fixture(scope="module")
def people():
    return Synthetic(LSP14, 4, (48, 56), seed=2, people=3).dataset()


def test_points_keep_their_names(people):
    as_coco = as_skeleton(people, COCO17)
    assert as_coco.skeleton is COCO17
    assert as_coco.xy.shape == (len(people.role), 17, 2)
    for name in ("left_shoulder", "right_ankle", "left_wrist"):
        new, old = COCO17.points.index(name), LSP14.points.index(name)
        np.testing.assert_array_equal(as_coco.xy[:, new], people.xy[:, old])
        np.testing.assert_array_equal(as_coco.visibility[:, new], people.visibility[:, old])
        np.testing.assert_array_equal(as_coco.depth[:, new], people.depth[:, old])
    face = list(COCO17.index(["nose", "left_eye", "right_eye", "left_ear", "right_ear"]))
    assert (as_coco.visibility[:, face] == 0).all() and not as_coco.depth_known[:, face].any()
    assert np.isfinite(as_coco.xy).all()
    assert "never labelled: ['nose'" in as_coco.inferred[-1]
    np.testing.assert_array_equal(as_coco.boxes, people.boxes)


def test_a_sample_of_the_set_is_the_renamed_sample(people):
    one, two = renamed(people.scene(1), LSP14, COCO17), as_skeleton(people, COCO17).scene(1)
    np.testing.assert_array_equal(one.instances.keypoints.xy, two.instances.keypoints.xy)
    np.testing.assert_array_equal(one.instances.keypoints.visibility, two.instances.keypoints.visibility)
    np.testing.assert_array_equal(one.instances.keypoints.depth_known, two.instances.keypoints.depth_known)
    np.testing.assert_array_equal(one.image, two.image)


def test_there_and_back_is_the_identity_where_all_names_agree(people):
    again = as_skeleton(as_skeleton(people, CROWDPOSE14), LSP14)
    np.testing.assert_array_equal(again.xy, people.xy)
    np.testing.assert_array_equal(again.visibility, people.visibility)


def test_who_keeps_no_label_is_ignored():
    coco = Synthetic(COCO17, 3, (48, 48), seed=1).dataset()
    visibility = coco.visibility.copy()
    visibility[1, 5:] = 0
    visibility[1, 0] = 2
    out = as_skeleton(replace(coco, visibility=visibility), LSP14)
    assert out.role.tolist() == [INSTANCE, IGNORE, INSTANCE]
    np.testing.assert_array_equal(out.scene(1).ignore, out.boxes[1:2].astype(np.float32))


def test_small_skeletons_need_all_their_names():
    two = Skeleton(name="two", points=("tip", "base"))
    assert shared_points(two, replace(two, points=("base", "middle", "tip")), "here").tolist() == [1, -1, 0]


def test_strangers_are_refused(people):
    tools = Skeleton(name="tool", points=("tip", "hinge", "left_wrist", "right_wrist"))
    with pytest.raises(
        DataError, match=r"synthetic people of lsp14: .* at least 3 names agree; 2 do.*rename its points"
    ):
        as_skeleton(people, tools)
    with pytest.raises(DataError, match=r"drawn_2_000000\.png: points of 'lsp14'"):
        renamed(people.scene(0), LSP14, tools)
