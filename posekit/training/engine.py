"""Device, processes, precision and optimiser of a run."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from torch import nn

from posekit.recipe import Train


class TrainingError(RuntimeError):
    """A run that cannot go on."""


def engine_for(options: Train, device: str) -> Accelerator:
    """The engine: device, processes and precision.

    Raises:
        TrainingError: the launcher started more processes than the engine sees, which would train them apart; or the
            device is not there.
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
            f"device {device!r} was asked for, but only {engine.device.type!r} is there; `posekit doctor` tells why"
        )
    return engine


def optimizer_for(task: nn.Module, options: Train) -> torch.optim.Optimizer:
    """The optimiser; weight decay acts on matrices and kernels only."""
    weights = [p for p in task.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in task.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": options.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if options.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=options.lr, fused=True)
    if options.optimizer == "adam":
        return torch.optim.Adam(groups, lr=options.lr, fused=True)
    return torch.optim.SGD(groups, lr=options.lr, momentum=0.9, nesterov=True, fused=True)
