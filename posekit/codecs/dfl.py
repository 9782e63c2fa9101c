"""Each coordinate as a distribution over a few positions along the image side; its mean is the prediction."""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import sane
from posekit.codecs.expectation import line_moments
from posekit.codecs.inverse import log_of, target_map
from posekit.codecs.regression import Size
from posekit.codecs.single import inside_image, one_depth, one_labelled, one_pose
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Dfl:
    """Distribution focal representation: logits of the positions ``i / n`` along each side, from border to border.

    The target splits each coordinate between the two positions beside it, so that its mean is exact.

    Source: Generalized Focal Loss, arXiv:2006.04388. Differs: positions run from border to border, so no label needs
    clamping and a flip is exact.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Size, Size]]
    bins: int = Field(default=16, ge=1)
    "n: intervals along each side; there are n + 1 positions"
    depth: Annotated[float, Field(gt=0)] | None = None
    "depth range around the root, in the unit of the data's depths; unset: no depth is predicted"
    kind: Suppress[Literal["dfl"]] = "dfl"

    @property
    def gives(self) -> frozenset[str]:
        """Also ``dfl_z`` where ``depth`` is set."""
        return frozenset({"dfl_x", "dfl_y", "xy", "spread"} | ({"dfl_z"} if self.depth else set()))

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Two or three rows of positions a point."""
        names = ("dfl_x", "dfl_y", "dfl_z") if self.depth else ("dfl_x", "dfl_y")
        return dict.fromkeys(names, (self.points, self.bins + 1))

    def encode(self, instances: Instances) -> Target:
        """Split each coordinate between its two neighbouring positions.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``dfl_x`` and ``dfl_y`` (B, K, bins + 1) that sum to 1, with weight (B, K, 1); points outside the image have
            weight 0. ``dfl_z`` likewise where the depth is known and within the range.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        known = known & inside_image(xy, self.size)
        weight = known.to(xy.dtype)[..., None]
        height, width = self.size
        maps = {"dfl_x": self._shared(xy[..., 0] / width), "dfl_y": self._shared(xy[..., 1] / height)}
        weights = {"dfl_x": weight, "dfl_y": weight}
        if self.depth:
            depth, depth_known = one_depth(instances, known)
            share = depth.to(xy.dtype) / self.depth + 0.5
            depth_known = depth_known & (share >= 0) & (share <= 1)
            maps["dfl_z"], weights["dfl_z"] = self._shared(share), depth_known.to(xy.dtype)[..., None]
        maps = {name: value * weights[name] for name, value in maps.items()}
        return Target(maps={**maps, "xy": xy[:, None]}, weight={**weights, "xy": weight[:, None]})

    def _shared(self, share: Tensor) -> Tensor:
        """(B, K) fractions of a side to (B, K, bins + 1): linear weights of the two neighbouring positions."""
        place = share.clamp(0, 1) * self.bins
        locations = torch.arange(self.bins + 1, dtype=share.dtype, device=share.device)
        return (1 - (locations - place[..., None]).abs()).clamp_min(0)

    def activate(self, maps: Maps) -> Maps:
        """The raw logits, ``xy`` (B, 1, K, 2) and ``spread`` (B, 1, K, 2) in image pixels."""
        mean, variance = line_moments(*(sane(maps[name]).softmax(-1) for name in ("dfl_x", "dfl_y")))
        step = mean.new_tensor((self.size[1] / self.bins, self.size[0] / self.bins))
        spread = variance.clamp_min(1e-12).sqrt() * step
        return {**maps, "xy": (mean * step)[:, None], "spread": spread[:, None]}

    def perfect(self, target: Target) -> Maps:
        """Logarithms of the target distributions."""
        return {name: log_of(target_map(target, name, self.kind)) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """Means; the score is the probability of the two positions beside the mean, on the less certain axis.

        Args:
            maps: ``dfl_x``, ``dfl_y`` and perhaps ``dfl_z`` (B, K, bins + 1) logits; NaN has probability 0.
        """
        activated = self.activate(maps)
        scores = []
        for axis, name in enumerate(("dfl_x", "dfl_y")):
            side = self.size[1 - axis]
            place = activated["xy"][:, 0, :, axis] * (self.bins / side)
            low = place.floor().clamp(0, self.bins - 1).long()
            probability = sane(maps[name]).softmax(-1)
            both = probability.gather(-1, torch.stack((low, low + 1), dim=-1)).sum(-1)
            scores.append(both * (maps[name] == maps[name]).any(-1))
        depth = None
        if self.depth:
            mean, _ = line_moments(sane(maps["dfl_z"]).softmax(-1))
            depth = (mean[..., 0] / self.bins - 0.5) * self.depth
        return one_pose(activated["xy"][:, 0], torch.minimum(*scores), activated["spread"][:, 0], depth)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Reverse the positions of x; exact."""
        swapped = {name: value[:, list(order)] for name, value in maps.items() if name in self.shapes}
        return {**swapped, "dfl_x": swapped["dfl_x"].flip(-1)}
