"""Any codec, told apart by its ``kind``: the type of a recipe's field."""

from typing import Annotated

from pydantic import Field

from posekit.codecs.heatmap import Heatmap
from posekit.codecs.regression import Regression

AnyCodec = Annotated[Heatmap | Regression, Field(discriminator="kind")]
