"""Networks in fewer bits: which layers are rounded, and what is told of trained ones."""

import json

import pytest
import torch

from posekit.models.compress.quantise import Rounding
from posekit.studies import int8 as study
from posekit.studies.people import PersonLearner, people, small_recipe


@pytest.fixture(scope="module")
def learner():
    return PersonLearner(small_recipe("regression"), 0).eval()


def test_a_rounded_copy_differs_a_little_and_the_original_not_at_all(learner):
    images, _ = people(20, 0)
    before = learner.found(images)
    state = {name: value.clone() for name, value in learner.net.state_dict().items()}
    errors = []
    for bits in (8, 4):
        made = study.rounded(learner.net, images, bits)
        with torch.no_grad():
            errors.append(float((made(images)["coords"] - learner.net(images)["coords"]).abs().mean()))
        assert all(layer.scale is not None for layer in made.modules() if isinstance(layer, Rounding))
    assert 0 < errors[0] < errors[1] / 4
    torch.testing.assert_close(dict(learner.net.state_dict()), state, rtol=0, atol=0)
    assert torch.equal(learner.found(images), before)


def test_parts_that_are_kept_are_not_rounded(learner):
    images, _ = people(4, 0)
    made = study.rounded(learner.net, images, 8, ("head",))
    rounding = [name for name, layer in made.named_modules() if isinstance(layer, Rounding)]
    assert rounding and not any(name.startswith("head") for name in rounding)


def test_figures_of_trained_networks_are_read_by_representation(tmp_path, monkeypatch):
    file = tmp_path / "int8.json"
    rows = {kind: {"pck@0.05": value, "median": 3.0} for kind, value in (("fp32", 0.5), ("int8", 0.4))}
    file.write_text(json.dumps({"methods": {"topdown-dark-tiny": rows, "topdown-integral": rows}}))
    monkeypatch.setattr(study, "REAL", file)
    expected = {"fp32": 0.5, "int8": 0.4}
    assert study.on_real_data() == {"heatmap, DARK": expected, "integral": expected}
    monkeypatch.setattr(study, "REAL", tmp_path / "none.json")
    assert study.on_real_data() == {}


def test_without_trained_networks_nothing_is_said_of_them():
    figures = {"found": 0.5, "error": 3.0, "moved": 0.1}
    forms = dict.fromkeys(("float", "8", "5", "8, head in floats"), figures)
    results = {"runs": {name: [forms] for name in study.COMPARED.values()}, "trained": {}}
    assert "LSP" not in study.verdict(results)
    assert study.lost(results, "RLE") == 0.0
