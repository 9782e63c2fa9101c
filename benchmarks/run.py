"""All speed benchmarks, their aims, and the chart of the codecs: `make bench`.

    [POSEKIT_MMPOSE_PYTHON=...] [POSEKIT_DATA=...] python -m benchmarks.run

Results go to `benchmarks/results/*.json`, the chart to `docs/images/bench_codecs.png`. Takes a few minutes on one
thread. `benchmarks.ladder`, which trains, is run by itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

CHART = Path(__file__).parents[1] / "docs" / "images" / "bench_codecs.png"


def chart(result: dict[str, Any], file: Path) -> None:
    """Encode and decode of every row as bars, with MMPose's beside those that it has too."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = {name: row["median_ms"] for name, row in result["rows"].items()}
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for panel, what in zip(panels, ("encode", "decode"), strict=True):
        names = [n.removesuffix(f" {what}") for n in times if n.endswith(what) and not n.startswith("mmpose")]
        theirs = {n: times[f"mmpose {n} {what}"] for n in names if f"mmpose {n} {what}" in times}
        for offset, label, values in (
            (-0.2, "posekit", {n: times[f"{n} {what}"] for n in names}),
            (0.2, "MMPose 1.3.2", theirs),
        ):
            at = [names.index(n) + offset for n in values]
            bars = panel.barh(at, list(values.values()), 0.38, label=label, color=("C0" if offset < 0 else "0.65"))
            panel.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
        if what == "encode":
            panel.axvline(times["fill"], color="k", lw=0.8, ls=":", label="merely filling the maps")
        panel.set(yticks=range(len(names)), yticklabels=names, xscale="log", title=what)
        panel.set_xlabel("CPU ms for 64 images of 17 points, one thread")
        panel.set_xlim(min(times.values()) / 1.5, 2.5 * max(times.values()))
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def table(results: dict[str, dict[str, Any]]) -> bool:
    """Print every aim; tells whether all are met."""
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
    chart(results["codecs"], CHART)
    print(f"chart in {CHART}")
    if not table(results):
        print("not all aims are met; on a busy machine run it again before believing that")


if __name__ == "__main__":
    main()
