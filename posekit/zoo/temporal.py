"""Temporal networks: the one in the package, a folder that `posekit train temporal` wrote, or its file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from posekit.engines.temporal import OnnxTemporal
from posekit.zoo.errors import WeightsError

GRAPH = "model.onnx"
"""Name of the exported file in a folder."""
SHIPPED = Path(__file__).parent / "filters" / "temporal-coco17"
"""The network in the package, for COCO's 17 points."""


def load_temporal(place: str | Path) -> OnnxTemporal:
    """A temporal network; one that was loaded before is not read again unless the file has changed.

    Args:
        place: folder or file; empty: the one in the package.

    Raises:
        WeightsError: there is none.
        SpecError: the file is not one of a temporal network.
    """
    place = Path(place).expanduser() if str(place) else SHIPPED
    file = place / GRAPH if place.is_dir() else place
    if not file.is_file():
        raise WeightsError(
            f"{place}: no temporal network there; expected a folder with {GRAPH}, or that file, as "
            "`posekit train temporal --out FOLDER` writes it"
        )
    return _loaded(file.resolve(), file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _loaded(file: Path, changed: int) -> OnnxTemporal:
    return OnnxTemporal(file)
