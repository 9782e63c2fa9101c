"""Which layers of a backbone grow together: every layer has its place, and what is added has the same channels."""

import pytest
from torch import nn

from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.rewrite.widths import BACKBONES, IMAGE, Plan, depthwise

# Widths between blocks, inside them, in gates, and that stay (the image, the last map); from the papers' tables.
COUNTS = {
    "mobilenet_v2": (MobileNetV2(0.35), (8, 16, 0, 2)),
    "mobilenet_v2_whole": (MobileNetV2(), (8, 16, 0, 2)),
    # The first block of the large one adds its input, and expands nothing; nor does the small one's first.
    "mobilenet_v3_small": (MobileNetV3("small"), (6, 10, 9, 2)),
    "mobilenet_v3_large": (MobileNetV3("large"), (6, 14, 8, 2)),
    "efficientnet_lite": (EfficientNetLite(), (8, 15, 0, 2)),
    # The first stage has the stem's channels.
    "resnet_basic": (ResNet(18, 0.25), (3, 8, 0, 2)),
    "resnet_bottleneck": (ResNet(50, 0.25), (4, 32, 0, 2)),
}


@pytest.mark.parametrize("name", COUNTS)
def test_every_layer_reads_and_writes_what_it_has(name):
    config, counts = COUNTS[name]
    backbone = config.build()
    plan = Plan(backbone)
    kinds = [width.kind for width in plan.widths]
    assert tuple(kinds.count(kind) for kind in ("between", "inside", "squeezed", "fixed")) == counts
    assert set(plan.layers) == {name.rpartition(".")[0] for name, _ in backbone.named_parameters()}
    for path, (before, after) in plan.layers.items():
        layer = backbone.get_submodule(path)
        if isinstance(layer, nn.BatchNorm2d):
            assert before == after and layer.num_features == plan.widths[after].channels
        else:
            assert (layer.in_channels, layer.out_channels) == tuple(plan.widths[i].channels for i in (before, after))
            assert (before == after) >= depthwise(layer)
    assert all(width.follows is None or width.follows < place for place, width in enumerate(plan.widths))
    assert plan.widths[IMAGE].kind == "fixed"


def test_all_known_backbones_are_tested():
    assert {type(config.build()) for config, _ in COUNTS.values()} == set(BACKBONES)


def test_channels_inside_follow_the_blocks_input():
    plan = Plan(MobileNetV2(0.5).build())
    expanded = plan.layers["features.4.conv.0.0"]
    assert plan.widths[expanded[1]].follows == expanded[0]
    # ResNet's are told from what the block gives: a bottleneck's output is four times them.
    plan = Plan(ResNet(50, 0.25).build())
    assert plan.widths[plan.layers["layer2.0.conv1"][1]].follows == plan.layers["layer2.0.conv3"][1]


def test_what_does_not_learn_keeps_its_channels():
    backbone = MobileNetV2(0.35).build()
    free = Plan(backbone)
    backbone.features[2].requires_grad_(False)
    plan = Plan(backbone)
    touched = {place for path, both in free.layers.items() if path.startswith("features.2.") for place in both}
    for place, (width, before) in enumerate(zip(plan.widths, free.widths, strict=True)):
        assert width.kind == ("fixed" if place in touched else before.kind)
    assert len(touched) == 3


def test_unknown_backbones_and_layers_are_refused():
    with pytest.raises(
        ValueError, match=r"type ShuffleNetV2Backbone cannot be made wider; NetAug supports mobilenet_v2"
    ):
        Plan(ShuffleNetV2(0.5).build())
    backbone = MobileNetV2(0.35).build()
    backbone.features[0][2] = nn.PReLU(16)
    with pytest.raises(ValueError, match=r"1 layers .*: features\.0\.2 \(PReLU\); .* activations without parameters"):
        Plan(backbone)
    backbone.features[0][2] = nn.Hardswish()
    assert Plan(backbone).layers
    backbone.features[0][0] = Twice(3, 16, 3, 2, 1, bias=False)
    with pytest.raises(ValueError, match=r"features\.0\.0 \(Twice\); do not override the backbone's convolutions"):
        Plan(backbone)


class Twice(nn.Conv2d):
    """A convolution that may mean anything by its weights."""
