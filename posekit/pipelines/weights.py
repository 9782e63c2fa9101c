"""A trained network as a folder: `model.safetensors`, `config.json`, and a card. No pickle.

`config.json` holds the recipe (skeleton and sigmas in it), what was measured, the licences, and the calibration of the
scores where one was fitted; `ranking.safetensors` a scoring network, where one was taught. So the folder is all that
anyone needs to predict, measure or train on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from posekit.data.errors import shown
from posekit.metrics.calibration import Calibration
from posekit.pipelines.built import built
from posekit.pipelines.pose_ranking import FILE as RANKING
from posekit.pipelines.pose_ranking import read_ranking
from posekit.postprocess.ranking import Ranking
from posekit.recipe import Recipe, RecipeError, dump, explain, parse

FORMAT = 1
_CALIBRATION: TypeAdapter[Calibration | None] = TypeAdapter(Calibration | None)
LICENSES = {"code": "Apache-2.0", "training_data": "unknown: say what the images allow before you share the weights"}


class WeightsError(ValueError):
    """A weights folder that is missing, incomplete, or made for another network."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A network ready to use and all that is known about it."""

    net: nn.Module
    recipe: Recipe
    metrics: dict[str, Any]
    path: Path
    calibration: Calibration | None = None
    ranking: Ranking | None = None


def save_weights(folder: Path, net: nn.Module, recipe: Recipe, metrics: Mapping[str, Any]) -> None:
    """Write a weights folder.

    Args:
        folder: made if missing; files in it are replaced.
        net: the network whose tensors are written, contiguous.
        recipe: that builds it.
        metrics: figures of the measurement that chose these weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # It was taught on what older weights find.
    (folder / RANKING).unlink(missing_ok=True)
    save_model(net, str(folder / "model.safetensors"))
    config = {
        "format": FORMAT,
        "library": "posekit",
        "recipe": json.loads(dump(recipe)),
        "metrics": known(metrics),
        "licenses": LICENSES,
    }
    (folder / "config.json").write_text(_json(config), encoding="utf-8")
    (folder / "README.md").write_text(_card(recipe, metrics), encoding="utf-8")


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Write the calibration into the folder's ``config.json``; all else in it stays as it is.

    Args:
        folder: of weights; an older calibration is replaced.
        calibration: of the scores as the codec gives them.
    """
    file = folder / "config.json"
    config = json.loads(file.read_bytes()) | {"calibration": _CALIBRATION.dump_python(calibration, mode="json")}
    # Written beside and renamed: a kill in the middle leaves a folder that can be loaded.
    beside = folder / "config.json.tmp"
    beside.write_text(_json(config), encoding="utf-8")
    beside.replace(file)


def _json(config: Mapping[str, Any]) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def known(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as JSON can say them: what could not be measured, NaN here, is null there."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in figures.items()}


def _card(recipe: Recipe, metrics: Mapping[str, Any]) -> str:
    """A model card with the front matter that hubs read."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items() if isinstance(value, float))
    return (
        "---\nlibrary_name: posekit\npipeline_tag: keypoint-detection\nlicense: other\n---\n\n"
        f"# {recipe.name}: {recipe.skeleton.name}\n\n"
        f"{len(recipe.skeleton.points)} points ({', '.join(recipe.skeleton.points)}), crops of "
        f"{recipe.size[0]}x{recipe.size[1]} pixels (height x width), codec `{recipe.codec.kind}`.\n\n"
        f"Code: {LICENSES['code']}. Training data: {LICENSES['training_data']}.\n\n"
        f"| measured | |\n|---|---|\n{figures}\n\n"
        '```python\nimport posekit\nposes = posekit.load("this folder")([image])[0]\n```\n'
    )


def find_weights(place: str | Path) -> Path:
    """The weights folder that a name means: a weights folder, a run folder (its ``best``), or a hub id.

    Raises:
        WeightsError: there is nothing of the kind; the message says what was looked for.
    """
    path = Path(place)
    for folder in (path, path / "best"):
        if (folder / "config.json").is_file():
            return folder
    if path.exists():
        hint = "the run has no best/ yet" if (path / "recipe.json").is_file() else "a run folder holds best/config.json"
        raise WeightsError(f"{path}: no model there (expected config.json and model.safetensors); {hint}")
    if str(place).count("/") == 1 and not str(place).startswith((".", "/", "~")):
        return _from_hub(str(place))
    raise WeightsError(f"{path}: no such folder; give a run folder, a weights folder, or a hub id owner/name")


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=["config.json", "*.safetensors", "README.md", "*.onnx"]))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{name}: no such folder, and the hub did not give it: {first}") from None


def load_weights(place: str | Path) -> Weights:
    """Read a weights folder and build its network, in evaluation mode.

    Raises:
        WeightsError: nothing there, a damaged file, or tensors of another network.
    """
    folder = find_weights(place)
    file = folder / "config.json"
    try:
        config = json.loads(file.read_bytes())
        recipe = parse(json.dumps(config["recipe"]), f"{file}: recipe")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, RecipeError):
            raise WeightsError(str(error)) from None
        raise WeightsError(f"{file}: not a posekit config ({type(error).__name__}: {error})") from None
    if config.get("format") != FORMAT:
        raise WeightsError(
            f"{file}: format {shown(config.get('format'))}, this posekit reads {FORMAT}; upgrade the older of the two"
        )
    if not isinstance(config.get("metrics", {}), dict):
        raise WeightsError(f"{file}: expected 'metrics' to be an object of figures, got {shown(config['metrics'])}")
    calibration = _calibration(config, file)
    tensors = folder / "model.safetensors"
    if not tensors.is_file():
        raise WeightsError(f"{tensors}: missing; config.json beside it belongs to it, copy both")
    try:
        net = built(recipe, tensors)
    except SafetensorError as error:
        raise WeightsError(f"{tensors}: damaged or not safetensors ({error}); copy it again") from None
    except ValueError as error:
        raise WeightsError(f"{file}: recipe: {error}; copy the folder again, or mend it") from None
    try:
        load_model(net, str(tensors))
    except SafetensorError as error:
        raise WeightsError(f"{tensors}: damaged or not safetensors ({error}); copy it again") from None
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise WeightsError(f"{tensors}: tensors do not fit the network of config.json: {first}") from None
    try:
        ranking = read_ranking(folder, recipe.skeleton) if recipe.whole else None
    except ValueError as error:
        raise WeightsError(str(error)) from None
    return Weights(net.eval(), recipe, config.get("metrics", {}), folder, calibration, ranking)


def _calibration(config: Mapping[str, Any], file: Path) -> Calibration | None:
    """That of the scores, where the folder holds one."""
    try:
        return _CALIBRATION.validate_python(config.get("calibration"))
    except ValidationError as error:
        raise WeightsError(
            f"{file}: calibration: {explain(error)}; mend it, or make it anew with posekit eval --calibrate"
        ) from None
