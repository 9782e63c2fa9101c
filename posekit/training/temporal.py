"""Training of a temporal network on tracks; in some of them no depth may be known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from posekit.data.labelled_tracks import LabelledTrack, TrackBatch, batch_of
from posekit.geometry.root import root_of
from posekit.geometry.skeleton import Skeleton
from posekit.losses.base import weighted_mean
from posekit.models.temporal import Temporal, TemporalNet

Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0)]
Number = Annotated[int, Ge(1)]

EPSILON = 1e-6
"""Added to squared lengths, so that their roots have a gradient."""
STILL = 0.003
"""Speed, object sizes a frame, of a movement whose lag counts half."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class TemporalTraining:
    """How a temporal network is trained."""

    steps: Number = 1000
    "optimiser steps; 1000 take about five minutes on one CPU core"
    batch: Number = 16
    "pieces of tracks in a step"
    frames: Number = 64
    "smoothed frames of each piece; it also has the frames before that the first of them needs"
    lr: Positive = 3e-3
    "largest learning rate; it rises over the first twentieth of the steps and falls to 0 as a cosine"
    acceleration: Share = 1.0
    "weight of the error of the acceleration, object sizes per frame squared, beside that of the location"
    lag: Share = 0.15
    """weight of the lag, frames: without it the network shows points later than it should, since what is slow errs less
    where little is known"""
    depth: Share = 0.5
    "weight of the error of the depth"
    seed: int = 0
    "of the first weights and of all draws"


def train_temporal(
    tracks: Sequence[LabelledTrack],
    skeleton: Skeleton,
    model: Temporal,
    training: TemporalTraining,
    seen: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> TemporalNet:
    """Train a network on the CPU; the same tracks and settings give the same network.

    Args:
        tracks: of one skeleton.
        skeleton: of the points.
        model: sizes of the network.
        training: the settings.
        seen: called with the number of each finished step and its losses.

    Returns:
        The network, in evaluation mode.

    Raises:
        ValueError: there is no track with two frames.
    """
    usable = [track for track in tracks if len(track) > 1]
    if not usable:
        raise ValueError(f"there is nothing to train on: none of {len(tracks)} tracks has two frames")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        net = model.build(skeleton.flip, root_of(skeleton.points))
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=training.lr, weight_decay=1e-3)
    of_depth = list(net.lift.parameters())
    rest = [parameter for name, parameter in net.named_parameters() if not name.startswith("lift.")]
    frames = model.window - 1 + training.frames
    for step in range(training.steps):
        rng = np.random.default_rng((training.seed, step))
        batch = batch_of(usable, skeleton, training.batch, frames, rng)
        for group in optimiser.param_groups:
            group["lr"] = training.lr * _rate(step, training.steps)
        losses = temporal_losses(net, batch)
        weight = {"location": 1.0, "acceleration": training.acceleration, "lag": training.lag, "depth": training.depth}
        total: Tensor = sum((weight[name] * loss for name, loss in losses.items()), torch.zeros(()))
        if not torch.isfinite(total):
            raise RuntimeError(f"step {step}: the loss is {total.item()}; try a lower lr than {training.lr:g}")
        optimiser.zero_grad()
        total.backward()
        # Each by itself, so that a large gradient of the depth does not shorten the steps of the rest.
        for part in (of_depth, rest):
            torch.nn.utils.clip_grad_norm_(part, 1.0)
        optimiser.step()
        seen(step + 1, {name: float(loss.detach()) for name, loss in losses.items()})
    return net.eval()


def _rate(step: int, steps: int) -> float:
    """Learning rate as a share of the largest."""
    return min((step + 1) / max(steps / 20, 1), 1.0) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def temporal_losses(net: TemporalNet, batch: TrackBatch) -> dict[str, Tensor]:
    """Mean errors over all look-aheads: of locations, of accelerations, and of depths where they are known.

    Args:
        net: the network.
        batch: pieces of more frames than `Temporal.window`.

    Returns:
        ``location`` in object sizes, ``acceleration`` in object sizes per frame squared, ``lag`` in frames, ``depth``
        in object sizes. A track whose depth is not known has no part in the last, and no gradient from it.
    """
    points, score, step = (torch.from_numpy(array) for array in (batch.points, batch.score, batch.step))
    found = net(points, score, step)
    true, known = _targets(net.config, batch.true, batch.known & batch.begun[..., None])
    deep, deep_known = _targets(net.config, batch.depth[..., None], batch.depth_known & batch.begun[..., None])
    speed, _ = _targets(net.config, np.gradient(batch.true, axis=1), batch.known)
    off = found[..., :2] - true
    bend = off[:, 2:] - 2 * off[:, 1:-1] + off[:, :-2]
    three = known[:, 2:] * known[:, 1:-1] * known[:, :-2]
    return {
        "location": weighted_mean(_length(off), known),
        "acceleration": weighted_mean(_length(bend), three),
        "lag": _lag(off, speed, known).abs().mean(),
        "depth": weighted_mean((found[..., 3] - deep[..., 0]).abs(), deep_known),
    }


def _lag(off: Tensor, speed: Tensor, known: Tensor) -> Tensor:
    """(B, A) frames by which each piece comes late: what is left over, as a multiple of the true speed.

    Args:
        off: (B, T, A, K, 2) what is shown less what should be.
        speed: (B, T, A, K, 2) true change of location from frame to frame.
        known: (B, T, A, K) where the truth is known.
    """
    speed, off = torch.where(known[..., None] > 0, speed, 0.0), torch.where(known[..., None] > 0, off, 0.0)
    return -(off * speed).sum((1, 3, 4)) / ((speed**2).sum((1, 3, 4)) + STILL**2 * known.sum((1, 3)).clamp(min=1))


def _length(vector: Tensor) -> Tensor:
    return ((vector**2).sum(-1) + EPSILON).sqrt()


def _targets(config: Temporal, values: np.ndarray, known: np.ndarray) -> tuple[Tensor, Tensor]:
    """(B, S, A, K, C) what each look-ahead should show, and (B, S, A, K) where it is known, S = T - window + 1."""
    newest = np.arange(config.window - 1, values.shape[1])
    rows = newest[:, None] - np.array(config.ahead)
    return torch.from_numpy(values[:, rows]), torch.from_numpy(known[:, rows].astype(np.float32))
