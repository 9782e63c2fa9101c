"""Samples of one size, stacked as tensors: what leaves the data loader. The one file of this room that needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from posekit.data.sample import Sample
from posekit.geometry.boxes import area
from posekit.geometry.keypoints import IGNORE, Instances, Keypoints


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B images of one size.

    Args:
        image: (B, 3, H, W) uint8 RGB; `collate` leaves it channels last in memory.
        instances: (B, N, ...) tensors; an image's regions to ignore follow its instances, the slots beyond are empty.
        to_source: (B, 3, 3) float64, pixels of the image to pixels of its file.
        image_id: (B,) int64.
        index: (B,) int64 position in the data set; -1 where there is none.
    """

    image: Tensor
    instances: Instances
    to_source: Tensor
    image_id: Tensor
    index: Tensor

    def __len__(self) -> int:
        return int(self.image.shape[0])

    def each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The same batch with ``change`` applied to every tensor."""
        return Batch(
            image=change(self.image),
            instances=self.instances.each(change),
            to_source=change(self.to_source),
            image_id=change(self.image_id),
            index=change(self.index),
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on a device; float64 becomes float32 where the device has none."""
        narrow = torch.device(device).type == "mps"

        def move(tensor: Tensor) -> Tensor:
            tensor = tensor.float() if narrow and tensor.dtype == torch.float64 else tensor
            return tensor.to(device, non_blocking=non_blocking)

        return self.each(move)

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory; the data loader asks for it."""
        return self.each(lambda tensor: tensor.pin_memory())


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples, padding the instances of each to the most that any has (at least one).

    Regions to ignore become slots of that role behind the instances: a box and its area, no labelled point.

    Args:
        samples: at least one; their images of one size.

    Raises:
        ValueError: there is no sample, or the images differ in size.
    """
    if not samples:
        raise ValueError("a batch needs at least one sample; got none")
    sizes = sorted({sample.image.shape[:2] for sample in samples})
    if len(sizes) > 1:
        said = ", ".join(f"{h}x{w}" for h, w in sizes)
        raise ValueError(f"a batch needs images of one size; got {said}: crop or resize them first")
    instances = [_with_ignored(sample) for sample in samples]
    slots = max(1, *(len(each.role) for each in instances))
    return Batch(
        # Left in the order of the files: a copy would cost as much as the crop, and channels last is what nets want.
        image=torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2),
        instances=_stacked(instances, slots),
        to_source=torch.from_numpy(np.stack([np.asarray(sample.to_source, np.float64) for sample in samples])),
        image_id=torch.tensor([sample.image_id for sample in samples], dtype=torch.int64),
        index=torch.tensor([sample.index for sample in samples], dtype=torch.int64),
    )


def _with_ignored(sample: Sample) -> Instances:
    """The instances of a sample, and behind them its regions to ignore."""
    own, regions = sample.instances, sample.ignore
    count = len(regions)
    if not count:
        return own
    points = own.keypoints
    if points.depth is not None:
        own = replace(own, keypoints=replace(points, depth_known=_depth_known(points)))
    longer = own.each(lambda column: np.concatenate([column, np.zeros((count, *column.shape[1:]), column.dtype)]))
    longer.boxes[-count:] = regions
    longer.area[-count:] = area(regions)
    longer.role[-count:] = IGNORE
    return longer


def _stacked(instances: Sequence[Instances], slots: int) -> Instances:
    """(B, slots, ...) tensors; zeros, which mean empty and unlabelled, fill the rest."""

    def pad(arrays: Sequence[np.ndarray]) -> Tensor:
        out = np.zeros((len(arrays), slots, *arrays[0].shape[1:]), arrays[0].dtype)
        for row, array in zip(out, arrays, strict=True):
            row[: len(array)] = array
        return torch.from_numpy(out)

    points = [each.keypoints for each in instances]
    depth = depth_known = None
    if any(p.depth is not None for p in points):
        # A sample without depths joins one with them: its depths are unknown.
        depth = pad([np.zeros(p.visibility.shape, np.float32) if p.depth is None else p.depth for p in points])
        depth_known = pad([_depth_known(p) for p in points])
    return Instances(
        keypoints=Keypoints(
            xy=pad([p.xy for p in points]),
            visibility=pad([p.visibility for p in points]),
            depth=depth,
            depth_known=depth_known,
        ),
        boxes=pad([each.boxes for each in instances]),
        area=pad([each.area for each in instances]),
        category=pad([each.category for each in instances]),
        role=pad([each.role for each in instances]),
    )


def _depth_known(points: Keypoints) -> np.ndarray:
    if points.depth is None:
        return np.zeros(points.visibility.shape, bool)
    return np.ones(points.visibility.shape, bool) if points.depth_known is None else np.asarray(points.depth_known)
