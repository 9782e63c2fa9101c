"""MTCNN as three ONNX files; what happens between its networks stays outside, in NumPy."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from posekit.exporting.onnx import TRACED_WITH, traced
from posekit.models.mtcnn import Nets
from posekit.pipelines.mtcnn.cascade import SIDES
from posekit.zoo.cascade import STAGES, exported_file_of


def write_cascade(nets: Nets, folder: Path) -> list[Path]:
    """Write ``STAGE.onnx`` for each network: images (B, H, W, 3) float32 RGB in 0..255 to its raw maps by name.

    Args:
        nets: in evaluation mode, on the CPU.
        folder: exists.

    Returns:
        The files.
    """
    files = [exported_file_of(folder, stage) for stage in STAGES]
    for stage, file in zip(STAGES, files, strict=True):
        file.write_bytes(_content(getattr(nets, stage), SIDES[stage], searches=stage == STAGES[0]))
    return files


class _ChannelsLast(nn.Module):
    """A network that takes images as they are stored, with channels behind pixels."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = self.net(image.permute(0, 3, 1, 2))
        return found


def _content(net: nn.Module, side: int, *, searches: bool) -> bytes:
    """The ONNX file of a network with any number of images, and if it searches images, of any size."""
    batch = {0: "batch"}
    height, width = (4 * side, 5 * side) if searches else (side, side)
    image = torch.zeros(TRACED_WITH, height, width, 3)
    if searches:
        return traced(_ChannelsLast(net), image, {**batch, 1: "height", 2: "width"}, {**batch, 2: "rows", 3: "columns"})
    return traced(_ChannelsLast(net), image, batch, batch)
