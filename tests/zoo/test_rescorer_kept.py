"""A pose rescorer in a model's spec is used from then on, and a wrong one is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR

from posekit.models.pose_scorer import PoseScorer
from posekit.postprocess.rescorer import PoseShape
from posekit.recipes import RECIPES
from posekit.training.pose_scorer import rescorer_of
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import read_spec, write_spec
from posekit.zoo.load import load
from posekit.zoo.weights import load_weights, save_weights

SHAPE = PoseShape.of(FOUR)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    recipe = RECIPES["centernet-tiny"](FOUR, size=(64, 64), backbone="mobilenet_v3")
    save_weights(tmp_path, recipe.build(weights=False), recipe, {"AP": 0.1})
    return tmp_path


def scorer(hidden=16, seed=1):
    torch.manual_seed(seed)
    return PoseScorer(SHAPE.size, hidden).build().eval()


def keep(folder, rescorer):
    write_spec(folder, replace(read_spec(folder), rescorer=rescorer))


def test_numpy_and_torch_say_the_same():
    net, features = scorer(), np.random.default_rng(0).normal(size=(7, SHAPE.size)).astype(np.float32)
    with torch.inference_mode():
        expected = net(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(rescorer_of(net, SHAPE).score(features), expected, rtol=1e-4, atol=1e-5)


def test_what_is_kept_with_the_model_rescores_from_then_on(folder):
    assert load_weights(folder).spec.rescorer is None
    image = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    plain = load(folder)([image])[0]
    rescorer = rescorer_of(scorer(), SHAPE)
    keep(folder, rescorer)
    kept = read_spec(folder).rescorer
    assert {name: value.tobytes() for name, value in kept.weights.items()} == {
        name: value.tobytes() for name, value in rescorer.weights.items()
    }
    found, expected = load(folder)([image])[0], rescorer(plain)
    assert len(found) == len(plain) > 1
    np.testing.assert_array_equal(found.xy, expected.xy)
    np.testing.assert_array_equal(found.instance_score, expected.instance_score)
    assert (np.diff(found.instance_score) <= 0).all()


def test_new_weights_drop_the_rescorer_of_old_ones(folder):
    keep(folder, rescorer_of(scorer(), SHAPE))
    weights = load_weights(folder)
    save_weights(folder, weights.net, weights.recipe, {})
    assert read_spec(folder).rescorer is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"l1.bias": {"shape": [16], "float32": "not base64!"}}, "rescorer.*base64"),
        ({"l1.bias": {"shape": [17], "float32": "AAAAAA=="}}, "rescorer.*as many"),
        ({"l1.bias": [1, 2]}, "rescorer.*expected an array"),
        ({"l1.weight": {"shape": [1, 1], "float32": "AAAAAA=="}}, "a scoring network for .* features has layers"),
        ({"other": {"shape": [1], "float32": "AAAAAA=="}}, "a scoring network for .* features has layers"),
    ],
)
def test_a_wrong_rescorer_is_refused(folder, change, message):
    keep(folder, rescorer_of(scorer(), SHAPE))
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["spec"]["rescorer"]["weights"] |= change
    file.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=rf"config\.json: spec: .*{message}"):
        load_weights(folder)
