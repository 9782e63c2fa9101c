"""Measuring a network on labelled instances, and what one must beat: the mean pose and the untrained network."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import nn

from posekit.data.dataset import Dataset
from posekit.geometry.affine import invert, transform
from posekit.geometry.keypoints import Poses
from posekit.metrics.evaluate import evaluate
from posekit.pipelines.topdown import decode_crops, to_source
from posekit.pipelines.views import Views
from posekit.postprocess.ranking import Ranking
from posekit.recipe import Recipe
from posekit.training.loader import still_loader
from posekit.training.scenes import found, found_in_views, matched, precision
from posekit.training.sets import Sets

Float = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Measured:
    """Figures of one network on one set.

    Args:
        figures: metric to value.
        main: the metric that ranks networks.
        higher: whether more of it is better.
        per_point: metric to (K,) values.
        labelled: (M, K) bool.
        xy: (M, K, 2) predictions, pixels of the set's images.
        score: (M, K).
        instance_error: (M,) mean error of an instance in its box's longer sides; NaN where nothing is labelled.
        median_crop_error: median over labelled points, in crop pixels.
        everyone: of a model of whole images, all that it found in each of them.
    """

    figures: dict[str, float]
    main: str
    higher: bool
    per_point: Mapping[str, Float]
    labelled: NDArray[np.bool_]
    xy: Float
    score: Float
    instance_error: Float
    median_crop_error: float
    everyone: tuple[Poses, ...] = ()

    @property
    def value(self) -> float:
        """Of the metric that ranks networks."""
        return self.figures[self.main]

    def better_than(self, other: float) -> bool:
        """Whether this beats another value of the same metric; NaN beats nothing."""
        return self.value > other if self.higher else self.value < other


@torch.inference_mode()
def predicted(
    net: nn.Module, recipe: Recipe, dataset: Dataset, device: str | torch.device, progress: bool = False
) -> tuple[Float, Float, Float | None]:
    """Points of every instance of a set.

    Returns:
        xy (M, K, 2) in pixels of the set's images, score (M, K), and depth (M, K) or ``None``.
    """
    training = net.training
    net.eval()
    flip = recipe.skeleton.flip if recipe.train.flip_test and recipe.skeleton.flippable else None
    loader = still_loader(dataset, recipe)
    xy, score, depth = [], [], []
    for batch in track(loader, "measuring", disable=not (progress and sys.stderr.isatty())):
        moved = batch.to(device)
        layout = torch.channels_last if recipe.train.channels_last else torch.contiguous_format
        image = moved.image.contiguous(memory_format=layout)
        poses = to_source(decode_crops(net, recipe.codec, image, flip), moved.to_source)
        xy.append(poses.xy[:, 0].cpu().numpy())
        score.append(poses.score[:, 0].cpu().numpy())
        if poses.depth is not None:
            depth.append(poses.depth[:, 0].cpu().numpy())
    net.train(training)
    return _in_image(np.concatenate(xy), dataset), np.concatenate(score), np.concatenate(depth) if depth else None


def _in_image(xy: Float, dataset: Dataset) -> Float:
    """Pixels of the files to pixels of the set's images, which differ where a pack holds crops of the files."""
    images = [dataset.images[i] for i in dataset.image_of_instance()]
    if all(image.to_source is None for image in images):
        return xy
    return transform(xy, invert(np.stack([np.eye(3) if i.to_source is None else i.to_source for i in images])))


def measure(
    net: nn.Module,
    recipe: Recipe,
    dataset: Dataset,
    device: str | torch.device,
    progress: bool = False,
    views: Views | None = None,
) -> Measured:
    """Predict every instance of a set and compare with its labels.

    A model of whole images is ranked by AP; its other figures are those of the pose found for each labelled instance.

    Args:
        net: any mode; left in the same.
        recipe: says size, codec, flip test and the ranking metric.
        dataset: labelled.
        device: the net's.
        progress: show a bar.
        views: of whole images, how they are shown; ``None``: fitted, once.
    """
    if recipe.whole:
        everyone = tuple(
            found(net, recipe, dataset, device, progress)
            if views is None
            else found_in_views(net, recipe, dataset, device, views, progress)
        )
        measured = replace(compared(*matched(everyone, dataset), recipe, dataset), everyone=everyone)
        return _ranked(measured, precision(everyone, dataset))
    xy, score, depth = predicted(net, recipe, dataset, device, progress)
    measured = compared(xy, score, recipe, dataset)
    return measured if depth is None else replace(measured, figures=measured.figures | depth_error(depth, dataset))


