"""Series over time as one picture: a panel for each instance, curves that break where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from posekit.visualize.charts import HEIGHT, PALETTE, WIDTH, line_chart

PANELS = 8
"""Most panels in a picture."""
DENSE = 1500
"""Most points of a curve; of longer ones every second, third, ... frame is drawn."""
Curves = tuple[NDArray[np.float64], NDArray[np.float64]]


def panels(title: str, names: Sequence[str], instances: Mapping[int, Curves], y_label: str) -> tuple[str, int]:
    """Draw series over time.

    Args:
        title: above each panel, before the id.
        names: (A,) of the curves; a panel has as many as there are colours.
        instances: id to times (T,) and values (T, A), NaN where unknown; those with the most frames are drawn.
        y_label: beside the axis.

    Returns:
        One ``<svg>`` element, and how many panels were left out.
    """
    starts = range(0, len(names), len(PALETTE))
    longest = sorted(instances, key=lambda one: -len(instances[one][0]))
    wanted = [(one, start) for one in longest for start in starts]
    charts = [
        _panel(title, names[start : start + len(PALETTE)], one, instances[one], start, y_label)
        for one, start in sorted(wanted[:PANELS])
    ]
    return stacked(charts), len(wanted) - len(charts)


def _panel(title: str, names: Sequence[str], one: int, curves: Curves, start: int, y_label: str) -> str:
    times, values = curves
    step = max(1, -(-len(times) // DENSE))
    drawn = {
        name: list(zip(times[::step].tolist(), values[::step, n].tolist(), strict=True))
        for n, name in enumerate(names, start)
    }
    about = f"{title}, id {one}" + (f" (1 of {step} frames)" if step > 1 else "")
    return line_chart(about, drawn, x_label="seconds", y_label=y_label, gaps=True)


def stacked(charts: Sequence[str]) -> str:
    """Charts of `line_chart` below each other as one ``<svg>`` element."""
    parts = [
        f'<svg x="0" y="{n * HEIGHT}" width="{WIDTH}" height="{HEIGHT}"{chart.removeprefix("<svg")}'
        for n, chart in enumerate(charts)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT * max(len(charts), 1)}" '
        f'role="img">{"".join(parts)}</svg>'
    )
