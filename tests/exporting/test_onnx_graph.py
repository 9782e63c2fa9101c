"""What is in an exported ONNX file: names, metadata, merged padding, 16-bit storage, flip test and raw maps."""

import numpy as np
import onnx
import pytest
import torch
from figures import FOUR
from small_models import small_model, small_recipe
from torch import nn
from torch.nn import functional as F

from posekit.codecs.regression import Regression
from posekit.data.synthetic import Synthetic
from posekit.engines.onnx import OnnxEngine
from posekit.engines.outputs import KEY, Metadata, parse_metadata
from posekit.engines.spec import InferenceSpec
from posekit.engines.torch import TorchEngine
from posekit.exporting.graph import Graph
from posekit.exporting.onnx import LARGE, onnx_model
from posekit.exporting.quantize import NETWORK
from posekit.geometry.framing import Crop

SIZE = (32, 48)
SPEC = InferenceSpec(name="padded", skeleton=FOUR, size=SIZE, framing=Crop())
HALF, FLOAT = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT


class Padded(nn.Module):
    """Padding, a convolution of some thousand weights, and points from it."""

    def __init__(self, sides=(0, 1, 0, 1), mode="constant", value=0.0, own=0, twice=False):
        super().__init__()
        self.sides, self.mode, self.value, self.twice = sides, mode, value, twice
        self.first = nn.Conv2d(3, 48, 3, padding=own, stride=2)
        self.last = nn.Linear(48, 8)

    def forward(self, image):
        padded = F.pad(image.float() / 255, self.sides, self.mode, self.value if self.mode == "constant" else None)
        mean = self.first(padded).relu().mean((-1, -2))
        if self.twice:
            mean = mean + padded.mean()
        return {"coords": self.last(mean).unflatten(1, (4, 2))}


class Drawn(nn.Module):
    """Maps of any codec from the mean colours of the left and the right half."""

    def __init__(self, codec):
        super().__init__()
        self.shapes = dict(codec.shapes)
        self.layers = nn.ModuleDict({name: nn.Linear(6, int(np.prod(shape))) for name, shape in self.shapes.items()})

    def forward(self, image):
        left, right = (half.mean((-1, -2)) for half in (image.float() / 255).chunk(2, -1))
        colours = torch.cat((left, right), -1)
        return {name: layer(colours).reshape(-1, *self.shapes[name]) for name, layer in self.layers.items()}


def stand_in(kind, size=(64, 96)):
    """The recipe of a representation or a system, and a network of a few layers with its maps."""
    recipe = small_recipe(kind, size)
    torch.manual_seed(0)
    return recipe, Drawn(recipe.codec).eval()


def drawn(count, size):
    people = Synthetic(FOUR, count, size, seed=2)
    return np.stack([people.image(number) for number in range(count)])


def exported(net, codec, spec, precision="fp32", raw=False):
    """The ONNX model, and its engine."""
    graph = Graph(net.eval(), codec, spec.flip, raw=raw).eval()
    model = onnx_model(graph, spec.size, Metadata(spec, precision))
    return model, OnnxEngine(model.SerializeToString(), threads=1)


def same(net, codec, engine, count=3, limit=0.01):
    """The file gives the points of PyTorch."""
    images = drawn(count, engine.spec.size)
    expected, found = TorchEngine(net, codec, engine.spec)(images), engine(images)
    np.testing.assert_allclose(found.xy, expected.xy, atol=limit)
    np.testing.assert_allclose(found.score, expected.score, atol=1e-4)


def padded(precision="fp32", change=lambda net: None, **options):
    torch.manual_seed(0)
    net, codec = Padded(**options).eval(), Regression(points=4, size=SIZE)
    change(net)
    model, engine = exported(net, codec, SPEC, precision)
    same(net, codec, engine, limit=0.01 if precision == "fp32" else 0.1)
    return model


def kinds(model):
    return [node.op_type for node in model.graph.node]


def pads(model):
    (conv,) = (node for node in model.graph.node if node.op_type == "Conv")
    return next(list(attribute.ints) for attribute in conv.attribute if attribute.name == "pads")


