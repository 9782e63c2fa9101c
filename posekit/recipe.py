"""The recipe: all settings of a run in one value that is validated, saved and loaded.

A recipe is made by a function of a skeleton (`posekit.recipes`), changed by command line options or
`dataclasses.replace`, and saved with every result, so that a run can be repeated from it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from torch import nn
from tyro.conf import Suppress

from posekit.codecs import CODECS
from posekit.codecs.any import AnyCodec
from posekit.codecs.base import Codec, PerInstance
from posekit.codecs.one_stage import ONE_STAGE_CODECS
from posekit.codecs.visibility import VISIBILITY, WithVisibility
from posekit.data.source import Data
from posekit.engines.spec import InferenceSpec, Licences
from posekit.geometry.framing import AnyFraming, Crop
from posekit.geometry.skeleton import Skeleton
from posekit.losses.any import AnyLoss, fitting
from posekit.losses.distillation import AnyDistillation
from posekit.losses.weighting import AutoWeight
from posekit.metrics.protocols import chosen_protocol
from posekit.models.compress.pruning import Prune
from posekit.models.compress.quantise import FakeQuant
from posekit.models.compress.structured import with_pruned_channels
from posekit.models.onestage import OneStage
from posekit.models.rewrite.netaug import NetAug
from posekit.models.rewrite.overrides import BackboneOverrides
from posekit.models.topdown import TopDown
from posekit.postprocess.suppress import NMS
from posekit.transforms.compose import Augment
from posekit.validation import explain

STRICT = ConfigDict(extra="forbid")

AnyModel = Annotated[TopDown | OneStage, Field(discriminator="kind")]


class RecipeError(ValueError):
    """A recipe that is inconsistent or cannot be read."""


@dataclass(frozen=True, config=STRICT)
class Train:
    """Training options."""

    epochs: int = Field(default=60, ge=1)
    "passes over the training images"
    batch: int = Field(default=32, ge=1)
    "images in a step, for each process; lower it if memory runs out"
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    "optimiser; sgd has Nesterov momentum 0.9"
    lr: float = Field(default=2e-3, gt=0)
    "peak learning rate"
    backbone_lr_mult: float = Field(default=1.0, gt=0)
    "factor on the learning rate of the backbone; below 1, such as 0.1, suits a pretrained backbone"
    weight_decay: float = Field(default=0.01, ge=0)
    "weight decay; not applied to biases and norms"
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    "how the learning rate falls after the warm-up; step divides it by 10 at each milestone"
    milestones: tuple[float, ...] = (0.7, 0.9)
    "shares of the run at which the step schedule divides the learning rate by 10"
    head_first: float = Field(default=0.0, ge=0, le=1)
    "share of the updates, at the start, in which only neck and head are trained; for fresh heads on trained backbones"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    "share of the run over which the learning rate rises from zero, 0 to 1"
    ema: float = Field(default=0.999, ge=0, lt=1)
    "decay of the moving average of the weights (EMA), which is what is evaluated and saved; 0 turns it off"
    clip: float = Field(default=5.0, ge=0)
    "largest norm of the gradient; larger ones are clipped; 0 turns clipping off"
    precision: Literal["no", "fp16", "bf16"] = "no"
    "mixed precision: faster on most GPUs, not on most CPUs"
    channels_last: bool = True
    "channels-last memory layout; faster on CPUs and with mixed precision"
    keep_memory: bool = True
    "on Linux CPUs, keep freed memory in the process, which can make a step faster; affects the whole process"
    freeze: tuple[str, ...] = ()
    "parts of the network that are not trained, norms included, by name, such as backbone.blocks.0"
    accumulate: int = Field(default=1, ge=1)
    "gradient accumulation: steps for each update of the weights"
    workers: int = Field(default=0, ge=0)
    "worker processes that load images; 0 loads them in the training process"
    eval_every: int = Field(default=1, ge=1)
    "epochs between evaluations on the validation set"
    flip_test: bool = False
    "flip test: average with the mirrored image in evaluation and prediction; more accurate, twice the time"
    patience: int = Field(default=0, ge=0)
    "early stopping after so many evaluations without improvement; 0 turns it off"
    checkpoint_minutes: float = Field(default=5.0, ge=0)
    "minutes between checkpoints within an epoch; one is always written at the end of an epoch"
    checkpoint_steps: int = Field(default=0, ge=0)
    "steps between checkpoints, instead of minutes; 0 uses checkpoint_minutes"
    tensorboard: bool = True
    "write TensorBoard logs in addition to metrics.csv"


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """All settings of a run.

    Raises:
        ValidationError: a value is out of range, or the parts do not fit each other; a ValueError that lists all errors
            and how to fix them. `load`, `parse` and the functions of `posekit.recipes` raise it as a `RecipeError`.
    """

    name: Suppress[str]
    skeleton: Suppress[Skeleton]
    codec: AnyCodec
    model: AnyModel
    losses: dict[str, AnyLoss]
    auto_weight: AutoWeight = Field(default_factory=AutoWeight)
    override: BackboneOverrides = Field(default_factory=BackboneOverrides)
    distill: AnyDistillation | None = None
    "distillation: okdhp (online, several heads), or the teacher: a run folder, hub id, or .json of predictions"
    netaug: NetAug = Field(default_factory=NetAug)
    prune: Prune = Field(default_factory=Prune)
    quantise: FakeQuant = Field(default_factory=FakeQuant)
    augment: Augment = Field(default_factory=Augment)
    train: Train = Field(default_factory=Train)
    nms: NMS = Field(default_factory=NMS)
    data: Suppress[Data] = Field(default_factory=Data)
    framing: AnyFraming = Field(default_factory=Crop)
    "how images are given to the network: a crop of each box, or the full image"
    metric: Suppress[str] = ""
    "metric that decides which epoch is the best; empty: the first that fits the skeleton"
    seed: int = Field(default=0, ge=0)
    "random seed; the same seed gives the same run"
    init: str | None = None
    "run folder, weights folder or hub id to take initial weights from; layers of another shape are left out"
    init_head: bool = True
    "also take the weights of the head; without it a head starts from random weights even where those of init fit"
    init_points: tuple[str, ...] = ()
    """points that start from a point with another name in the initial model, as OWN=THEIRS: snout=nose; points of the
    same name always do"""
    pruned: Suppress[dict[str, tuple[int, int]]] = Field(default_factory=dict)
    "layers with channels removed by posekit prune: name to (output, input) channels"

    def __post_init__(self) -> None:
        faults = [*self._size_faults(), *self._loss_faults(), *self._visibility_faults()]
        if self.framing.metric and self.metric:
            faults.append(
                f"models of full images are ranked by {self.framing.metric}: leave out metric {self.metric!r}"
            )
        try:
            chosen_protocol(self.skeleton, self.metric)
        except ValueError as error:
            faults.append(str(error))
        if faults:
            raise RecipeError("; ".join(faults))

    def _size_faults(self) -> Iterator[str]:
        codec, points = self.codec, len(self.skeleton.points)
        if codec.points != points:
            yield (
                f"codec {codec.kind!r} is made for {codec.points} points, skeleton {self.skeleton.name!r} has {points}"
            )
        full_images = isinstance(self.model, OneStage)
        # A few systems also know a form for one instance in a crop.
        several = full_images and not getattr(codec, "single", False)
        if self.framing.needs_boxes == several:
            yield f"framing {self.framing.kind!r} does not fit a {self.model.kind} model"
        if (codec.kind in ONE_STAGE_CODECS) != full_images:
            kinds = ONE_STAGE_CODECS if full_images else CODECS
            yield f"codec {codec.kind!r} does not fit a {self.model.kind} model; fitting: {', '.join(kinds)}"
        if self.train.flip_test and isinstance(codec, PerInstance):
            yield (
                f"train.flip_test: codec {codec.kind!r} runs a network for each instance, whose maps cannot be "
                "averaged with those of the mirrored image; leave it out"
            )
        if tuple(codec.image) != tuple(self.model.size):
            yield f"codec is for images of {codec.image}, model for {self.model.size} (height, width)"

    def _loss_faults(self) -> Iterator[str]:
        codec = self.codec
        fits = ", ".join(fitting(codec))
        if not self.losses:
            yield f"no loss given; losses that fit codec {codec.kind!r}: {fits}"
        for name, loss in self.losses.items():
            if not loss.needs <= codec.gives | {VISIBILITY}:
                yield (
                    f"loss {name!r} needs {sorted(loss.needs)}, codec {codec.kind!r} gives {sorted(codec.gives)}; "
                    f"fitting: {fits}"
                )

    def _visibility_faults(self) -> Iterator[str]:
        if self.visibility and isinstance(self.model, OneStage):
            yield (
                "models of full images do not tell seen from hidden points: leave out --visibility, or take a top-down "
                "recipe"
            )
        if self.visibility and self.distill is not None and self.distill.kind == "okdhp":
            yield "okdhp compares maps between heads, and visibility is not a map: leave out --distill or --visibility"

    @property
    def visibility(self) -> bool:
        """Whether the network also tells seen from hidden points: it does if a loss trains it to."""
        return any(VISIBILITY in loss.needs for loss in self.losses.values())

    @property
    def full_codec(self) -> Codec:
        """The codec of all outputs of the network: `codec`, and visibility beside it if the recipe has it."""
        return WithVisibility(self.codec) if self.visibility else self.codec

    @property
    def one_stage(self) -> bool:
        """Whether the network takes full images with all instances, not a crop of each instance."""
        return not self.framing.needs_boxes

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the network's input in pixels: of the crop, or of the resized full image."""
        return self.model.size

    def spec(
        self, figures: Mapping[str, float | None] | None = None, licences: Licences | None = None
    ) -> InferenceSpec:
        """The inference spec, with everything needed to run the trained network.

        Args:
            figures: metrics of the weights.
            licences: licences of code, weights and training data.
        """
        return InferenceSpec(
            name=self.name,
            skeleton=self.skeleton,
            size=self.size,
            framing=self.framing,
            flip_test=self.train.flip_test,
            nms=self.nms,
            metric=self.metric,
            figures=dict(figures or {}),
            licences=licences or Licences(),
        )

    def build(self, *, weights: bool = True) -> nn.Module:
        """The network; the codec determines the outputs of its head.

        Args:
            weights: False does not load pretrained backbone weights, for use before a full checkpoint is loaded.
        """
        backbone = self.model.backbone
        trained = weights and (backbone.weights is not None or getattr(backbone, "pretrained", False))
        net = self.override.apply(self.model.build(self.full_codec.shapes, weights=weights), trained=trained)
        return self.quantise.apply(with_pruned_channels(net, self.pruned))


