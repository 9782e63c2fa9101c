"""The three networks of MTCNN: proposal (P-Net), refinement (R-Net) and output (O-Net) with five points.

All take pixels and return raw maps: ``face`` (two logits, the second for a face), ``box`` (corrections of the left,
top, right and bottom side, as fractions of the window) and, for the output network, ``points``.

Source: Zhang et al. 2016, arXiv:1604.02878. Differs: PReLU, kernels and pooling follow the published weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posekit.models.normalize import Normalize


def _scaled() -> Normalize:
    """Normalisation (pixel - 127.5) / 128, as for the published weights."""
    return Normalize((127.5 / 255,) * 3, (128 / 255,) * 3)


def _conv(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    """A convolution without padding and a PReLU with one slope for each channel."""
    return [nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)]


def _pool(kernel: int) -> nn.Module:
    # Caffe rounds the output size up; otherwise sizes differ from the published networks.
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)


class ProposalNet(nn.Module):
    """P-Net: scores 12 x 12 windows at stride 2; 6,632 parameters."""

    side = 12
    """Pixels of a window."""
    stride = 2
    """Pixels between neighbouring windows."""

    def __init__(self) -> None:
        super().__init__()
        self.normalize = _scaled()
        self.backbone = nn.Sequential(*_conv(3, 10, 3), _pool(2), *_conv(10, 16, 3), *_conv(16, 32, 3))
        self.face = nn.Conv2d(32, 2, 1)
        self.box = nn.Conv2d(32, 4, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw maps of an image of any size of at least 12 x 12.

        Args:
            image: (B, 3, H, W) RGB in 0..255.

        Returns:
            ``face`` (B, 2, h, w) and ``box`` (B, 4, h, w), with h = ceil((H - 2) / 2) - 4. Cell (i, j) is the
            window whose top left pixel is (2 i, 2 j).
        """
        seen = self.backbone(self.normalize(image))
        return {"face": self.face(seen), "box": self.box(seen)}


class RefinementNet(nn.Module):
    """R-Net: rescores windows resized to 24 x 24; 100,178 parameters."""

    side = 24
    """Pixels of a window."""

    def __init__(self) -> None:
        super().__init__()
        self.normalize = _scaled()
        self.backbone = nn.Sequential(
            *_conv(3, 28, 3),
            _pool(3),
            *_conv(28, 48, 3),
            _pool(3),
            *_conv(48, 64, 2),
            nn.Flatten(),
            nn.Linear(64 * 3 * 3, 128),
            nn.PReLU(128),
        )
        self.face = nn.Linear(128, 2)
        self.box = nn.Linear(128, 4)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw maps: ``face`` (B, 2) and ``box`` (B, 4).

        Args:
            image: (B, 3, 24, 24) RGB in 0..255.
        """
        seen = self.backbone(self.normalize(image))
        return {"face": self.face(seen), "box": self.box(seen)}


class OutputNet(nn.Module):
    """O-Net: final score, box and five points of windows resized to 48 x 48; 389,040 parameters."""

    side = 48
    """Pixels of a window."""

    def __init__(self) -> None:
        super().__init__()
        self.normalize = _scaled()
        self.backbone = nn.Sequential(
            *_conv(3, 32, 3),
            _pool(3),
            *_conv(32, 64, 3),
            _pool(3),
            *_conv(64, 64, 3),
            _pool(2),
            *_conv(64, 128, 2),
            nn.Flatten(),
            nn.Linear(128 * 3 * 3, 256),
            nn.PReLU(256),
        )
        self.face = nn.Linear(256, 2)
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw maps: ``face`` (B, 2), ``box`` (B, 4) and ``points`` (B, 5, 2) x, y as fractions of the window.

        Args:
            image: (B, 3, 48, 48) RGB in 0..255.
        """
        seen = self.backbone(self.normalize(image))
        # The published head outputs all x, then all y.
        points = self.points(seen).unflatten(1, (2, 5)).transpose(1, 2)
        return {"face": self.face(seen), "box": self.box(seen), "points": points}


@dataclass(frozen=True, eq=False)
class Nets:
    """The three networks of a cascade, in the order in which they run."""

    proposal: ProposalNet
    refinement: RefinementNet
    output: OutputNet

    def to(self, device: str | torch.device) -> Nets:
        """The same networks on a device, in evaluation mode."""
        return Nets(self.proposal.to(device).eval(), self.refinement.to(device).eval(), self.output.to(device).eval())

    @classmethod
    def drawn(cls) -> Nets:
        """Networks with random weights."""
        return cls(ProposalNet(), RefinementNet(), OutputNet())
