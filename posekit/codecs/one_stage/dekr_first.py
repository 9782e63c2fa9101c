"""DEKR's first version: one weight for all maps of a cell, and points moved to local maxima of their heatmap.

Sun et al. 2020, arXiv:2006.15480.
"""

from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps
from posekit.codecs.one_stage.dekr import Dekr
from posekit.codecs.one_stage.instances import local_maxima
from posekit.codecs.one_stage.reading import read_locations
from posekit.codecs.ranking import first_highest
from posekit.codecs.refine import refine_parabola
from posekit.geometry.keypoints import Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DekrFirst(Dekr):
    """The first version of DEKR, which moves points to local maxima of their heatmap.

    Source: Sun et al. 2020, arXiv:2006.15480. Differs: as `Dekr`; a local maximum is refined by the parabola through
    three logarithms, where the authors fit a Gaussian to 13x13 cells iteratively.
    """

    snap: bool = True
    "whether points move to the nearest local maximum of their heatmap; off: they stay as predicted at the centre"
    snap_distance: float = Field(default=75.0, gt=0)
    "how far they may move, image pixels"
    candidates: int = Field(default=30, ge=1)
    "local maxima of each heatmap that are considered"
    peak_window: int = Field(default=5, ge=1)
    "side in cells of the local-maximum window of points, odd"
    peak_threshold: float = Field(default=0.01, ge=0, le=1)
    "local maxima that do not exceed it are not used"
    kind: Suppress[Literal["dekr_first"]] = "dekr_first"  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.peak_window % 2 == 0:
            raise ValueError(f"the side of a window must be odd; got {self.peak_window}")

    def _spread(self, near: Tensor) -> Tensor:
        return near.any(1, keepdim=True)

    def decode(self, maps: Maps) -> Poses:
        """The highest centres, and their points moved to local maxima of their heatmaps.

        Args:
            maps: as the network gives them.

        Returns:
            Poses as `Dekr.decode` gives them; the score of a point that was moved is the centre's times the local
            maximum's.
        """
        heatmap = self._heatmap(maps)
        centre, place = self._regressed(heatmap, maps["point_offsets"])
        value = read_locations(heatmap, place)
        if self.snap:
            place, value = self._absorbed(heatmap[:, :-1], place, value)
        return self._poses(centre, place, value)

    def _absorbed(self, heat: Tensor, place: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, N, K, 2) in cells moved to the nearest local maximum, if near enough, and its value."""
        height, cell = local_maxima(heat, self.candidates, self.peak_window)
        refined = refine_parabola(heat, cell)
        scale = refined.new_tensor(self.grid.scale)
        away = torch.cdist(place.transpose(1, 2) * scale, refined * scale)
        far, which = first_highest(torch.where((height > self.peak_threshold)[:, :, None], -away, -torch.inf))
        near = (-far < self.snap_distance).transpose(1, 2)
        found = refined.gather(2, which[..., None].expand(*which.shape, 2)).transpose(1, 2)
        worth = height.gather(2, which).transpose(1, 2)
        return torch.where(near[..., None], found, place), torch.where(near, worth, value)
