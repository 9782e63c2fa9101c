"""Any loss, told apart by its ``kind``, and which of them a codec takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from posekit.codecs.base import Codec
from posekit.losses import LOSSES
from posekit.losses.adaptive_wing import AdaptiveWing
from posekit.losses.bones import Bone
from posekit.losses.boxes import Giou
from posekit.losses.classes import Bce, SigmoidFocal
from posekit.losses.combined import Combined
from posekit.losses.depth import Depth
from posekit.losses.divergence import Dfl, Divergence, DsntLoss, SimccKl
from posekit.losses.equalized import Efl, Eqfl
from posekit.losses.fcpose import JointMaps, Refine, Side
from posekit.losses.focal import Focal, Qfl
from posekit.losses.heatmaps import Coarse, Mse, Ohkm, Paf, Volume
from posekit.losses.offsets import Offset
from posekit.losses.oks import Oks
from posekit.losses.points import L1, L2, SmoothL1, SoftWing, Wing
from posekit.losses.rle import RleNll, RleNll3d

AnyLoss = Annotated[
    Mse
    | Ohkm
    | L1
    | SmoothL1
    | Wing
    | DsntLoss
    | RleNll
    | SimccKl
    | AdaptiveWing
    | Qfl
    | Eqfl
    | Focal
    | Efl
    | L2
    | SoftWing
    | Oks
    | Bone
    | Divergence
    | Dfl
    | Combined
    | Offset
    | Coarse
    | Paf
    | Volume
    | Depth
    | RleNll3d
    | SigmoidFocal
    | Giou
    | Bce
    | JointMaps
    | Refine
    | Side,
    Field(discriminator="kind"),
]


def fitting(codec: Codec) -> list[str]:
    """Names of the losses that can train a codec's maps, in the order of `LOSSES`."""
    return [name for name, loss in LOSSES.items() if loss().needs <= codec.gives]


def by_name(kinds: Sequence[str]) -> dict[str, AnyLoss]:
    """Losses of the kinds, each under its kind's name, with their defaults.

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


def speaking(codec: Any, losses: Mapping[str, AnyLoss]) -> Any:
    """The codec as the losses want it: of logits, where they need those and its ``activation`` was none.

    Args:
        codec: a frozen config; one that has no ``activation``, or gives what is needed, is returned as it is.
        losses: by name.
    """
    needs = frozenset[str]().union(*(loss.needs for loss in losses.values()))
    if needs <= codec.gives or getattr(codec, "activation", None) != "none":
        return codec
    logits = replace(codec, activation="sigmoid")
    return logits if needs <= logits.gives else codec
