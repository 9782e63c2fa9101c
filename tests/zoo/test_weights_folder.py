"""A weights folder gives the same network back, and every way it can be broken is told."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR
from safetensors.torch import load_file, save_file

import posekit
from posekit.engines.spec import known
from posekit.engines.torch import TorchEngine
from posekit.pipelines.predictor import Predictor
from posekit.recipe import save
from posekit.recipes import RECIPES
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import find_model, read_spec
from posekit.zoo.weights import load_weights, save_weights

FIGURES = {"pck@0.2": 0.75, "epe": 2.5, "epoch": 3}


@pytest.fixture(scope="module")
def recipe():
    return RECIPES["topdown-dark-tiny"](FOUR, size=(64, 96))


@pytest.fixture(scope="module")
def net(recipe):
    torch.manual_seed(0)
    return recipe.build().eval()


@pytest.fixture
def folder(tmp_path, net, recipe):
    save_weights(tmp_path / "mine", net, recipe, FIGURES)
    return tmp_path / "mine"


def test_the_network_comes_back_bit_by_bit(folder, net, recipe):
    weights = load_weights(folder)
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(weights.net(image)["heatmap"], net(image)["heatmap"])
    assert not weights.net.training
    assert weights.recipe == recipe
    assert weights.spec == recipe.spec(FIGURES)
    assert read_spec(folder) == weights.spec
    assert weights.path == folder


def test_channels_last_is_written_like_any_other(tmp_path, folder, recipe, net):
    other = recipe.build().to(memory_format=torch.channels_last)
    other.load_state_dict(net.state_dict())
    save_weights(tmp_path / "last", other, recipe, FIGURES)
    assert (tmp_path / "last" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_the_card_says_what_it_is(folder):
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: posekit\n")
    for words in ("topdown-dark-tiny", "tip, left_grip", "64x96", "codec `heatmap`", "| pck@0.2 | 0.75 |", "unknown"):
        assert words in card
    assert json.loads((folder / "config.json").read_text())["spec"]["licences"]["code"] == "Apache-2.0"


def test_a_run_folder_means_its_best(tmp_path, net, recipe, folder):
    run = tmp_path / "run"
    save_weights(run / "best", net, recipe, FIGURES)
    assert find_model(run) == run / "best"
    assert find_model(str(folder)) == folder


def test_a_folder_without_a_model_is_told(tmp_path, recipe):
    with pytest.raises(WeightsError, match=r"no model there \(expected config\.json .*holds best/config\.json"):
        load_weights(tmp_path)
    save(recipe, tmp_path / "recipe.json")
    with pytest.raises(WeightsError, match="the run has no best/ yet"):
        load_weights(tmp_path)
    with pytest.raises(WeightsError, match="no such folder; give a run folder, a weights folder, a hub id"):
        load_weights(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 2, "reci', r"config\.json: not a posekit config \(JSONDecodeError"),
        ('{"format": 2}', r"config\.json: not a posekit config: it has no \"library\""),
        ("[1, 2]", r"config\.json: not a posekit config"),
        ('{"library": "posekit", "format": 1}', r"config\.json: format 1, this posekit reads 2"),
        ('{"library": "posekit", "format": 2}', r"config\.json: it has no spec"),
        ('{"library": "posekit", "format": 2, "spec": {"name": "x"}}', r"spec: skeleton: Field required; size: Field"),
    ],
)
def test_a_damaged_config_is_told(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=message):
        load_weights(folder)


def test_missing_and_damaged_tensors_are_told(folder):
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    for broken in (whole[:1000], b"", b"not tensors at all"):
        file.write_bytes(broken)
        with pytest.raises(WeightsError, match=r"model\.safetensors: damaged or not safetensors .*copy it again"):
            load_weights(folder)
    file.unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: missing, though config\.json is there"):
        load_weights(folder)


def test_tensors_of_another_network_are_told(folder, recipe, tmp_path):
    other = replace(recipe, model=replace(recipe.model, backbone=replace(recipe.model.backbone, width=0.25)))
    save_weights(tmp_path / "other", other.build(), other, {})
    (folder / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(WeightsError, match=r"tensors do not fit the network of config\.json: .*size mismatch"):
        load_weights(folder)


def test_a_missing_tensor_is_told(folder):
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith(".weight"))
    save_file({k: v for k, v in tensors.items() if k != name}, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"tensors do not fit .*Missing key"):
        load_weights(folder)


def test_the_hub_is_asked_and_its_answer_told(monkeypatch, folder):
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, allow_patterns: str(folder))
    assert find_model("somebody/tool-points") == folder

    def refuse(error):
        def answer(*_, **__):
            raise error

        return answer

    for error in (OSError("no route to host"), HFValidationError("no route to host")):
        monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse(error))
        with pytest.raises(
            WeightsError, match=r"somebody/tool-points: no such folder, and it could not be loaded from the hub: no"
        ):
            find_model("somebody/tool-points")


def test_a_config_of_two_models_is_told(folder):
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["spec"]["size"] = [32, 32]
    file.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="spec and recipe belong to different models"):
        load_weights(folder)
    del config["recipe"]
    file.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="it has no recipe"):
        load_weights(folder)


def test_load_gives_something_to_call(folder, net, recipe):
    images = [np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)]
    loaded = posekit.load(folder, batch=3, flip_test=True)
    assert (loaded.batch, loaded.spec.flip) == (3, FOUR.flip)
    plain = Predictor(TorchEngine(net, recipe.codec, replace(recipe.spec(), flip_test=True)))
    # Its batch norms are folded.
    np.testing.assert_allclose(loaded(images)[0].xy, plain(images)[0].xy, atol=1e-3)


def test_what_a_model_cannot_do_is_refused(folder):
    with pytest.raises(ValueError, match="works on crops around boxes: scales and tiles"):
        posekit.load(folder, tiles=True)
    with pytest.raises(ValueError, match="no runtime 'tensorrt'"):
        posekit.load(folder, runtime="tensorrt")


def test_what_could_not_be_measured_is_null_in_json():
    assert known({"pck": 0.5, "oks": float("nan"), "epoch": 3}) == {"pck": 0.5, "oks": None, "epoch": 3}
