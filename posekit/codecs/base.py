"""The `Codec` protocol, what it returns, and the names of the maps that codecs and losses share.

| name          | shape           | what it is                                                     | codecs    |
|---------------|-----------------|----------------------------------------------------------------|-----------|
| `heatmap`     | (B, K, H, W)    | a map from 0 to 1; openpose adds a background map              | maps      |
| `logits`      | (B, K, H, W)    | the heatmap before the sigmoid                                 | maps      |
| `peaks`       | (B, K, H, W)    | these logits, where targets reach exactly 1 (focal losses)     | maps      |
| `coarse`      | (B, L K, H, W)  | wider Gaussians; K maps of one width, then the next            | megvii    |
| `volume`      | (B, K D, H, W)  | a map from 0 to 1 with D depth layers, point by point          | 3-D       |
| `disc`        | (B, K, H, W)    | 1 near the point, else 0                                       | udp       |
| `offset`      | (B, 2 K, H, W)  | x and y from a cell to each point; centernet: one pair         | cells     |
| `paf`         | (B, 2 E, H, W)  | part-affinity field: x and y of each bone's direction          | openpose  |
| `probability` | (B, K, H, W)    | a map that sums to 1                                           | dsnt      |
| `variance`    | (B, K, 2)       | of `probability`, in cells squared                             | dsnt      |
| `coords`      | (B, K, 2)       | normalised position: -0.5..0.5, for `dsnt` -1..1               | coords    |
| `depth`       | (B, K, 1)       | depth relative to the root, -0.5..0.5                          | 3-D       |
| `sigma`       | (B, K, 2)       | raw; its sigmoid is the spread of `coords`; `depth_sigma` too  | rle       |
| `x`, `y`, `z` | (B, K, bins)    | logits of bins; target: probabilities                          | simcc     |
| `dfl_x`, ...  | (B, K, bins)    | logits of bins; target: weights of two neighbouring bins       | dfl       |
| `class`       | (B, 1, L)       | logits: whether a cell (all levels in one row) has an instance | one-stage |
| `centreness`  | (B, 1, L)       | logits: how near the cell is to the centre of its box          | one-stage |
| `box`         | (B, 4, L)       | pixels to the left, upper, right and lower side                | one-stage |
| `points`      | (B, 2 K, L)     | x and y of the offset to each point, in cells of the level     | one-stage |
| `point_maps`  | (B, P, K, H, W) | logits over cells, of P chosen instances; target (B, P, K, 3)  | fcpose    |
| `refine`      | (B, 2 K, H, W)  | location of each point as predicted by a cell; no target       | fcpose    |
| `side_2`, ... | (B, K, H, W)    | an auxiliary heatmap, used in training only                    | fcpose    |
| `visibility`  | (B, K)          | logits: whether a point is seen (1) or hidden (0)              | top-down  |
| `xy`          | (B, N, K, 2)    | location in image pixels; always in the target                 | means     |
| `spread`      | (B, N, K, 2)    | standard deviation in image pixels                             | means     |

In the last column *maps*, *cells*, *3-D*, *one-stage*, *top-down* and *means* stand for groups of codecs; *means*
predict locations directly or as a mean over cells or bins. `posekit.codecs.visibility` adds `visibility` to any
top-down codec.

A codec's ``gives`` lists the names that a loss may ask for. All of them are in the target too, except `sigma`,
`depth_sigma`, `spread` and `refine`, which have no ground truth. ``activate`` may return more (such as the raw maps of
`dsnt`, which no loss should use).
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
    """The target maps, and the weights that say where they are known.

    Args:
        maps: targets by name; ``xy`` (B, N, K, 2) in image pixels is always there.
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
    """A representation: a frozen dataclass that turns points into maps and back, in batches, without Python loops."""

    @property
    def kind(self) -> str:
        """Its key in `posekit.codecs.CODECS`."""

    @property
    def points(self) -> int:
        """K, the number of points."""

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the network's output maps by name, without the batch axis."""

    @property
    def gives(self) -> frozenset[str]:
        """Names of the activated maps that a loss may ask for."""

    def encode(self, instances: Instances) -> Target:
        """Training targets of a batch, on its device."""

    def activate(self, maps: Maps) -> Maps:
        """Raw maps to activated maps, as losses compare them, with a differentiable ``xy`` where the method has one."""

    def perfect(self, target: Target) -> Maps:
        """Raw maps of a perfect network, the inverse of `activate`: finite, one for each name in `shapes`.

        Decoding them gives the error of the representation itself, without any network.

        Raises:
            ValueError: the target lacks a map, because another codec made it.
        """

    def decode(self, maps: Maps) -> Poses:
        """Final points from raw maps: no NaN, scores in [0, 1], no data-dependent control flow, so it can be exported.

        Of equal values the one with the lowest index comes first, in every runtime: see `posekit.codecs.ranking`.
        """

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Turn raw maps of the mirrored image into raw maps of the image; ``order`` is ``Skeleton.flip``."""


@runtime_checkable
class PerInstance(Protocol):
    """Extra methods of a `Codec` whose network has a second step that runs for each chosen instance.

    An instance is identified by the index of its cell. ``net.at(maps, cells)`` gives the maps of the chosen instances;
    `activate` and `decode` then read them beside the other maps.
    """

    def select(self, maps: Maps) -> Tensor:
        """(B, P) cells whose instances are decoded, chosen from raw maps."""

    def sampled(self, target: Target) -> Tensor:
        """(B, P) cells whose instances are trained on; unused entries have weight 0 in the target."""
