"""A task whose trunk also learns as a part of wider ones; see `posekit.models.netaug.NetAug`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posekit.data.batch import Batch
from posekit.models.base import PoseNet
from posekit.models.netaug import NetAug, Supernet, lent_buffers
from posekit.recipe import RecipeError
from posekit.training.task import Task, exact


class NetAugTask(nn.Module):
    """A task, and what makes its network's trunk wider.

    Args:
        task: whose network is in the middle of the wider ones.
        supernet: of its trunk.
        steps: batches of the whole run; ``None``: unknown, and maps between blocks may be wider to its end.
    """

    taken: Tensor

    def __init__(self, task: Task, supernet: Supernet, steps: int | None = None) -> None:
        super().__init__()
        self.task, self.supernet = task, supernet
        self.narrows = None if steps is None else supernet.config.stop * steps
        # In the state, so that a resumed run goes on from where it was.
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @property
    def net(self) -> PoseNet:
        """What is averaged, saved and exported: the plain network, which knows nothing of the wider ones."""
        return self.task.net  # type: ignore[return-value]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The task's own terms; in training those of one wider network too, under ``augmented...``.

        Widths are drawn from torch's generator, after everything that the task itself draws. The wider pass leaves all
        buffers of network and losses as they were.
        """
        task = self.task
        maps = self.net(batch.image)
        with exact(batch):
            target = task.codec.encode(batch.instances)
            terms = task.weighed(task.terms(maps, target))
        if not self.training:
            return terms
        with lent_buffers(self.net.neck, self.net.head, task.losses):
            wider = self._wider(batch.image)
            with exact(batch):
                found = task.weighed(task.terms(wider, target))
        return terms | {f"augmented.{name}": self.supernet.config.alpha * value for name, value in found.items()}

    def _wider(self, image: Tensor) -> dict[str, Tensor]:
        """Raw maps of a network with a wider trunk; a step of training counts."""
        net = self.net
        between = self.narrows is None or int(self.taken) < self.narrows
        self.taken += 1
        features = self.supernet(net.backbone, net.normalize(image), self.supernet.draw(between))
        return net.head(net.neck(features))


def wrap(task: Task, config: NetAug, steps: int | None = None) -> Task | NetAugTask:
    """The task with wider networks around its trunk.

    Args:
        task: of the recipe, its network's weights drawn or loaded and its frozen parts frozen.
        config: factors; where it is off, the task comes back as it is.
        steps: batches that the run will take; see `NetAugTask`.

    Raises:
        RecipeError: the network has no trunk that can be made wider.
    """
    if config.off:
        return task
    net = task.net
    if not isinstance(net, PoseNet):
        raise RecipeError(f"netaug makes trunks wider, and the network is a {type(net).__name__} without one")
    try:
        supernet = Supernet(net.backbone, config)
    except ValueError as error:
        raise RecipeError(f"netaug: {error}") from error
    return NetAugTask(task, supernet, steps)
