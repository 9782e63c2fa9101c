"""What an exported graph gives: named arrays that make up `Poses`, and the spec in the file's metadata. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from posekit.engines.spec import InferenceSpec, SpecError
from posekit.geometry.keypoints import Poses
from posekit.validation import explain

KEY = "posekit"
"""Name of the metadata entry."""
FORMAT = 1
"""Version of the metadata."""

INPUT = "image"
"""Name of the graph's input: (B, H, W, 3) uint8, RGB."""
ALWAYS = ("xy", "score", "instance_score")
OUTPUTS = (*ALWAYS, "boxes", "spread", "visible", "depth")
"""Names of the graph's outputs, those of the fields of `Poses`; other outputs are raw maps."""
MAP = "map_"
"""Prefix of the names of raw maps."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Metadata:
    """What the file of an exported model says of itself, as JSON.

    Args:
        spec: of the model; its ``flip_test`` says whether the graph contains the flip test.
        precision: of the stored numbers: ``fp32``, ``fp16``, ``int8``, or ``int8-weights`` where only these are.
        weights: SHA-256 of the tensors that were exported; empty if unknown.
        version: of posekit.
        format: version of this document.
    """

    spec: InferenceSpec
    precision: str = "fp32"
    weights: str = ""
    version: str = ""
    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT


_ADAPTER: TypeAdapter[Metadata] = TypeAdapter(Metadata)


def dump_metadata(metadata: Metadata) -> str:
    """The metadata as JSON."""
    return _ADAPTER.dump_json(metadata).decode()


def parse_metadata(text: str | None, where: str) -> Metadata:
    """The metadata of a file.

    Args:
        text: JSON; ``None`` where the file has none.
        where: the file, for the message.

    Raises:
        SpecError: none there, or it is damaged or of another version.
    """
    if not text:
        raise SpecError(
            f"{where}: it has no metadata of posekit, so skeleton, input and decoding are unknown; expected a file "
            "that `posekit export` wrote"
        )
    try:
        return _ADAPTER.validate_json(text)
    except (ValidationError, RecursionError) as error:
        found = _format_of(text)
        if isinstance(found, int) and found > FORMAT:
            raise SpecError(f"{where}: metadata of format {found}, this posekit reads {FORMAT}: upgrade it") from None
        what = explain(error) if isinstance(error, ValidationError) else str(error)
        raise SpecError(f"{where}: metadata: {what}") from None


def _format_of(text: str) -> Any:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document.get("format") if isinstance(document, dict) else None


def check_outputs(names: Sequence[str], where: str) -> None:
    """Refuse a graph without the outputs of `ALWAYS`.

    Raises:
        SpecError: one is missing.
    """
    if missing := [name for name in ALWAYS if name not in names]:
        raise SpecError(f"{where}: the graph has no output {', '.join(missing)} (it has {', '.join(names)})")


def check_spec(exported: InferenceSpec, asked: InferenceSpec, where: str) -> None:
    """Refuse a spec that does not fit the graph: of another model, or with another flip test or suppression.

    Raises:
        ValueError: size or points differ; the flip test is asked for and the graph has none, or the reverse; or the
            graph suppresses duplicates, and the spec asks for another suppression or for several views.
    """
    if (asked.size, asked.skeleton) != (exported.size, exported.skeleton):
        raise ValueError(
            f"{where}: this is the graph of another model ({_named(exported)}) than the spec is for ({_named(asked)}): "
            "export again"
        )
    if asked.flip_test != exported.flip_test:
        has, option = ("has one", "False") if exported.flip_test else ("has none", "True")
        raise ValueError(
            f"{where}: the flip test is part of the graph, and this one {has}: export again with --flip-test {option}"
        )
    suppression = [(spec.nms_in_graph, spec.nms.method, spec.nms.threshold) for spec in (asked, exported)]
    if exported.nms_in_graph and (asked.framing != exported.framing or suppression[0] != suppression[1]):
        raise ValueError(
            f"{where}: duplicates are suppressed in the graph, which sees one view of an image: leave out scales, "
            "tiles and other suppressions, or export again without --nms"
        )


def _named(spec: InferenceSpec) -> str:
    size = f"{spec.size[0]}x{spec.size[1]}"
    return f"{spec.name}: {len(spec.skeleton.points)} points of {spec.skeleton.name!r}, {size}"


def poses_of(outputs: Mapping[str, NDArray[Any]]) -> Poses:
    """Poses (B, N, K) of a graph's outputs by name, float32; raw maps are left out."""
    return Poses(**{name: np.asarray(outputs[name], np.float32) for name in OUTPUTS if name in outputs})


class FromFile:
    """What engines of exported files share.

    Args:
        file: its name, for messages.
        document: the metadata of the file, JSON.
        names: of the graph's outputs.
        size: height and width of the graph's input.

    Raises:
        SpecError: the file is not one of ours, or its metadata is for another input.
    """

    def __init__(self, file: str, document: str | None, names: Sequence[str], size: Sequence[Any]) -> None:
        self.file = file
        self.metadata = parse_metadata(document, file)
        self.spec: InferenceSpec = self.metadata.spec
        if tuple(size) != self.spec.size:
            raise SpecError(
                f"{file}: the graph takes images of {size[0]}x{size[1]}, its metadata says "
                f"{self.spec.size[0]}x{self.spec.size[1]}: export it again"
            )
        check_outputs(names, file)
        self.names = [name for name in names if name in OUTPUTS]

    def with_spec(self, spec: InferenceSpec) -> Self:
        """The same engine with another spec, for what happens outside the graph; a flip test is inside.

        Raises:
            ValueError: it is of another model, or asks for a flip test and the graph has none, or the reverse.
        """
        check_spec(self.metadata.spec, spec, self.file)
        self.spec = spec
        return self


def threads_of(environment: Mapping[str, str]) -> int:
    """Threads asked for by OMP_NUM_THREADS, of a list the first; 0 leaves the choice to the runtime."""
    asked = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(asked) if asked.isascii() and asked.isdecimal() else 0
