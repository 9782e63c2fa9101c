"""PyTorch's engine: a network and its codec. The only file of this room that imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posekit.codecs.base import Codec, Maps, PerInstance
from posekit.engines.spec import InferenceSpec
from posekit.geometry.keypoints import Poses
from posekit.models.rewrite.fold import folded


def pick_device(device: str | torch.device) -> torch.device:
    """The device of a name; ``auto`` is CUDA if there is one, else Apple's MPS, else the CPU."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class TorchEngine:
    """A network run by PyTorch.

    Args:
        net: not changed unless ``optimise`` is set; its mode (training or evaluation) is restored after each call.
        codec: codec of the network.
        spec: spec of the model.
        device: device to run on, or "auto"; the network is moved there.
        half: compute in 16 bits: float16 on a GPU, bfloat16 elsewhere; slower on most CPUs.
        optimise: fold batch norms into convolutions and use channels-last memory, on a copy; only for inference.

    Raises:
        ValueError: the spec asks for a flip test and the codec runs a network for each instance.
    """

    def __init__(
        self,
        net: nn.Module,
        codec: Codec,
        spec: InferenceSpec,
        device: str | torch.device = "cpu",
        *,
        half: bool = False,
        optimise: bool = False,
    ) -> None:
        if spec.flip is not None and isinstance(codec, PerInstance):
            raise ValueError(
                f"codec {codec.kind!r} runs a network for each instance and has no flip test: leave the flip test out"
            )
        self.device = pick_device(device)
        if optimise:
            # The stubs of PyTorch leave this form out.
            net = folded(net, spec.size).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net = net.to(self.device)
        self.codec, self.spec, self.half = codec, spec, half

    @torch.inference_mode()
    def __call__(self, images: NDArray[np.uint8]) -> Poses:
        """Poses (B, N, K) of NumPy arrays in the pixels of images (B, H, W, 3), RGB, of the spec's size."""
        image = torch.from_numpy(np.ascontiguousarray(images)).to(self.device).permute(0, 3, 1, 2)
        training = self.net.training
        self.net.eval()
        try:
            with self._precision():
                poses = read_out(self.net, self.codec, image, self.spec.flip)
        finally:
            self.net.train(training)
        return poses.each(lambda array: (array.float() if array.is_floating_point() else array).cpu().numpy())

    def _precision(self) -> AbstractContextManager[Any]:
        if not self.half:
            return nullcontext()
        kind = torch.bfloat16 if self.device.type == "cpu" else torch.float16
        return torch.autocast(self.device.type, dtype=kind)

    def __repr__(self) -> str:
        return f"TorchEngine({type(self.codec).__name__}, {self.device}{', half' if self.half else ''})"


class TorchMaps:
    """A network without a codec, run by PyTorch, such as those of MTCNN.

    Args:
        net: images (B, 3, H, W) in 0..255 to named maps; moved to the device, in evaluation mode.
        device: where it runs.
    """

    def __init__(self, net: nn.Module, device: str | torch.device = "cpu") -> None:
        self.device = pick_device(device)
        self.net = net.to(self.device).eval()

    def __repr__(self) -> str:
        return f"TorchMaps({type(self.net).__name__}, {self.device})"

    @torch.inference_mode()
    def __call__(self, images: NDArray[np.floating]) -> dict[str, NDArray[np.float32]]:
        """Maps by name of images (B, H, W, 3), RGB in 0..255; NumPy."""
        image = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)).to(self.device).permute(0, 3, 1, 2)
        return {name: value.float().cpu().numpy() for name, value in self.net(image).items()}


def read_out(net: nn.Module, codec: Codec, image: Tensor, flip: tuple[int, ...] | None = None) -> Poses:
    """Poses of a batch of images, in their pixels.

    Args:
        net: in evaluation mode.
        codec: that the network was built for.
        image: (B, 3, H, W) uint8, or floating point in 0..255.
        flip: order of the mirrored points to average with the mirrored images; ``None`` runs once.

    Returns:
        Poses (B, N), on the device of the image.
    """
    return codec.decode(maps_of(net, codec, image, flip))


def maps_of(net: nn.Module, codec: Codec, image: Tensor, flip: tuple[int, ...] | None = None) -> Maps:
    """The maps that `read_out` decodes: averaged with those of the mirrored images where a flip test is asked for."""
    maps = _full_precision(net(image))
    if flip is not None:
        back = codec.flip(_full_precision(net(image.flip(-1))), flip)
        maps = {name: (value + back[name]) / 2 for name, value in maps.items()}
    return with_instances(net, codec, maps)


def with_instances(net: Any, codec: Codec, maps: Maps) -> Maps:
    """The maps, and the per-instance maps of codecs that select instances."""
    return {**maps, **_full_precision(net.at(maps, codec.select(maps)))} if isinstance(codec, PerInstance) else maps


def _full_precision(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.float() for name, value in maps.items()}
