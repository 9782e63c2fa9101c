"""Codecs of whole images with several instances: which are there, and where the points of each lie."""

from posekit.codecs.scenes.center_pose import CenterPose
from posekit.codecs.scenes.dekr import Dekr
from posekit.codecs.scenes.dekr_first import DekrFirst
from posekit.codecs.scenes.directpose import DirectPose
from posekit.codecs.scenes.fcos import Fcos
from posekit.codecs.scenes.fcpose import FCPose
from posekit.codecs.scenes.ttf_pose import TtfPose

SCENE_CODECS = {
    "center_pose": CenterPose,
    "dekr": Dekr,
    "dekr_first": DekrFirst,
    "fcos": Fcos,
    "directpose": DirectPose,
    "fcpose": FCPose,
    "ttf_pose": TtfPose,
}
