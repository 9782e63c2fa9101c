"""Run the authors' Lite-HRNet on drawn weights and store some of what it gives.

`python make_lite_hrnet_goldens.py litehrnet.py TARGET.npz`, the first being models/backbones/litehrnet.py of
github.com/HRNet/Lite-HRNet at 7b9049d (Apache-2.0); in place of mmcv and mmpose stand the few blocks that it takes from
them: convolution, norm and activation under the names ``conv``, ``bn`` and ``activate``.
"""

import hashlib
import runpy
import sys
from types import ModuleType

import numpy as np
import torch
from drawn_weights import drawn_image, drawn_weights
from torch import nn

ACTS = {"ReLU": nn.ReLU, "Sigmoid": nn.Sigmoid}
CASES = {
    "weighting_18": ("LITE", (2, 4, 2), 40),
    "weighting_30": ("LITE", (3, 8, 3), 40),
    "naive_18": ("NAIVE", (2, 4, 2), 30),
    "wider_naive_18": ("NAIVE", (2, 4, 2), 40),
}


class ConvModule(nn.Module):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        groups=1,
        conv_cfg=None,
        norm_cfg=None,
        act_cfg=ACTS,
    ):
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=norm_cfg is None
        )
        if norm_cfg is not None:
            self.bn = nn.BatchNorm2d(out_channels)
        if act_cfg is not None:
            self.activate = nn.ReLU() if act_cfg is ACTS else ACTS[act_cfg["type"]]()

    def forward(self, x):
        x = self.conv(x)
        x = self.bn(x) if hasattr(self, "bn") else x
        return self.activate(x) if hasattr(self, "activate") else x


class SeparableModule(nn.Module):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, norm_cfg, act_cfg, dw_act_cfg, pw_act_cfg, **_
    ):
        super().__init__()
        self.depthwise_conv = ConvModule(
            in_channels, in_channels, kernel_size, stride, padding, in_channels, None, norm_cfg, dw_act_cfg
        )
        self.pointwise_conv = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=pw_act_cfg)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


def channel_shuffle(x, groups):
    return nn.functional.channel_shuffle(x, groups)


def stand_ins():
    modules = {
        name: ModuleType(name)
        for name in (
            "mmcv",
            "mmcv.cnn",
            "mmpose",
            "mmpose.utils",
            "mmpose.models",
            "mmpose.models.registry",
            "mmpose.models.backbones",
            "mmpose.models.backbones.resnet",
            "mmpose.models.backbones.utils",
        )
    }
    modules["mmcv"].is_tuple_of = lambda x, kind: isinstance(x, tuple) and all(isinstance(each, kind) for each in x)
    cnn = modules["mmcv.cnn"]
    cnn.ConvModule, cnn.DepthwiseSeparableConvModule = ConvModule, SeparableModule
    cnn.build_conv_layer = lambda cfg, *args, **options: nn.Conv2d(*args, **options)
    cnn.build_norm_layer = lambda cfg, channels: ("bn", nn.BatchNorm2d(channels))
    cnn.constant_init = cnn.normal_init = None
    modules["mmpose.utils"].get_root_logger = None
    registry = ModuleType("registry")
    registry.register_module = lambda: lambda kind: kind
    modules["mmpose.models.registry"].BACKBONES = registry
    resnet = modules["mmpose.models.backbones.resnet"]
    resnet.BasicBlock = resnet.Bottleneck = None
    utils = modules["mmpose.models.backbones.utils"]
    utils.load_checkpoint, utils.channel_shuffle = None, channel_shuffle
    sys.modules.update(modules)


def main(source, target):
    stand_ins()
    build = runpy.run_path(source)["LiteHRNet"]
    stored = {}
    for name, (kind, modules, width) in CASES.items():
        stages = {
            "num_modules": modules,
            "num_branches": (2, 3, 4),
            "num_blocks": (2, 2, 2),
            "module_type": (kind,) * 3,
            "with_fuse": (True,) * 3,
            "reduce_ratios": (8,) * 3,
            "num_channels": [[width << branch for branch in range(count)] for count in (2, 3, 4)],
        }
        stem = {"stem_channels": 32, "out_channels": 32, "expand_ratio": 1}
        net = build({"stem": stem, "num_stages": 3, "stages_spec": stages, "with_head": True})
        # Theirs gives nothing back.
        net.eval()
        state = net.state_dict()
        net.load_state_dict(drawn_weights(state))
        with torch.no_grad():
            (finest,) = net(drawn_image())
        lines = sorted(f"{key} {tuple(value.shape)}\n" for key, value in state.items())
        stored[f"{name}_names"] = np.array(hashlib.sha256("".join(lines).encode()).hexdigest()[:16])
        stored[f"{name}_parameters"] = np.array(sum(p.numel() for p in net.parameters()))
        stored[f"{name}_finest"] = finest[:, ::5, ::4, ::4].numpy()
    np.savez_compressed(target, **stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
