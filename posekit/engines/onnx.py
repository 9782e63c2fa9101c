"""ONNX Runtime's engine: a file that `posekit export` wrote. NumPy only, never torch."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from posekit.engines.outputs import INPUT, KEY, FromFile, poses_of, threads_of
from posekit.engines.spec import SpecError
from posekit.geometry.keypoints import Poses

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cpu": (CPU,),
    "cuda": ("CUDAExecutionProvider", CPU),
    "mps": ("CoreMLExecutionProvider", CPU),
}
"""Execution providers by device, the preferred first."""


class FallbackWarning(UserWarning):
    """The runtime computes on another device than asked for."""


class OnnxEngine(FromFile):
    """An exported model run by ONNX Runtime.

    Args:
        file: written by `posekit export`, or its content.
        device: "cpu", "cuda", "cuda:1", "mps", or "auto": a GPU if the installed runtime can use one.
        threads: of one operation; ``None``: as many as OMP_NUM_THREADS says, else the runtime chooses.
        providers: execution providers of ONNX Runtime by name, instead of ``device``.
        name: of the model in messages, where ``file`` is its content.

    Raises:
        SpecError: not an ONNX file, or not one of ours.
        ValueError: an unknown device, or a provider that is not installed.
    """

    def __init__(
        self,
        file: str | Path | bytes,
        device: str = "auto",
        *,
        threads: int | None = None,
        providers: tuple[str, ...] | None = None,
        name: str = "",
    ) -> None:
        name = name or (str(file) if isinstance(file, str | Path) else "the ONNX graph")
        wanted = _providers(device) if providers is None else _installed(providers)
        number = device.partition(":")[2] if providers is None else ""
        chosen = [(wanted[0], {"device_id": number}), *wanted[1:]] if number else list(wanted)
        self.session = open_session(file if isinstance(file, bytes) else Path(file), name, chosen, threads)
        used = self.session.get_providers()
        if used[0] != wanted[0]:
            warnings.warn(
                f"{name}: {wanted[0]} was asked for, but ONNX Runtime computes with {used[0]}, which may be much "
                "slower: its libraries or driver are missing",
                FallbackWarning,
                stacklevel=2,
            )
        self.provider = str(used[0])
        document = self.session.get_modelmeta().custom_metadata_map.get(KEY)
        names = [output.name for output in self.session.get_outputs()]
        super().__init__(name, document, names, self.session.get_inputs()[0].shape[1:3])

    def __call__(self, images: NDArray[np.uint8]) -> Poses:
        """Poses (B, N, K) of NumPy arrays in the pixels of images (B, H, W, 3), RGB, of the spec's size."""
        found = self.session.run(self.names, {INPUT: np.ascontiguousarray(images)})
        return poses_of(dict(zip(self.names, found, strict=True)))

    def maps(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """All outputs by name, raw maps included where they were exported."""
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, {INPUT: np.ascontiguousarray(images)}), strict=True))

    def __repr__(self) -> str:
        return f"OnnxEngine({Path(self.file).name}, {self.provider.removesuffix('ExecutionProvider')})"


class OnnxMaps:
    """A network without a codec, run by ONNX Runtime, such as those of MTCNN.

    Args:
        file: images (B, H, W, 3) float32, RGB in 0..255, to named maps.
        threads: see `OnnxEngine`.

    Raises:
        SpecError: not a readable ONNX file.
    """

    def __init__(self, file: Path, threads: int | None = None) -> None:
        self.file = file
        self.session = open_session(file, str(file), (CPU,), threads)
        self.names = [output.name for output in self.session.get_outputs()]

    def __repr__(self) -> str:
        return f"OnnxMaps({self.file.name})"

    def __call__(self, images: NDArray[np.floating]) -> dict[str, NDArray[np.float32]]:
        """Maps by name of images (B, H, W, 3), RGB in 0..255."""
        found = self.session.run(self.names, {INPUT: np.ascontiguousarray(images, dtype=np.float32)})
        return dict(zip(self.names, found, strict=True))


def open_session(file: Path | bytes, name: str, providers: Sequence[Any], threads: int | None) -> Any:
    """A session of the runtime.

    Raises:
        SpecError: no such file, or one that cannot be read.
    """
    if isinstance(file, Path) and not file.is_file():
        raise SpecError(f"{name}: no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_of(os.environ) if threads is None else threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            file if isinstance(file, bytes) else str(file), options, providers=list(providers)
        )
    except Exception as error:  # The runtime's own kinds of error have no common base.
        first = " ".join(str(error).split())[:300]
        raise SpecError(f"{name}: not a readable ONNX file ({first}); export it again") from None


def _providers(device: str) -> tuple[str, ...]:
    kind, colon, number = device.partition(":")
    if device == "auto":
        there = onnxruntime.get_available_providers()
        kind = "cuda" if PROVIDERS["cuda"][0] in there else "cpu"
    numbered = not colon or (kind == "cuda" and number.isdecimal())
    if kind not in PROVIDERS or not numbered:
        raise ValueError(f"no device {device!r} for ONNX Runtime (known: auto, {', '.join(PROVIDERS)})")
    return PROVIDERS[kind] if kind == "cpu" else _installed(PROVIDERS[kind])


def _installed(providers: tuple[str, ...]) -> tuple[str, ...]:
    """The providers, of which at least the first is installed.

    Raises:
        ValueError: it is not.
    """
    there = onnxruntime.get_available_providers()
    if not providers or providers[0] not in there:
        wanted = providers[0] if providers else "none"
        fix = "; pip install onnxruntime-gpu in place of onnxruntime" if wanted.startswith(("CUDA", "Tensorrt")) else ""
        raise ValueError(f"ONNX Runtime has no provider {wanted} here (installed: {', '.join(there)}){fix}")
    return tuple(name for name in providers if name in there)
