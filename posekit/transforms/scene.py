"""Full images with all their people, for systems that look once: fitted into a view, still or drawn at random.

One matrix again: `place` does here what it does for crops, with the full image as the box.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.boxes import area, or_around_points
from posekit.geometry.skeleton import Skeleton
from posekit.transforms.geometric import Placement, place

if TYPE_CHECKING:
    from posekit.data.sample import Sample

Float = NDArray[np.floating]

LEAST = 0.05
"""Share of its box that must lie in the view for an instance to be learnt from."""

MOST = 0.5
"""Share of its box that must lie in the view where none of its labelled points does."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Scene:
    """Random scale, rotation, shift, flip, pasting and mosaics of full images in training.

    The random shift covers all the room that a scale leaves: of an image larger than the view any part may be shown, a
    smaller one may lie anywhere in the view.
    """

    scale: tuple[float, float] = (0.6, 1.6)
    "smallest and largest random scale (log-uniform); 1 fits the image into the network input"
    rotation: float = Field(default=30.0, ge=0, le=180)
    "random rotation by up to this many degrees either way"
    rotate_probability: float = Field(default=0.6, ge=0, le=1)
    "share of images that are rotated, 0 to 1"
    shift: float = Field(default=0.1, ge=0, le=1)
    "random shift along each axis, by up to this fraction of the input, in addition to the room that the scale leaves"
    flip: float = Field(default=0.5, ge=0, le=1)
    "share of images that are mirrored, 0 to 1; off for a skeleton without mirror symmetry"
    paste: float = Field(default=0.0, ge=0, le=1)
    "share of images into which people of other images are pasted, 0 to 1"
    pasted: int = Field(default=2, ge=1)
    "largest number of people pasted into an image; at least one, uniform"
    mosaic: float = Field(default=0.0, ge=0, le=1)
    "share of inputs that are mosaics of four images, 0 to 1"

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(
                f"scene.scale wants a smallest and a largest scale, 0 < smallest <= largest; got {self.scale}"
            )

    def draw(
        self,
        shape: tuple[int, int],
        rng: np.random.Generator,
        skeleton: Skeleton,
        size: tuple[int, int],
        times: float = 1.0,
    ) -> Placement:
        """Draw where the image lands.

        Args:
            shape: (height, width) of the image.
            rng: the only source of randomness; the number of draws depends on nothing.
            skeleton: tells whether flips are allowed.
            size: (height, width) of the view.
            times: factor of the scale that is drawn.
        """
        turn, dx, dy = rng.uniform(-1.0, 1.0, 3).tolist()
        scale, turned, flipped = rng.random(3).tolist()
        low, high = self.scale
        times *= low * (high / low) ** scale
        (h, w), (height, width) = shape, size
        fit = min(height / h, width / w) * abs(times - 1) / 2
        reach = self.shift + fit * w / width, self.shift + fit * h / height
        return Placement(
            box=_frame(shape),
            padding=1.0,
            scale=times,
            rotation=self.rotation * turn if turned < self.rotate_probability else 0.0,
            shift=(reach[0] * dx, reach[1] * dy),
            flip=flipped < self.flip and skeleton.flippable,
        )


STILL_SCENE = Scene(scale=(1.0, 1.0), rotation=0, rotate_probability=0, shift=0, flip=0)
"""nothing random: the plain fit."""


def letterbox(sample: Sample, size: tuple[int, int]) -> Sample:
    """The full image fitted into a view, with all that is true of it.

    The bars are black, like the outside of a crop.

    Args:
        sample: of any size.
        size: (height, width) of the view.

    Raises:
        ValueError: the image has no pixels.
    """
    return place(sample, Placement(_frame(sample.image.shape[:2]), padding=1.0), size)


def random_scene(
    sample: Sample,
    rng: np.random.Generator,
    skeleton: Skeleton,
    scene: Scene,
    size: tuple[int, int],
    times: float = 1.0,
) -> Sample:
    """The image where ``scene`` lets it land, and the people that can still be seen.

    Args:
        sample: of any size.
        rng: the only source of randomness; the number of draws does not depend on the sample.
        skeleton: of the sample's points.
        scene: ranges; its pasting and mosaics are done elsewhere.
        size: (height, width) of the view.
        times: factor of the scale that is drawn.

    Returns:
        See `in_view`.
    """
    placed = place(sample, scene.draw(sample.image.shape[:2], rng, skeleton, size, times), size, skeleton)
    return in_view(placed)


def in_view(sample: Sample) -> Sample:
    """Without the people who have left the picture.

    Kept people keep their points, wherever those lie, and their whole box: both say how large they are and where
    their middle is. An instance goes when less than `LEAST` of its box is in the picture, or less than `MOST` and no
    labelled point; what can still be seen of it becomes a region to ignore. Such regions are cut to the picture.
    """
    height, width = sample.image.shape[:2]
    labelled, xy = sample.instances.keypoints.labelled, sample.instances.keypoints.xy
    # Whoever is labelled is no background, even where the file gives a box without extent.
    boxes = or_around_points(sample.instances.boxes, xy, labelled)
    old = dataclasses.replace(sample.instances, boxes=boxes)
    sample = dataclasses.replace(sample, instances=old)
    cut = clipped(old.boxes, (0.0, 0.0, float(width), float(height)))
    share = area(cut) / np.maximum(area(old.boxes), 1e-9)
    inside = (labelled & (xy >= 0).all(-1) & (xy <= (width, height)).all(-1)).any(-1)
    keep = share >= np.where(inside, LEAST, MOST)
    ignore = clipped(sample.ignore, (0.0, 0.0, float(width), float(height)))
    return leaving(dataclasses.replace(sample, ignore=ignore), keep, cut)


def leaving(sample: Sample, keep: NDArray[np.bool_], regions: Float) -> Sample:
    """Keep some instances; the boxes of the others become regions to ignore, where anything is left of them.

    Args:
        sample: N instances.
        keep: (N,) bool.
        regions: (N, 4) what to ignore in the place of each.
    """
    ignore = np.concatenate([sample.ignore, regions[~keep]]).astype(np.float32)
    return dataclasses.replace(
        sample,
        instances=sample.instances if keep.all() else sample.instances.each(lambda column: column[keep]),
        ignore=ignore[area(ignore) > 0],
    )


def clipped(boxes: Float, frame: tuple[float, float, float, float]) -> Float:
    """(M, 4) what of the boxes lies in a frame x0 y0 x1 y1; without extent where nothing does."""
    low, high = frame[:2], frame[2:]
    return np.concatenate([np.clip(boxes[:, :2], low, high), np.clip(boxes[:, 2:], low, high)], axis=1)


def _frame(shape: tuple[int, int]) -> Float:
    return np.array([0.0, 0.0, shape[1], shape[0]])
