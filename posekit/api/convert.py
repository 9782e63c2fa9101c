"""Published networks of others as weights folders: MoveNet, from its TensorFlow.js files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from torch import Tensor

from posekit.codecs.one_stage.movenet import MoveNetPose
from posekit.engines.spec import Licences
from posekit.geometry.framing import Crop
from posekit.models.backbones.movenet import WIDTHS, MoveNet
from posekit.models.layers.divisible import make_divisible
from posekit.models.movenet_weights import movenet_state
from posekit.models.tfjs import read_tfjs
from posekit.postprocess.suppress import NMS
from posekit.recipe import Recipe
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.zoo.weights import save_weights

SIZES = {"lightning": (192, 192), "thunder": (256, 256), "multipose": (384, 384)}
"""(height, width) of the images that the networks are shown, in pixels."""
SHIFT = -0.375
"""Cells: a published position is 4 times the cell, in pixel indices; ours counts from the centre of the cell."""
MOST = 20
"""People that MultiPose decodes in an image; the published network gives 6."""
LICENCES = Licences(
    weights="Apache-2.0 (Google's MoveNet; read from a conversion of the published files)",
    data="COCO and Google's Active set, not published: the card of MoveNet says what the images were",
)


def convert_movenet(file: str | Path, folder: Path, size: tuple[int, int] | None = None) -> Recipe:
    """Write a published MoveNet network as a weights folder.

    Lightning and Thunder become models of crops, one person in each; MultiPose one of full images.

    Args:
        file: the ``.json`` of the graph model; its ``.bin`` lies beside it.
        folder: to write; must not exist.
        size: (height, width) in pixels that images are brought to, multiples of 32; the default is that of `SIZES`.

    Returns:
        The recipe of the network.

    Raises:
        FileNotFoundError: a file is missing.
        FileExistsError: the folder exists already.
        ValueError: not one of the three networks.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists already: give another folder")
    state = movenet_state(read_tfjs(file))
    version = _version(state)
    recipe = _recipe(version, size or SIZES[version])
    net = recipe.build()
    for name in ("offset", "centre_offset"):
        bias = f"head.branches.{name}.3.bias"
        if bias in state:
            state[bias] = state[bias] + SHIFT
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"{file}: its tensors do not fit {recipe.name}: {' '.join(str(error).split())[:300]}"
        ) from None
    # An interruption leaves no folder of that name, which would be refused the next time.
    beside = folder.with_name(f"{folder.name}.tmp")
    save_weights(beside, net, recipe, {}, LICENCES)
    beside.rename(folder)
    return recipe


def _version(state: Mapping[str, Tensor]) -> str:
    """Which of the three networks the tensors are of, by the width of the first layer."""
    channels = len(state["backbone.stem.weight"])
    for version, width in WIDTHS.items():
        if make_divisible(32 * width) == channels:
            return version
    raise ValueError(f"a MoveNet with {channels} channels in its first layer is not known")


def _recipe(version: str, size: tuple[int, int]) -> Recipe:
    recipe = RECIPES["movenet"](SKELETONS["coco17"], size=size)
    model = replace(recipe.model, backbone=MoveNet(version))  # type: ignore[arg-type]
    if version == "multipose":
        nms = NMS(method="oks", threshold=0.9, score_threshold=0.01)
        codec = replace(cast(MoveNetPose, recipe.codec), max_instances=MOST, margin=0.0)
        return replace(recipe, name="movenet-multipose", model=model, codec=codec, nms=nms)
    losses = {name: loss for name, loss in recipe.losses.items() if name not in ("size", "centre_offset")}
    codec = replace(cast(MoveNetPose, recipe.codec), single=True)
    return replace(recipe, name=f"movenet-{version}", model=model, codec=codec, losses=losses, framing=Crop())
