"""Run torchvision's operator on random maps and store what it gives: `python make_deformable_goldens.py TARGET.npz`.

Runs in an environment of its own: `pip install torch==2.13.0 torchvision==0.28.0 numpy`.
"""

import sys

import numpy as np
import torch
import torchvision
from torchvision.ops import deform_conv2d

# Channels in and out, kernel, stride, padding, dilation, groups, parts, modulated.
CASES = (
    (2, 3, 3, 1, 1, 1, 1, 1, True),
    (6, 6, 3, 2, 1, 1, 3, 2, True),
    (6, 3, 3, 1, 2, 2, 3, 3, False),
    (4, 2, 3, 1, 0, 1, 2, 2, True),
    (4, 2, 1, 2, 0, 1, 1, 4, False),
)
HEIGHT, WIDTH = 5, 4


def main(target: str) -> None:
    """Offsets of up to several cells: some taps fall outside the map."""
    draw = torch.Generator().manual_seed(17)
    stored = {"version": np.array(torchvision.__version__), "cases": np.array(CASES)}
    for index, (before, after, kernel, stride, padding, dilation, groups, parts, modulated) in enumerate(CASES):
        reach = dilation * (kernel - 1) + 1
        rows, columns = ((size + 2 * padding - reach) // stride + 1 for size in (HEIGHT, WIDTH))
        taps = parts * kernel * kernel
        inputs = {
            "x": torch.randn(2, before, HEIGHT, WIDTH, generator=draw),
            "offset": 2 * torch.randn(2, 2 * taps, rows, columns, generator=draw),
            "weight": torch.randn(after, before // groups, kernel, kernel, generator=draw),
            "bias": torch.randn(after, generator=draw),
        }
        if modulated:
            inputs["mask"] = torch.rand(2, taps, rows, columns, generator=draw)
        inputs = {name: value.requires_grad_() for name, value in inputs.items()}
        result = deform_conv2d(
            **{"input" if k == "x" else k: v for k, v in inputs.items()},
            stride=stride,
            padding=padding,
            dilation=dilation,
        )
        slopes = torch.autograd.grad(result.square().sum(), inputs.values())
        stored |= {f"{index}_{name}": value.detach().numpy() for name, value in inputs.items()}
        stored |= {f"{index}_slope_{name}": value.numpy() for name, value in zip(inputs, slopes, strict=True)}
        stored[f"{index}_result"] = result.detach().numpy()
    np.savez_compressed(target, **stored)


if __name__ == "__main__":
    main(sys.argv[1])
