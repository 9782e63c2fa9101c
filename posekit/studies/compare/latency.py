"""How long a crop takes with the exported file of each method, interleaved, so that other load affects all alike."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.dataset import Dataset
from posekit.engines.spec import InferenceSpec
from posekit.exporting.images import from_labels
from posekit.studies.compare.race import folder_of
from posekit.studies.timing import alternating, cpu_ms
from posekit.zoo.exported import open_exported

ROUNDS = 40
"""Timed rounds over all methods."""
FILE = "latency.json"


def latencies(
    out: Path, cost: Mapping[str, Mapping[str, Any]], val: Dataset, spec: InferenceSpec, device: str
) -> dict[str, dict[str, float]]:
    """``ms`` (median) and ``p95_ms`` of one crop, one thread; times that the folder already has are kept.

    On a CPU process time is taken, which other processes disturb least; on other devices the time that passes.

    Args:
        out: folder of the comparison.
        cost: of the finalists; those with ``onnx`` are timed.
        val: gives the crop.
        spec: size and framing.
        device: of the comparison.
    """
    names = [name for name, own in cost.items() if "onnx" in own]
    file = out / FILE
    if file.exists():
        before: dict[str, dict[str, float]] = json.loads(file.read_text(encoding="utf-8"))
        if list(before) == names:
            return before
    crop = from_labels(spec, val, 1)
    where = "cpu" if device == "cpu" else "auto"
    calls = {
        name: partial(open_exported(folder_of(out, name) / str(cost[name]["onnx"]), where, threads=1), crop)
        for name in names
    }
    clock = cpu_ms if where == "cpu" else _wall_ms
    times = alternating({name: partial(clock, call) for name, call in calls.items()}, ROUNDS, warm=5)
    found = {
        name: {"ms": float(np.median(spent)), "p95_ms": float(np.quantile(spent, 0.95))}
        for name, spent in times.items()
    }
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _wall_ms(call: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)
