"""OpenVINO's engine: a file that `posekit export --to openvino` wrote. NumPy only, never torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.engines.outputs import INPUT, KEY, FromFile, poses_of, threads_of
from posekit.engines.spec import SpecError
from posekit.extras import require
from posekit.geometry.keypoints import Poses

DEVICES = {"auto": "CPU", "cpu": "CPU", "cuda": "GPU", "gpu": "GPU", "npu": "NPU"}
"""OpenVINO's devices; ``auto`` is the CPU, on which results are the same everywhere."""


class OpenVinoEngine(FromFile):
    """An exported model run by OpenVINO, in 32 bits where the file does not say otherwise.

    Args:
        file: the .xml file that `posekit export` wrote; its .bin file is beside it.
        device: "cpu", "gpu", "npu"; "auto" is the CPU.
        threads: on the CPU; ``None``: as many as OMP_NUM_THREADS says, else the runtime chooses.

    Raises:
        SpecError: not a model of OpenVINO, or not one of ours.
        ValueError: an unknown device, or one that is not there.
        ModuleNotFoundError: OpenVINO is not installed; the message names the extra.
    """

    def __init__(self, file: str | Path, device: str = "auto", *, threads: int | None = None) -> None:
        if device not in DEVICES:
            raise ValueError(f"no device {device!r} for OpenVINO (known: {', '.join(DEVICES)})")
        for part in (Path(file), Path(file).with_suffix(".bin")):
            if not part.is_file():
                raise SpecError(f"{part}: no such file; an .xml file and its .bin file lie beside each other")
        openvino = require("openvino", "a model for OpenVINO")
        core = openvino.Core()
        there = core.available_devices
        if not any(name.split(".")[0] == DEVICES[device] for name in there):
            raise ValueError(f"OpenVINO has no device {DEVICES[device]} here (there are: {', '.join(there)})")
        try:
            model = core.read_model(str(file))
        except RuntimeError as error:
            first = " ".join(str(error).split())[:300]
            raise SpecError(f"{file}: not readable by OpenVINO ({first}); export it again") from None
        document = model.get_rt_info(KEY).astype(str) if model.has_rt_info(KEY) else None
        names = [output.get_any_name() for output in model.outputs]
        size = [side.get_length() if side.is_static else str(side) for side in model.inputs[0].partial_shape][1:3]
        super().__init__(str(file), document, names, size)
        count = threads_of(os.environ) if threads is None else threads
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if DEVICES[device] == "CPU":
            # A CPU with 16-bit units would otherwise compute in 16 bits.
            options |= {"INFERENCE_PRECISION_HINT": "f32"} | ({"INFERENCE_NUM_THREADS": count} if count else {})
        self.compiled = core.compile_model(model, DEVICES[device], options)

    def __call__(self, images: NDArray[np.uint8]) -> Poses:
        """Poses (B, N, K) of NumPy arrays in the pixels of images (B, H, W, 3), RGB, of the spec's size."""
        found = self.compiled({INPUT: np.ascontiguousarray(images)})
        return poses_of({name: np.array(found[name]) for name in self.names})

    def __repr__(self) -> str:
        return f"OpenVinoEngine({Path(self.file).name})"
