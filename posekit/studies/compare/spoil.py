"""Crops made harder, the same for every method: a part hidden, or blurred."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.engines.spec import Engine, InferenceSpec
from posekit.geometry.keypoints import Poses
from posekit.transforms.drop import ellipse

Image = NDArray[np.uint8]

RADIUS = 0.2
"""Radius of the disc that is hidden, as a fraction of the crop's shorter side: an eighth of a square crop."""
BLUR = 0.02
"""Standard deviation of the blur, as a fraction of the crop's longer side."""


def occluded(crop: Image, random: np.random.Generator) -> Image:
    """The crop with a grey disc at a random location in its middle half."""
    height, width = crop.shape[:2]
    radius = RADIUS * min(height, width)
    centre = tuple(random.uniform(0.25, 0.75, 2) * (width, height))
    hidden = ellipse((height, width), (float(centre[0]), float(centre[1])), (radius, radius))
    return np.where(hidden[..., None], np.uint8(114), crop)


def blurred(crop: Image, random: np.random.Generator) -> Image:
    """The crop blurred by a Gaussian."""
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), BLUR * max(crop.shape[:2])), np.uint8)


SPOILS: dict[str, Callable[[Image, np.random.Generator], Image]] = {"occluded": occluded, "blurred": blurred}
"""Name to what is done to a crop."""


class Spoiled:
    """An engine whose crops are made harder, each by its number: all methods are shown the same.

    Args:
        engine: of the method.
        how: key of `SPOILS`.
    """

    def __init__(self, engine: Engine, how: str) -> None:
        self.engine, self.how, self.number = engine, how, 0
        self.spec: InferenceSpec = engine.spec

    def __call__(self, images: Image) -> Poses:
        """Poses in the spoiled crops (B, H, W, 3)."""
        spoil = SPOILS[self.how]
        made = [
            spoil(crop, np.random.default_rng([7, self.number + index]))
            for index, crop in enumerate(np.asarray(images))
        ]
        self.number += len(made)
        return self.engine(np.stack(made))
