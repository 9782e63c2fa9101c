"""Unreduced loss functions, their modules, and the one mean that minds the weights."""

from posekit.losses.divergence import DsntLoss, SimccKl
from posekit.losses.heatmaps import Mse, Ohkm
from posekit.losses.points import L1, SmoothL1, Wing
from posekit.losses.rle import RleNll

LOSSES = {
    "mse": Mse,
    "ohkm": Ohkm,
    "l1": L1,
    "smooth_l1": SmoothL1,
    "wing": Wing,
    "dsnt": DsntLoss,
    "rle": RleNll,
    "simcc": SimccKl,
}
