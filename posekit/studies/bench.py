"""`posekit bench`: how long each stage of a prediction takes, and what else a model costs, interleaved over models."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.data.image import read_image
from posekit.engines.spec import Engine, InferenceSpec
from posekit.geometry.keypoints import Poses
from posekit.pipelines.chain import Chain
from posekit.pipelines.predictor import PosePredictor, Predictor
from posekit.visualize.draw import draw_poses
from posekit.zoo.exported import exported_runtime
from posekit.zoo.folder import find_model
from posekit.zoo.layout import ONNX, TENSORS
from posekit.zoo.load import Runtime, is_chain, load, parts_of_chain

STAGES = ("read", "network", "crop and NMS", "draw and write")
"""Parts of a prediction: decoding the file; the network with its decoding; all else around it; the drawing."""
WARM = 2
"""Rounds before the timed ones."""
Boxes = NDArray[np.float64]


class Timed:
    """An engine that adds up the seconds it takes."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.seconds = engine, 0.0
        self.spec: InferenceSpec = engine.spec

    def __call__(self, images: NDArray[np.uint8]) -> Poses:
        """Poses of the engine."""
        start = time.perf_counter()
        try:
            return self.engine(images)
        finally:
            self.seconds += time.perf_counter() - start

    def __repr__(self) -> str:
        return repr(self.engine)


@dataclass(eq=False)
class Candidate:
    """A model that is timed.

    Args:
        name: as the user gave it, with the runtime where one was asked for.
        predictor: of the model, with timed engines.
        engines: those.
        stages: milliseconds of each stage, for each image in each round.
    """

    name: str
    predictor: PosePredictor
    engines: tuple[Timed, ...]
    stages: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})


def candidate(model: str, runtime: Runtime, threads: int, device: str = "cpu") -> Candidate:
    """Load a model to be timed.

    Args:
        model: what `posekit.load` takes.
        runtime: of the network.
        threads: of the runtime.
        device: where it runs.

    Raises:
        WeightsError: no such model.
        ValueError: a cascade, whose networks are not timed one by one.
    """
    predictor = load(model, runtime=runtime, device=device, threads=threads)
    engines = tuple(_timed(part) for part in _parts(model, predictor))
    return Candidate(model if runtime == "auto" else f"{model} ({runtime})", predictor, engines)


def _parts(model: str, predictor: PosePredictor) -> list[Predictor]:
    parts = [predictor.finder, predictor.pose] if isinstance(predictor, Chain) else [predictor]
    singles = [part for part in parts if isinstance(part, Predictor)]
    if len(singles) != len(parts):
        raise ValueError(f"{model}: only single models and two in a row can be timed; got {type(predictor).__name__}")
    return singles


def _timed(predictor: Predictor) -> Timed:
    timed = Timed(predictor.engine)
    predictor.engine = timed
    return timed


def run(
    candidates: Sequence[Candidate],
    files: Sequence[Path],
    boxes: Mapping[Path, Boxes] | None,
    rounds: int,
    batch: int,
    seen: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Time all candidates on all images, one after the other in each round, so that other load affects all alike.

    Args:
        candidates: their ``stages`` are filled.
        files: images.
        boxes: of each image, for models of crops; ``None``: each image is one box.
        rounds: timed rounds over all images.
        batch: images in a call; times are those of one image.
        seen: called with the number of finished rounds and of all.
    """
    groups = [list(files[start : start + batch]) for start in range(0, len(files), batch)]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(WARM + rounds):
            for group in groups:
                for one in candidates:
                    spent = _once(one, group, boxes, Path(folder) / "drawn.jpg")
                    if number >= WARM:
                        for stage, seconds in spent.items():
                            one.stages[stage].append(1000 * seconds / len(group))
            seen(number + 1, WARM + rounds)


def _once(one: Candidate, files: list[Path], boxes: Mapping[Path, Boxes] | None, target: Path) -> dict[str, float]:
    """Seconds of each stage for some images."""
    start = time.perf_counter()
    images = [read_image(file) for file in files]
    read = time.perf_counter()
    for engine in one.engines:
        engine.seconds = 0.0
    own = [boxes[file] for file in files] if boxes is not None and one.predictor.needs_boxes else None
    found = one.predictor(images, own)
    predicted = time.perf_counter()
    for image, poses in zip(images, found, strict=True):
        if not one.predictor.needs_boxes:
            poses = poses[poses.instance_score >= one.predictor.instance_threshold]
        drawn = draw_poses(image, poses.xy, poses.score, one.predictor.skeleton)
        cv2.imwrite(str(target), np.ascontiguousarray(drawn[..., ::-1]))
    written = time.perf_counter()
    network = sum(engine.seconds for engine in one.engines)
    return dict(
        zip(STAGES, (read - start, network, predicted - read - network, written - predicted), strict=True),
    )


def summary(one: Candidate) -> dict[str, Any]:
    """Median and 95th percentile of each stage and of their sum, milliseconds; share of the network without drawing."""
    total = np.sum([one.stages[stage] for stage in STAGES], axis=0)
    kinds = {**one.stages, "all": total.tolist()}
    median = {stage: round(float(np.median(times)), 3) for stage, times in kinds.items()}
    before = sum(median[stage] for stage in STAGES[:3])
    return {
        "median_ms": median,
        "p95_ms": {stage: round(float(np.quantile(times, 0.95)), 3) for stage, times in kinds.items()},
        "images_per_second": round(1000 / median["all"], 2),
        "network_share": round(median["network"] / before, 3),
    }


def cold_start(model: str, runtime: Runtime, threads: int, device: str = "cpu") -> dict[str, float]:
    """Seconds from the first import to the first poses, CPU seconds of that, and peak memory; in a new process.

    Raises:
        RuntimeError: the process failed.
    """
    code = f"""
import json, sys, time
start = time.perf_counter()
import numpy as np
import posekit
find = posekit.load({model!r}, runtime={runtime!r}, device={device!r}, threads={threads})
find(np.full((480, 640, 3), 114, np.uint8))
wall = time.perf_counter() - start
try:
    # Not the peak of getrusage, which a new process takes over from the one that started it.
    lines = open("/proc/self/status").read().splitlines()
    peak = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
except (OSError, StopIteration):
    peak = 0.0
print(json.dumps({{"wall_s": wall, "cpu_s": time.process_time(), "peak_MB": peak}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{model}: the cold start failed: {done.stderr.strip().splitlines()[-1]}")
    return {name: round(value, 3) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def size_on_disk(model: str, runtime: Runtime = "auto") -> int:
    """Bytes of the files that are read to run a model."""
    if is_chain(model):
        return sum(size_on_disk(part, runtime) for part in parts_of_chain(model))
    if exported_runtime(model) == "openvino":
        return sum(Path(model).with_suffix(suffix).stat().st_size for suffix in (".xml", ".bin"))
    if exported_runtime(model):
        return Path(model).stat().st_size
    folder = find_model(model)
    onnx = runtime == "onnx" or (runtime == "auto" and (folder / ONNX).is_file())
    return (folder / (ONNX if onnx else TENSORS)).stat().st_size
