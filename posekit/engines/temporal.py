"""A temporal network run by ONNX Runtime: a file that `posekit train temporal` wrote. NumPy only, never torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from posekit.engines.onnx import CPU, open_session
from posekit.engines.spec import SpecError

Float = NDArray[np.floating]

KEY = "posekit temporal"
"""Key of the metadata in the ONNX file."""
INPUTS = ("points", "score", "step")
OUTPUT = "tracks"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class TemporalSpec:
    """What an exported temporal network is for.

    Args:
        points: names of the K points.
        window: W, frames that an output depends on, up to the newest.
        ahead: A look-aheads in frames.
        lifts: whether it was trained on depths.
        version: of posekit.
    """

    points: tuple[str, ...]
    window: int
    ahead: tuple[int, ...]
    lifts: bool
    version: str


_SPEC = TypeAdapter(TemporalSpec)


def spec_text(spec: TemporalSpec) -> str:
    """The metadata as it is stored."""
    return json.dumps(_SPEC.dump_python(spec, mode="json"))


class OnnxTemporal:
    """A temporal network; see `posekit.models.temporal.TemporalNet` for what goes in and comes out.

    Args:
        file: written by `posekit train temporal`.
        threads: of one operation; ``None``: as many as OMP_NUM_THREADS says, else the runtime chooses.

    Raises:
        SpecError: not an ONNX file, or not one of a temporal network.
    """

    def __init__(self, file: Path, threads: int | None = None) -> None:
        self.file = file
        self.session: Any = open_session(file, str(file), (CPU,), threads)
        text = self.session.get_modelmeta().custom_metadata_map.get(KEY)
        try:
            self.spec: TemporalSpec = _SPEC.validate_json(text or "")
        except ValidationError:
            raise SpecError(
                f"{file}: not a temporal network; expected a file that `posekit train temporal` wrote"
            ) from None

    def __repr__(self) -> str:
        return f"OnnxTemporal({self.file.name}, {len(self.spec.points)} points)"

    @property
    def window(self) -> int:
        """Frames that an output depends on, up to the newest."""
        return self.spec.window

    @property
    def ahead(self) -> Sequence[int]:
        """Look-aheads of the outputs, frames."""
        return self.spec.ahead

    @property
    def points(self) -> int:
        """Number of points."""
        return len(self.spec.points)

    @property
    def lifts(self) -> bool:
        """Whether it was trained on depths."""
        return self.spec.lifts

    def __call__(self, points: Float, score: Float, step: Float) -> Float:
        """Tracks (B, T, K, 3) with scores (B, T, K) and steps (B, T) to (B, T - window + 1, A, K, 4)."""
        given = (np.ascontiguousarray(array, np.float32) for array in (points, score, step))
        return np.asarray(self.session.run([OUTPUT], dict(zip(INPUTS, given, strict=True)))[0], np.float64)
