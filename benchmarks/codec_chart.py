"""The chart of the codecs: time, memory, and share of a training step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.codec_share import MOST


def chart(result: Mapping[str, Any], file: Path) -> None:
    """Bars for encode and decode of every representation (MMPose's too where it has one), memory, share of a step."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(result["step"])
    size = (13, 1.4 + 0.3 * len(names))
    figure, panels = pyplot.subplots(1, 4, figsize=size, layout="constrained", sharey=True)
    for panel, what in zip(panels[:2], ("encode", "decode"), strict=True):
        _times(panel, result, names, what)
    _memory(panels[2], result, names)
    share = [100 * result["step"][name]["share"]["figure"] for name in names]
    panels[3].bar_label(panels[3].barh(range(len(names)), share, 0.6, color="C2"), fmt="%.2g", padding=3, fontsize=8)
    panels[3].axvline(100 * MOST, color="k", lw=0.8, ls=":")
    panels[3].set(title="share of a training step", xlabel="% of ResNet-18, batch 8; dotted: aim")
    panels[3].set_xlim(0, 1.3 * max(*share, 100 * MOST))
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set(yticks=range(len(names)), yticklabels=names)
    panels[0].invert_yaxis()
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)
    pyplot.close(figure)


def _times(panel: Any, result: Mapping[str, Any], names: list[str], what: str) -> None:
    """CPU milliseconds on a logarithmic axis."""
    rows = result["rows"]
    ours = {names.index(name): rows[f"{name} {what}"]["median_ms"] for name in names}
    theirs = {
        names.index(own.split()[0]): rows[f"mmpose {other}"]["median_ms"]
        for other, own in result["compared"].items()
        if own.endswith(what) and f"mmpose {other}" in rows
    }
    commits = {row["commit"] for name, row in rows.items() if name.startswith("mmpose") and "commit" in row}
    other = result["reference"] + "".join(f", measured beside {commit}" for commit in sorted(commits))
    for offset, label, values, colour in ((-0.2, "posekit", ours, "C0"), (0.2, other, theirs, "0.65")):
        bars = panel.barh([at + offset for at in values], list(values.values()), 0.38, label=label, color=colour)
        panel.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
    if what == "encode":
        panel.axvline(rows["fill"]["median_ms"], color="k", lw=0.8, ls=":", label="merely filling the maps")
    panel.set(xscale="log", title=what, xlabel="CPU ms, 64 crops, one thread")
    every = [*ours.values(), *theirs.values()]
    panel.set_xlim(min(every) / 1.5, 4 * max(every))


def _memory(panel: Any, result: Mapping[str, Any], names: list[str]) -> None:
    """Peak memory on a logarithmic axis."""
    for offset, what, colour in ((-0.2, "encode", "C0"), (0.2, "decode", "C1")):
        values = [result["rows"][f"{name} {what}"]["peak_bytes"] / 2**20 for name in names]
        panel.barh([i + offset for i in range(len(names))], values, 0.38, label=what, color=colour)
    panel.set(xscale="log", title="memory", xlabel="MiB at most, 64 crops")
    panel.legend(fontsize=8, frameon=False)
