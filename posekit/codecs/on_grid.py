"""Base classes of codecs whose maps lie on a grid over the image."""

from __future__ import annotations

from posekit.codecs.base import Maps
from posekit.codecs.cells import mirrored
from posekit.geometry.grid import Grid


class OnGrid:
    """A codec whose maps lie on ``grid``."""

    grid: Grid

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.grid.image


class OneMap(OnGrid):
    """A codec whose network gives ``heatmap``, one map for each point, and nothing else."""

    points: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map a point."""
        return {"heatmap": (self.points, *self.grid.shape)}

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps; see `posekit.codecs.cells.mirrored` for the error on a `RatioGrid`."""
        return {"heatmap": mirrored(maps["heatmap"], order, self.grid)}
