"""The spec of a trained model: everything needed to use it besides the network, such as input size and postprocessing.

It is part of a weights folder's ``config.json``, and the metadata of an exported file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from posekit.geometry.framing import AnyFraming, Crop
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.metrics.calibration import Calibration
from posekit.postprocess.rescorer import PoseRescorer
from posekit.postprocess.suppress import NMS
from posekit.validation import explain

STRICT = ConfigDict(extra="forbid")


class SpecError(ValueError):
    """The spec of a model is incomplete or contradicts itself."""


@dataclass(frozen=True, config=STRICT)
class Licences:
    """Licences of a model."""

    code: str = "Apache-2.0"
    weights: str = "unknown: depends on the training data"
    data: str = "unknown: check what the licence of the images allows before you share the weights"


@dataclass(frozen=True, config=STRICT)
class InferenceSpec:
    """Everything about a model except its network; torch-free.

    Args:
        name: of the recipe, for messages.
        skeleton: of the points that it finds.
        size: (height, width) of the network input.
        framing: how inputs are cut from an image: a crop of each box, or views of the full image.
        flip_test: average with the mirrored image.
        nms: non-maximum suppression; not used where boxes are given.
        nms_in_graph: an exported graph drops duplicates itself, by giving them the instance score -1.
        instance_threshold: score from which an instance counts as found: what is drawn where nothing else is asked for.
        calibration: of the scores; ``None`` gives them as the codec does.
        rescorer: scores the poses of an image by their shape; ``None``: scores are kept.
        metric: main metric; empty: the first that fits the skeleton, or AP for full images.
        figures: metrics of these weights on the validation set; ``None`` where not measured.
        licences: of code, weights and training data.
    """

    name: str
    skeleton: Skeleton
    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    framing: AnyFraming = Field(default_factory=Crop)
    flip_test: bool = False
    nms: NMS = Field(default_factory=NMS)
    nms_in_graph: bool = False
    instance_threshold: float = Field(default=0.2, ge=0, le=1)
    calibration: Calibration | None = None
    rescorer: PoseRescorer | None = None
    metric: str = ""
    figures: dict[str, float | None] = Field(default_factory=dict)
    licences: Licences = Field(default_factory=Licences)

    @property
    def needs_boxes(self) -> bool:
        """Whether it takes a box for each instance; false if it finds instances itself."""
        return self.framing.needs_boxes

    @property
    def flip(self) -> tuple[int, ...] | None:
        """Order of the mirrored points for the flip test; ``None`` without flip test."""
        return self.skeleton.flip if self.flip_test and self.skeleton.flippable else None


class Engine(Protocol):
    """A network and its decoding in one runtime."""

    spec: InferenceSpec

    def __call__(self, images: NDArray[np.uint8]) -> Poses:
        """Poses (B, N, K) of NumPy arrays in the pixels of images (B, H, W, 3), RGB, of the spec's size."""
        ...


_ADAPTER: TypeAdapter[InferenceSpec] = TypeAdapter(InferenceSpec)


def dump_spec(spec: InferenceSpec) -> dict[str, object]:
    """The spec as JSON's plain values."""
    return _ADAPTER.dump_python(spec, mode="json")  # type: ignore[no-any-return]


def parse_spec(document: object, where: str) -> InferenceSpec:
    """The spec that `dump_spec` gave.

    Args:
        document: plain values.
        where: their source, for the message.

    Raises:
        SpecError: an unknown field, or invalid values; all faults are reported together.
    """
    try:
        return _ADAPTER.validate_json(json.dumps(document))
    except (ValidationError, TypeError, RecursionError) as error:
        what = explain(error, document) if isinstance(error, ValidationError) else str(error)
        raise SpecError(f"{where}: {what}") from None


def known(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics for JSON: NaN (not measured) becomes null."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in figures.items()}
