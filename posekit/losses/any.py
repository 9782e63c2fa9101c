"""Any loss, selected by its ``kind`` (the type is built from `LOSSES`), and which losses fit a codec."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from posekit.codecs.base import Codec
from posekit.losses import LOSSES
from posekit.losses.base import Loss

if TYPE_CHECKING:
    AnyLoss = Loss
else:
    AnyLoss = Annotated[Union[*LOSSES.values()], Field(discriminator="kind")]


def fitting(codec: Codec) -> list[str]:
    """Names of the losses that fit a codec's maps, in the order of `LOSSES`."""
    return [name for name, loss in LOSSES.items() if loss().needs <= codec.gives]


def by_name(kinds: Sequence[str]) -> dict[str, AnyLoss]:
    """Losses of the given kinds with their defaults, each under its kind as name.

    Args:
        kinds: keys of `LOSSES`.

    Raises:
        ValueError: a kind is named twice.
    """
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        raise ValueError(
            f"losses {twice} are named twice: name each once and set its share with --losses.{twice[0]}.weight; "
            "a recipe.json may hold several of a kind under names of their own"
        )
    return {kind: LOSSES[kind]() for kind in kinds}


def match_activation(codec: Any, losses: Mapping[str, AnyLoss]) -> Any:
    """The codec that the losses need: with ``activation`` sigmoid where they need logits and it was none.

    Args:
        codec: a frozen config; one that has no ``activation``, or already gives all that is needed, is returned
            unchanged.
        losses: by name.
    """
    needs = frozenset[str]().union(*(loss.needs for loss in losses.values()))
    if needs <= codec.gives or getattr(codec, "activation", None) != "none":
        return codec
    logits = replace(codec, activation="sigmoid")
    return logits if needs <= logits.gives else codec
