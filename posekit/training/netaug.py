"""Training task with network augmentation; see `posekit.models.rewrite.netaug.NetAug`."""

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
    """A task that is also trained with a wider backbone.

    Args:
        task: task with the network ``net``.
        supernet: extra weights of its backbone.
        steps: steps of the whole run; ``None``: unknown, and maps between blocks may be widened until the end.
    """

    taken: Tensor

    def __init__(self, task: nn.Module, supernet: Supernet, steps: int | None = None) -> None:
        super().__init__()
        self.task, self.supernet = task, supernet
        self.narrows = None if steps is None else supernet.config.stop * steps
        self._place = next(name for name, module in task.named_modules() if module is self.net.backbone)
        # A buffer, so that a resumed run continues the count.
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @property
    def net(self) -> PoseNet:
        """The plain network, which is averaged, saved and exported."""
        return cast(PoseNet, self.task.net)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The task's loss terms; in training also the terms with a wider backbone, as ``augmented...``.

        Widths are drawn from torch's generator after all random numbers of the task. The wider pass does not change
        buffers of the network and the losses.
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
        """Whether maps between blocks may still be widened."""
        return self.narrows is None or int(self.taken) < self.narrows


def wrap(task: nn.Module, config: NetAug, steps: int | None = None) -> nn.Module:
    """Add network augmentation to a task.

    Args:
        task: of a recipe, also with distillation; weights are loaded and parts frozen already.
        config: factors; if it is off, the task is returned unchanged.
        steps: steps of the whole run; see `NetAugTask`.

    Raises:
        RecipeError: the network has no backbone that can be made wider.
    """
    if config.off:
        return task
    if not isinstance(task.net, PoseNet):
        raise RecipeError(f"netaug needs a network with a backbone, and this is a {type(task.net).__name__}")
    try:
        supernet = Supernet(task.net.backbone, config)
    except ValueError as error:
        raise RecipeError(f"netaug: {error}") from error
    return NetAugTask(task, supernet, steps)
