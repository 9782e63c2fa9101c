"""Maps whose softmax is a distribution with the point as its mean; a regulariser may constrain its shape."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import outer
from posekit.codecs.expectation import inside_cells, moments, softmax_cells, softmax_summary, spread_pixels
from posekit.codecs.heatmap import gaussian_lines
from posekit.codecs.inverse import log_of, target_map
from posekit.codecs.on_grid import OneMap
from posekit.codecs.single import one_labelled, one_pose
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Dsnt(OneMap):
    """Differentiable spatial to numerical transform.

    ``coords`` run from -1 to 1 over the map; cell ``i`` of ``n`` lies at ``(2 i + 1) / n - 1``.

    Source: Nibali et al. 2018, arXiv:1801.07372.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    sigma: float = Field(default=4.0, gt=0)
    "sigma of the Gaussian in the regulariser's target, image pixels; one cell of the map is usual"
    outside: Literal["strict", "ignore"] = "strict"
    "points beyond the outermost cell centres: strict leaves them out, ignore trains on them like on any other"
    kind: Suppress[Literal["dsnt"]] = "dsnt"

    gives = frozenset({"coords", "probability", "variance", "xy", "spread"})

    def encode(self, instances: Instances) -> Target:
        """Normalised locations, and the distribution around each.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``coords`` (B, K, 2), ``probability`` (B, K, H, W) that sums to 1 where the point is known, and ``variance``
            (B, K, 2), with weights (B, K, 1), (B, K, 1, 1) and (B, K, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        if self.outside == "strict":
            known = known & inside_cells(xy, self.grid)
        weight = known.to(xy.dtype)[..., None]
        rows, columns, _ = gaussian_lines(xy, self.grid, self.sigma)
        # The sum of an outer product is the product of the sums of its two factors.
        total = rows.sum(-1, keepdim=True) * columns.sum(-1, keepdim=True)
        probability = outer(rows * (weight / total.clamp_min(1e-30)), columns)
        sx, sy = self.grid.scale
        variance = xy.new_tensor(((self.sigma / sx) ** 2, (self.sigma / sy) ** 2)).expand_as(xy)
        coords = self._normalised(self.grid.cells(xy))
        return Target(
            maps={"coords": coords, "probability": probability, "variance": variance, "xy": xy[:, None]},
            weight={"coords": weight, "probability": weight[..., None], "variance": weight, "xy": weight[:, None]},
        )

    def _normalised(self, cells: Tensor) -> Tensor:
        """(..., 2) cells to -1..1 over the map."""
        return (2 * cells + 1) / cells.new_tensor((self.grid.width, self.grid.height)) - 1

    def activate(self, maps: Maps) -> Maps:
        """The raw maps, and every name of ``gives`` in the shape of the target; ``spread`` is (B, 1, K, 2)."""
        probability = softmax_cells(maps["heatmap"])
        mean, variance = moments(probability)
        return {
            **maps,
            "coords": self._normalised(mean),
            "probability": probability,
            "variance": variance,
            "xy": self.grid.pixels(mean)[:, None],
            "spread": spread_pixels(variance, self.grid)[:, None],
        }

    def perfect(self, target: Target) -> Maps:
        """Logarithms of the distributions."""
        return {"heatmap": log_of(target_map(target, "probability", self.kind))}

    def decode(self, maps: Maps) -> Poses:
        """Means of the softmax; the score is 1 - entropy / log(cells).

        Args:
            maps: ``heatmap`` (B, K, H, W) logits; NaN cells are left out.
        """
        mean, variance, sure = softmax_summary(maps["heatmap"])
        return one_pose(self.grid.pixels(mean), sure, spread_pixels(variance, self.grid))
