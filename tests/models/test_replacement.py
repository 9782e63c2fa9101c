"""Other activations in backbones that are already built: what changes, what stays, and what is refused."""

import pytest
import torch
from sizes import B, H, K, W
from torch import nn

from posekit.models.backbones.dla import DLA
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.compress.count import count_parameters
from posekit.models.layers.activations import ACTIVATIONS, BY_CHANNEL
from posekit.models.layers.squeeze import SqueezeExcite
from posekit.models.rewrite.replacement import swap_activations

SMALL = {
    "mobilenet_v2": MobileNetV2(0.5),
    "resnet": ResNet(18, 0.5),
    "mobilenet_v3": MobileNetV3(),
    "shufflenet_v2": ShuffleNetV2(0.5),
    "efficientnet_lite": EfficientNetLite(),
    "dla": DLA(),
    "bottleneck": ResNet(50, 0.25),
}
# Channels of all locations summed up by hand from the tables of the papers: 11 parameters each with FReLU.
SUMS = {"mobilenet_v2": 8_512, "resnet": 1_952, "efficientnet_lite": 19_200}
IMAGE = torch.randn(B, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def outputs(backbone):
    with torch.no_grad():
        return backbone.eval()(IMAGE)


def test_the_same_activation_changes_nothing():
    for name, own in (("resnet", "relu"), ("mobilenet_v2", "relu6"), ("efficientnet_lite", "relu6")):
        backbone = SMALL[name].build()
        before, state = outputs(backbone), {key: value.clone() for key, value in backbone.state_dict().items()}
        assert swap_activations(backbone, own) > 10
        assert all(torch.equal(a, b) for a, b in zip(outputs(backbone), before, strict=True))
        assert list(backbone.state_dict()) == list(state)
        assert all(torch.equal(value, state[key]) for key, value in backbone.state_dict().items())


@pytest.mark.parametrize("name", SMALL)
def test_every_backbone_can_have_an_activation_with_places(name):
    backbone = SMALL[name].build()
    before = count_parameters(backbone)
    count = swap_activations(backbone, "frelu")
    layers = [layer for layer in backbone.modules() if type(layer).__name__ == "FReLU"]
    assert len(layers) == count
    channels = sum(layer.norm.num_features for layer in layers)
    assert count_parameters(backbone) == before + 11 * channels
    assert SUMS.get(name, channels) == channels
    maps = backbone(IMAGE)
    assert all(x.isfinite().all() for x in maps)
    # Places whose own activation ran are all gone.
    kinds = {type(layer) for layer in backbone.modules() if not isinstance(layer, nn.Hardsigmoid)}
    assert not {nn.ReLU6, nn.Hardswish} & kinds


def test_an_frelu_in_a_trained_backbone_starts_as_a_plain_relu_and_can_leave_it():
    plain, placed = SMALL["resnet"].build(), SMALL["resnet"].build()
    placed.load_state_dict(plain.state_dict())
    swap_activations(placed, "frelu", trained=True)
    for ours, theirs in zip(outputs(placed), outputs(plain), strict=True):
        torch.testing.assert_close(ours, theirs)
    sum((x - 1).square().sum() for x in placed.train()(IMAGE)).backward()
    gains = [layer.norm.weight.grad.abs().max() for layer in placed.modules() if type(layer).__name__ == "FReLU"]
    assert all(gain > 0 for gain in gains)


@pytest.mark.slow
def test_hrnet_gives_each_of_its_places_an_activation_of_its_own():
    backbone = HRNet(32, multi_scale=True).build()
    before = count_parameters(backbone)
    assert swap_activations(backbone, "prelu") == 268
    assert count_parameters(backbone) > before
    assert [x.shape[1] for x in backbone(IMAGE)] == [32, 64, 128, 256]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_goes_in_and_out_again(name):
    backbone = SMALL["mobilenet_v2"].build()
    state = list(backbone.state_dict())
    before = outputs(backbone)
    count = swap_activations(backbone, name)
    outputs(backbone)
    if name == "hardsigmoid":
        # It counts as a gate from now on.
        with pytest.raises(ValueError, match="no activation"):
            swap_activations(backbone, "relu6")
        return
    assert swap_activations(backbone, "relu6") == count == 35
    assert list(backbone.state_dict()) == state
    assert all(torch.equal(a, b) for a, b in zip(outputs(backbone), before, strict=True))


def test_gates_and_their_inside_stay():
    net = nn.Sequential(nn.Conv2d(3, K, 3), nn.ReLU(), SqueezeExcite(K, 4), nn.Conv2d(K, 6, 1), nn.Sigmoid())
    assert swap_activations(net, "frelu") == 1
    assert [type(layer).__name__ for layer in net] == ["Conv2d", "FReLU", "SqueezeExcite", "Conv2d", "Sigmoid"]
    assert type(net[2].relu) is nn.ReLU and type(net[2].gate) is nn.Hardsigmoid
    # Gates do not notice that the map is one of training, where a norm could not run on one vector.
    net(torch.randn(1, 3, H, W))


def test_what_worked_in_place_still_does_where_that_is_sound():
    net = nn.Sequential(nn.Conv2d(3, K, 3), nn.BatchNorm2d(K), nn.ReLU(inplace=True), nn.Conv2d(K, 6, 1), nn.ReLU())
    swap_activations(net, "leaky_relu")
    assert (net[2].inplace, net[4].inplace) == (True, False)
    swap_activations(net, "silu")
    assert not net[2].inplace
    assert swap_activations(net.double().eval(), "prelu") == 2
    assert net[2].weight.dtype == torch.float64 and not net[2].training


class Bends(nn.Module):
    """Activates without a layer."""

    def forward(self, x):
        return nn.functional.silu(x)


class Shared(nn.Module):
    """One layer, two locations."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, K, 3)
        self.relu = nn.ReLU()
        self.again = self.relu

    def forward(self, x):
        return self.again(self.relu(self.conv(x)))


def test_what_is_no_layer_is_listed():
    net = nn.Sequential(nn.Conv2d(3, K, 3), nn.Sequential(Bends()), nn.ReLU(), Bends())
    with pytest.raises(
        ValueError, match=r"2 activations run outside of layers .* 1\.0 \(Bends\) calls silu; 3 \(Bends\)"
    ):
        swap_activations(net, "relu")
    assert type(net[2]) is nn.ReLU


def test_layers_of_others_are_known_by_name():
    kind = type("QuickGELU", (Bends,), {})
    net = nn.Sequential(nn.Conv2d(3, K, 3), kind(), nn.Sequential(kind()))
    assert swap_activations(net, "prelu") == 2
    assert net[1].num_parameters == net[2][0].num_parameters == K


def test_a_network_that_wants_a_size_of_its_own_is_shown_an_image():
    net = nn.Sequential(nn.Conv2d(3, K, 3), nn.ReLU(), nn.Flatten(), nn.Linear(K * 14 * 10, 2))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        swap_activations(net, "silu")
    assert swap_activations(net, "silu", torch.zeros(1, 3, H, W)) == 1


def test_a_layer_of_several_places_has_no_parameters_a_channel():
    assert swap_activations(Shared(), "silu") == 1
    net = Shared()
    swap_activations(net, "mish")
    assert net.again is net.relu and type(net.relu) is nn.Mish
    for name in sorted(BY_CHANNEL):
        with pytest.raises(
            ValueError, match=r"relu runs 2 times for each image, on 5, 5 channels, and .* a separate layer"
        ):
            swap_activations(Shared(), name)


@pytest.mark.parametrize("shape", [(1, 4, 6), (1, 5, 4, 6)])
def test_channels_that_lie_behind_are_refused_where_they_matter(shape):
    net = nn.Sequential(nn.Linear(6, 9), nn.GELU())
    image = torch.zeros(shape)
    assert swap_activations(net, "relu", image) == 1
    with pytest.raises(ValueError, match=r"1 runs on .* needs \(B, C, H, W\): take one without .* relu, relu6"):
        swap_activations(net, "frelu", image)


def test_unknown_names_and_nothing_to_do():
    with pytest.raises(ValueError, match="there is no activation 'swihs'; there are relu"):
        swap_activations(Shared(), "swihs")
    with pytest.raises(ValueError, match="there is no activation 'hardswihs': did you mean 'hardswish'"):
        swap_activations(Shared(), "hardswihs")
    with pytest.raises(ValueError, match="no activation layer runs on maps"):
        swap_activations(nn.Sequential(nn.Conv2d(3, K, 1)), "silu")


def test_the_run_leaves_no_trace():
    backbone = SMALL["mobilenet_v2"].build().train()
    state = {key: value.clone() for key, value in backbone.state_dict().items()}
    swap_activations(backbone, "silu")
    assert all(layer.training for layer in backbone.modules())
    assert all(torch.equal(value, state[key]) for key, value in backbone.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in backbone.modules())


def test_timm():
    timm = pytest.importorskip("timm", reason="timm is not installed")
    from posekit.models.backbones.timm import Timm

    assert timm.is_model("mobilenetv3_small_050")
    backbone = Timm("mobilenetv3_small_050").build()
    before = [x.shape for x in backbone(IMAGE)]
    assert swap_activations(backbone, "frelu") > 10
    assert [x.shape for x in backbone(IMAGE)] == before
