"""Distillation from a teacher; see `posekit.losses.distillation.Teacher`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posekit.codecs.base import Target
from posekit.codecs.visibility import without_visibility
from posekit.data.batch import Batch
from posekit.data.dataset import Dataset
from posekit.geometry.keypoints import Keypoints
from posekit.losses.distillation import Teacher, difference, feature_squares, reweighted
from posekit.models.base import Backbone, PoseNet
from posekit.recipe import Recipe, RecipeError
from posekit.training.distillation.teacher import FileTeacher, NetworkTeacher, TeacherOutput, read_teacher
from posekit.training.task import Task, exact


class Adapter(nn.Module):
    """1x1 convolution from a map of the student's backbone to the channels of the teacher's; for training only.

    Args:
        before: channels of the student's map.
        after: channels of the teacher's map.
        student: index of the student's map.
        teacher: index of the teacher's map.
    """

    def __init__(self, before: int, after: int, student: int, teacher: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 1)
        self.student, self.teacher = student, teacher

    def forward(self, features: list[Tensor]) -> Tensor:
        """The student's maps, finest first, to (B, after, H, W)."""
        adapted: Tensor = self.conv(features[self.student])
        return adapted


class StudentTask(nn.Module):
    """A task whose network learns from labels and from a teacher.

    Args:
        task: task whose network is the student.
        config: loss weights and other options.
        teacher: returns its output for each batch.
        adapter: adapter of features; ``None``: features are not compared.
    """

    def __init__(
        self, task: Task, config: Teacher, teacher: NetworkTeacher | FileTeacher, adapter: Adapter | None = None
    ) -> None:
        super().__init__()
        self.task, self.config, self.teacher, self.adapter = task, config, teacher, adapter

    @property
    def net(self) -> PoseNet:
        """The student, which is averaged, saved and exported."""
        return self.task.net  # type: ignore[return-value]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The task's loss terms, and ``teacher...`` for each distillation loss with a weight above 0."""
        task, config, net = self.task, self.config, self.net
        features = [] if self.adapter is None else net.backbone(net.normalize(batch.image))
        maps = net(batch.image) if self.adapter is None else net.outputs(features)
        with exact(batch):
            target = task.codec.encode(batch.instances)
            if config.outliers < 1 and isinstance(self.teacher, FileTeacher):
                doubted = self.teacher.doubted(batch)
                target = reweighted(target, torch.where(doubted, config.outliers, 1.0))
            terms = task.weighed(task.terms(maps, target))
        if config.points or config.maps or config.features:
            said = self.teacher(batch)
            with exact(batch):
                terms |= self._distillation(batch, maps, features, said)
        return terms

    def _distillation(
        self, batch: Batch, maps: Mapping[str, Tensor], features: list[Tensor], said: TeacherOutput
    ) -> dict[str, Tensor]:
        config = self.config
        terms: dict[str, Tensor] = {}
        if config.points:
            found = self.task.terms(maps, self._labels(batch, said))
            terms |= {f"teacher.{name}": config.points * value for name, value in found.items()}
        if config.maps:
            terms["teacher.maps"] = config.maps * self._difference(maps, said)
        if self.adapter is not None:
            mine, other = self.adapter(features).float(), said.features[self.adapter.teacher].float()
            terms["teacher.features"] = config.features * feature_squares(mine, _fitted(other, mine)).mean()
        return terms

    def _labels(self, batch: Batch, said: TeacherOutput) -> Target:
        """The teacher's points as a target, weighted by its scores."""
        seen = batch.instances.keypoints.visibility
        sure = (said.score > 0) & (said.score >= self.config.score_threshold)
        points = Keypoints(said.xy[:, None], (2 * sure)[:, None].to(seen.dtype))
        # A teacher says where points are, not whether they are seen.
        target = without_visibility(self.task.codec.encode(replace(batch.instances, keypoints=points)))
        return reweighted(target, said.score) if self.config.graded else target

    def _difference(self, maps: Mapping[str, Tensor], said: TeacherOutput) -> Tensor:
        mine = {name: value.float() for name, value in maps.items()}
        other = {name: _fitted(value, mine[name]) for name, (value, _) in said.maps.items()}
        counted = {name: knows.float().expand(mine[name].shape[:2]) for name, (_, knows) in said.maps.items()}
        return difference(mine, other, counted, self.config.form, self.config.temperature)


