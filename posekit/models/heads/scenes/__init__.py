"""Heads of whole images: one or several maps of the neck to many named ones."""

from posekit.models.heads.scenes.branches import Branches
from posekit.models.heads.scenes.dekr import DekrHead
from posekit.models.heads.scenes.dekr_first import DekrFirstHead
from posekit.models.heads.scenes.directpose import DirectPoseHead
from posekit.models.heads.scenes.fcos import FCOS
from posekit.models.heads.scenes.fcpose import FCPoseHead

SCENE_HEADS = {
    "branches": Branches,
    "fcos": FCOS,
    "directpose": DirectPoseHead,
    "fcpose": FCPoseHead,
    "dekr": DekrHead,
    "dekr_first": DekrFirstHead,
}
