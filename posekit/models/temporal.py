"""Temporal network: residual dilated 1-D convolutions over tracks, which denoise points in 2-D and lift them to 3-D.

The convolutions run over time and share their weights over points, as a TCN (Bai et al. 2018, arXiv:1803.01271) and
VideoPose3D (Pavllo et al. 2019, arXiv:1811.11742) have them; matrices over points join the points of a frame. Differs:
the network does not give locations. For each point it gives the weights of a moving average of what was measured, over
the last frames of the point and of its mirror point (which may have been exchanged), and a small correction. What it
reads are differences of locations, so a moved track gives moved points exactly.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

LEFT_OUT = -30.0
"""Logit of a measurement that is missing: it only counts where all are."""
USUAL_STEP = 0.04
"""Seconds between frames for which the input of the time step is 0."""
FEATURES = 13
"""Numbers that the network reads of each point in each frame."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Temporal:
    """Sizes of a temporal network.

    Raises:
        ValueError: a look-ahead is negative, given twice, or not within the window of the average.
    """

    channels: Annotated[int, Field(ge=1)] = 32
    "channels of each point"
    dilations: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 4, 8, 16)
    "frames between the three taps of each convolution"
    taps: Annotated[int, Field(ge=1)] = 25
    "frames of which the weighted average is taken, up to the newest"
    hidden: Annotated[int, Field(ge=1)] = 128
    "hidden units of the part that lifts the smoothed points of a frame"
    ahead: Annotated[tuple[int, ...], Field(min_length=1)] = (0, 1, 2, 4, 12)
    """look-aheads, each an output of its own: by how many frames the points that are shown lie behind the newest frame;
    the largest one is used for finished clips"""

    def __post_init__(self) -> None:
        if list(self.ahead) != sorted(set(self.ahead)) or not 0 <= self.ahead[0] <= self.ahead[-1] < self.taps:
            raise ValueError(
                f"ahead needs increasing numbers of frames from 0 to taps - 1 = {self.taps - 1}; got {self.ahead}"
            )

    @property
    def window(self) -> int:
        """Frames that one output depends on, up to the newest."""
        return max(2 + 2 * sum(self.dilations), self.taps)

    def build(self, flip: tuple[int, ...], root: tuple[int, ...]) -> TemporalNet:
        """The network.

        Args:
            flip: (K,) index of each point's mirror point.
            root: points whose mean is the root of depths.
        """
        return TemporalNet(self, flip, root)


