"""Reading a map between its cells."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def read_between(x: Tensor, xy: Tensor) -> Tensor:
    """Read each map at its own places, bilinearly; beyond the border lie zeros.

    A place less than a cell beyond the border still hears of the border's cells, as in a deformable convolution.

    Args:
        x: (B, C, H, W).
        xy: (B, P, Q, 2) places in cells, x first; the centre of the first cell is (0, 0).

    Returns:
        (B, C, P, Q), the dtype of ``x``; differentiable in both.
    """
    # Half precision cannot tell the cells of a wide map apart.
    exact = torch.promote_types(x.dtype, torch.float32)
    height, width = x.shape[-2:]
    # Without aligned corners the scale is the size itself, so that a map of one row divides by no zero.
    rows = (2 * xy[..., 1].to(exact) + 1) / height - 1
    columns = (2 * xy[..., 0].to(exact) + 1) / width - 1
    places = torch.stack((columns, rows), dim=-1)
    read = F.grid_sample(x.to(exact), places, mode="bilinear", padding_mode="zeros", align_corners=False)
    return read.to(x.dtype)
