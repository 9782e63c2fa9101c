"""The studies by name: what `posekit study` runs."""

from __future__ import annotations

from posekit.studies import (
    context,
    filters,
    gaussians,
    gradients,
    grids,
    head_cost,
    int8,
    mixed_3d,
    mse_trap,
    normalisation,
    quantisation,
    resolution,
    robustness,
    spatial_generalisation,
)
from posekit.studies.study import Study

STUDIES: dict[str, Study] = {
    "quantisation": quantisation,
    "mse-trap": mse_trap,
    "spatial-generalisation": spatial_generalisation,
    "gradients": gradients,
    "head-cost": head_cost,
    "resolution": resolution,
    "grids": grids,
    "gaussians": gaussians,
    "robustness": robustness,
    "context": context,
    "normalisation": normalisation,
    "mixed-3d": mixed_3d,
    "smoothing": filters,
    "int8": int8,
}
"""Name of the study: its module."""
