"""Any codec, told apart by its ``kind``: the type of a recipe's field, made from the two lists of codecs."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from posekit.codecs import CODECS
from posekit.codecs.base import Codec
from posekit.codecs.scenes import SCENE_CODECS

if TYPE_CHECKING:
    AnyCodec = Codec
else:
    AnyCodec = Annotated[Union[*CODECS.values(), *SCENE_CODECS.values()], Field(discriminator="kind")]
