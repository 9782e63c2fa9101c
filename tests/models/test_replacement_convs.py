"""Mixed convolutions in the place of plain ones, and the override that a recipe holds."""

import warnings
from typing import get_args, get_type_hints

import onnxruntime
import pytest
import torch
from pydantic import TypeAdapter
from sizes import B, K
from torch import nn

from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.resnet import ResNet
from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.heads.maps import Maps
from posekit.models.layers.activations import ACTIVATIONS
from posekit.models.layers.dynamic import Attention, CondConv2d, DynamicConv2d, MixedConv2d
from posekit.models.layers.squeeze import SqueezeExcite
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.guided import Guided
from posekit.models.rewrite.overrides import BackboneOverrides
from posekit.models.rewrite.replacement import CONVOLUTIONS, anneal, swap_activations, swap_convs
from posekit.models.topdown import TopDown

BACKBONES = {
    "mobilenet_v2": MobileNetV2(0.5),
    "resnet": ResNet(18, 0.5),
    "efficientnet_lite": EfficientNetLite(),
    "mobilenet_v3": MobileNetV3(),
}
IMAGE = torch.randn(B, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def outputs(backbone):
    with torch.no_grad():
        return backbone.eval()(IMAGE)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4 * max(1.0, b.abs().max().item()))


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("name", BACKBONES)
def test_equal_copies_compute_what_was_there(name, kind):
    torch.manual_seed(0)
    backbone = BACKBONES[name].build()
    before, names = outputs(backbone), list(backbone.state_dict())
    assert swap_convs(backbone, kind) > 10
    assert_same(outputs(backbone), before)
    assert [name for name in backbone.state_dict() if ".share." not in name] == names


@pytest.mark.parametrize("kernels", [3])
@pytest.mark.parametrize(("name", "count"), [("mobilenet_v2", 51), ("resnet", 19), ("efficientnet_lite", 48)])
def test_counts_on_whole_backbones(name, count, kernels):
    backbone = BACKBONES[name].build()
    convs = [layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d)]
    before, macs = count_parameters(backbone), count_macs(backbone, (64, 96))
    # Each kernel once more, and two layers: C to C / 4 + 1 without bias, from there to the kernels with one.
    hidden = [(conv.in_channels, conv.in_channels // 4 + 1) for conv in convs[1:]]
    weights = [(channels + kernels) * within for channels, within in hidden]
    more = sum((kernels - 1) * conv.weight.numel() + kernels for conv in convs[1:]) + sum(weights)
    assert swap_convs(backbone, kernels=kernels) == len(convs) - 1 == count
    assert count_parameters(backbone) == before + more
    mixing = sum(kernels * conv.weight.numel() for conv in convs[1:])
    assert count_macs(backbone, (64, 96)) == macs + mixing + sum(weights)


EXACT = {"mobilenet_v2": 3_292_536, "resnet": 11_247_288, "efficientnet_lite": 17_233_696}


@pytest.mark.parametrize("name", EXACT)
def test_exact_counts(name):
    backbone = BACKBONES[name].build()
    swap_convs(backbone)
    assert count_parameters(backbone) == EXACT[name]


def test_the_first_layer_and_gates_stay_plain():
    backbone = MobileNetV3().build()
    swap_convs(backbone)
    assert type(backbone.features[0][0]) is nn.Conv2d
    gates = [layer for layer in backbone.modules() if isinstance(layer, SqueezeExcite)]
    assert gates and all(type(gate.fc1) is type(gate.fc2) is nn.Conv2d for gate in gates)
    every = MobileNetV3().build()
    assert (
        swap_convs(every, skip_first=False) == sum(isinstance(layer, MixedConv2d) for layer in backbone.modules()) + 1
    )
    assert isinstance(every.features[0][0], DynamicConv2d)


def test_noise_parts_the_kernels_and_keeps_their_middle():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 128, 3))
    own = net[1].weight.detach().clone()
    swap_convs(net, noise=0.2)
    spread = net[1].weight - own
    assert spread.std().item() == pytest.approx(0.2 * own.std().item(), rel=0.02)
    assert not torch.equal(net[1].weight[0], net[1].weight[1])


@pytest.mark.parametrize(
    ("noise", "trained", "spread"), [(None, False, 0.1), (None, True, 0.01), (0.3, False, 0.3), (0.3, True, 0.3)]
)
def test_a_kit_parts_the_kernels_of_a_trained_backbone_less(noise, trained, spread):
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 128, 3))
    own = backbone[1].weight.detach().clone()
    BackboneOverrides(convolution="dynamic", noise=noise).apply(backbone, trained=trained)
    assert (backbone[1].weight - own).std().item() == pytest.approx(spread * own.std().item(), rel=0.02)


@pytest.mark.parametrize("first", ["activation", "convolution"])
def test_both_in_either_order(first):
    backbone = BACKBONES["mobilenet_v2"].build()
    swaps = [lambda: swap_activations(backbone, "frelu"), lambda: swap_convs(backbone)]
    counts = [swap() for swap in (swaps if first == "activation" else swaps[::-1])]
    assert sorted(counts) == [35, 51]
    # Neither changed the inside of the other.
    assert all(type(layer.relu) is nn.ReLU for layer in backbone.modules() if isinstance(layer, Attention))
    assert all(x.isfinite().all() for x in backbone(IMAGE))


