"""Online distillation (OKDHP): train with additional branches; see `posekit.losses.distillation.Okdhp`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from posekit.data.batch import Batch
from posekit.losses.distillation import Okdhp, counted_channels, difference, ramp
from posekit.models.base import Backbone, PoseNet
from posekit.models.okdhp import Aggregation, Peers
from posekit.recipe import Recipe, RecipeError
from posekit.training.task import Task, exact


class OkdhpTask(nn.Module):
    """A task with additional branches on the backbone, which all learn from their ensemble.

    Args:
        task: task whose network is branch 0.
        peers: the additional branches.
        config: loss weights and other options.
        steps: steps of the whole run; the distillation loss is ramped up over a share of them.

    Raises:
        ValueError: the run has no steps.
    """

    def __init__(self, task: Task, peers: Peers, config: Okdhp, steps: int) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"okdhp needs the number of steps of the run, at least 1; got {steps}")
        self.task, self.peers, self.config = task, peers, config
        self.grows = config.ramp * steps
        self.taken: Tensor
        # A buffer, so that a resumed run continues the count.
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @property
    def net(self) -> PoseNet:
        """Branch 0, a plain network, which is averaged, saved and exported."""
        return self.task.net  # type: ignore[return-value]

    def branch(self, index: int) -> PoseNet:
        """A plain network of one branch; see `Peers.branch`."""
        return self.peers.branch(self.net, index)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Loss terms of the task, of the other branches and the ensemble (with prefixes), and ``okdhp``."""
        net, task, config = self.net, self.task, self.config
        features = net.backbone(net.normalize(batch.image))
        own = net.head(net.neck(features))
        others, ensemble = self.peers(features, own)
        with exact(batch):
            target = task.codec.encode(batch.instances)
            terms = task.weighed(task.terms(own, target))
            for index, maps in enumerate(others, 1):
                terms |= _under(f"peer{index}", task.terms(maps, target))
            if config.ensemble:
                mixed = task.terms(ensemble, target)
                terms |= _under("ensemble", {name: config.ensemble * value for name, value in mixed.items()})
            if config.distillation:
                counted = counted_channels(target, ensemble)
                factor = config.distillation * self._grown()
                terms["okdhp"] = factor * self._distillation([own, *others], ensemble, counted)
        return terms

    def _grown(self) -> float:
        """Current factor of the ramp, in [0, 1]; counts training steps."""
        if not self.grows:
            return 1.0
        taken = int(self.taken)
        if self.training:
            self.taken += 1
        return ramp(taken, self.grows)

    def _distillation(
        self, branches: list[dict[str, Tensor]], ensemble: dict[str, Tensor], counted: dict[str, Tensor]
    ) -> Tensor:
        taught = {name: (value.detach() if self.config.detach else value).float() for name, value in ensemble.items()}
        form, temperature = self.config.form, self.config.temperature
        each = [
            difference({name: value.float() for name, value in maps.items()}, taught, counted, form, temperature, True)
            for maps in branches
        ]
        return torch.stack(each).sum()


def _under(prefix: str, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in terms.items()}


def with_peers(task: Task, recipe: Recipe, config: Okdhp, steps: int) -> OkdhpTask:
    """Add branches to the network of a task.

    Args:
        task: of the recipe.
        recipe: used to build the additional necks and heads.
        config: number of branches and other options.
        steps: steps of the whole run.

    Raises:
        RecipeError: the model is not top-down.
    """
    net = task.net
    if recipe.one_stage or not isinstance(net, PoseNet):
        raise RecipeError(
            f"okdhp shares the backbone of a network for crops between necks and heads, and this is a "
            f"{type(net).__name__} for {'full images' if recipe.one_stage else 'crops'}: use a model of the kind "
            "'topdown'"
        )
    # Build whole networks and drop their backbones: necks and heads need different random weights.
    built = [cast(PoseNet, recipe.build(weights=False)) for _ in range(config.branches - 1)]
    channels = {name: shape[0] for name, shape in task.codec.shapes.items()}
    unit = Aggregation(cast(Backbone, net.backbone).channels[0], sum(channels.values()), config.branches, config.width)
    return OkdhpTask(task, Peers([(other.neck, other.head) for other in built], unit, channels), config, steps)
