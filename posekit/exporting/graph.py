"""A network with everything up to the final points as one module: uint8 images in, points in their pixels out."""

from __future__ import annotations

from torch import Tensor, nn

from posekit.codecs.base import Codec
from posekit.engines.outputs import MAP, OUTPUTS
from posekit.engines.torch import read_out, with_instances
from posekit.geometry.keypoints import Poses


class Graph(nn.Module):
    """Network, flip test and decoding.

    Args:
        net: in evaluation mode, with pixel values of 0..255 as its input.
        codec: that the network was built for.
        flip: order of the mirrored points for a flip test in the graph; ``None``: without.
        raw: also give the network's maps, as ``map_NAME``.
    """

    def __init__(self, net: nn.Module, codec: Codec, flip: tuple[int, ...] | None = None, *, raw: bool = False) -> None:
        super().__init__()
        self.net, self.codec, self.flip, self.raw = net, codec, flip, raw

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The outputs by name.

        Args:
            image: (B, H, W, 3) uint8, RGB, of the network's size.

        Returns:
            Those fields of `Poses` that the codec fills, (B, N, ...) in pixels of the image; raw maps where asked for.
        """
        planes = image.permute(0, 3, 1, 2)
        found = _fields(read_out(self.net, self.codec, planes, self.flip))
        if self.raw:
            maps = with_instances(self.net, self.codec, self.net(planes))
            found |= {f"{MAP}{name}": value for name, value in maps.items()}
        return found


def _fields(poses: Poses) -> dict[str, Tensor]:
    return {name: getattr(poses, name) for name in OUTPUTS if getattr(poses, name) is not None}
