"""From images to poses by any codec: those that read maps, and those that run a network for each instance."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from posekit.codecs.base import Codec, Maps, PerInstance
from posekit.geometry.keypoints import Poses


def read_out(net: nn.Module, codec: Codec, image: Tensor, flip: tuple[int, ...] | None = None) -> Poses:
    """Poses of a batch of images, in their pixels.

    Args:
        net: in evaluation mode.
        codec: that the network was built for.
        image: (B, 3, H, W) uint8, or floating point in 0..255.
        flip: order of the mirrored points to average with the mirrored images; ``None`` runs once.

    Returns:
        Poses (B, N), on the device of the image.

    Raises:
        ValueError: there is something to average, and the codec runs a network for each instance.
    """
    maps = _exact(net(image))
    if flip is not None:
        if isinstance(codec, PerInstance):
            raise ValueError(
                f"codec {codec.kind!r} runs a network for each instance, which a mirrored image has others of: "
                "leave the flip test out"
            )
        back = codec.flip(_exact(net(image.flip(-1))), flip)
        maps = {name: (value + back[name]) / 2 for name, value in maps.items()}
    return codec.decode(with_instances(net, codec, maps))


def with_instances(net: Any, codec: Codec, maps: Maps) -> Maps:
    """The maps, and those of each instance that the codec chooses, where it wants some."""
    return {**maps, **_exact(net.at(maps, codec.select(maps)))} if isinstance(codec, PerInstance) else maps


def _exact(maps: Maps) -> dict[str, Tensor]:
    return {name: value.float() for name, value in maps.items()}
