"""A network with everything up to the final points as one module: uint8 images in, points in their pixels out."""

from __future__ import annotations

from torch import Tensor, nn

from posekit.codecs.base import Codec
from posekit.engines.outputs import MAP, OUTPUTS
from posekit.engines.torch import maps_of


class Graph(nn.Module):
    """Network, flip test and decoding.

    Args:
        net: in evaluation mode, with pixel values of 0..255 as its input.
        codec: that the network was built for.
        flip: order of the mirrored points for a flip test in the graph; ``None``: without.
        raw: also give the maps that are decoded, as ``map_NAME``.
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
        maps = maps_of(self.net, self.codec, image.permute(0, 3, 1, 2), self.flip)
        poses = self.codec.decode(maps)
        found = {name: getattr(poses, name) for name in OUTPUTS if getattr(poses, name) is not None}
        return found | ({f"{MAP}{name}": value for name, value in maps.items()} if self.raw else {})
