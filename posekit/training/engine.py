"""Device, processes, precision and optimiser of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from posekit.recipe import Train


class TrainingError(RuntimeError):
    """A run that cannot go on."""


def engine_for(options: Train, device: str) -> Accelerator:
    """The accelerator: device, processes and precision.

    Raises:
        TrainingError: the number of processes differs from what the launcher started, so each would train alone; or the
            device is not available.
    """
    engine = Accelerator(cpu=device == "cpu", mixed_precision=options.precision)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != engine.num_processes:
        raise TrainingError(
            f"{world} processes were started but the engine sees {engine.num_processes}, so each would train alone; "
            "start with: torchrun --nproc_per_node N -m posekit train ..."
        )
    if device not in ("auto", engine.device.type):
        raise TrainingError(
            f"device {device!r} was asked for, but only {engine.device.type!r} is available; `posekit doctor` shows why"
        )
    return engine


def optimizer_for(task: nn.Module, options: Train) -> torch.optim.Optimizer:
    """The optimiser; weight decay acts on matrices and kernels only; ``scale`` of a group multiplies its rate.

    Where the backbone is trained at another rate, its groups have ``backbone`` set.
    """
    groups = _groups([p for p in task.parameters() if p.requires_grad], options)
    if options.backbone_lr_mult != 1 or options.head_first:
        backbone = {id(p) for p in task.get_submodule("net.backbone").parameters()}
        for group in list(groups):
            own = [p for p in group["params"] if id(p) in backbone]
            group["params"] = [p for p in group["params"] if id(p) not in backbone]
            scale = options.backbone_lr_mult
            groups.append({**group, "params": own, "lr": options.lr * scale, "scale": scale, "backbone": True})
    if options.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=options.lr, fused=True)
    if options.optimizer == "adam":
        return torch.optim.Adam(groups, lr=options.lr, fused=True)
    return torch.optim.SGD(groups, lr=options.lr, momentum=0.9, nesterov=True, fused=True)


def _groups(weights: Sequence[nn.Parameter], options: Train) -> list[dict[str, Any]]:
    """Parameter groups: kernels and matrices with weight decay, all others without."""
    return [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]


def set_rate(optimizer: torch.optim.Optimizer, rate: float, *, backbone: bool = True) -> None:
    """Set the learning rate of every group: ``rate`` times its ``scale``; 0 for the backbone if it is not trained."""
    for group in optimizer.param_groups:
        held = not backbone and group.get("backbone", False)
        group["lr"] = 0.0 if held else rate * group.get("scale", 1.0)
