"""Compare our backbones with torchvision's and timm's on copied weights; prints one JSON object.

Run with both on the path: see `test_backbone_parity.py`.
"""

import json
import sys

import torch

if torch.version.cuda is None:
    # torchvision's compiled half wants CUDA libraries; two declared operators are enough to import the rest.
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm
import torchvision.models as published

from posekit.models.backbones.dla import DLA
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.mobilenet_v4 import MobileNetV4
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.backbones.timm import Timm
from posekit.models.necks.upsample import Upsample
from posekit.models.topdown import TopDown
from posekit.models.weights import fill

IMAGE = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
HEADS = ("fc.", "classifier.", "conv_head.", "norm_head.", "incre_modules.", "downsamp_modules.", "final_layer.")


def _pooled(net, x):
    return net.fc(x.mean((2, 3)))


def _timm_hrnet(net, image):
    x = net.act2(net.bn2(net.conv2(net.act1(net.bn1(net.conv1(image))))))
    return net.stages(x)[0]


# our config, their network, ours to compare, theirs to compare
PAIRS = {
    **{
        f"resnet{depth}": (ResNet(depth), getattr(published, f"resnet{depth}"), lambda m, t: _pooled(t, m[-1]), None)
        for depth in (18, 50)
    },
    "mobilenet_v2": (MobileNetV2(), published.mobilenet_v2, lambda m, t: m[-1], lambda t, x: t.features(x)),
    "mobilenet_v2_x0.5": (
        MobileNetV2(0.5),
        lambda: published.mobilenet_v2(width_mult=0.5),
        lambda m, t: m[-1],
        lambda t, x: t.features(x),
    ),
    **{
        f"mobilenet_v3_{size}": (
            MobileNetV3(size),
            getattr(published, f"mobilenet_v3_{size}"),
            lambda m, t: m[-1],
            lambda t, x: t.features(x),
        )
        for size in ("small", "large")
    },
    **{
        f"shufflenet_v2_{name}": (
            ShuffleNetV2(width),
            getattr(published, f"shufflenet_v2_{name}"),
            lambda m, t: _pooled(t, m[-1]),
            None,
        )
        for width, name in ((0.5, "x0_5"), (1.0, "x1_0"), (1.5, "x1_5"), (2.0, "x2_0"))
    },
    **{
        f"efficientnet_lite{version}": (
            EfficientNetLite(version),
            lambda version=version: timm.create_model(f"tf_efficientnet_lite{version}"),
            lambda m, t: m[-1],
            lambda t, x: t.forward_features(x),
        )
        for version in (0, 1, 2)
    },
    **{
        f"mobilenet_v4_{size}": (
            MobileNetV4(size),
            lambda size=size: timm.create_model(f"mobilenetv4_conv_{size}"),
            lambda m, t: m[-1],
            lambda t, x: t.forward_features(x),
        )
        for size in ("small", "medium")
    },
    "dla34": (DLA(), lambda: timm.create_model("dla34"), lambda m, t: m[-1], lambda t, x: t.forward_features(x)),
    "hrnet_w32": (HRNet(multi_scale=True), lambda: timm.create_model("hrnet_w32"), lambda m, t: m[0], _timm_hrnet),
}


@torch.no_grad()
def compare(config, build, ours, theirs):
    """Largest difference, relative to the largest value; names must fit or `fill` raises."""
    reference = build().eval()
    backbone = fill(config.build(), reference.state_dict(), HEADS, config.kind).eval()
    expected = reference(IMAGE) if theirs is None else theirs(reference, IMAGE)
    return ((ours(backbone(IMAGE), reference) - expected).abs().max() / expected.abs().max()).item()


@torch.no_grad()
def adapter(name, folder, **options):
    """Shape of a heatmap from a backbone of timm, and whether a file of the whole network's weights reaches it."""
    config = TopDown(size=(64, 96), backbone=Timm(name, **options), neck=Upsample(8))
    net = config.build({"heatmap": (5, 16, 24)}).eval()
    whole = timm.create_model(name)
    torch.save(whole.state_dict(), f"{folder}/{name}.pth")
    filled = Timm(name, weights=f"{folder}/{name}.pth", **options).build()
    first = next(value for key, value in whole.state_dict().items() if key.endswith("weight") and value.ndim == 4)
    return {
        "strides": net.backbone.strides,
        "shape": tuple(net(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))["heatmap"].shape),
        "mean": net.backbone.mean,
        "filled": any(torch.equal(first, value) for value in filled.state_dict().values()),
    }


def refused(config, folder):
    """The message of a build that must fail."""
    try:
        config.build({"heatmap": (5, 16, 24)})
    except ValueError as error:
        return str(error)
    return ""


def main(folder):
    """Everything, as JSON on standard output."""
    state = timm.create_model("resnet18").state_dict()
    state["conv9.weight"] = state.pop("conv1.weight")
    torch.save(state, f"{folder}/broken.pth")
    told = {
        "difference": {name: compare(*pair) for name, pair in PAIRS.items()},
        "resnet18": adapter("resnet18", folder),
        "vit": adapter("vit_small_patch16_224", folder, size=(64, 96)),
        "swin": adapter("swin_tiny_patch4_window7_224", folder, size=(64, 96)),
        "wrong_size": refused(TopDown(size=(64, 96), backbone=Timm("vit_small_patch16_224")), folder),
        "wrong_name": refused(TopDown(size=(64, 96), backbone=Timm("resnet19")), folder),
        "wrong_file": refused(
            TopDown(size=(64, 96), backbone=Timm("resnet18", weights=f"{folder}/broken.pth")), folder
        ),
    }
    packaged = EfficientNetLite(weights="imagenet").build()
    told["packaged"] = packaged.blocks[0][0].bn1.running_var.mean().item()
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