class TemporalNet(nn.Module):
    """Tracks in, smoothed tracks out; every output depends on the `Temporal.window` frames up to its newest one."""

    flip: Tensor
    root: Tensor

    def __init__(self, config: Temporal, flip: tuple[int, ...], root: tuple[int, ...]) -> None:
        super().__init__()
        self.config, points = config, len(flip)
        at_root = torch.zeros(points)
        at_root[list(root)] = 1 / len(root)
        self.register_buffer("flip", torch.tensor(flip), persistent=False)
        self.register_buffer("root", at_root, persistent=False)
        c = config.channels
        self.stem = nn.Conv2d(FEATURES, c, 1)
        self.point = nn.Parameter(torch.zeros(c, 1, points))
        self.blocks = nn.ModuleList(Block(c, points, dilation) for dilation in config.dilations)
        heads = len(config.ahead)
        self.kernel = nn.Conv2d(c, heads * 2 * config.taps, 1)
        self.correction = nn.Conv2d(c, heads * 3, 1)
        self.lift = Lift(points, config.hidden)
        self._begin_with_an_average()

    def _begin_with_an_average(self) -> None:
        """Outputs at first: an average around the frame that is shown, no correction, no depth."""
        config = self.config
        age = torch.arange(config.taps - 1, -1, -1.0)
        near = torch.stack([-0.5 * (age - ahead).abs() for ahead in config.ahead])
        with torch.no_grad():
            self.kernel.weight.mul_(0.1)
            assert self.kernel.bias is not None
            self.kernel.bias.copy_(torch.stack([near, near - 6.0], 1).flatten())
            for parameter in self.correction.parameters():
                parameter.zero_()

    def forward(self, points: Tensor, score: Tensor, step: Tensor) -> Tensor:
        """Smooth tracks.

        Args:
            points: (B, T, K, 3) x, y and depth in object sizes about any origin; a missing point holds its last
                location, or any finite one.
            score: (B, T, K) in [0, 1]; 0: missing.
            step: (B, T) seconds since the frame before.

        Returns:
            (B, T - window + 1, A, K, 4): for each look-ahead the x, y and depth of what was measured, smoothed, about
            the same origin; and the lifted depth about the root, in object sizes, away from the camera.
        """
        config = self.config
        x = F.relu(self.stem(self._features(points[..., :2], score, step)) + self.point)
        for block in self.blocks:
            x = block(x)
        frames = points.shape[1] - config.window + 1
        x = x[:, :, x.shape[2] - frames :]
        b, a, k = points.shape[0], len(config.ahead), points.shape[2]
        logits = self.kernel(x).reshape(b, a, 2 * config.taps, frames, k)
        values, known = self._taps(points, score > 0, frames)
        weights = logits.masked_fill(~known[:, None], LEFT_OUT).softmax(2)
        mean = torch.einsum("batnk,btnkc->bnakc", weights, values)
        found = self.correction(x).reshape(b, a, 3, frames, k).permute(0, 3, 1, 4, 2)
        shown = mean[..., :2] + found[..., :2]
        deep = found[..., 2] + self.lift(shown.detach())
        lifted = deep - (deep * self.root).sum(-1, keepdim=True)
        return torch.cat([shown, mean[..., 2:], lifted[..., None]], -1)

    def _features(self, xy: Tensor, score: Tensor, step: Tensor) -> Tensor:
        """(B, FEATURES, T - 1, K) what the network reads: nothing in it depends on the origin."""
        known = (score > 0).to(xy.dtype)[..., None]
        here, seen = xy[:, 1:], known[:, 1:]
        other, other_seen = xy[:, :, self.flip], known[:, :, self.flip]
        centre = (here * seen).sum(2, keepdim=True) / seen.sum(2, keepdim=True).clamp(min=1)
        moved = (here - xy[:, :-1]) * seen * known[:, :-1]
        time = (step[:, 1:, None].clamp(1e-3, 10.0) / USUAL_STEP).log().expand_as(score[:, 1:])
        parts = [
            moved,
            torch.tanh(8 * moved),
            (here - centre) * seen,
            (other[:, 1:] - here) * seen * other_seen[:, 1:],
            (here - other[:, :-1]) * seen * other_seen[:, :-1],
            score[:, 1:, :, None],
            seen,
            time[..., None],
        ]
        return torch.cat(parts, -1).permute(0, 3, 1, 2)

    def _taps(self, points: Tensor, known: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """(B, 2 taps, frames, K, 3) measurements of each point and its mirror point, and (B, 2 taps, frames, K)."""
        taps = self.config.taps
        first = points.shape[1] - frames - taps + 1
        rows = [slice(first + tap, first + tap + frames) for tap in range(taps)]
        values = torch.stack([points[:, row] for row in rows], 1)
        there = torch.stack([known[:, row] for row in rows], 1)
        # A point without a mirror point has no second set of measurements.
        mirrored = self.flip != torch.arange(len(self.flip), device=self.flip.device)
        both = torch.cat([values, values[:, :, :, self.flip]], 1)
        return both, torch.cat([there, there[..., self.flip] & mirrored], 1)


class Lift(nn.Module):
    """Smoothed points of a frame to their depths: a linear layer beside one hidden layer.

    Source: Martinez et al. 2017, arXiv:1705.03098. Differs: one hidden layer, no normalisation; what the convolutions
    over time know is added to it.
    """

    def __init__(self, points: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * points, points)
        self.first, self.last = nn.Linear(2 * points, hidden), nn.Linear(hidden, points)
        for parameter in (*self.linear.parameters(), *self.last.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, xy: Tensor) -> Tensor:
        """(..., K, 2) object sizes, about any origin, to (..., K)."""
        flat = (xy - xy.mean(-2, keepdim=True)).flatten(-2)
        found: Tensor = self.linear(flat) + self.last(F.relu(self.first(flat)))
        return found


class Block(nn.Module):
    """A dilated convolution over time and a matrix over points, added to what came in."""

    def __init__(self, channels: int, points: int, dilation: int) -> None:
        super().__init__()
        self.cut = 2 * dilation
        self.time = nn.Conv2d(channels, channels, (3, 1), dilation=(dilation, 1))
        self.across = nn.Linear(points, points)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.across.weight)
        nn.init.zeros_(self.across.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, K) to (B, C, T - 2 dilation, K): no padding, so the last frame sees no later one."""
        y = F.relu(self.time(x))
        found: Tensor = self.out(F.relu(y + self.across(y)))
        return x[:, :, self.cut :] + found
