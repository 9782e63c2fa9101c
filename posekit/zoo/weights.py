"""A trained network in a weights folder: `model.safetensors`, `config.json`, and a model card. No pickle.

The folder is enough to predict, evaluate or fine-tune.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from posekit.engines.spec import InferenceSpec, Licences, dump_spec, known
from posekit.recipe import Recipe, RecipeError, dump, parse
from posekit.zoo.built import built
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import find_model, read_config, read_spec, write_config
from posekit.zoo.layout import CARD, CONFIG, FORMAT, ONNX, TENSORS


@dataclass(frozen=True, eq=False)
class Weights:
    """A network in evaluation mode with its recipe and spec."""

    net: nn.Module
    recipe: Recipe
    spec: InferenceSpec
    path: Path


def save_weights(
    folder: Path,
    net: nn.Module,
    recipe: Recipe,
    figures: Mapping[str, float | None],
    licences: Licences | None = None,
) -> None:
    """Write a weights folder.

    Args:
        folder: made if missing; files in it are replaced. A calibration, a rescorer and an exported file of older
            weights are dropped, since they belong to those.
        net: the network whose tensors are written, contiguous.
        recipe: recipe that builds it.
        figures: metrics of these weights.
        licences: of code, weights and training data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spec = recipe.spec(known(figures), licences)
    (folder / ONNX).unlink(missing_ok=True)
    save_model(net, str(folder / TENSORS))
    config = {"format": FORMAT, "library": "posekit", "spec": dump_spec(spec), "recipe": json.loads(dump(recipe))}
    write_config(folder, config)
    (folder / CARD).write_text(_card(recipe, spec), encoding="utf-8")


def _card(recipe: Recipe, spec: InferenceSpec) -> str:
    """A model card with the front matter that hubs read."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in spec.figures.items() if value is not None)
    shown = "crops" if spec.needs_boxes else "full images"
    return (
        "---\nlibrary_name: posekit\npipeline_tag: keypoint-detection\nlicense: other\n---\n\n"
        f"# {spec.name}: {spec.skeleton.name}\n\n"
        f"{len(spec.skeleton.points)} points ({', '.join(spec.skeleton.points)}), {shown} of "
        f"{spec.size[0]}x{spec.size[1]} pixels (height x width), codec `{recipe.codec.kind}`.\n\n"
        f"Code: {spec.licences.code}. Weights: {spec.licences.weights}. Training data: {spec.licences.data}.\n\n"
        f"| measured | |\n|---|---|\n{figures}\n\n"
        '```python\nimport posekit\nposes = posekit.load("this folder")("photo.jpg")[0]\n```\n'
    )


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a weights folder.

    Raises:
        WeightsError: it is missing or invalid.
    """
    file = folder / CONFIG
    try:
        return parse(json.dumps(read_config(folder)["recipe"]), f"{file}: recipe")
    except RecipeError as error:
        raise WeightsError(str(error)) from None
    except KeyError:
        raise WeightsError(f"{file}: it has no recipe; copy the whole folder again") from None


def load_weights(place: str | Path) -> Weights:
    """Read a weights folder and build its network, in evaluation mode.

    Raises:
        WeightsError: no model, a damaged file, or tensors of another network.
    """
    folder = find_model(place)
    file = folder / CONFIG
    spec, recipe = read_spec(folder), read_recipe(folder)
    if spec.skeleton != recipe.skeleton or spec.size != recipe.size:
        raise WeightsError(f"{file}: spec and recipe belong to different models; copy the whole folder again")
    tensors = folder / TENSORS
    if not tensors.is_file():
        raise WeightsError(f"{tensors}: missing, though {CONFIG} is there; copy both")
    try:
        net = built(recipe, tensors)
    except SafetensorError as error:
        raise WeightsError(f"{tensors}: damaged or not safetensors ({error}); copy it again") from None
    except ValueError as error:
        raise WeightsError(f"{file}: recipe: {error}; copy the folder again, or correct it") from None
    try:
        load_model(net, str(tensors))
    except SafetensorError as error:
        raise WeightsError(f"{tensors}: damaged or not safetensors ({error}); copy it again") from None
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise WeightsError(f"{tensors}: tensors do not fit the network of {CONFIG}: {first}") from None
    return Weights(net.eval(), recipe, spec, folder)
