"""Necks: from the backbone's maps to the input of the head. One file for each kind, with its config and module."""

from posekit.models.necks.deconv import Deconv
from posekit.models.necks.dla_up import DLAUp
from posekit.models.necks.guided import Guided
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample

NECKS = {
    "none": Plain,
    "deconv": Deconv,
    "upsample": Upsample,
    "dla_up": DLAUp,
    "guided": Guided,
    "movenet_fpn": MoveNetFPN,
}
