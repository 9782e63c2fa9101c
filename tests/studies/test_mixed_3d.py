"""People with depths, batches of both kinds, and what a step keeps in memory."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from posekit.codecs.base import Target
from posekit.studies import mixed_3d as study
from posekit.studies.deep_learner import RANGE
from posekit.studies.deep_people import DeepPeople, deep_labels, deep_people, turned
from posekit.studies.discs import SIDE
from posekit.studies.kept_bytes import kept_bytes, output_bytes
from posekit.studies.people import SKELETON

K = len(SKELETON.points)


@pytest.fixture(scope="module")
def some():
    return deep_people(40, 0)


def test_rotations_by_hand():
    solid = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    # A quarter about the vertical axis: what was to the right lies in front, what was behind to the right.
    assert np.allclose(turned(solid, math.pi / 2, 0.0), [[0.0, 2.0, -1.0], [1.0, 0.0, 0.0]])
    assert np.allclose(turned(solid, 0.0, math.pi / 2), [[-2.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_people_lie_within_the_image_and_near_parts_are_bright(some):
    assert some.images.shape == (40, 3, SIDE, SIDE) and some.points.shape == (40, K, 3)
    xy, depth = some.points[..., :2], some.points[..., 2]
    assert (xy >= 0).all() and (xy <= SIDE).all() and 100 < depth.std() < 300 and depth.abs().max() < 900
    assert torch.equal(deep_people(3, 0).images, some.images[:3])
    wrists = list(SKELETON.index(["left_wrist", "right_wrist"]))
    at = xy[:, wrists].floor().long()
    bright = some.images[torch.arange(40)[:, None], :, at[..., 1], at[..., 0]].amax(-1).flatten()
    assert np.corrcoef(bright, depth[:, wrists].flatten())[0, 1] < -0.4


def test_labels_tell_which_depths_are_known(some):
    made = deep_labels(some.points[:2], torch.tensor([True, False])).keypoints
    assert made.depth_known.shape == (2, 1, K) and made.depth_known[0].all() and not made.depth_known[1].any()
    assert torch.equal(made.depth[0, 0], some.points[0, :, 2]) and not made.depth[1].any()
    assert torch.equal(made.xy[:, 0], some.points[:2, :, :2])


@pytest.mark.parametrize("training", study.TRAININGS)
def test_batches(training, some):
    deep = DeepPeople(some.images[:4], some.points[:4])
    flat = DeepPeople(some.images[4:], some.points[4:])
    images, labelled = study.batches(training, deep, flat)(torch.Generator().manual_seed(0), 60)
    few = torch.stack([(image == deep.images).flatten(1).all(1).any() for image in images])
    known = labelled[:, 0, 3] > 0
    share = {"3-D alone": 1.0, "mixed": 0.5, "all with depth": 0.1}[training]
    assert float(few.float().mean()) == pytest.approx(share, abs=0.1)
    assert known.all() if training == "all with depth" else torch.equal(known, few)


@pytest.mark.parametrize("name", study.COMPARED)
def test_a_network_learns_from_both(name, some):
    learner = study.DeepLearner(study.deep_recipe(name), 0)
    assert learner.codec.depth == RANGE
    labelled = torch.cat((some.points[:4], torch.tensor([1.0, 1, 0, 0])[:, None, None].expand(4, K, 1)), -1)
    first = learner(some.images[:4], labelled)
    # Depths that are unknown do not count.
    labelled[2:, :, 2] = 1e4
    assert first.isfinite() and float(learner(some.images[:4], labelled).detach()) == pytest.approx(
        float(first.detach())
    )
    assert learner.solid(some.images[:2]).shape == (2, K, 3)


def test_the_unweighted_volume():
    plain, unweighted = (study.deep_recipe(name).losses for name in ("volume", "unweighted volume"))
    assert plain["mse"] == unweighted["mse"] and unweighted["volume"].weight == unweighted["mse"].weight == 1
    assert plain["volume"].weight == 64


def test_what_a_step_keeps_by_hand():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, image):
            # The product keeps image and weight, which do not count; the exponential keeps its result.
            return {"a": (self.weight * image).exp()}

    class Total(nn.Module):
        def forward(self, output, target):
            return {"total": output["a"].sum()}

    labels = {"xy": torch.zeros(2, 1, K, 2)}
    codec = SimpleNamespace(
        encode=lambda instances: Target(labels, labels), activate=lambda maps: maps, shapes={"a": (3, 8, 12)}
    )
    recipe = SimpleNamespace(
        build=lambda weights: Net(),
        losses={"total": SimpleNamespace(build=lambda skeleton: Total())},
        skeleton=SKELETON,
        size=(8, 12),
        codec=codec,
    )
    assert kept_bytes(recipe, flat=True) == 4 * 3 * 8 * 12 == output_bytes(recipe)


def test_volumes_keep_more_and_regression_does_not():
    found = {
        name: study.memory(name, study.small_recipe) for name in ("regression", "regression3d", "dark", "heatmap3d")
    }
    assert found["regression3d"]["outputs"] == 4 * 3 * K and found["heatmap3d"]["outputs"] == 4 * 16 * K * 16 * 16
    assert found["regression3d"]["step"] < 1.01 * found["regression"]["step"]
    assert found["heatmap3d"]["step"] > found["dark"]["step"] + 4 * 16 * K * 16 * 16


def test_trainings_are_compared_image_by_image():
    def run(xy, depth):
        return {"xy": np.full(8, xy), "depth": np.full(8, depth)}

    found = study.compared(
        {
            "3-D alone": [run(4.0, 90.0), run(5.0, 90.0)],
            "mixed": [run(3.0, 95.0)] * 2,
            "all with depth": [run(2.0, 50.0)] * 2,
        }
    )
    assert found["xy"]["errors"] == {"3-D alone": 4.5, "mixed": 3.0, "all with depth": 2.0}
    assert found["xy"]["seeds"]["3-D alone"] == [4.0, 5.0]
    assert found["xy"]["gain"]["rise"] == 1.5 and found["depth"]["gain"]["high"] == -5.0
