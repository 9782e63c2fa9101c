"""Heads of one-stage networks: from one or several maps of the neck to named output maps."""

from posekit.models.heads.one_stage.branches import Branches
from posekit.models.heads.one_stage.dekr import DekrHead
from posekit.models.heads.one_stage.dekr_branches import DekrBranches
from posekit.models.heads.one_stage.dekr_first import DekrFirstHead
from posekit.models.heads.one_stage.directpose import DirectPoseHead
from posekit.models.heads.one_stage.fcos import FCOS
from posekit.models.heads.one_stage.fcpose import FCPoseHead

ONE_STAGE_HEADS = {
    "branches": Branches,
    "fcos": FCOS,
    "directpose": DirectPoseHead,
    "fcpose": FCPoseHead,
    "dekr": DekrHead,
    "dekr_branches": DekrBranches,
    "dekr_first": DekrFirstHead,
}
