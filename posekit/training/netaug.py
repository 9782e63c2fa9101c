"""A task whose backbone also learns as a part of wider ones; see `posekit.models.rewrite.netaug.NetAug`."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from posekit.data.batch import Batch
from posekit.models.base import PoseNet
from posekit.models.rewrite.netaug import NetAug, Supernet, lent_buffers
from posekit.recipe import RecipeError


class NetAugTask(nn.Module):
    """A task, and what makes its network's backbone wider.

    Args:
        task: has the ``net`` whose backbone is in the middle of the wider ones.
        supernet: of that backbone.
        steps: batches of the whole run; ``None``: unknown, and maps between blocks may be wider to its end.
    """

    taken: Tensor

    def __init__(self, task: nn.Module, supernet: Supernet, steps: int | None = None) -> None:
        super().__init__()
        self.task, self.supernet = task, supernet
        self.narrows = None if steps is None else supernet.config.stop * steps
        self._place = next(name for name, module in task.named_modules() if module is self.net.backbone)
        # In the state, so that a resumed run goes on from where it was.
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @property
    def net(self) -> PoseNet:
        """What is averaged, saved and exported: the plain network, which knows nothing of the wider ones."""
        return cast(PoseNet, self.task.net)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The task's own terms; in training all of them once more, as ``augmented...``, with a wider backbone.

        Widths are drawn from torch's generator, after everything that the task itself draws. The wider pass leaves all
        buffers of network and losses as they were.
        """
        terms: dict[str, Tensor] = self.task(batch)
        if not self.training:
            return terms
        backbone, widths = self.net.backbone, self.supernet.draw(self._between())
        self.taken += 1
        with lent_buffers(self.task), self.supernet.shaping(backbone, widths):
            tensors = self.supernet.tensors(backbone, widths)
            tensors = {f"{self._place}.{name}": value for name, value in tensors.items()}
            wider: dict[str, Tensor] = functional_call(self.task, tensors, (batch,))
        return terms | {f"augmented.{name}": self.supernet.config.alpha * value for name, value in wider.items()}

    def _between(self) -> bool:
        """Whether maps between blocks may still be wider."""
        return self.narrows is None or int(self.taken) < self.narrows


def wrap(task: nn.Module, config: NetAug, steps: int | None = None) -> nn.Module:
    """The task with wider networks around its backbone.

    Args:
        task: of a recipe, also one with distillation; its network's weights are drawn or loaded, its frozen parts
        frozen.
        config: factors; where it is off, the task comes back as it is.
        steps: batches that the run will take; see `NetAugTask`.

    Raises:
        RecipeError: the network has no backbone that can be made wider.
    """
    if config.off:
        return task
    if not isinstance(task.net, PoseNet):
        raise RecipeError(f"netaug makes backbones wider, and the network is a {type(task.net).__name__} without one")
    try:
        supernet = Supernet(task.net.backbone, config)
    except ValueError as error:
        raise RecipeError(f"netaug: {error}") from error
    return NetAugTask(task, supernet, steps)
