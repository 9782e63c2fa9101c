"""The whole augmentation of a training sample as one config, and the fixed crop or fit of evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.skeleton import Skeleton
from posekit.transforms.drop import Drop
from posekit.transforms.geometric import STILL, Geometry, random_crop, still_crop
from posekit.transforms.mosaic import random_mosaic
from posekit.transforms.paste import paste
from posekit.transforms.photometric import Photometric
from posekit.transforms.scene import STILL_SCENE, Scene, letterbox, random_scene

if TYPE_CHECKING:
    from posekit.data.sample import Sample


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Augment:
    """Augmentation in training: geometry of crops or full images, colour, information dropping.

    ``geometry`` is for crops of one instance, ``scene`` for full images. A part is off where its ranges and
    probabilities are 0.
    """

    geometry: Geometry = Field(default_factory=Geometry)
    colour: Photometric = Field(default_factory=Photometric)
    drop: Drop = Field(default_factory=Drop)
    scene: Scene = Field(default_factory=Scene)

    @classmethod
    def none(cls) -> Augment:
        """No randomness anywhere: `train` gives what `still` gives."""
        return cls(
            geometry=STILL, colour=Photometric(brightness=0, contrast=0), drop=Drop(probability=0), scene=STILL_SCENE
        )

    def at(self, done: float) -> Augment:
        """The augmentation when a share of the run is done: nothing is hidden before ``drop.start``."""
        if done >= self.drop.start:
            return self
        return dataclasses.replace(self, drop=dataclasses.replace(self.drop, probability=0.0))

    def train(
        self,
        sample: Sample,
        rng: np.random.Generator,
        skeleton: Skeleton,
        *,
        size: tuple[int, int],
        padding: float = 1.25,
    ) -> Sample:
        """A random crop of instance 0 with random colours and hidden parts.

        Args:
            sample: with at least one instance.
            rng: random generator; nothing else is random.
            skeleton: of the sample's points.
            size: (height, width) of the crop.
            padding: context around the box; 1 is none.

        Raises:
            ValueError: there is no instance, or its box has no extent.
        """
        crop = random_crop(sample, rng, skeleton, self.geometry, size, padding)
        return self.drop(self.colour(crop, rng, skeleton), rng, skeleton)

    def still(self, sample: Sample, *, size: tuple[int, int], padding: float = 1.25) -> Sample:
        """The plain crop of instance 0, for evaluation and prediction; nothing is random.

        Args:
            sample: with at least one instance.
            size: (height, width) of the crop.
            padding: context around the box; 1 is none.

        Raises:
            ValueError: there is no instance, or its box has no extent.
        """
        return still_crop(sample, size, padding)

    def train_scene(
        self,
        sample: Sample,
        rng: np.random.Generator,
        skeleton: Skeleton,
        *,
        size: tuple[int, int],
        scenes: Sequence[Sample] | None = None,
        people: Sequence[Sample] | None = None,
    ) -> Sample:
        """A random view of a full image and its people with random colours and hidden parts.

        Args:
            sample: any number of instances.
            rng: the only source of randomness.
            skeleton: of the points of all samples.
            size: (height, width) of the view.
            scenes: full images for mosaics, by number; read only when drawn. ``None``: no mosaics.
            people: images of one person each to paste; read only when drawn. ``None``: nobody is pasted.
        """
        scene = self.scene
        mixed, filled = rng.random(2)
        if scenes is not None and len(scenes) and mixed < scene.mosaic:
            view = random_mosaic(sample, scenes, rng, skeleton, scene, size)
        else:
            view = random_scene(sample, rng, skeleton, scene, size)
        if people is not None and filled < scene.paste:
            view = paste(view, people, rng, skeleton, most=scene.pasted, flip=scene.flip)
        return self.drop(self.colour(view, rng, skeleton), rng, skeleton)

    def still_scene(self, sample: Sample, *, size: tuple[int, int]) -> Sample:
        """The full image fitted into the view, for evaluation and prediction; nothing is random.

        Args:
            sample: any number of instances.
            size: (height, width) of the view.
        """
        return letterbox(sample, size)
