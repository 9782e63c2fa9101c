"""Weights that two implementations of one network can draw alike, whatever they are made with."""

import numpy as np
import torch


def drawn_weights(state, seed=0):
    """A state dict with the same names and shapes, filled in the order of the names; maps keep an ordinary size."""
    draw = np.random.default_rng(seed)
    filled = {}
    for name in sorted(state):
        shape = tuple(state[name].shape)
        if name.endswith("num_batches_tracked"):
            filled[name] = torch.zeros(())
        elif name.endswith("running_var"):
            filled[name] = torch.from_numpy(draw.uniform(0.5, 1.5, shape))
        elif len(shape) == 1:
            filled[name] = torch.from_numpy(draw.normal(float(name.endswith("weight")), 0.2, shape))
        else:
            filled[name] = torch.from_numpy(draw.normal(0, (1 / np.prod(shape[1:])) ** 0.5, shape))
    return {name: value.to(state[name].dtype) for name, value in filled.items()}


def drawn_image(height=64, width=96, seed=1):
    """(2, 3, height, width) float32."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 3, height, width))).float()
