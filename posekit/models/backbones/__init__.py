"""Backbones: from an image to maps of several strides. One file for each family, with its config and module."""

from posekit.models.backbones.dla import DLA
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.lite_hrnet import LiteHRNet
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.mobilenet_v4 import MobileNetV4
from posekit.models.backbones.movenet import MoveNet
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.backbones.timm import Timm

BACKBONES = {
    "resnet": ResNet,
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3": MobileNetV3,
    "mobilenet_v4": MobileNetV4,
    "shufflenet_v2": ShuffleNetV2,
    "hrnet": HRNet,
    "lite_hrnet": LiteHRNet,
    "efficientnet_lite": EfficientNetLite,
    "dla": DLA,
    "movenet": MoveNet,
    "timm": Timm,
}
