"""Teachers: a trained network that runs on the same crops, or predictions from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from posekit.codecs.base import Codec
from posekit.data.agreement import agreement
from posekit.data.batch import Batch
from posekit.data.dataset import Dataset
from posekit.data.predictions import read_predictions
from posekit.data.renaming import shared_points
from posekit.geometry.skeleton import Skeleton
from posekit.losses.distillation import Teacher
from posekit.models.base import PoseNet
from posekit.recipe import RecipeError
from posekit.training.task import exact
from posekit.zoo.weights import load_weights


@dataclass(frozen=True, slots=True, eq=False)
class TeacherOutput:
    """Output of a teacher for a batch, for the student's points.

    Args:
        xy: (B, K, 2) in pixels of the crop.
        score: (B, K) in [0, 1]; 0 without a prediction.
        maps: raw maps by name, each with a mask (C,) of the channels that the teacher has.
        features: maps of its backbone, finest first.
    """

    xy: Tensor
    score: Tensor
    maps: Mapping[str, tuple[Tensor, Tensor]]
    features: tuple[Tensor, ...] = ()


class NetworkTeacher:
    """A trained network as teacher.

    It is not a module, so that checkpoints and optimiser do not include it; it moves to the device of the batch.

    Args:
        net: the network; it is frozen and set to evaluation mode.
        codec: codec of its maps.
        order: (K of the student,) index of each point among the teacher's points, -1 if it has none.
    """

    def __init__(self, net: PoseNet, codec: Codec, order: Tensor) -> None:
        self.net, self.codec, self.order = net.eval().requires_grad_(False), codec, order

    @torch.no_grad()
    def __call__(self, batch: Batch) -> TeacherOutput:
        """Run the teacher on the images, resized to its input size if needed."""
        device, (height, width) = batch.image.device, self.codec.image
        net, order = self.net.to(device), self.order.to(device)
        image, size = batch.image, batch.image.shape[-2:]
        if size != (height, width):
            image = F.interpolate(image.float(), (height, width), mode="bilinear", align_corners=False, antialias=True)
        features = net.backbone(net.normalize(image))
        maps = {name: value.float() for name, value in net.head(net.neck(features)).items()}
        with exact(batch):
            poses = self.codec.decode(maps)
        scale = poses.xy.new_tensor((size[1] / width, size[0] / height))
        there, chosen = order >= 0, order.clamp_min(0)
        score = poses.score[:, 0, chosen] * there.to(poses.score.dtype)
        named = {name: self._named(value, there, chosen) for name, value in maps.items()}
        return TeacherOutput(poses.xy[:, 0, chosen] * scale, score, named, tuple(features))

    def _named(self, value: Tensor, there: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """A raw map, with channels in the order of the student's points if its channels are points."""
        if value.shape[1] == self.codec.points:
            return value[:, chosen], there
        return value, torch.ones(value.shape[1], dtype=torch.bool, device=value.device)


class FileTeacher:
    """Predictions from a file as teacher, matched by the index of the instance and transformed into the crop.

    Args:
        xy: (len, K, 2) in pixels of the image files.
        score: (len, K).
        contradicted: (len, K) bool, labels that the predictions contradict.
        flip: index of each point's mirror point, for flipped crops.
    """

    def __init__(self, xy: Tensor, score: Tensor, contradicted: Tensor, flip: tuple[int, ...]) -> None:
        self.xy, self.score, self.contradicted, self.flip = xy, score, contradicted, torch.tensor(flip)

    def __call__(self, batch: Batch) -> TeacherOutput:
        """The predictions for each crop's instance; score 0 if a crop has no instance in the set."""
        row, order, there = self._locations(batch)
        xy = self.xy[row].gather(1, order[..., None].expand(-1, -1, 2)).to(batch.to_source.dtype)
        to_crop = torch.linalg.inv(batch.to_source).to(row.device)
        moved = xy @ to_crop[:, :2, :2].transpose(1, 2) + to_crop[:, None, :2, 2]
        score = self.score[row].gather(1, order) * there
        return TeacherOutput(moved.float().to(batch.image.device), score.float().to(batch.image.device), {})

    def doubted(self, batch: Batch) -> Tensor:
        """(B, K) bool: labels that the predictions contradict."""
        row, order, there = self._locations(batch)
        return (self.contradicted[row].gather(1, order) & there).to(batch.image.device)

    def _locations(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """(B,) rows, (B, K) index of each point in the file, and (B, 1) bool: whether the crop has a row."""
        index = batch.index.to(self.xy.device)
        a, b, c, d = batch.to_source[:, :2, :2].flatten(1).to(index.device).unbind(1)
        mirrored = (a * d - b * c < 0)[:, None]
        order = torch.where(mirrored, self.flip, torch.arange(len(self.flip)))
        return index.clamp_min(0), order, (index >= 0)[:, None]


def read_teacher(config: Teacher, skeleton: Skeleton, train: Dataset) -> NetworkTeacher | FileTeacher:
    """Load the teacher of a config.

    Args:
        config: with its `source`.
        skeleton: of the student.
        train: training set of the student, for which a file must hold the predictions.

    Raises:
        WeightsError, DataError: there is no such teacher, or its points have other names.
        RecipeError: the teacher is a one-stage network.
    """
    if config.source.endswith(".json"):
        said = read_predictions(config.source, train, config.skeleton)
        found = agreement(train, said, score_threshold=config.score_threshold)
        # Labels with swapped sides are wrong, even if they agree with the predictions after swapping.
        sided = torch.tensor([i != mirror for i, mirror in enumerate(skeleton.flip)])
        contradicted = torch.from_numpy(found.outlier) | (torch.from_numpy(found.swapped)[:, None] & sided)
        return FileTeacher(torch.from_numpy(said.xy), torch.from_numpy(said.score), contradicted, skeleton.flip)
    weights = load_weights(config.source)
    if weights.recipe.one_stage or not isinstance(weights.net, PoseNet):
        raise RecipeError(f"{config.source}: a teacher must be a top-down network; this one takes full images")
    order = torch.from_numpy(shared_points(weights.recipe.skeleton, skeleton, config.source))
    return NetworkTeacher(weights.net, weights.recipe.codec, order)
