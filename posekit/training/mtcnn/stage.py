"""Train one network of the cascade on its windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posekit.codecs.base import Maps
from posekit.data.face_windows import SHARES
from posekit.losses.cascade import CascadeLoss
from posekit.models.mtcnn import OutputNet, ProposalNet, RefinementNet
from posekit.recipe import Train
from posekit.training.engine import optimizer_for, set_rate
from posekit.training.mtcnn.windows import TrainingWindows
from posekit.training.schedule import rate

StageNet = ProposalNet | RefinementNet | OutputNet


class Taught(nn.Module):
    """A network with a head for points, which the first two networks have in training only.

    Args:
        net: network of the cascade.
        points: number of points.
    """

    def __init__(self, net: StageNet, points: int) -> None:
        super().__init__()
        self.net = net
        if isinstance(net, OutputNet):
            self.points: nn.Module = net.points
        elif isinstance(net, RefinementNet):
            self.points = nn.Linear(net.box.in_features, 2 * points)
        else:
            self.points = nn.Conv2d(net.box.in_channels, 2 * points, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Windows (B, 3, side, side) to raw maps ``face`` (B, 2), ``box`` (B, 4) and ``points`` (B, K, 2)."""
        seen = self.net.backbone(self.net.normalize(image))
        maps = {"face": self.net.face(seen).flatten(1), "box": self.net.box(seen).flatten(1)}
        return {**maps, "points": self.points(seen).flatten(1).unflatten(1, (2, -1)).transpose(1, 2)}


def mixed(kind: NDArray[np.int8], batch: int, steps: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose the windows of several steps, in the ratio 3 negative, 1 part, 1 positive and 2 for points.

    Args:
        kind: (N,) kind of each window; the share of a missing kind goes to the others.
        batch: windows in a step.
        steps: number of steps.
        rng: random generator.

    Returns:
        (steps, batch) indices of windows; a window repeats only after all others of its kind.
    """
    there = [name for name in SHARES if (kind == name).any()]
    edges = np.cumsum([0, *(SHARES[name] for name in there)])
    counts = np.diff((edges * batch / edges[-1]).round().astype(int))
    columns = []
    for name, count in zip(there, counts, strict=True):
        pool = np.flatnonzero(kind == name)
        turns = -(-steps * count // len(pool))
        order = np.concatenate([rng.permutation(pool) for _ in range(turns)] or [pool[:0]])
        columns.append(order[: steps * count].reshape(steps, count))
    return np.concatenate(columns, axis=1)


def teach(
    net: StageNet,
    loss: CascadeLoss,
    made: TrainingWindows,
    train: Train,
    seed: Sequence[int],
    device: torch.device,
    stepped: Callable[[float], None] = lambda loss: None,
) -> float:
    """Train a network on its windows.

    Args:
        net: changed, and left on the device.
        loss: loss of this network.
        made: the windows.
        train: epochs, batch, optimiser and learning rate.
        seed: seed of the order of windows, and of the point head that is dropped afterwards.
        device: device for training.
        stepped: called with the loss after each step.

    Returns:
        Mean loss of the last epoch.

    Raises:
        RuntimeError: the loss is not finite.
    """
    torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    task = Taught(net, made.points.shape[1]).to(device).train()
    terms, optimizer = loss.build(), optimizer_for(task, train)
    steps = -(-len(made) // train.batch)
    mean = 0.0
    for epoch in range(train.epochs):
        chosen = mixed(made.kind, train.batch, steps, np.random.default_rng([*seed, epoch]))
        values = []
        for step, windows in enumerate(chosen):
            set_rate(optimizer, rate(train, epoch * steps + step, train.epochs * steps))
            image, wanted = made.batch(windows, device)
            total = torch.stack(list(terms(cast(Maps, task(image)), wanted).values())).sum()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            values.append(total.item())
            stepped(values[-1])
        mean = float(np.mean(values))
        if not np.isfinite(mean):
            raise RuntimeError(f"the loss is not finite in epoch {epoch + 1}; try a lower --lr")
    return mean
