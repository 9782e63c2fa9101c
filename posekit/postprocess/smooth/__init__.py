"""Filters over time: steady points from shaking ones, and what that costs in delay."""

from posekit.postprocess.smooth.ema import Ema
from posekit.postprocess.smooth.kalman import Kalman
from posekit.postprocess.smooth.median import Median
from posekit.postprocess.smooth.one_euro import OneEuro
from posekit.postprocess.smooth.rts import Rts
from posekit.postprocess.smooth.savgol import SavGol
from posekit.postprocess.smooth.two_pass import TwoPass

SMOOTHERS = {
    "ema": Ema,
    "one-euro": OneEuro,
    "kalman": Kalman,
    "median": Median,
    "savgol": SavGol,
    "rts": Rts,
    "two-pass": TwoPass,
}
