"""Convolution, norm and activation with named submodules."""

from __future__ import annotations

from torch import Tensor, nn


class NamedConv(nn.Module):
    """Convolution ``conv`` and batch norm ``bn``, or a convolution with bias, and optionally an activation.

    Args:
        before: input channels.
        after: output channels.
        kernel: kernel size, odd.
        stride: 1 or 2.
        groups: ``before`` makes it depth-wise.
        act: ``None`` for a linear layer.
        norm: whether there is a norm; otherwise the convolution has a bias.
    """

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        act: nn.Module | None = None,
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=not norm)
        self.bn = nn.BatchNorm2d(after) if norm else nn.Identity()
        self.act = nn.Identity() if act is None else act

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H / stride, W / stride)."""
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y