def stored(model):
    """Types of the large tensors."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    return {tensor.data_type for tensor in model.graph.initializer if sizes[tensor.name] >= LARGE}


@pytest.mark.parametrize(
    ("sides", "own", "merged"),
    [
        ((0, 1, 0, 1), 0, [0, 0, 1, 1]),
        ((2, 1, 0, 3), 0, [0, 2, 3, 1]),
        ((0, 1, 0, 1), 1, [1, 1, 2, 2]),
    ],
)
def test_zero_padding_becomes_that_of_the_convolution(sides, own, merged):
    model = padded(sides=sides, own=own)
    assert "Pad" not in kinds(model)
    assert pads(model) == merged


@pytest.mark.parametrize(
    "options",
    [
        {"value": 0.5},
        {"sides": (-1, 0, 0, 1)},
        {"mode": "reflect"},
        {"mode": "replicate"},
        {"twice": True},
    ],
    ids=["another value", "negative", "reflected", "repeated", "used twice"],
)
def test_other_padding_stays(options):
    assert "Pad" in kinds(padded(**options))


@pytest.mark.parametrize(("kind", "backbone"), [("one-stage movenet", None), ("dark", "efficientnet_lite")])
def test_no_padding_is_left_in_networks_of_tensorflow(kind, backbone):
    recipe, net = small_model(kind, size=(64, 64), backbone=backbone)
    model, _ = exported(net, recipe.codec, recipe.spec())
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    sides = [list(a.ints) for node in convs for a in node.attribute if a.name == "pads"]
    assert any(side[:2] != side[2:] for side in sides)
    padding = {name for node in model.graph.node if node.op_type == "Pad" for name in node.output}
    assert not [node.name for node in convs if node.input[0] in padding]
    assert not [node.name for node in model.graph.node if node.op_type == "Pad" and node.name.startswith(NETWORK)]
    assert "BatchNormalization" not in kinds(model)


def halved(net):
    with torch.no_grad():
        net.first.weight.copy_(net.first.weight.half())


def huge(net):
    halved(net)
    with torch.no_grad():
        net.first.weight[0, 0, 0, 0] = 1e5


def test_weights_that_16_bits_hold_are_stored_in_16():
    model = padded(change=halved)
    assert stored(model) == {HALF}
    casts = [node for node in model.graph.node if node.op_type == "Cast" and node.name.endswith("_cast")]
    assert len(casts) == 1
    (tensor,) = (t for t in model.graph.initializer if t.data_type == HALF)
    torch.manual_seed(0)
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), Padded().first.weight.detach().half().numpy())


def test_others_are_stored_in_32_unless_half_is_asked_for():
    assert stored(padded()) == {FLOAT}
    assert stored(padded("fp16")) == {HALF}
    # Small tensors, such as biases, are kept.
    assert FLOAT in {tensor.data_type for tensor in padded("fp16").graph.initializer}


def test_numbers_beyond_16_bits_are_kept():
    torch.manual_seed(0)
    net = Padded().eval()
    huge(net)
    for precision in ("fp32", "fp16"):
        model, _ = exported(net, Regression(points=4, size=SIZE), SPEC, precision)
        assert stored(model) == {FLOAT}


def test_quantisation_gets_weights_as_they_are():
    torch.manual_seed(0)
    net = Padded().eval()
    halved(net)
    model, _ = exported(net, Regression(points=4, size=SIZE), SPEC, "int8")
    assert stored(model) == {FLOAT}


def test_metadata_is_in_the_file():
    recipe, net = stand_in("simcc")
    made = Metadata(recipe.spec({"pck@0.2": 0.5}), "fp32", "ab" * 32, "1.2.3")
    model = onnx_model(Graph(net, recipe.codec).eval(), recipe.size, made)
    (entry,) = model.metadata_props
    assert entry.key == KEY and parse_metadata(entry.value, "here") == made
    assert (model.producer_name, model.producer_version) == ("posekit", "1.2.3")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("dark", ["xy", "score", "instance_score"]),
        ("rle3d", ["xy", "score", "instance_score", "spread", "depth"]),
        ("centernet", ["xy", "score", "instance_score"]),
        ("one-stage fcos", ["xy", "score", "instance_score", "boxes"]),
    ],
)
def test_outputs_are_named_as_the_fields_of_poses(kind, names):
    size = (128, 128) if kind == "one-stage fcos" else (64, 96)
    recipe, net = stand_in(kind, size)
    model, _ = exported(net, recipe.codec, recipe.spec())
    assert [output.name for output in model.graph.output] == names
    (image,) = model.graph.input
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    shape = [axis.dim_param or axis.dim_value for axis in image.type.tensor_type.shape.dim]
    assert shape == ["batch", *size, 3]


@pytest.mark.parametrize("flip", [False, True])
def test_raw_maps_are_those_that_are_decoded(flip):
    recipe, net = stand_in("dark")
    spec = InferenceSpec(**{**vars(recipe.spec()), "flip_test": flip})
    model, engine = exported(net, recipe.codec, spec, raw=True)
    assert [output.name for output in model.graph.output][3:] == ["map_heatmap"]
    images = drawn(3, recipe.size)
    maps = engine.maps(images)["map_heatmap"]
    assert maps.shape == (3, *recipe.codec.shapes["heatmap"])
    again = recipe.codec.decode({"heatmap": torch.from_numpy(maps)})
    np.testing.assert_allclose(engine(images).xy, again.xy.numpy(), atol=1e-3)
    # The network is run once, or twice with the mirrored image.
    _, without = exported(net, recipe.codec, spec)
    np.testing.assert_allclose(engine(images).xy, without(images).xy, atol=1e-4)
    assert kinds(model).count("Gemm") == 1 + flip


@pytest.mark.parametrize("kind", ["dark", "simcc", "one-stage dekr"])
def test_a_flip_test_in_the_graph_is_that_of_the_engine(kind):
    recipe, net = stand_in(kind)
    plain = recipe.spec()
    flipped = InferenceSpec(**{**vars(plain), "flip_test": True})
    _, engine = exported(net, recipe.codec, flipped)
    same(net, recipe.codec, engine)
    images = drawn(3, recipe.size)
    assert np.abs(engine(images).score - exported(net, recipe.codec, plain)[1](images).score).max() > 1e-6
