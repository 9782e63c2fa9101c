"""Time and memory of every representation on one thread, compared with a training step, a plain fill and MMPose.

    [POSEKIT_MMPOSE_PYTHON=/path/to/python] python -m benchmarks.codecs [--quick]

Crops of 256x192 with 17 points, 64 at a time; representations with very large maps run in smaller batches, and their
figures are scaled to 64 crops. Rows alternate in rounds; times are process CPU time. Memory is the peak of tensors
allocated inside a call, temporaries and result, from torch's profiler (`benchmarks.memory`). The share of a training
step is measured by `benchmarks.codec_share`.

MMPose runs in the interpreter that POSEKIT_MMPOSE_PYTHON names (tests/parity/make_mmpose_goldens.py says what to
install there), one batch at a time. Without it, its earlier figures are kept, with the commit at which they were
measured. ``--quick`` takes fewer rounds, prints the table and writes no file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch

from benchmarks.codec_chart import chart
from benchmarks.codec_share import MOST as MOST_SHARE
from benchmarks.codec_share import shares
from benchmarks.memory import peak_bytes
from benchmarks.record import RESULTS, write
from posekit.codecs.base import Codec, Maps
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, STRIDE, topdown
from posekit.skeletons.body import COCO17
from posekit.studies.codecs import inner_points
from posekit.studies.timing import Times, aim, alternating, cpu_ms, ratio, summary

INTERPRETER = "POSEKIT_MMPOSE_PYTHON"
B, K, IMAGE = 64, len(COCO17.points), PLAIN.size
NUMBERS = 1 << 25
"""Largest size of the maps of one batch, 128 MiB."""
COMPARED = {
    "quantised encode": "heatmap encode",
    "unbiased encode": "dark encode",
    "quarter decode": "heatmap decode",
    "dark decode": "dark decode",
    "simcc encode": "simcc encode",
}
"""MMPose's rows, and ours that do the same."""

Calls = dict[str, Callable[[], Any]]


def codecs() -> dict[str, Codec]:
    """Every representation as the plain recipe has it."""
    return {name: topdown("bench", PLAIN, name, COCO17).codec for name in REPRESENTATIONS}


def batch_of(codec: Codec) -> int:
    """Crops at a time: 64, halved until the maps are small enough."""
    numbers, batch = sum(prod(shape) for shape in codec.shapes.values()), B
    while batch > 1 and batch * numbers > NUMBERS:
        batch //= 2
    return batch


def outputs(codec: Codec, batch: int) -> Maps:
    """Raw maps of a good network: perfect ones with noise."""
    noise = torch.Generator().manual_seed(1)
    maps = codec.perfect(codec.encode(inner_points(codec, batch)))
    return {name: value + 0.02 * torch.rand(value.shape, generator=noise) for name, value in maps.items()}


