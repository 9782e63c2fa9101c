"""The learning rate as a function of the step, without state."""

from __future__ import annotations

import math

from posekit.recipe import Train


def rate(options: Train, step: int, steps: int) -> float:
    """The learning rate of one update.

    Args:
        options: schedule, peak learning rate, warm-up and milestones.
        step: index of the update, from 0.
        steps: number of updates in the whole run.

    Returns:
        The learning rate: rises linearly during the warm-up, then follows the schedule.
    """
    warm = options.warmup * steps
    if step < warm:
        return options.lr * (step + 1) / (warm + 1)
    done = (step - warm) / max(steps - warm, 1)
    if options.schedule == "cosine":
        return options.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    if options.schedule == "step":
        return options.lr * 0.1 ** sum(step >= m * steps for m in options.milestones)
    return options.lr
