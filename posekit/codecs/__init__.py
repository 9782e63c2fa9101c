"""Points to maps and back, one representation a file."""

from posekit.codecs.dsnt import Dsnt
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC

CODECS = {
    "heatmap": Heatmap,
    "integral": Integral,
    "dsnt": Dsnt,
    "regression": Regression,
    "rle": Rle,
    "simcc": SimCC,
}
