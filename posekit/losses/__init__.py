"""Loss functions without reduction, their modules, and the weighted mean that reduces them."""

from posekit.losses.adaptive_wing import AdaptiveWing
from posekit.losses.bones import Bone
from posekit.losses.boxes import Giou
from posekit.losses.classes import Bce, SigmoidFocal
from posekit.losses.combined import Combined
from posekit.losses.depth import Depth
from posekit.losses.divergence import Dfl, Divergence, DsntLoss, SimccKl
from posekit.losses.equalized import Efl, Eqfl
from posekit.losses.fcpose import PointMaps, Refine, Side
from posekit.losses.focal import Focal, Qfl
from posekit.losses.heatmaps import Coarse, Mse, Ohkm, Paf, Volume
from posekit.losses.offsets import Offset
from posekit.losses.oks import Oks
from posekit.losses.points import L1, L2, SmoothL1, SoftWing, Wing
from posekit.losses.rle import RleNll, RleNll3d

LOSSES = {
    "mse": Mse,
    "ohkm": Ohkm,
    "l1": L1,
    "smooth_l1": SmoothL1,
    "wing": Wing,
    "dsnt": DsntLoss,
    "rle": RleNll,
    "simcc": SimccKl,
    "adaptive_wing": AdaptiveWing,
    "qfl": Qfl,
    "eqfl": Eqfl,
    "focal": Focal,
    "efl": Efl,
    "l2": L2,
    "soft_wing": SoftWing,
    "oks": Oks,
    "bone": Bone,
    "divergence": Divergence,
    "dfl": Dfl,
    "combined": Combined,
    "offset": Offset,
    "coarse": Coarse,
    "paf": Paf,
    "volume": Volume,
    "depth": Depth,
    "rle3d": RleNll3d,
    "sigmoid_focal": SigmoidFocal,
    "giou": Giou,
    "bce": Bce,
    "point_maps": PointMaps,
    "refine": Refine,
    "side": Side,
}
