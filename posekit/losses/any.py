"""Any loss, told apart by its ``kind``, and which of them a codec takes."""

from typing import Annotated

from pydantic import Field

from posekit.codecs.base import Codec
from posekit.losses import LOSSES
from posekit.losses.divergence import DsntLoss, SimccKl
from posekit.losses.heatmaps import Mse, Ohkm
from posekit.losses.points import L1, SmoothL1, Wing
from posekit.losses.rle import RleNll

AnyLoss = Annotated[Mse | Ohkm | L1 | SmoothL1 | Wing | DsntLoss | RleNll | SimccKl, Field(discriminator="kind")]


def fitting(codec: Codec) -> list[str]:
    """Names of the losses that can train a codec's maps, in the order of `LOSSES`."""
    return [name for name, loss in LOSSES.items() if loss().needs <= codec.gives]
