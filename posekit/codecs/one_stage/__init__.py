"""Codecs of full images with several instances: which are there, and where the points of each lie."""

from posekit.codecs.one_stage.center_pose import CenterPose
from posekit.codecs.one_stage.dekr import Dekr
from posekit.codecs.one_stage.dekr_first import DekrFirst
from posekit.codecs.one_stage.directpose import DirectPose
from posekit.codecs.one_stage.fcos import Fcos
from posekit.codecs.one_stage.fcpose import FCPose
from posekit.codecs.one_stage.movenet import MoveNetPose
from posekit.codecs.one_stage.ttf_pose import TtfPose

ONE_STAGE_CODECS = {
    "center_pose": CenterPose,
    "dekr": Dekr,
    "dekr_first": DekrFirst,
    "fcos": Fcos,
    "directpose": DirectPose,
    "fcpose": FCPose,
    "ttf_pose": TtfPose,
    "movenet": MoveNetPose,
}
