"""One instance in each image at any size: faces of HELEN where they are there, else synthetic people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from posekit.data.dataset import Dataset
from posekit.data.synthetic import Synthetic
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS
from posekit.studies.discs import Draw
from posekit.studies.real_sets import real_set
from posekit.transforms.geometric import still_crop

FULL = 256
"""Height and width of the stored images, pixels; smaller ones are made from them."""
FACES = "face300w_helen_afw/annotations/helen_{part}.json"


@dataclass(frozen=True, slots=True, eq=False)
class Sized:
    """Images with all points of one instance.

    Args:
        skeleton: K points.
        images: (M, 3, 256, 256) uint8.
        xy: (M, K, 2) pixels of these.
        unit: (M,) length that errors are divided by, in the same pixels.
        name: of the data.
    """

    skeleton: Skeleton
    images: Tensor
    xy: Tensor
    unit: Tensor
    name: str

    def at(self, size: int, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Some images at a smaller size: (B, 3, size, size) means over areas, 0..255, and (B, K, 2) pixels of these."""
        images = self.images[chosen].float()
        if size < FULL:
            images = F.interpolate(images, size=(size, size), mode="area")
        return images, self.xy[chosen] * (size / FULL)

    def drawing(self, size: int) -> Draw:
        """Random batches at a size."""

        def draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
            return self.at(size, torch.randint(len(self.images), (count,), generator=generator))

        return draw


def sized_people(count: int, seed: int) -> Sized:
    """Synthetic people, errors over the longer side of the box around their points."""
    skeleton = SKELETONS["lsp14"]
    made = Synthetic(skeleton, count, size=(FULL, FULL), seed=seed, outside=0.0)
    images = np.stack([made.image(number) for number in range(count)]).transpose(0, 3, 1, 2)
    xy = torch.from_numpy(made.dataset().xy).float()
    unit = (xy.amax(1) - xy.amin(1)).amax(-1)
    return Sized(skeleton, torch.from_numpy(np.ascontiguousarray(images)), xy, unit, "synthetic people")


def sized_faces(part: str) -> Sized | None:
    """Faces of HELEN, ``train`` or ``test``, errors over the distance of the outer eye corners; None if absent."""
    dataset = real_set(FACES.format(part=part))
    return None if dataset is None else cropped(dataset)


def cropped(dataset: Dataset) -> Sized:
    """The plain crops of instances whose points are all labelled and within their crop."""
    images, points = [], []
    for number in range(len(dataset)):
        made = still_crop(dataset[number], (FULL, FULL))
        xy = made.instances.keypoints.xy[0]
        if made.instances.keypoints.labelled[0].all() and (xy >= 0).all() and (xy <= FULL).all():
            images.append(np.ascontiguousarray(made.image.transpose(2, 0, 1)))
            points.append(xy)
    xy = torch.from_numpy(np.stack(points)).float()
    unit = (xy[:, 36] - xy[:, 45]).norm(dim=-1)
    return Sized(dataset.skeleton, torch.from_numpy(np.stack(images)), xy, unit, "HELEN")
