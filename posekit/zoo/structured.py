"""A trained model with fewer channels, as weights and a recipe that builds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from posekit.models.compress.structured import remove_channels, table_of
from posekit.models.topdown import without_weights
from posekit.recipe import Recipe
from posekit.zoo.errors import WeightsError
from posekit.zoo.weights import Weights, load_weights


def thinned(place: str | Path, macs: float) -> Weights:
    """The model without its least important channels; not fine-tuned, and not evaluated.

    Args:
        place: a run folder, a weights folder, or a hub id.
        macs: largest share of the multiply-accumulates to keep, in (0, 1).

    Returns:
        The network in evaluation mode and the recipe that builds it; saved by `save_weights` it can be loaded again.

    Raises:
        ModuleNotFoundError: torch-pruning is not installed.
        WeightsError: there is no such model, or it is quantised.
        ValueError: the share is invalid or cannot be reached, or the channels of the network cannot be removed.
    """
    if not 0 < macs < 1:
        raise ValueError(f"--macs is the share of multiply-accumulates to keep, between 0 and 1; got {macs:g}")
    before = load_weights(place)
    recipe = before.recipe
    if not recipe.quantise.off:
        raise WeightsError(
            f"{before.path} was trained with quantisation (quantise.bits {recipe.quantise.bits}): remove channels "
            "first, and quantise in the fine-tuning"
        )
    remove_channels(before.net, recipe.size, macs)
    # Published weights of the backbone would be cut at random locations; what it starts from lies beside the recipe.
    model = replace(recipe.model, backbone=without_weights(recipe.model.backbone))
    whole = replace(recipe, model=model, pruned={}, init=None)
    rest = replace(whole, pruned=table_of(before.net, whole.build(weights=False)))
    return Weights(_built_again(before, rest), rest, rest.spec(), before.path)


def _built_again(before: Weights, recipe: Recipe) -> torch.nn.Module:
    """The network of the recipe with the weights; it must be the same as the one that lost channels.

    Raises:
        ValueError: it is not, so the model could be saved but not loaded.
    """
    fault = "built again, it gives other outputs"
    image = torch.rand(1, 3, *recipe.size, generator=torch.Generator().manual_seed(0)) * 255
    try:
        net = recipe.build(weights=False).eval()
        net.load_state_dict(before.net.state_dict())
        with torch.no_grad():
            expected, found = before.net(image), net(image)
        if all(torch.allclose(value, found[name], rtol=1e-4, atol=1e-4) for name, value in expected.items()):
            return net
    except RuntimeError as error:
        fault = " ".join(str(error).split())[:160]
    raise ValueError(
        f"{before.path}: the pruned channels of some layers cannot be described ({fault}); take another "
        "backbone or other activations"
    )
