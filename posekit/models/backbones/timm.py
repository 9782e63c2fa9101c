"""Any backbone of the timm library, by its name there."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.weights import check_fit, read_weights


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Timm:
    """A backbone of timm (``pip install 'posekit[timm]'``); uses its maps of stride 4 and more."""

    name: str = "mobilenetv4_conv_small"
    """name of the model in timm, as in --backbone timm:NAME"""
    pretrained: bool = False
    """start from timm's pretrained weights, downloaded at first use"""
    size: tuple[int, int] | None = None
    """height and width of the image, for vision transformers with fixed position embeddings; leave unset for others"""
    weights: str | None = None
    """file of the classifier's weights with timm's layer names, .safetensors or .pth; imagenet: same as pretrained"""
    kind: Literal["timm"] = "timm"

    def build(self) -> TimmBackbone:
        """The backbone.

        Raises:
            ModuleNotFoundError: timm is not installed.
            ValueError: timm has no such model, or the weights do not fit it.
        """
        timm = _timm()
        if not timm.is_model(self.name):
            near = get_close_matches(self.name, timm.list_models(), n=3)
            raise ValueError(f"timm has no model {self.name!r}" + (f"; close: {', '.join(near)}" if near else ""))
        options: dict[str, Any] = {"pretrained": self.pretrained}
        if self.weights == "imagenet":
            options["pretrained"] = True
        elif self.weights is not None:
            options = {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": self._checked(timm)}}
        if self.size is not None:
            options["img_size"] = self.size
        return TimmBackbone(timm.create_model(self.name, features_only=True, **options))

    def _checked(self, timm: Any) -> dict[str, Tensor]:
        """The tensors of the file, checked against the whole network, since timm ignores names that do not fit."""
        state = read_weights(str(self.weights))
        with torch.device("meta"):
            whole = timm.create_model(self.name, num_classes=0)
        classifier = whole.pretrained_cfg.get("classifier") or ()
        heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        check_fit(whole.state_dict(), state, [f"{head}." for head in heads], str(self.weights))
        return state


def _timm() -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise ModuleNotFoundError("backbones of kind 'timm' need timm: pip install 'posekit[timm]'") from None
    return timm


class TimmBackbone(nn.Module):
    """A feature extractor of timm, without maps finer than stride 4.

    Args:
        net: created with ``features_only=True``.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        known: Any = net
        strides, channels = known.feature_info.reduction(), known.feature_info.channels()
        self.kept = tuple(index for index, stride in enumerate(strides) if stride >= 4)
        self.strides = tuple(strides[index] for index in self.kept)
        self.channels = tuple(channels[index] for index in self.kept)
        self.multiple = max(strides)
        self.mean = tuple(known.pretrained_cfg["mean"])
        self.std = tuple(known.pretrained_cfg["std"])
        patches: Any = getattr(getattr(net, "model", net), "patch_embed", None)
        strict = getattr(patches, "strict_img_size", False)
        self.size: tuple[int, int] | None = tuple(patches.img_size) if strict and patches.img_size else None
        self.channels_behind = str(getattr(net, "output_fmt", "NCHW")).endswith("NHWC")

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised to maps (B, C, H, W), finest first."""
        maps = self.net(image)
        kept = [maps[index] for index in self.kept]
        return [x.permute(0, 3, 1, 2) for x in kept] if self.channels_behind else kept
