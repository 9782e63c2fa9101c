"""MTCNN as three ONNX files; what happens between its networks stays outside, in NumPy."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]

from posekit.engines.outputs import INPUT
from posekit.exporting.onnx import OPSET
from posekit.models.mtcnn import Nets
from posekit.zoo.cascade import STAGES, exported_file_of


def export_cascade(nets: Nets, folder: Path) -> list[Path]:
    """Write ``STAGE.onnx`` for each network: images (B, H, W, 3) float32 RGB in 0..255 to its raw maps by name.

    Args:
        nets: in evaluation mode, on the CPU.
        folder: exists.

    Returns:
        The files.
    """
    files = []
    for stage in STAGES:
        net: nn.Module = getattr(nets, stage)
        file = exported_file_of(folder, stage)
        file.write_bytes(_traced(net.eval(), searches=stage == STAGES[0]))
        files.append(file)
    return files


class _Listed(nn.Module):
    """The maps as a tuple, and channels behind pixels, as images are."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.net(image.permute(0, 3, 1, 2)).values())


def _traced(net: nn.Module, *, searches: bool) -> bytes:
    """The ONNX file of a network with any number of images, and if it searches images, of any size."""
    side = int(getattr(net, "side"))  # noqa: B009
    image = torch.zeros(2, 4 * side if searches else side, 5 * side if searches else side, 3)
    file = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=TracerWarning)
        names = list(net(image.permute(0, 3, 1, 2)))
        free = {0: "batch", 1: "height", 2: "width"} if searches else {0: "batch"}
        maps = {0: "batch", 2: "rows", 3: "columns"} if searches else {0: "batch"}
        torch.onnx.export(
            _Listed(net),
            (image,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=names,
            dynamic_axes={INPUT: free, **dict.fromkeys(names, maps)},
        )
    return file.getvalue()
