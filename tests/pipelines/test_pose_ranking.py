"""A ranking lies beside the weights it was taught on, is used from then on, and a wrong one is refused."""

import numpy as np
import pytest
import torch
from figures import FOUR
from safetensors.torch import save_file

from posekit.geometry.keypoints import Poses
from posekit.models.pose_scorer import PoseScorer
from posekit.pipelines.load import load
from posekit.pipelines.pose_ranking import FILE, judge_of, read_ranking, save_ranking
from posekit.pipelines.weights import WeightsError, load_weights, save_weights
from posekit.postprocess.ranking import Ranking, Shape
from posekit.recipes import RECIPES

SHAPE = Shape.of(FOUR)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    recipe = RECIPES["centernet-tiny"](FOUR, size=(64, 64), backbone="mobilenet_v3")
    save_weights(tmp_path, recipe.build(weights=False), recipe, {"AP": 0.1})
    return tmp_path


def scorer(hidden=16, seed=1):
    torch.manual_seed(seed)
    return PoseScorer(SHAPE.size, hidden).build().eval()


def test_poses_come_back_in_the_order_of_what_the_judge_says():
    rng = np.random.default_rng(0)
    poses = Poses(rng.uniform(0, 60, (5, 4, 2)), rng.uniform(0.2, 1, (5, 4)), rng.uniform(0, 1, 5))
    worth = np.array([0.3, 0.9, np.nan, 2.0, 0.5])
    ranked = Ranking(SHAPE, lambda features: worth)(poses)
    expected = np.nan_to_num(worth).clip(0, 1) * poses.score.mean(-1)
    order = np.argsort(-expected)
    np.testing.assert_allclose(ranked.instance_score, expected[order], rtol=1e-6)
    np.testing.assert_array_equal(ranked.xy, poses.xy[order])


def test_what_is_kept_beside_the_weights_ranks_from_then_on(folder):
    assert load_weights(folder).ranking is None
    net = scorer()
    assert save_ranking(folder, net) == folder / FILE
    image = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    pipeline = load(folder)
    found = pipeline([image])[0]
    pipeline.ranking = None
    plain = pipeline([image])[0]
    expected = Ranking(SHAPE, judge_of(net))(plain)
    assert len(found) == len(plain) > 1
    np.testing.assert_array_equal(found.xy, expected.xy)
    np.testing.assert_array_equal(found.instance_score, expected.instance_score)
    assert (np.diff(found.instance_score) <= 0).all()


def test_new_weights_throw_away_the_ranking_of_old_ones(folder):
    save_ranking(folder, scorer())
    weights = load_weights(folder)
    save_weights(folder, weights.net, weights.recipe, {})
    assert read_ranking(folder, FOUR) is None


@pytest.mark.parametrize("kind", ["garbage", "other points", "other names"])
def test_a_wrong_ranking_is_refused_with_the_cure(folder, kind):
    file = folder / FILE
    if kind == "garbage":
        file.write_bytes(b"no tensors")
    elif kind == "other points":
        save_ranking(folder, PoseScorer(SHAPE.size + 1, 8).build())
    else:
        save_file({"weight": torch.zeros(3)}, str(file))
    with pytest.raises(WeightsError, match=r"ranking\.safetensors.*posekit eval --rank, or delete it"):
        load_weights(folder)
