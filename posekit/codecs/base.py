"""What a codec is, what it returns, and the names that codecs and losses share.

| name          | shape        | what it is                                    | target | codecs                  |
|---------------|--------------|-----------------------------------------------|--------|-------------------------|
| `heatmap`     | (B, K, H, W) | raw map; target: a Gaussian with peak 1       | yes    | heatmap, integral, dsnt |
| `probability` | (B, K, H, W) | map that sums to 1                            | yes    | dsnt                    |
| `variance`    | (B, K, 2)    | of `probability`, cells squared               | yes    | dsnt                    |
| `coords`      | (B, K, 2)    | normalised place: -0.5..0.5, for `dsnt` -1..1 | yes    | regression, rle, dsnt   |
| `sigma`       | (B, K, 2)    | raw; its sigmoid is the spread in `coords`    | no     | rle                     |
| `x`, `y`      | (B, K, bins) | logits of bins; target: probabilities         | yes    | simcc                   |
| `xy`          | (B, N, K, 2) | place in image pixels, differentiable         | always | all but heatmap, simcc  |
| `spread`      | (B, N, K, 2) | standard deviation in image pixels            | no     | integral, dsnt, rle     |

A codec's ``gives`` lists those of its names that a loss may ask for; every one of them but `sigma` and `spread`, which
have no truth, is in the target too. ``read`` may return more (the raw maps of `dsnt`, which no loss should touch).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

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
        """Names that `read` returns and a loss may ask for."""

    def encode(self, instances: Instances) -> Target:
        """Targets of a batch, on its device."""

    def read(self, maps: Maps) -> Maps:
        """The raw maps and what can be told from them differentiably."""

    def decode(self, maps: Maps) -> Poses:
        """Final points of raw maps: no NaN, scores in [0, 1], no control flow on data, so it can be exported."""

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Raw maps of the mirrored image as raw maps of the image; ``order`` is the skeleton's flip."""
