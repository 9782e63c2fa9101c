"""Photometric augmentation: colour, blur, noise and JPEG; points and boxes do not move."""

from __future__ import annotations

import dataclasses
from functools import cache, cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.skeleton import Skeleton

if TYPE_CHECKING:
    from posekit.data.sample import Sample

Image = NDArray[np.uint8]

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green, blue in luma (ITU-R BT.601)."""

MIDDLE = 127.5
"""Contrast stretches away from middle grey."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Photometric:
    """Random colour, blur, noise and JPEG compression of training crops. Points, boxes and frames stay as they are.

    Brightness, contrast and colour together cost one small matrix product per pixel, a tenth of the time of the crop.
    """

    brightness: float = Field(default=0.2, ge=0, le=1)
    "random brightness: a factor of 1 plus or minus up to this"
    contrast: float = Field(default=0.2, ge=0, le=1)
    "random contrast: distance from middle grey times 1 plus or minus up to this"
    saturation: float = Field(default=0.0, ge=0, le=1)
    "random saturation: a factor of 1 plus or minus up to this"
    hue: float = Field(default=0.0, ge=0, le=180)
    "random hue rotation by up to this many degrees either way"
    grey: float = Field(default=0.0, ge=0, le=1)
    "share of crops converted to grey, 0 to 1"
    blur: float = Field(default=0.0, ge=0, le=1)
    "share of crops with Gaussian blur, 0 to 1"
    blur_sigma: float = Field(default=1.5, gt=0)
    "largest sigma of the blur, pixels"
    noise: float = Field(default=0.0, ge=0, le=1)
    "share of crops with Gaussian noise, 0 to 1"
    noise_level: float = Field(default=15.0, gt=0, le=60)
    "largest standard deviation of the noise, in levels of 0 to 255"
    jpeg: float = Field(default=0.0, ge=0, le=1)
    "share of crops with JPEG compression artefacts, 0 to 1"
    jpeg_quality: int = Field(default=30, ge=1, le=100)
    "lowest JPEG quality; the highest is 95"

    @cached_property
    def _any(self) -> bool:
        """Whether anything is ever changed."""
        shares = self.grey, self.blur, self.noise, self.jpeg
        return any((self.brightness, self.contrast, self.saturation, self.hue, *shares))

    def __call__(self, sample: Sample, rng: np.random.Generator, skeleton: Skeleton) -> Sample:
        """The sample with random colours, blur, noise and JPEG artefacts; a changed image is a new array."""
        if not self._any:
            return sample
        amount = rng.uniform(-1.0, 1.0, 4).tolist()
        grey, blur, noise, jpeg, sigma, level, quality = rng.random(7).tolist()
        image = _recolour(
            sample.image,
            light=1 + self.brightness * amount[0],
            contrast=1 + self.contrast * amount[1],
            saturation=0.0 if grey < self.grey else 1 + self.saturation * amount[2],
            hue=self.hue * amount[3],
        )
        if blur < self.blur:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), max(self.blur_sigma * sigma, 0.1)), np.uint8)
        if noise < self.noise:
            image = _noisy(image, self.noise_level * level, rng)
        if jpeg < self.jpeg:
            worst = min(self.jpeg_quality, 95)
            image = _through_jpeg(image, round(worst + (95 - worst) * quality))
        return sample if image is sample.image else dataclasses.replace(sample, image=image)


def _recolour(image: Image, *, light: float, contrast: float, saturation: float, hue: float) -> Image:
    """Light, then contrast, then colour, as one matrix a pixel: faster than a look-up table, and clipped once."""
    if light == contrast == saturation == 1 and hue == 0:
        return image
    mix = np.empty((3, 4))
    mix[:, :3] = light * contrast * _colour_matrix(saturation, hue)
    mix[:, 3] = MIDDLE * (1 - contrast)
    return np.asarray(cv2.transform(image, mix), dtype=np.uint8)


def _colour_matrix(saturation: float, hue: float) -> NDArray[np.floating]:
    """(3, 3) RGB to RGB: colours move away from the grey axis, then turn about it; grey pixels stay.

    The saturation is a blend with the luma, the turn a rotation of RGB space about (1, 1, 1).
    """
    turn = np.deg2rad(hue)
    c, s = np.cos(turn), np.sin(turn) / np.sqrt(3)
    even = (1 - c) / 3
    rotate = np.array([[c + even, even - s, even + s], [even + s, c + even, even - s], [even - s, even + s, c + even]])
    return rotate @ (saturation * np.eye(3) + (1 - saturation) * LUMA)


@cache
def _quantiles() -> NDArray[np.floating]:
    """(256,) values of a standard normal that equally likely bytes stand for."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])


def _noisy(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Add Gaussian noise, made of random bytes: twenty times cheaper than drawing normals."""
    bytes_ = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    table = np.clip(np.rint(_quantiles() * sigma + 128), 0, 255).astype(np.uint8)
    return np.asarray(cv2.addWeighted(image, 1.0, cv2.LUT(bytes_, table), 1.0, -128.0), dtype=np.uint8)


def _through_jpeg(image: Image, quality: int) -> Image:
    written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written
    read = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert read is not None
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), dtype=np.uint8)
