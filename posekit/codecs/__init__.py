"""Codecs: points to maps and back, one representation a file."""

from posekit.codecs.centers import CenterNet, Ttfnet
from posekit.codecs.dfl import Dfl
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.ellipse import Ellipse
from posekit.codecs.grid import GridRegression
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.megvii import Megvii
from posekit.codecs.openpose import OpenPose
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import Udp, UdpCombined
from posekit.codecs.volume import Heatmap3d, Integral3d

CODECS = {
    "heatmap": Heatmap,
    "udp": Udp,
    "udp_combined": UdpCombined,
    "openpose": OpenPose,
    "centernet": CenterNet,
    "ttfnet": Ttfnet,
    "ellipse": Ellipse,
    "megvii": Megvii,
    "heatmap3d": Heatmap3d,
    "integral": Integral,
    "integral3d": Integral3d,
    "dsnt": Dsnt,
    "regression": Regression,
    "grid": GridRegression,
    "rle": Rle,
    "simcc": SimCC,
    "dfl": Dfl,
}
