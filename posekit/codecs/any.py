"""Any codec, selected by its ``kind``: the type of a recipe's ``codec`` field, built from the two dicts of codecs."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from posekit.codecs import CODECS
from posekit.codecs.base import Codec
from posekit.codecs.one_stage import ONE_STAGE_CODECS

if TYPE_CHECKING:
    AnyCodec = Codec
else:
    AnyCodec = Annotated[Union[*CODECS.values(), *ONE_STAGE_CODECS.values()], Field(discriminator="kind")]
