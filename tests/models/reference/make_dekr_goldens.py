"""Run the authors' DEKR and its first version on drawn weights and store some of what they give.

`python make_dekr_goldens.py DEKR FIRST TARGET.npz`, the first two being checkouts of github.com/HRNet/DEKR at 7a30313
and of github.com/HRNet/HRNet-Bottom-Up-Pose-Estimation at 532d069 (both MIT). In place of the compiled deformable
convolutions stands one in plain torch.
"""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import yaml
from drawn_weights import drawn_image, drawn_weights
from torch import nn
from torch.nn import functional as F

CONFIGS = {
    "dekr": ("hrnet_dekr", "w32_4x_reg03_bs10_512_adam_lr1e-3_coco_x140.yaml"),
    "dekr_first": ("pose_hrnet", "w32_4x_reg_delaysep_bg01_stn_512_adam_lr1e-3_coco_x140.yaml"),
}
GENTLE = 2e-4
TIED = "multi_level_layers_4x_heatmap"


class Deformable(nn.Conv2d):
    """Tap by tap: read the map where the tap lies, multiply, add."""

    def __init__(self, before, after, kernel_size, stride=1, padding=0, dilation=1, bias=False, **_):
        super().__init__(before, after, kernel_size, stride, padding, dilation, bias=bias)

    def forward(self, x, offset):
        height, width = x.shape[2:]
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        result = 0
        for tap in range(9):
            y = rows + self.dilation[0] * (tap // 3 - 1) + offset[:, 2 * tap]
            x_ = columns + self.dilation[0] * (tap % 3 - 1) + offset[:, 2 * tap + 1]
            locations = torch.stack((2 * x_ / (width - 1) - 1, 2 * y / (height - 1) - 1), -1)
            read = F.grid_sample(x, locations, mode="bilinear", padding_mode="zeros", align_corners=True)
            result = result + F.conv2d(read, self.weight[:, :, tap // 3, tap % 3][..., None, None])
        return result


class Config(dict):
    def __getattr__(self, name):
        return self[name]


def config_of(value):
    return Config({key: config_of(item) for key, item in value.items()}) if isinstance(value, dict) else value


def stand_ins(folder):
    """The authors' room of models without its face, and what it asks of others."""
    for name in [name for name in sys.modules if name.split(".")[0] == "models"]:
        del sys.modules[name]
    models, dcn, vision, ops = (ModuleType(n) for n in ("models", "models.dcn", "torchvision", "torchvision.ops"))
    models.__path__ = [str(folder / "lib" / "models")]
    dcn.DeformConv = dcn.ModulatedDeformConv = ops.DeformConv2d = Deformable
    vision.ops = ops
    sys.modules |= {"models": models, "models.dcn": dcn, "torchvision": vision, "torchvision.ops": ops}


def drawn_state(shapes):
    """Weights of the authors' network, from the shapes of all by their names.

    Maps are large here, so what tells transforms and steps is small. Dilated branches share the weights of the last.
    """
    state = drawn_weights({key: torch.empty(shape) for key, shape in shapes.items()})
    for key in state:
        if ("transform_matrix" in key or "translation" in key) and key.endswith("weight"):
            state[key] *= GENTLE
    for key in state:
        if key.startswith((f"{TIED}.0", f"{TIED}.1")) and "conv" in key and key.endswith("weight"):
            state[key] = state[f"{TIED}.2{key[len(TIED) + 2 :]}"]
    return state


def main(dekr, first, target):
    np.int = int
    F.upsample = F.interpolate
    stored = {}
    for (name, (module, config)), folder in zip(CONFIGS.items(), (Path(dekr), Path(first)), strict=True):
        stand_ins(folder)
        settings = config_of(yaml.safe_load((folder / "experiments" / "coco" / "w32" / config).read_text()))
        settings.DATASET["NUM_JOINTS"] = 17 if name == "dekr" else 18
        net = importlib.import_module(f"models.{module}").PoseHigherResolutionNet(settings).eval()
        shapes = {key: list(value.shape) for key, value in net.state_dict().items() if "regular_matrix" not in key}
        net.load_state_dict(drawn_state(shapes), strict=False)
        with torch.no_grad():
            heat, offset = net(drawn_image())
        if name == "dekr_first":
            (heat,), (offset,) = heat[0], offset[0]
        stored[f"{name}_shapes"] = np.array(json.dumps(shapes))
        stored[f"{name}_parameters"] = np.array(sum(p.numel() for p in net.parameters()))
        stored[f"{name}_heat"], stored[f"{name}_offset"] = heat[:, :, ::3, ::5].numpy(), offset[:, :, ::3, ::5].numpy()
        print(name, stored[f"{name}_parameters"], heat.abs().mean().item(), offset.abs().mean().item())
    np.savez_compressed(target, **stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
