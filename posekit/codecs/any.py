"""Any codec, told apart by its ``kind``: the type of a recipe's field."""

from typing import Annotated

from pydantic import Field

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
from posekit.codecs.scenes.center_pose import CenterPose
from posekit.codecs.scenes.dekr import Dekr
from posekit.codecs.scenes.dekr_first import DekrFirst
from posekit.codecs.scenes.directpose import DirectPose
from posekit.codecs.scenes.fcos import Fcos
from posekit.codecs.scenes.fcpose import FCPose
from posekit.codecs.scenes.ttf_pose import TtfPose
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import Udp, UdpCombined
from posekit.codecs.volume import Heatmap3d, Integral3d

AnyCodec = Annotated[
    Heatmap
    | Udp
    | UdpCombined
    | OpenPose
    | CenterNet
    | Ttfnet
    | Ellipse
    | Megvii
    | Heatmap3d
    | Integral
    | Integral3d
    | Dsnt
    | Regression
    | GridRegression
    | Rle
    | SimCC
    | Dfl
    | CenterPose
    | TtfPose
    | Dekr
    | DekrFirst
    | Fcos
    | DirectPose
    | FCPose,
    Field(discriminator="kind"),
]