_ADAPTER: TypeAdapter[Recipe] = TypeAdapter(Recipe)


def dump(recipe: Recipe) -> str:
    """The recipe as JSON."""
    return json.dumps(_ADAPTER.dump_python(recipe, mode="json"), indent=2, ensure_ascii=False) + "\n"


def parse(text: str | bytes, where: str) -> Recipe:
    """Parse a recipe from JSON.

    Args:
        text: JSON.
        where: name of the file, for the message.

    Raises:
        RecipeError: not JSON, an unknown field, or invalid values; the message lists all errors.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        document = None if error.errors()[0]["type"] == "json_invalid" else json.loads(text)
        raise RecipeError(f"{where}: {explain(error, document)}") from None


def save(recipe: Recipe, path: Path) -> None:
    """Write the recipe as JSON."""
    path.write_text(dump(recipe), encoding="utf-8")


def load(path: Path) -> Recipe:
    """Read a recipe written by `save`.

    Raises:
        RecipeError: the file is missing or not a recipe.
    """
    if not path.is_file():
        raise RecipeError(f"{path}: there is no such file; the recipe of a run is recipe.json in its folder")
    return parse(path.read_bytes(), str(path))


def changed(recipe: Recipe, fields: Mapping[str, Any]) -> Recipe:
    """Copy of a recipe with other values in some fields.

    Args:
        recipe: the original.
        fields: dotted name to value, such as ``{"train.epochs": 20, "codec.sigma": 12}``.

    Raises:
        RecipeError: there is no such field, or a value is invalid.
    """
    document = json.loads(dump(recipe))
    for name, value in fields.items():
        *path, last = name.split(".")
        inside = document
        for part in path:
            inside = inside.get(part) if isinstance(inside, dict) else None
        if not isinstance(inside, dict) or last not in inside:
            raise RecipeError(f"options: {_no_field(name, json.loads(dump(recipe)))}")
        inside[last] = list(value) if isinstance(value, tuple) else value
    return parse(json.dumps(document, default=str), "options")


def _no_field(name: str, document: Mapping[str, Any]) -> str:
    """A message for a dotted name that a recipe's JSON does not have, with the nearest field."""
    names = list(_dotted(document))
    last = name.rpartition(".")[2]
    near = [known for known in names if known.rpartition(".")[2] == last] or get_close_matches(name, names, 1)
    if near:
        return f"no field {name!r}; did you mean {near[0]!r}?"
    return f"no field {name!r}; fields are dotted names such as 'train.epochs', within: {', '.join(document)}"


def _dotted(document: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all values of a recipe's JSON that may be changed."""
    for name, value in document.items():
        if not prefix and name in ("skeleton", "name", "pruned"):
            continue
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def decoding(recipe: Recipe, words: Sequence[str]) -> Recipe:
    """Copy of a recipe with another decoding of the same maps.

    Args:
        recipe: of a trained network.
        words: ``field=value`` each, such as "refine=parabola".

    Raises:
        RecipeError: no such field, an invalid value, or one that needs other output maps.
    """
    document = json.loads(dump(recipe))
    fields = [field for field in document["codec"] if field not in ("points", "grid", "kind")]
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in fields:
            raise RecipeError(
                f"--decode takes field=value with a field of the codec ({', '.join(fields)}); got {word!r}"
            )
        document["codec"][name] = _plain(value)
    changed = parse(json.dumps(document), "--decode")
    if changed.codec.shapes != recipe.codec.shapes:
        raise RecipeError(
            f"--decode {' '.join(words)} needs other output maps than the network has: train with --codec... instead"
        )
    return changed


def _plain(text: str) -> Any:
    """Parse a value as JSON; anything else, such as a bare word, is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
