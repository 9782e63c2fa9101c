"""All speed benchmarks, their targets, and the chart of the codecs: `make bench`.

    [POSEKIT_MMPOSE_PYTHON=...] [POSEKIT_DATA=...] python -m benchmarks.run

Results go to `benchmarks/results/*.json`, the chart of the codecs to `benchmarks/results/codecs.png`. Takes a few
minutes on one thread. `benchmarks.ladder`, which trains, is a separate command.
"""

from __future__ import annotations

import os
from typing import Any


def table(results: dict[str, dict[str, Any]]) -> bool:
    """Print every target; return whether all are met."""
    from rich.console import Console
    from rich.table import Table

    rows = Table("aim", "figure", "bound", "")
    aims = {name: aim for result in results.values() for name, aim in result["aims"].items()}
    for name, aim in aims.items():
        bound = f"at least {aim['at_least']:g}" if "at_least" in aim else f"at most {aim['at_most']:g}"
        rows.add_row(name, f"{aim['figure']:.3g}", bound, "met" if aim["met"] else "MISSED")
    Console(width=100).print(rows)
    return all(aim["met"] for aim in aims.values())


def main() -> None:
    """Run everything."""
    # Before torch is imported: on a busy machine two threads are slower than one, and figures are for one.
    os.environ["OMP_NUM_THREADS"] = "1"
    from benchmarks import codecs, loader, startup, step

    results = {"startup": startup.main(), "codecs": codecs.main(), "loader": loader.main(), "step": step.main()}
    if not table(results):
        print("not all aims are met; on a busy machine run it again before believing that")


if __name__ == "__main__":
    main()
