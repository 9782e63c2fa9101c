"""Encode and decode of every codec on one thread, against merely filling the output and against MMPose.

    POSEKIT_MMPOSE_PYTHON=/path/to/python python -m benchmarks.codecs

Rows alternate in rounds; figures are process CPU time. MMPose runs in the interpreter that POSEKIT_MMPOSE_PYTHON names
(see tests/parity/make_mmpose_goldens.py for what to install there) and is asked for one batch at a time; without it its
rows and aims are left out.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import write
from benchmarks.timing import Times, aim, alternating, cpu_ms, ratio, summary
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import Instances, Keypoints

INTERPRETER = "POSEKIT_MMPOSE_PYTHON"
B, K, IMAGE = 64, 17, (256, 192)
GRID = Grid.of(IMAGE, 4)
CODECS = {
    "quantised": Heatmap(points=K, grid=GRID, target="quantised", refine="quarter"),
    "unbiased": Heatmap(points=K, grid=GRID),
    "parabola": Heatmap(points=K, grid=GRID, refine="parabola"),
    "integral": Integral(points=K, grid=GRID),
    "dsnt": Dsnt(points=K, grid=GRID),
    "regression": Regression(points=K, size=IMAGE),
    "rle": Rle(points=K, size=IMAGE),
    "simcc": SimCC(points=K, size=IMAGE),
}
DECODES = {"quantised": "quarter", "unbiased": "dark"}
"""What a decode is called where it is not called like its codec."""


def labels() -> Instances:
    """Random points of B images."""
    height, width = IMAGE
    xy = torch.rand(B, 1, K, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([width, height])
    return Instances(
        keypoints=Keypoints(xy=xy, visibility=torch.full((B, 1, K), 2)),
        boxes=torch.zeros(B, 1, 4),
        area=torch.ones(B, 1),
        category=torch.zeros(B, 1, dtype=torch.long),
        role=torch.ones(B, 1, dtype=torch.long),
    )


def outputs(codec: Any, instances: Instances) -> dict[str, torch.Tensor]:
    """Raw maps as a network gives them: Gaussians with noise where there are maps of cells, else noise."""
    noise = torch.Generator().manual_seed(1)
    maps = {name: torch.rand(B, *shape, generator=noise) for name, shape in codec.shapes.items()}
    if "heatmap" in maps:
        drawn = Heatmap(points=K, grid=GRID).encode(instances).maps["heatmap"]
        maps["heatmap"] = drawn + 0.02 * maps["heatmap"]
    return maps


def rows() -> dict[str, Callable[[], Any]]:
    """Our rows, and the floor under an encode: memory of the same size, made and filled."""
    instances = labels()
    calls: dict[str, Callable[[], Any]] = {"fill": lambda: torch.full((B, K, *GRID.shape), 0.5)}
    for name, codec in CODECS.items():
        maps = outputs(codec, instances)
        if name != "parabola":
            calls[f"{name} encode"] = lambda codec=codec: codec.encode(instances)
        calls[f"{DECODES.get(name, name)} decode"] = lambda codec=codec, maps=maps: codec.decode(maps)
    return calls


@contextmanager
def reference() -> Iterator[tuple[str, dict[str, Callable[[], float]]]]:
    """MMPose's version and its rows, each timing itself; none where no interpreter is named."""
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


def aims(times: Times) -> dict[str, Any]:
    """The figures we hold ourselves to."""
    found = {
        f"{name} encode over fill": aim(ratio(times, f"{name} encode", "fill"), most=4)
        for name in ("quantised", "unbiased")
    }
    for row, least in (("quantised encode", 5), ("unbiased encode", 5), ("dark decode", 10)):
        if f"mmpose {row}" in times:
            found[f"mmpose {row} over ours"] = aim(ratio(times, f"mmpose {row}", row), least=least)
    return found


def main(rounds: int = 15) -> dict[str, Any]:
    """Time and write `codecs.json`."""
    torch.set_num_threads(1)
    with reference() as (version, theirs):
        ours = {name: lambda call=call: cpu_ms(call) for name, call in rows().items()}
        times = alternating({**ours, **theirs}, rounds)
    result = {"batch": [B, K, *GRID.shape], "reference": version, "aims": aims(times), "rows": summary(times)}
    file = write("codecs", result)
    for name, row in result["rows"].items():
        print(f"{name:28} {row['median_ms']:9.2f} ms")
    print(f"reference: {version}; in {file}")
    return result


if __name__ == "__main__":
    main()
