"""RTMPose's networks as ONNX files, for timing beside posekit's: `python benchmarks/peer_rtmpose.py FOLDER`.

Runs in an environment of MMPose: torch, and `pip install --no-deps mmengine==0.10.7 mmcv-lite==2.2.0 mmpose==1.3.2
addict yapf termcolor json_tricks munkres`. The networks are MMPose's own code with random weights: their time is that
of the published ones, their points mean nothing. Input is float32 (B, 3, 256, 192), output the two SimCC vectors.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from unittest.mock import MagicMock

import torch

ABSENT = ("mmdet", "mmpretrain", "mmcv.ops", "xtcocotools")
"""Packages that MMPose imports and that are not needed here."""
NETWORKS = {"rtmpose-t": (0.167, 0.375, 384), "rtmpose-s": (0.33, 0.5, 512)}
"""Depth and width of CSPNeXt, and the channels of its last map."""
SIZE = (256, 192)


class Stand(MetaPathFinder, Loader):
    """Modules of the absent packages, in which every name can be imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """A spec for a module of an absent package."""
        mine = any(name == one or name.startswith(one + ".") for one in ABSENT)
        return ModuleSpec(name, self, is_package=True) if mine else None

    def create_module(self, spec: ModuleSpec) -> MagicMock:
        """A module that has everything."""
        module = MagicMock(name=spec.name)
        module.__path__ = []
        module.__version__ = "3.0.0"
        return module

    def exec_module(self, module: object) -> None:
        """Nothing to do."""


def network(deepen: float, widen: float, channels: int) -> torch.nn.Module:
    """CSPNeXt and RTMPose's head."""
    from mmpose.models.backbones.cspnext import CSPNeXt
    from mmpose.models.heads.coord_cls_heads.rtmcc_head import RTMCCHead

    backbone = CSPNeXt(
        deepen_factor=deepen,
        widen_factor=widen,
        out_indices=(4,),
        channel_attention=True,
        norm_cfg={"type": "BN"},
        act_cfg={"type": "SiLU"},
    )
    head = RTMCCHead(
        in_channels=channels,
        out_channels=17,
        input_size=SIZE[::-1],
        in_featuremap_size=(6, 8),
        simcc_split_ratio=2.0,
        final_layer_kernel_size=7,
        gau_cfg={
            "hidden_dims": 256,
            "s": 128,
            "expansion_factor": 2,
            "dropout_rate": 0.0,
            "drop_path": 0.0,
            "act_fn": "SiLU",
            "use_rel_bias": False,
            "pos_enc": False,
        },
        loss={"type": "KLDiscretLoss", "use_target_weight": True},
        decoder=None,
    )
    return torch.nn.Sequential(backbone, head).eval()


def main() -> None:
    """Write both networks."""
    sys.meta_path.insert(0, Stand())
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in NETWORKS.items():
        torch.manual_seed(0)
        net = network(*options)
        file = folder / f"{name}.onnx"
        image = torch.rand(1, 3, *SIZE)
        names = {"input_names": ["image"], "output_names": ["x", "y"], "dynamic_axes": {"image": {0: "batch"}}}
        torch.onnx.export(net, (image,), str(file), dynamo=False, **names)
        print(f"{file}: {sum(p.numel() for p in net.parameters()) / 1e6:.2f} M parameters")


if __name__ == "__main__":
    main()
