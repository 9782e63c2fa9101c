"""Columns of posekit's CSV tables of points: one row for each point of each instance."""

from __future__ import annotations

COLUMNS = (
    *("path", "image_id", "instance", "instance_score", "x0", "y0", "x1", "y1"),
    *("point", "x", "y", "score"),
)
MORE_COLUMNS = {"visible": ("visible",), "spread": ("spread_x", "spread_y"), "depth": ("depth",)}
"""Columns of what only some models give: the field of `Poses`, and its columns."""
BOX_COLUMNS = ("x0", "y0", "x1", "y1")
