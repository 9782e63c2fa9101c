"""Codecs of whole images with several instances: which are there, and where the points of each lie."""

from posekit.codecs.scenes.center_pose import CenterPose

SCENE_CODECS = {
    "center_pose": CenterPose,
}