def _fitted(value: Tensor, like: Tensor) -> Tensor:
    """A teacher's map, resized to the student's cells."""
    if value.ndim < 4 or value.shape[-2:] == like.shape[-2:]:
        return value
    return F.interpolate(value, like.shape[-2:], mode="bilinear", align_corners=False)


def with_teacher(task: Task, recipe: Recipe, config: Teacher, train: Dataset) -> StudentTask:
    """Add a teacher to a task.

    Args:
        task: of the recipe.
        recipe: of the student.
        config: teacher and loss weights.
        train: training set of the student.

    Raises:
        RecipeError: the teacher does not provide the maps, features or predictions that the config needs.
        WeightsError, DataError: there is no such teacher, or its points have other names.
    """
    if recipe.one_stage or not isinstance(task.net, PoseNet):
        raise RecipeError("distillation from a teacher needs a top-down recipe: use a model of the kind 'topdown'")
    teacher = read_teacher(config, recipe.skeleton, train)
    if isinstance(teacher, FileTeacher):
        wanted = [name for name in ("maps", "features") if getattr(config, name)]
        if wanted:
            raise RecipeError(f"{config.source} holds points and no {' or '.join(wanted)}: set --distill.{wanted[0]} 0")
        return StudentTask(task, config, teacher)
    if config.outliers < 1:
        raise RecipeError("--distill.outliers needs a .json of predictions as teacher; for a network it must be 1")
    if config.maps:
        _check_maps(recipe, teacher, config.source)
    return StudentTask(task, config, teacher, _adapter(task.net, teacher.net) if config.features else None)


def _check_maps(recipe: Recipe, teacher: NetworkTeacher, source: str) -> None:
    """Refuse a teacher whose raw maps cannot be compared with the student's."""
    mine, other = recipe.codec, teacher.codec
    speech = [(codec.kind, getattr(codec, "activation", "none")) for codec in (mine, other)]
    if speech[0] != speech[1]:
        raise RecipeError(
            f"{source} gives maps of {speech[1][0]!r} (activation {speech[1][1]!r}), the student of {speech[0][0]!r} "
            f"({speech[0][1]!r}): learn from its points instead, or use the same codec"
        )
    points = list(range(mine.points))
    same = teacher.order.tolist() == points and other.points == mine.points
    for name, shape in mine.shapes.items():
        by_point = shape[0] == mine.points and other.shapes[name][0] == other.points
        cells = len(shape) == 3 or shape[1:] == other.shapes[name][1:]
        if not cells or not (by_point or same):
            raise RecipeError(
                f"{source}: {name!r} is {other.shapes[name]} there and {shape} here, which cannot be compared: "
                "use the same codec, size and points, or learn from its points instead"
            )


def _adapter(student: PoseNet, teacher: PoseNet) -> Adapter:
    """Adapter between the coarsest maps of equal stride."""
    mine, other = cast(Backbone, student.backbone), cast(Backbone, teacher.backbone)
    shared = [stride for stride in mine.strides if stride in other.strides]
    if not shared:
        raise RecipeError(f"backbones of strides {mine.strides} and {other.strides} have no map to compare")
    # The last map of that stride, as in necks.
    at = [len(backbone.strides) - 1 - backbone.strides[::-1].index(shared[-1]) for backbone in (mine, other)]
    return Adapter(mine.channels[at[0]], other.channels[at[1]], *at)
