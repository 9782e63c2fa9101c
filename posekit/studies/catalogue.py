"""The studies by name: what `posekit study` runs."""

from __future__ import annotations

from posekit.studies import (
    mse_trap,
    quantisation,
    spatial_generalisation,
)
from posekit.studies.study import Study

STUDIES: dict[str, Study] = {
    "quantisation": quantisation,
    "mse-trap": mse_trap,
    "spatial-generalisation": spatial_generalisation,
}
"""Name of the study: its module."""
