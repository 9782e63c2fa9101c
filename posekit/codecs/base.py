"""What a codec is, what it returns, and the names that codecs and losses share.

| name             | shape          | what it is                                                              | codecs |
|------------------|----------------|-------------------------------------------------------------------------|--------|
| `heatmap`        | (B, K, H, W)   | a map from 0 to 1; openpose has a further one, the background           | maps   |
| `logits`         | (B, K, H, W)   | the same before the sigmoid, where the network gives that               | maps   |
| `peaks`          | (B, K, H, W)   | those logits where the target reaches exactly 1: what focal losses want | maps   |
| `coarse`         | (B, L K, H, W) | wider hills, all points of one width after another                      | megvii |
| `volume`         | (B, K D, H, W) | a map from 0 to 1 with depths, all depths of one point after another    | 3-D    |
| `disc`           | (B, K, H, W)   | 1 near the point                                                        | udp    |
| `offset`         | (B, 2 K, H, W) | x and y of each point in turn, from a cell; centernet has one pair      | cells  |
| `paf`            | (B, 2 E, H, W) | x and y of each bone's direction in turn                                |        |
| `probability`    | (B, K, H, W)   | map that sums to 1                                                      | dsnt   |
| `variance`       | (B, K, 2)      | of `probability`, cells squared                                         | dsnt   |
| `coords`         | (B, K, 2)      | normalised position: -0.5..0.5, for `dsnt` -1..1                        |        |
| `depth`          | (B, K, 1)      | depth about the root in shares of the codec's, -0.5..0.5                | 3-D    |
| `sigma`          | (B, K, 2)      | raw; its sigmoid is the spread in `coords`; so is `depth_sigma`'s       | rle    |
| `x`, `y`, `z`    | (B, K, bins)   | logits of bins; target: probabilities                                   | simcc  |
| `dfl_x`, ...     | (B, K, bins)   | logits of bins; target: shares of the two beside the truth              | dfl    |
| `class`          | (B, 1, L)      | logits: whether a cell of several levels, in one row, sees an instance  | scenes |
| `centreness`     | (B, 1, L)      | logits: how near the centre of its box the cell lies                    | scenes |
| `box`            | (B, 4, L)      | pixels to the left, upper, right and lower side                         | scenes |
| `points`         | (B, 2 K, L)    | x and y of the offset to each point in turn, in cells of the level      | scenes |
| `point_maps`     | (B, P, K, H, W) | logits over the cells, of P chosen instances; target (B, P, K, 3)      | fcpose |
| `refine`         | (B, 2 K, H, W) | where each cell says that the points lie, in cells; no target           | fcpose |
| `side_2`, ...    | (B, K, H, W)   | a map from 0 to 1 for training alone                                    | fcpose |
| `xy`             | (B, N, K, 2)   | place in image pixels, differentiable; always in the target             | means  |
| `spread`         | (B, N, K, 2)   | standard deviation in image pixels                                      | means  |

A codec's ``gives`` lists those of its names that a loss may ask for; every one of them but the sigmas, `spread` and
`refine`, which have no truth of their own, is in the target too. ``activate`` may return more (the raw maps of `dsnt`,
which no loss should touch).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from posekit.geometry.keypoints import Instances, Poses

Maps = Mapping[str, Tensor]
"""Named tensors, batch first."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What the maps should be, and where that is known.

    Args:
        maps: what a loss may compare with, by name; ``xy`` (B, N, K, 2) in image pixels is always there.
        weight: for every name in ``maps`` a tensor that broadcasts to it; 0 where nothing is known. That of ``xy`` is
            (B, N, K, 1).

    Raises:
        ValueError: a map has no weight or a weight no map, or ``xy`` is missing.
    """

    maps: Maps
    weight: Maps

    def __post_init__(self) -> None:
        if set(self.maps) != set(self.weight) or "xy" not in self.maps:
            raise ValueError(
                f"a target needs 'xy' and a weight for every map; got maps {sorted(self.maps)} "
                f"and weights {sorted(self.weight)}"
            )


class Codec(Protocol):
    """A representation: a frozen dataclass that turns points into maps and back, in batches, without loops."""

    @property
    def kind(self) -> str:
        """Its name among `posekit.codecs.CODECS`."""

    @property
    def points(self) -> int:
        """K."""

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """What the network gives, by name, without B."""

    @property
    def gives(self) -> frozenset[str]:
        """Names that `activate` returns and a loss may ask for."""

    def encode(self, instances: Instances) -> Target:
        """Targets of a batch, on its device."""

    def activate(self, maps: Maps) -> Maps:
        """Raw maps to activated ones, as losses compare them, with a differentiable "xy" where the method has one."""

    def perfect(self, target: Target) -> Maps:
        """Raw maps of a network that makes no mistake, the inverse of `activate`: finite, all that `shapes` names.

        What they decode to is what the representation itself costs, without any network.

        Raises:
            ValueError: the target was made by another codec and lacks a map.
        """

    def decode(self, maps: Maps) -> Poses:
        """Final points of raw maps: no NaN, scores in [0, 1], no control flow on data, so it can be exported.

        Of equal values the one of the lowest index comes first, whoever runs it: see `posekit.codecs.ranking`.
        """

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Raw maps of the mirrored image as raw maps of the image; ``order`` is the skeleton's flip."""


@runtime_checkable
class PerInstance(Protocol):
    """What a `Codec` has besides, whose network runs once more for each of some instances.

    The instances are known by numbers of cells; ``net.at(maps, cells)`` gives maps of each of them, which `activate`
    and `decode` then find among the others.
    """

    def select(self, maps: Maps) -> Tensor:
        """(B, P) cells whose instances are read, from raw maps."""

    def sampled(self, target: Target) -> Tensor:
        """(B, P) cells whose instances are learnt from; those that count for nothing have weight 0 in the target."""
