"""Points to maps and back, one representation a file."""

from posekit.codecs.heatmap import Heatmap
from posekit.codecs.regression import Regression

CODECS = {"heatmap": Heatmap, "regression": Regression}