def test_temperatures_fall_in_a_straight_line():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1), nn.Conv2d(5, 4, 1))
    swap_convs(net, temperature=21.0)
    temperatures = []
    for step in (0, 5, 10, 15):
        anneal(net, step, 10)
        temperatures.append([layer.share.temperature.item() for layer in net[1:]])
    assert temperatures == [[21.0] * 2, [11.0] * 2, [1.0] * 2, [1.0] * 2]
    anneal(net, 0, 0)
    assert net[1].share.temperature == 1


def test_what_cannot_be_replaced_is_listed():
    net = nn.Sequential(
        nn.Conv2d(3, K, 1), nn.Conv2d(K, 6, (1, 3)), nn.Conv2d(6, 6, 3, padding_mode="reflect", padding=1)
    )
    with pytest.raises(
        ValueError, match=r"2 convolutions cannot be replaced, only square .*: 1 \(Conv2d.*; 2 \(Conv2d"
    ):
        swap_convs(net)
    assert type(net[1]) is nn.Conv2d
    with pytest.raises(ValueError, match="there is no convolution 'static'; there are dynamic, condconv"):
        swap_convs(net, "static")
    with pytest.raises(ValueError, match="no convolution runs on maps in this Sequential"):
        swap_convs(nn.Sequential(nn.Conv2d(3, K, 1)))


def net(override):
    torch.manual_seed(0)
    shapes = {"heatmap": (K, 16, 24)}
    return override.apply(TopDown((64, 96), MobileNetV2(0.5), Deconv(8), Maps()).build(shapes))


def test_a_kit_that_is_off_gives_the_network_back():
    torch.manual_seed(0)
    backbone = MobileNetV2(0.5).build()
    state = dict(backbone.state_dict(keep_vars=True))
    assert BackboneOverrides().apply(backbone) is backbone
    assert all(value is state[key] for key, value in backbone.state_dict(keep_vars=True).items())
    BackboneOverrides().advance(backbone, 0.5)


@pytest.mark.parametrize(
    ("override", "kind", "count"),
    [
        (BackboneOverrides(activation="mish"), nn.Mish, 35),
        (BackboneOverrides(convolution="dynamic", kernels=2), DynamicConv2d, 51),
        (BackboneOverrides(convolution="condconv"), CondConv2d, 51),
        (BackboneOverrides(activation="meta_acon", convolution="dynamic"), DynamicConv2d, 51),
    ],
)
def test_a_kit_changes_the_backbone_alone_and_it_still_learns(override, kind, count):
    model = net(override)
    assert sum(type(layer) is kind for layer in model.backbone.modules()) == count
    assert not any(type(layer) is kind for part in (model.neck, model.head) for layer in part.modules())
    model(255 * IMAGE.sigmoid())["heatmap"].square().mean().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


@pytest.mark.slow
def test_a_network_of_all_layers_exports_with_a_free_batch(tmp_path):
    torch.manual_seed(0)
    override = BackboneOverrides(activation="meta_acon", convolution="dynamic", kernels=2)
    model = override.apply(
        TopDown((64, 96), MobileNetV2(0.5), Guided(8), Maps()).build({"heatmap": (K, 16, 24)})
    ).eval()
    file, image = str(tmp_path / "model.onnx"), 255 * IMAGE.sigmoid()
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one, and that it leaves some of the work on sizes undone.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        options = {"input_names": ["image"], "dynamic_axes": {"image": {0: "batch"}}}
        torch.onnx.export(model, (image[:1],), file, dynamo=False, opset_version=17, **options)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for batch in (image[:1], torch.cat((image, image))):
        (got,) = session.run(None, {"image": batch.numpy()})
        with torch.no_grad():
            expected = model(batch)["heatmap"]
        torch.testing.assert_close(torch.from_numpy(got), expected, atol=1e-4 * expected.abs().max().item(), rtol=1e-3)


def test_a_kit_cools_its_convolutions_in_its_share_of_the_run():
    override = BackboneOverrides(convolution="dynamic", temperature=11.0, anneal=0.5)
    model = net(override)
    seen = []
    for done in (0.0, 0.25, 0.5, 1.0):
        override.advance(model, done)
        seen.append({layer.temperature.item() for layer in model.modules() if isinstance(layer, Attention)})
    assert seen == [{11.0}, {6.0}, {1.0}, {1.0}]


def test_a_kit_is_a_config():
    adapter = TypeAdapter(BackboneOverrides)
    override = BackboneOverrides(activation="frelu", convolution="condconv", kernels=8)
    assert adapter.validate_json(adapter.dump_json(override)) == override
    literal = get_args(get_args(get_type_hints(BackboneOverrides)["activation"])[0])
    assert literal == tuple(ACTIVATIONS)
    with pytest.raises(ValueError, match="kernel"):
        adapter.validate_python({"kernel": 3})
    with pytest.raises(ValueError, match="frelu"):
        BackboneOverrides(activation="freloo")


def test_timm():
    pytest.importorskip("timm", reason="timm is not installed")
    from posekit.models.backbones.timm import Timm

    backbone = Timm("mobilenetv3_small_050").build()
    before = outputs(backbone)
    assert swap_convs(backbone) > 10
    assert_same(outputs(backbone), before)
