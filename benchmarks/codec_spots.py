"""Time, memory and results of every codec compared with another checkout, in one interleaved run.

    python -m benchmarks.codec_spots PATH_OF_THE_OTHER_CHECKOUT [--rounds N] [--only NAME...] [--quick]

Crops of 256x192, 32 at a time, with 17 points and maps of stride 4; ellipses of 133 points too; full images of
512x512, 8 at a time, with 8 people each. Each checkout runs in a process of its own, on one thread; they alternate
row by row and round by round. Times are process CPU time. Memory is the peak of tensors allocated inside a call, with
its result (`benchmarks.memory`); the size of the result is also given. The results of both for the same input are
compared: ``difference`` is the largest difference for each name, where it is not 0. ``--quick`` takes three rounds
and writes no file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.record import ROOT, write
from posekit.studies.timing import Times, alternating, ratio

SIDES = ("before", "after")


class Worker:
    """The process of one checkout; see `benchmarks.codec_spots_worker`."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        folder.mkdir()
        script = Path(__file__).with_name("codec_spots_worker.py")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
        # -P: the other checkout's code is imported, not what lies beside the script.
        command = [sys.executable, "-P", str(script), str(folder)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.names = self._line().split(", ")

    def _line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line:
            raise RuntimeError(
                f"{self.process.args} ended with status {self.process.wait()}: run it by hand to see why"
            )
        return line

    def ask(self, what: str, row: str) -> str:
        """The worker's answer to one line."""
        assert self.process.stdin
        print(what, row, file=self.process.stdin, flush=True)
        return self._line()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def differences(before: Path, after: Path) -> dict[str, float]:
    """The largest difference of two saved results, for each name where there is one."""
    old, new = torch.load(before), torch.load(after)
    if set(old) != set(new):
        raise RuntimeError(f"results have different names: {sorted(old)} and {sorted(new)}")
    found = {
        name: float((old[name].double().expand(new[name].shape) - new[name]).abs().max())
        for name in old
        if old[name].numel()
    }
    return {name: value for name, value in found.items() if value}


def measured(workers: dict[str, Worker], names: list[str], rounds: int) -> dict[str, Any]:
    """Figures of every row."""
    rows = {}
    for row in (f"{name} {call}" for name in names for call in ("encode", "decode")):
        clocks = {
            side: lambda worker=worker, row=row: float(worker.ask("time", row)) for side, worker in workers.items()
        }
        times: Times = alternating(clocks, rounds, warm=2)
        files = [Path(workers[side].ask("results", row)) for side in SIDES]
        rows[row] = {
            "ms": {side: round(median(times[side]), 3) for side in SIDES},
            "times_as_fast": round(ratio(times, *SIDES), 2),
            "peak_bytes": {side: int(workers[side].ask("memory", row)) for side in SIDES},
            "output_bytes": int(workers["after"].ask("output", row)),
            "difference": differences(*files),
        }
        show(row, rows[row])
    return rows


def show(row: str, found: dict[str, Any]) -> None:
    """Print one row."""
    ms, peak = found["ms"], {side: value / 2**20 for side, value in found["peak_bytes"].items()}
    print(
        f"{row:28}{ms['before']:9.2f} -> {ms['after']:8.2f} ms{peak['before']:8.1f} -> {peak['after']:6.1f} MiB, output"
        f"{found['output_bytes'] / 2**20:6.1f}, difference {max(found['difference'].values(), default=0.0):.1e}",
        flush=True,
    )


def main() -> None:
    """Measure both checkouts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="folder of the checkout to compare with")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", default=[], help="only codecs whose names start with one of these")
    parser.add_argument("--quick", action="store_true", help="three rounds, no result file")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers = {}
        for side, checkout in zip(SIDES, (asked.other.resolve(), ROOT), strict=True):
            workers[side] = Worker(checkout, folder / side)
            stack.callback(workers[side].close)
        names = [name for name in workers["after"].names if name in workers["before"].names]
        names = [name for name in names if not asked.only or name.startswith(tuple(asked.only))]
        rows = measured(workers, names, 3 if asked.quick else asked.rounds)
    if not asked.quick and not asked.only:
        print(f"in {write('codec_spots', {'rows': rows}, before=commit(asked.other))}")


def commit(checkout: Path) -> str:
    """The commit of a checkout."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
