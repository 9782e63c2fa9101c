"""The learning rate as a function of the step: nothing to save, nothing to resume."""

from __future__ import annotations

import math

from posekit.recipe import Train


def rate(options: Train, step: int, steps: int) -> float:
    """The learning rate of one update.

    Args:
        options: schedule, highest rate, warm-up and milestones.
        step: number of the update, from 0.
        steps: updates in the whole run.

    Returns:
        The rate: rises linearly over the warm-up, then falls as the schedule says.
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
