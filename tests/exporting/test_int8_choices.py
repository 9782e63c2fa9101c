"""Which layers INT8 spares: measured one by one, tried from few to many, and left in floats by every runtime."""

import numpy as np
import onnx
import pytest
import torch
from figures import FOUR
from torch import nn

from posekit.codecs.regression import Regression
from posekit.engines.onnx import OnnxEngine
from posekit.engines.outputs import Metadata
from posekit.engines.spec import InferenceSpec
from posekit.exporting.choices import EVERYTHING, WEIGHTS, Choice, change, choices, too_low, unmeasurable
from posekit.exporting.graph import Graph
from posekit.exporting.layers import is_one_of, layers_of
from posekit.exporting.onnx import onnx_model
from posekit.exporting.quantize import quantized_onnx, quantized_openvino, rounded_weight, with_8_bit_weights
from posekit.exporting.sensitivity import sensitivities
from posekit.geometry.framing import Crop

SIZE = (32, 48)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, *SIZE, 3), dtype=np.uint8)
FIRST, DEPTHWISE, LAST = (f"/graph/net/{name}/Conv" for name in ("first", "depth", "last"))
POINTS = "/graph/net/out/Gemm"


class Uneven(nn.Module):
    """A network whose depthwise layer has channels of very different size: one scale for all of them ruins it."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 1)
        self.depth = nn.Conv2d(8, 8, 3, groups=8, padding=1)
        self.out = nn.Linear(8, 8)
        with torch.no_grad():
            size = torch.logspace(0, 4, 8)
            self.depth.weight *= size[:, None, None, None]
            self.depth.bias *= size
            self.last.weight /= size[:, None, None]

    def forward(self, image):
        found = nn.functional.relu6(self.first(image.float() / 255))
        found = torch.relu(self.last(self.depth(found)))
        return {"coords": self.out(found.mean((-1, -2))).unflatten(1, (4, 2))}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    spec = InferenceSpec(name="uneven", skeleton=FOUR, size=SIZE, framing=Crop())
    return onnx_model(Graph(Uneven(), Regression(points=4, size=SIZE)).eval(), SIZE, Metadata(spec, "int8", "", "0"))


def points(some, images=IMAGES):
    return OnnxEngine(some.SerializeToString(), threads=1)(images).xy[:, 0]


def moved(one, other):
    return float(np.linalg.norm(points(one) - points(other), axis=-1).mean())


def test_layers_are_known_by_name_weight_and_channels(model):
    layers = layers_of(model)
    assert list(layers) == [FIRST, DEPTHWISE, LAST, POINTS]
    assert {name: (layer.inputs, layer.weight) for name, layer in layers.items()} == dict.fromkeys(layers, ((0,), 1))
    assert [layer.axis for layer in layers.values()] == [0, 0, 0, -2]
    assert is_one_of(FIRST, {FIRST}) and is_one_of(f"{FIRST}/WithoutBiases", {FIRST})
    assert not is_one_of(f"{FIRST}_1", {FIRST}) and not is_one_of("/graph/net/first", {FIRST})


def test_a_weight_is_rounded_channel_by_channel():
    values = np.array([[1.0, -2.0], [0.25, 0.5], [0.0, 0.0]], np.float32)
    rounded, scale = rounded_weight(values, 0)
    # 127 steps to the largest of each row; 1 / (2 / 127) = 63.5 and 0.25 / (0.5 / 127) = 63.5 round to even.
    assert rounded.tolist() == [[64, -127], [64, 127], [0, 0]]
    np.testing.assert_allclose(scale[:2], [2 / 127, 0.5 / 127], rtol=1e-6)
    assert rounded_weight(values, -1)[0].tolist() == [[127, -127], [32, 32], [0, 0]]


def test_sensitivity_is_what_rounding_one_layer_alone_moves(model):
    found = sensitivities(model, IMAGES)
    assert list(found) == [FIRST, DEPTHWISE, LAST, POINTS]
    assert all(0 < value < 0.02 for value in found.values())
    # The input of the last convolution has channels of very different size and one scale for all.
    assert max(found, key=found.get) == LAST


def test_all_layers_then_ever_more_floats_then_weights_alone():
    costs = {f"layer {number}": float(number % 7) for number in range(20)}
    tried = list(choices(lambda: costs))
    assert tried[0] == EVERYTHING and tried[-1] == WEIGHTS
    assert [len(choice.floats) for choice in tried[1:-1]] == [1, 2, 4, 8]
    assert tried[2] == Choice("2 of 20 layers in 32 bits", "int8", ("layer 6", "layer 13"))
    assert [len(choice.floats) for choice in choices(lambda: {"a": 1.0, "b": 2.0})] == [0, 1, 0]


def test_layers_are_not_compared_while_all_of_them_may_do():
    def unasked():
        raise AssertionError

    assert next(iter(choices(unasked))) == EVERYTHING


def test_what_is_lost_is_told():
    before = {"pck@0.05": 0.8, "AP": 0.5, "epe": 3.0}
    assert change(before, {"pck@0.05": 0.75}) == "pck@0.05 0.8000 to 0.7500, AP 0.5000 to nan"
    assert unmeasurable(before) == [] and too_low(before, before, 0.0) == []


def test_layers_that_are_spared_stay_floats_in_onnx_runtime(model):
    """ONNX Runtime would quantise them when it opens the file, all channels with one scale."""
    spared = quantized_onnx(model, IMAGES, [DEPTHWISE])
    nodes = {node.name: node for node in spared.graph.node}
    tensors = {tensor.name: tensor.data_type for tensor in spared.graph.initializer}
    assert tensors[nodes[DEPTHWISE].input[1]] == onnx.TensorProto.FLOAT
    (source,) = [node for node in spared.graph.node if nodes[DEPTHWISE].input[0] in node.output]
    assert source.op_type == "DequantizeLinear"
    assert next(t for t in spared.graph.initializer if t.name == source.input[1]).dims == [8]
    everything = quantized_onnx(model, IMAGES)
    assert moved(model, spared) <= 1.05 * moved(model, everything)


@pytest.mark.slow
def test_layers_that_are_spared_stay_floats_in_openvino(model):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    pytest.importorskip("nncf", reason="the extra openvino is not installed")
    from posekit.exporting.openvino import openvino_model

    made = quantized_openvino(openvino_model(model), IMAGES, [FIRST, DEPTHWISE, LAST])
    rounded = [node.get_friendly_name() for node in made.get_ops() if node.get_type_name() == "FakeQuantize"]
    assert rounded and not any(is_one_of(name.partition("/fq")[0], {FIRST, DEPTHWISE, LAST}) for name in rounded)


def test_weights_with_few_numbers_for_a_channel_stay_floats(model, monkeypatch):
    def stored():
        names = {tensor.name for tensor in with_8_bit_weights(model).graph.initializer}
        return sum(name.endswith("_int8") for name in names)

    counts = []
    # Numbers for a channel: 27, 9, 8 and 8.
    for few in (8, 9, 10, 28):
        monkeypatch.setattr("posekit.exporting.quantize.FEW", few)
        counts.append(stored())
    assert counts == [4, 2, 1, 4]


def test_weights_alone_are_rounded_channel_by_channel(model):
    made = with_8_bit_weights(model)
    kinds = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert [kind for name, kind in kinds.items() if name.endswith("_int8")] == [onnx.TensorProto.INT8] * 4
    assert not any(tensor.name.endswith("_int8") for tensor in model.graph.initializer)
    before, after = (
        {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in some.graph.initializer} for some in (model, made)
    )
    for name, values in after.items():
        if name.endswith("_int8"):
            name = name.removesuffix("_int8")
            scale = after[f"{name}_scale"].reshape(-1, *[1] * (values.ndim - 1))
            assert (np.abs(values * scale - before[name]) <= scale / 2 * 1.001).all()
    # What the runtime computes is what the rounded weights give.
    floats = onnx.ModelProto()
    floats.CopyFrom(model)
    for tensor in floats.graph.initializer:
        if f"{tensor.name}_int8" in after:
            values = after[f"{tensor.name}_int8"]
            scale = after[f"{tensor.name}_scale"].reshape(-1, *[1] * (values.ndim - 1))
            tensor.CopyFrom(onnx.numpy_helper.from_array((values * scale).astype(np.float32), tensor.name))
    np.testing.assert_allclose(points(made), points(floats), atol=1e-3)
    assert moved(model, made) > 0