def calls() -> Calls:
    """Our rows, and the lower limit of an encode: allocating and filling memory of the usual size of maps."""
    cells = [side // STRIDE for side in IMAGE]
    found: Calls = {"fill": lambda: torch.full((B, K, *cells), 0.5)}
    for name, codec in codecs().items():
        batch = batch_of(codec)
        labels, maps = inner_points(codec, batch), outputs(codec, batch)
        found[f"{name} encode"] = lambda codec=codec, labels=labels: codec.encode(labels)
        found[f"{name} decode"] = lambda codec=codec, maps=maps: codec.decode(maps)
    return found


def scales() -> dict[str, float]:
    """Factors from one call of a row to 64 crops."""
    return {f"{name} {what}": B / batch_of(codec) for name, codec in codecs().items() for what in ("encode", "decode")}


def scaled(rows: Calls) -> dict[str, Callable[[], float]]:
    """Times of our rows, for 64 crops."""
    factors = {"fill": 1.0, **scales()}

    def clock(name: str) -> float:
        return factors[name] * cpu_ms(rows[name])

    return {name: partial(clock, name) for name in rows}


def memory(rows: Calls) -> dict[str, int]:
    """Peak bytes of each row, for 64 crops."""
    return {name: round(factor * peak_bytes(rows[name])) for name, factor in scales().items()}


@contextmanager
def reference() -> Iterator[tuple[str, dict[str, Callable[[], float]]]]:
    """MMPose's version and rows; nothing without an interpreter."""
    interpreter = os.environ.get(INTERPRETER)
    if not interpreter:
        yield f"not timed: {INTERPRETER} is not set", {}
        return
    command = [interpreter, str(Path(__file__).with_name("mmpose_worker.py"))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as worker:

        def ask(row: str) -> float:
            assert worker.stdin and worker.stdout
            print(row, file=worker.stdin, flush=True)
            return float(worker.stdout.readline())

        assert worker.stdout and worker.stdin
        version, _, names = worker.stdout.readline().strip().partition(": ")
        yield version, {f"mmpose {row}": lambda row=row: ask(row) for row in names.split(", ")}
        worker.stdin.close()


def aims(times: Times, step: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The targets."""
    found = {
        f"{row} over fill": aim(ratio(times, COMPARED[row], "fill"), most=4)
        for row in ("quantised encode", "unbiased encode")
    }
    for row, least in (("quantised encode", 5), ("unbiased encode", 5), ("dark decode", 10)):
        if f"mmpose {row}" in times:
            found[f"mmpose {row} over ours"] = aim(ratio(times, f"mmpose {row}", COMPARED[row]), least=least)
    largest = max(figures["share"]["figure"] for figures in step.values())
    return {**found, "largest share of a training step among codecs": aim(largest, most=MOST_SHARE)}


def with_earlier(result: dict[str, Any], file: Path) -> dict[str, Any]:
    """The result, with MMPose's figures of an earlier one where MMPose was not measured.

    Rows and targets that are kept name the commit at which they were measured.
    """
    if any(name.startswith("mmpose") for name in result["rows"]) or not file.exists():
        return result
    before = json.loads(file.read_text(encoding="utf-8"))
    merged = dict(result)
    for part in ("aims", "rows"):
        kept = {
            name: {"commit": before["commit"], **value}
            for name, value in before[part].items()
            if name.startswith("mmpose")
        }
        merged[part] = {**result[part], **kept}
    if any(name.startswith("mmpose") for name in merged["rows"]):
        merged["reference"] = before["reference"]
    return merged


def measured(rounds: int, step_rounds: int) -> dict[str, Any]:
    """All figures."""
    rows = calls()
    with reference() as (version, theirs):
        times = alternating({**scaled(rows), **theirs}, rounds)
    peaks, step = memory(rows), shares(step_rounds)
    figures = summary(times)
    for name, peak in peaks.items():
        figures[name]["peak_bytes"] = peak
    return {
        "batch": [B, K, *(side // STRIDE for side in IMAGE)],
        "reference": version,
        "compared": COMPARED,
        "aims": aims(times, step),
        "step": step,
        "rows": figures,
    }


def show(result: Mapping[str, Any]) -> None:
    """Print the figures of every representation."""
    print(f"{'':14}{'encode':>11}{'decode':>11}{'encode':>11}{'decode':>11}{'of a step':>11}")
    for name in result["step"]:
        encode, decode = (result["rows"][f"{name} {what}"] for what in ("encode", "decode"))
        print(
            f"{name:14}{encode['median_ms']:8.2f} ms{decode['median_ms']:8.2f} ms"
            f"{encode['peak_bytes'] / 2**20:7.1f} MiB{decode['peak_bytes'] / 2**20:7.1f} MiB"
            f"{100 * result['step'][name]['share']['figure']:10.2f}%"
        )


def main(rounds: int = 9, step_rounds: int = 3, keep: bool = True) -> dict[str, Any]:
    """Measure; write `codecs.json` and the chart if ``keep``."""
    torch.set_num_threads(1)
    result = measured(rounds, step_rounds)
    show(result)
    if keep:
        result = with_earlier(result, RESULTS / "codecs.json")
        file = write("codecs", result)
        chart(result, file.with_suffix(".png"))
        print(f"reference: {result['reference']}; in {file}")
    return result


if __name__ == "__main__":
    main(*((2, 1, False) if "--quick" in sys.argv[1:] else ()))
