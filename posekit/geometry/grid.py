"""Locations of a map's cells in the image: the only module that handles half pixels.

An image covers ``[0, W] x [0, H]`` and the centre of its first pixel is (0.5, 0.5). A map of ``height x width`` cells
lies over the same image; the three grids differ in where the centres of its cells lie.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Array = Any


def _pair(array: Array, x: float, y: float) -> Array:
    """(2,) of the framework, floating dtype and device of ``array``."""
    if hasattr(array, "new_tensor"):
        return array.new_tensor((x, y))
    import numpy as np

    return np.asarray((x, y), dtype=array.dtype)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Grid:
    """Cells that tile the image evenly: cell ``X`` is centred at pixel ``(X + 0.5) * s``, ``s = image_width / width``.

    Unbiased, and the default.

    Args:
        height: rows of the map.
        width: columns of the map.
        image_height: pixels.
        image_width: pixels.
    """

    height: int = Field(ge=1)
    width: int = Field(ge=1)
    image_height: int = Field(ge=1)
    image_width: int = Field(ge=1)
    kind: Literal["half_pixel"] = "half_pixel"

    @classmethod
    def of(cls, image: tuple[int, int], stride: int) -> Self:
        """The grid of a map ``stride`` times smaller than ``image`` (height, width).

        Raises:
            ValueError: stride does not divide the size.
        """
        height, width = image
        if stride < 1 or height % stride or width % stride:
            up = tuple(-(-n // max(stride, 1)) * max(stride, 1) for n in image)
            raise ValueError(
                f"image is {height}x{width}; a map of stride {stride} needs multiples of it: use {up[0]}x{up[1]}"
            )
        return cls(height=height // stride, width=width // stride, image_height=height, image_width=width)

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.image_height, self.image_width

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the map in cells."""
        return self.height, self.width

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels a cell, x before y."""
        return self.image_width / self.width, self.image_height / self.height

    def _offset(self) -> tuple[float, float]:
        """Pixel position of the centre of cell (0, 0), x before y."""
        sx, sy = self.scale
        return 0.5 * sx, 0.5 * sy

    def cells(self, xy: Array) -> Array:
        """Pixels to cells.

        Args:
            xy: (..., 2) image pixels, floating point.

        Returns:
            (..., 2) cells; integers are cell centres.
        """
        return (xy - _pair(xy, *self._offset())) / _pair(xy, *self.scale)

    def pixels(self, cells: Array) -> Array:
        """Cells to pixels: the inverse of `cells`."""
        return cells * _pair(cells, *self.scale) + _pair(cells, *self._offset())

    def axes(self, like: Array) -> tuple[Array, Array]:
        """Pixel positions of the columns (width,) and the rows (height,); framework, dtype and device of ``like``."""
        (sx, sy), (ox, oy) = self.scale, self._offset()
        return _count(like, self.width) * sx + ox, _count(like, self.height) * sy + oy


def _count(like: Array, n: int) -> Array:
    """0, 1, ... n - 1; framework, dtype and device of ``like``."""
    if hasattr(like, "new_ones"):
        return like.new_ones(n).cumsum(0) - 1
    import numpy as np

    return np.arange(n, dtype=like.dtype)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RatioGrid(Grid):
    """Cell ``X`` is centred at pixel ``X * s + 0.5``, as in SimpleBaseline and HRNet.

    For published weights and for studies of its bias: a flipped map is off by ``(s - 1) / s`` cells.
    """

    kind: Literal["ratio"] = "ratio"  # type: ignore[assignment]

    def _offset(self) -> tuple[float, float]:
        return 0.5, 0.5


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AlignedGrid(Grid):
    """First and last cell lie on the first and last pixel centre, as in UDP."""

    kind: Literal["aligned"] = "aligned"  # type: ignore[assignment]

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels a cell, x before y."""
        if self.width < 2 or self.height < 2:
            raise ValueError(f"an aligned grid needs at least 2x2 cells; got {self.height}x{self.width}")
        return (self.image_width - 1) / (self.width - 1), (self.image_height - 1) / (self.height - 1)

    def _offset(self) -> tuple[float, float]:
        return 0.5, 0.5


AnyGrid = Annotated[Grid | RatioGrid | AlignedGrid, Field(discriminator="kind")]
GRIDS: dict[str, type[Grid]] = {"half_pixel": Grid, "ratio": RatioGrid, "aligned": AlignedGrid}
