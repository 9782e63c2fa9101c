"""Networks trained in 8 bits: the file keeps their integers, and its accuracy is what is compared."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from figures import FOUR, labelled_files
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from posekit.api.export import ExportError, _measured, export
from posekit.api.train import train
from posekit.data.errors import DataError
from posekit.data.source import Data
from posekit.exporting.graph import Graph
from posekit.exporting.onnx import traced
from posekit.exporting.trained_rounding import quantised, with_stored_integers
from posekit.models.backbones.resnet import ResNet
from posekit.models.compress.quantise import FakeQuant
from posekit.recipes import RECIPES
from posekit.zoo.folder import read_spec
from posekit.zoo.weights import save_weights


def folder_of(place, bits=8):
    """An untrained model of known ranges."""
    torch.manual_seed(0)
    recipe = RECIPES["topdown-dark-tiny"](FOUR, size=(64, 64))
    model = replace(recipe.model, backbone=ResNet(18, 0.125))
    recipe = replace(recipe, model=model, quantise=FakeQuant(bits=bits, start=0.0))
    net = recipe.build().train()
    with torch.no_grad():
        net(torch.randint(0, 255, (4, 3, 64, 64), dtype=torch.uint8))
    save_weights(place, net.eval(), recipe, {})
    return recipe, net


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.floats(-300, 300, width=32), min_size=6, max_size=6),
    scales=st.lists(st.floats(0.0625, 4, width=32), min_size=2, max_size=2),
    signed=st.booleans(),
)
def test_integers_are_those_of_the_operator(values, scales, signed):
    array = np.array(values, np.float32).reshape(2, 3)
    scale, zero = np.array(scales, np.float32), np.array([0, 3], np.int8 if signed else np.uint8)
    inputs = {"x": array, "s": scale, "z": zero}
    kinds = [onnx.helper.np_dtype_to_tensor_dtype(one.dtype) for one in inputs.values()]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("QuantizeLinear", list(inputs), ["y"], axis=0)],
        "one",
        [onnx.helper.make_tensor_value_info(n, k, v.shape) for (n, v), k in zip(inputs.items(), kinds, strict=True)],
        [onnx.helper.make_tensor_value_info("y", kinds[2], array.shape)],
    )
    (expected,) = ReferenceEvaluator(onnx.helper.make_model(graph)).run(None, inputs)
    assert np.array_equal(quantised(array, scale, zero, 0), expected)


def test_weights_become_integers_and_nothing_else_changes(tmp_path):
    recipe, net = folder_of(tmp_path / "mine")
    image = torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8)
    graph = Graph(net, recipe.full_codec, None).eval()
    before = onnx.load_model_from_string(traced(graph, image, {0: "batch"}, {0: "batch"}))
    after = with_stored_integers(before)
    assert len(after.SerializeToString()) < 0.4 * len(before.SerializeToString())
    layers = sum(isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d) for layer in net.modules())
    kinds = [node.op_type for node in after.graph.node]
    assert kinds.count("QuantizeLinear") == layers and kinds.count("DequantizeLinear") == 2 * layers
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    both = []
    for model in (before, after):
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        both.append(session.run(None, {session.get_inputs()[0].name: image.numpy()}))
    for old, new in zip(*both, strict=True):
        assert np.array_equal(old, new)


def test_other_precisions_and_images_without_labels_are_refused(tmp_path):
    folder_of(tmp_path / "mine")
    for words in ({"half": True}, {"int8": "labels.json"}):
        with pytest.raises(ValueError, match="was trained in 8 bits, which its file keeps"):
            export(tmp_path / "mine", out=tmp_path / "mine.onnx", **words)
    with pytest.raises(ValueError, match="measured on labelled images: give label files"):
        export(tmp_path / "mine", out=tmp_path / "mine.onnx")
    with pytest.raises(ValueError, match=r"its run's validation data are not here \(gone.json\): give label files"):
        _measured(read_spec(tmp_path / "mine"), Data(val=(Path("gone.json"),)), [], 4, 0.01)
    folder_of(tmp_path / "four", bits=4)
    with pytest.raises(ValueError, match="was trained with 4 bits, and runtimes have 8"):
        export(tmp_path / "four", out=tmp_path / "four.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["four", "mine"]


def test_a_model_that_finds_nothing_shows_nothing(tmp_path):
    folder_of(tmp_path / "mine")
    with pytest.raises(ExportError, match="finds too little on these labels"):
        export(tmp_path / "mine", out=tmp_path / "mine.onnx", images=labelled_files(tmp_path, count=4))
    assert json.loads((tmp_path / "mine.onnx.failed.json").read_text())["precision"] == "int8"


def test_advice_is_for_a_network_trained_in_8_bits(tmp_path):
    folder_of(tmp_path / "mine")
    with pytest.raises(ExportError, match=r"What helps: more labelled images \(--images\)"):
        export(tmp_path / "mine", out=tmp_path / "mine.onnx", images=labelled_files(tmp_path, count=4))


def test_labels_of_other_points_are_refused(tmp_path):
    folder_of(tmp_path / "mine")
    file = labelled_files(tmp_path, count=4)
    data = json.loads(file.read_text())
    data["categories"][0]["keypoints"] = ["a", "b", "c", "d"]
    data["categories"][0] = {
        n: v for n, v in data["categories"][0].items() if n not in ("skeleton", "flip_pairs", "sigmas")
    }
    file.write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"labels.json: 4 points \(a, b, c, d\), and the model finds 4 \("):
        export(tmp_path / "mine", out=tmp_path / "mine.onnx", images=file)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_accuracy_is_kept(to, tmp_path):
    pytest.importorskip(to, reason="the extra openvino is not installed")
    data = labelled_files(tmp_path, count=48)
    options = {"train.epochs": 12, "train.batch": 8, "quantise.bits": 8}
    train("topdown-dark-tiny", data, val=data, out=tmp_path / "run", options=options, device="cpu", size=(64, 64))
    made = export(tmp_path / "run", to, max_drop=0.05)
    assert "int8" in made.file.name and set(made.figures) == {"trained", "int8"}
    assert made.figures["trained"]["pck@0.05"] > 0.2
    assert [one.choice.name for one in made.tried] == ["8 bits as in training"]
