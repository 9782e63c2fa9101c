"""The studies by name: what `posekit study` runs."""

from __future__ import annotations

from posekit.studies import (
    filters,
    gaussians,
    gradients,
    grids,
    head_cost,
    int8,
    mse_trap,
    normalisation,
    quantisation,
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
    "grids": grids,
    "gaussians": gaussians,
    "robustness": robustness,
    "normalisation": normalisation,
    "smoothing": filters,
    "int8": int8,
}
"""Name of the study: its module."""
