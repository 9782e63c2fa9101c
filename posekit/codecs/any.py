"""Any codec, told apart by its ``kind``: the type of a recipe's field."""

from typing import Annotated

from pydantic import Field

from posekit.codecs.dsnt import Dsnt
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC

AnyCodec = Annotated[Heatmap | Integral | Dsnt | Regression | Rle | SimCC, Field(discriminator="kind")]
