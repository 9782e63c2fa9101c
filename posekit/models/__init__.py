"""Networks: backbones, necks, heads and their assembly. No points, no codecs."""

from posekit.models.topdown import TopDown

ARCHITECTURES = {"topdown": TopDown}
