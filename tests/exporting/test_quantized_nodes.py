"""INT8 without a training: the nodes of the network become 8-bit, and a model of which none would is refused."""

import numpy as np
import pytest
import torch
from figures import FOUR
from torch import nn

from posekit.codecs.regression import Regression
from posekit.engines.outputs import Metadata
from posekit.engines.spec import InferenceSpec
from posekit.exporting.graph import Graph
from posekit.exporting.onnx import onnx_model
from posekit.exporting.quantize import NETWORK, quantized_onnx, quantized_openvino
from posekit.exporting.results import ExportError
from posekit.geometry.framing import Crop

SIZE = (32, 32)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, *SIZE, 3), dtype=np.uint8)


class Small(nn.Module):
    """Three convolutions and points from them; or only the mean colours."""

    def __init__(self, layers=True):
        super().__init__()
        depthwise = nn.Conv2d(16, 16, 3, groups=16)
        convolutions = nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), depthwise, nn.ReLU(), nn.Conv2d(16, 8, 3)
        self.layers = nn.Sequential(*convolutions) if layers else None

    def forward(self, image):
        image = image.float() / 255
        found = torch.cat([image] * 3, 1)[:, :8] if self.layers is None else self.layers(image)
        return {"coords": found.mean((-1, -2)).unflatten(1, (4, 2))}


def model(layers=True):
    torch.manual_seed(0)
    codec = Regression(points=4, size=SIZE)
    spec = InferenceSpec(name="small", skeleton=FOUR, size=SIZE, framing=Crop())
    return onnx_model(Graph(Small(layers), codec).eval(), SIZE, Metadata(spec, "int8", "", "0"))


def test_convolutions_of_the_network_become_8_bit_in_onnx():
    nodes = quantized_onnx(model(), IMAGES).graph.node
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    makers = {name: node.op_type for node in nodes for name in node.output}
    assert len(convolutions) == 3
    for node in convolutions:
        assert node.name.startswith(NETWORK)
        assert [makers[name] for name in node.input[:2]] == ["DequantizeLinear"] * 2


def test_convolutions_of_the_network_become_8_bit_in_openvino():
    openvino = pytest.importorskip("openvino", reason="the extra openvino is not installed")
    pytest.importorskip("nncf", reason="the extra openvino is not installed")
    from posekit.exporting.openvino import openvino_model

    made = quantized_openvino(openvino_model(model()), IMAGES)
    assert isinstance(made, openvino.Model)
    assert sum(node.get_type_name() == "FakeQuantize" for node in made.get_ops()) >= 3
    # The weights of depthwise layers are reshaped in the graph that OpenVINO reads, and were not found.
    (depthwise,) = [node for node in made.get_ops() if node.get_type_name() == "GroupConvolution"]
    source = depthwise.input_value(1).get_node()
    while source.get_type_name() != "Constant":
        source = source.input_value(0).get_node()
    assert "int8" in str(source.get_element_type())


def test_a_model_without_layers_is_refused():
    with pytest.raises(ExportError, match="no layer was quantised: expected nodes of the network"):
        quantized_onnx(model(layers=False), IMAGES)


def test_names_of_nodes_say_what_is_the_network():
    names = [node.name for node in model().graph.node]
    assert any(name.startswith(NETWORK) for name in names) and not all(name.startswith(NETWORK) for name in names)
