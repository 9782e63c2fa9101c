"""The figures of a measurement as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from rich.markup import escape
from rich.table import Table

from posekit.evaluation.measure import Measured
from posekit.geometry.skeleton import DEFAULT_SIGMA, Skeleton
from posekit.metrics.diagnosis import KINDS, Diagnosis


def figures_table(measured: Measured, more: Mapping[str, float] | None = None) -> Table:
    """All figures; the one that ranks epochs first, those measured elsewhere last."""
    table = Table("metric", "value")
    for name in (measured.main, *(n for n in measured.figures if n != measured.main)):
        table.add_row(f"[bold]{name}[/bold]" if name == measured.main else name, f"{measured.figures[name]:.4f}")
    for name, value in (more or {}).items():
        table.add_row(name, f"{value:.4f}")
    return table


def points_table(measured: Measured, skeleton: Skeleton) -> Table:
    """Figures of each point, and what its OKS sigma is."""
    table = Table("point", "labelled", *measured.per_point, "sigma")
    unknown = set(skeleton.unknown_sigmas)
    for i, name in enumerate(skeleton.points):
        values = (f"{column[i]:.4f}" for column in measured.per_point.values())
        sigma = f"{DEFAULT_SIGMA:g} (default)" if name in unknown else f"{skeleton.oks_sigmas[i]:g}"
        table.add_row(escape(name), str(int(measured.labelled[:, i].sum())), *values, sigma)
    return table


def kinds_table(diagnosis: Diagnosis) -> Table:
    """Share of each kind of error, and the OKS that it costs."""
    table = Table("kind", "share", "OKS lost", "what it is")
    lost = diagnosis.lost()
    for name, share in diagnosis.share().items():
        table.add_row(name, f"{share:.1%}", f"{lost[name]:.4f}", KINDS[name])
    return table


def kinds_by_point_table(diagnosis: Diagnosis, skeleton: Skeleton) -> Table:
    """Share of each kind for each point, in percent."""
    shares = diagnosis.per_point()
    table = Table("point", *shares)
    for i, name in enumerate(skeleton.points):
        values = (column[i] for column in shares.values())
        table.add_row(escape(name), *("" if np.isnan(value) else f"{value:.1%}" for value in values))
    return table