def _ranked(measured: Measured, figures: Mapping[str, float]) -> Measured:
    """The same measurement, ranked by AP."""
    return replace(measured, figures={**figures, **measured.figures}, main="AP", higher=True)


def scored_anew(measured: Measured, ranking: Ranking, dataset: Dataset) -> Measured:
    """A measurement of whole images whose poses a scoring network has put in another order."""
    everyone = tuple(ranking(poses) for poses in measured.everyone)
    return replace(measured, everyone=everyone, figures={**measured.figures, **precision(everyone, dataset)})


def depth_error(depth: Float, dataset: Dataset) -> dict[str, float]:
    """``depth_error``, the mean distance of depths (M, K) in the data's unit; nothing where no depth is known."""
    rows = dataset.rows
    if dataset.depth is None:
        return {}
    known = dataset.visibility[rows] > 0
    if dataset.depth_known is not None:
        known = known & dataset.depth_known[rows]
    return {"depth_error": float(np.abs(depth - dataset.depth[rows])[known].mean())} if known.any() else {}


def compared(xy: Float, score: Float, recipe: Recipe, dataset: Dataset) -> Measured:
    """Figures of predictions (M, K, 2) in pixels of the set's images."""
    rows = dataset.rows
    truth, labelled, boxes = dataset.xy[rows], dataset.visibility[rows] > 0, dataset.boxes[rows]
    result = evaluate(xy, truth, labelled, boxes, dataset.area[rows], recipe.skeleton, metric=recipe.metric)
    error = np.where(labelled, np.linalg.norm(xy - truth, axis=-1), np.nan)
    side = (boxes[:, 2:] - boxes[:, :2]).max(-1)
    # The crop shows the padded box; this many crop pixels lie on one pixel of the file.
    height, width = recipe.size
    fit = np.maximum((boxes[:, 2] - boxes[:, 0]) / width, (boxes[:, 3] - boxes[:, 1]) / height) * recipe.padding
    return Measured(
        figures=result.figures,
        main=result.main,
        higher=result.higher,
        per_point=result.per_point,
        labelled=labelled,
        xy=xy,
        score=score,
        instance_error=np.nanmean(error, axis=1) / side,
        median_crop_error=float(np.nanmedian(error / fit[:, None])),
    )


def average_precision(measured: Measured, dataset: Dataset) -> dict[str, float]:
    """COCO's AP and AR of a measurement: given boxes, ranked by the poses' scores.

    Instances that nothing was predicted for, crowds and unlabelled ones, are ignored as COCO's evaluator does.
    """
    everyone = [Poses(measured.xy[:0], measured.score[:0], measured.score[:0, 0])] * dataset.scenes
    images = dataset.image_of_instance()
    for image in np.unique(images):
        here = images == image
        everyone[image] = Poses(measured.xy[here], measured.score[here], measured.score[here].mean(1))
    return precision(everyone, dataset)


def mean_pose(train: Dataset, val: Dataset) -> Float:
    """The best that anyone can say without looking: the training set's mean pose, put into each given box.

    Returns:
        (M, K, 2) pixels of the images of ``val``.
    """
    rows = train.rows
    boxes, labelled = train.boxes[rows], train.visibility[rows] > 0
    within = (train.xy[rows] - boxes[:, None, :2]) / (boxes[:, None, 2:] - boxes[:, None, :2])
    count = np.maximum(labelled.sum(0), 1)[:, None]
    mean = np.where(labelled[..., None], within, 0).sum(0) / count
    there = val.boxes[val.rows]
    return there[:, None, :2] + mean * (there[:, None, 2:] - there[:, None, :2])


def baselines(recipe: Recipe, sets: Sets, device: str | torch.device) -> dict[str, Mapping[str, float]]:
    """Figures of the mean pose and of the network before its first step."""
    torch.manual_seed(recipe.seed)
    fresh = recipe.build().to(device)
    mean = mean_pose(sets.train, sets.val)
    measured = compared(mean, np.ones(mean.shape[:2]), recipe, sets.val)
    if recipe.whole:
        measured = _ranked(measured, average_precision(measured, sets.val))
    return {
        "mean pose": measured.figures,
        "untrained": measure(fresh, recipe, sets.val, device).figures,
    }
