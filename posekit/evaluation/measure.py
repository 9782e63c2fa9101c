"""Measure a predictor on labelled images; and the mean pose as a baseline."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from posekit.data.dataset import Dataset
from posekit.data.read_ahead import read_ahead
from posekit.engines.spec import InferenceSpec
from posekit.evaluation.matching import matched, precision
from posekit.geometry.framing import Crop
from posekit.geometry.keypoints import SEEN, Poses
from posekit.metrics.evaluate import evaluate
from posekit.metrics.separation import roc_auc
from posekit.pipelines.predictor import PosePredictor

Float = NDArray[np.floating]

VISIBLE = "auc_visible"
"""Area under the ROC curve of `Poses.visible`: seen against hidden points."""
TIES = "nme_box"
"""The metric that decides between equal values of the main metric; lower is better."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Metrics of one network on one data set.

    Args:
        figures: metric to value.
        main: the metric that ranks networks.
        higher: whether higher values of it are better.
        per_point: metric to (K,) values.
        labelled: (M, K) bool.
        xy: (M, K, 2) predictions, pixels of the set's images.
        score: (M, K).
        instance_error: (M,) mean error of an instance as a fraction of its box's longer side; NaN if nothing is
            labelled.
        median_crop_error: median over labelled points, in pixels of the model's crops; NaN where it has none.
        everyone: for one-stage models, all poses found in each image.
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
        """Value of the main metric."""
        return self.figures[self.main]

    @property
    def tie(self) -> float:
        """Value of `TIES`, the metric that decides between equal values of the main metric; NaN if it is missing."""
        return self.figures.get(TIES, float("nan"))

    def better_than(self, other: float, tie: float = float("nan")) -> bool:
        """Whether this beats another measurement.

        Shares such as PCK are soon equal, above all at 1, while the errors still fall: among equal values the lower
        `TIES` is better.

        Args:
            other: value of the same metric; NaN beats nothing.
            tie: value of `TIES` of the other measurement; NaN: equal values are not better.
        """
        if self.value == other:
            return self.tie < tie
        return self.value > other if self.higher else self.value < other


def predicted(predictor: PosePredictor, dataset: Dataset, progress: bool = False) -> Poses:
    """Predict the points of every instance of a set from its box.

    Args:
        predictor: of a model that needs boxes.
        dataset: its trainable instances are predicted.
        progress: show a progress bar.

    Returns:
        Poses (M, K) in pixels of the set's images, in the order of the set.
    """
    images = dataset.image_of_instance()
    order = np.argsort(images, kind="stable")
    numbers, starts = np.unique(images[order], return_index=True)
    groups = np.split(order, starts[1:])
    boxes = dataset.boxes[dataset.rows]
    found = predictor.stream(
        read_ahead(dataset.images[i] for i in _shown(numbers.tolist(), progress)), [boxes[group] for group in groups]
    )
    return Poses.concatenate(list(found))[np.argsort(order, kind="stable")]


def found(predictor: PosePredictor, dataset: Dataset, progress: bool = False) -> list[Poses]:
    """Predict all poses in each image of a set, in pixels of the set's images.

    Args:
        predictor: of a model that finds instances itself.
        dataset: its images are predicted.
        progress: show a bar.
    """
    return list(predictor.stream(read_ahead(_shown(dataset.images, progress))))


def _shown(items: Sequence[Any], progress: bool) -> Iterable[Any]:
    """The items, with a progress bar."""
    return track(items, "measuring", disable=not (progress and sys.stderr.isatty()))


def measure(predictor: PosePredictor, dataset: Dataset, *, metric: str = "", progress: bool = False) -> Measured:
    """Predict every instance of a set and compare with its labels.

    For one-stage models the main metric is AP; the other metrics use the pose matched to each labelled instance.

    Args:
        predictor: any object with the interface of `Predictor`.
        dataset: labelled, of the predictor's points.
        metric: protocol that ranks models; empty: the model's own, or the first that fits the skeleton.
        progress: show a bar.
    """
    spec = getattr(predictor, "spec", None)
    metric = metric or (spec.metric if isinstance(spec, InferenceSpec) else "")
    if not predictor.needs_boxes:
        everyone = tuple(found(predictor, dataset, progress))
        poses = matched(everyone, dataset)
        measured = replace(compared(poses.xy, poses.score, dataset, metric, spec), everyone=everyone)
        return with_visible(ranked_by_ap(measured, precision(everyone, dataset)), poses.visible, dataset)
    poses = predicted(predictor, dataset, progress)
    measured = with_visible(compared(poses.xy, poses.score, dataset, metric, spec), poses.visible, dataset)
    if poses.depth is None:
        return measured
    return replace(measured, figures=measured.figures | depth_error(poses.depth, dataset))


def ranked_by_ap(measured: Measured, figures: Mapping[str, float]) -> Measured:
    """The same measurement, ranked by AP."""
    return replace(measured, figures={**figures, **measured.figures}, main="AP", higher=True)


def with_visible(measured: Measured, visible: Float | None, dataset: Dataset) -> Measured:
    """The measurement with `VISIBLE`: how well a model tells seen from hidden points, over all points and for each.

    Args:
        measured: of the same predictions.
        visible: (M, K) probability of being seen; NaN where an instance was not found; ``None`` changes nothing.
        dataset: labelled, M trainable instances.
    """
    if visible is None:
        return measured
    truth = dataset.visibility[dataset.rows]
    seen, labelled = truth == SEEN, truth > 0
    together = roc_auc(visible.reshape(-1, 1), seen.reshape(-1, 1), labelled.reshape(-1, 1))[0]
    return replace(
        measured,
        figures=measured.figures | {VISIBLE: float(together)},
        per_point={**measured.per_point, VISIBLE: roc_auc(visible, seen, labelled)},
    )


def depth_error(depth: Float, dataset: Dataset) -> dict[str, float]:
    """``depth_error``, the mean distance of depths (M, K) in the data's unit; nothing where no depth is known."""
    rows = dataset.rows
    if dataset.depth is None:
        return {}
    known = dataset.visibility[rows] > 0
    if dataset.depth_known is not None:
        known = known & dataset.depth_known[rows]
    return {"depth_error": float(np.abs(depth - dataset.depth[rows])[known].mean())} if known.any() else {}


def compared(
    xy: Float, score: Float, dataset: Dataset, metric: str = "", spec: InferenceSpec | None = None
) -> Measured:
    """Figures of predictions for the instances of a set.

    Args:
        xy: (M, K, 2) pixels of the set's images.
        score: (M, K).
        dataset: labelled, M trainable instances.
        metric: protocol that ranks models; empty: the first that fits the skeleton.
        spec: of the model; gives the sigmas and the size of the crops.
    """
    rows = dataset.rows
    skeleton = dataset.skeleton if spec is None else spec.skeleton
    truth, labelled, boxes = dataset.xy[rows], dataset.visibility[rows] > 0, dataset.boxes[rows]
    result = evaluate(xy, truth, labelled, boxes, dataset.area[rows], skeleton, metric=metric)
    error = np.where(labelled, np.linalg.norm(xy - truth, axis=-1), np.nan)
    side = (boxes[:, 2:] - boxes[:, :2]).max(-1)
    return Measured(
        figures=result.figures,
        main=result.main,
        higher=result.higher,
        per_point=result.per_point,
        labelled=labelled,
        xy=xy,
        score=score,
        instance_error=np.nanmean(error, axis=1) / side,
        median_crop_error=_median_in_crops(error, boxes, spec),
    )


def _median_in_crops(error: Float, boxes: Float, spec: InferenceSpec | None) -> float:
    """Median error (M, K) in pixels of the crop, or of the view as if it were one, that a model is shown."""
    if spec is None:
        return float("nan")
    height, width = spec.size
    padding = spec.framing.padding if isinstance(spec.framing, Crop) else Crop().padding
    # The crop shows the padded box; one crop pixel is so many pixels of the image.
    fit = np.maximum((boxes[:, 2] - boxes[:, 0]) / width, (boxes[:, 3] - boxes[:, 1]) / height) * padding
    return float(np.nanmedian(error / fit[:, None]))


def average_precision(measured: Measured, dataset: Dataset) -> dict[str, float]:
    """COCO's AP and AR of a measurement: given boxes, ranked by the poses' scores.

    Crowd regions, unlabelled instances, and instances without a prediction are ignored as COCO's evaluator does.
    """
    everyone = [Poses(measured.xy[:0], measured.score[:0], measured.score[:0, 0])] * dataset.scenes
    images = dataset.image_of_instance()
    for image in np.unique(images):
        here = images == image
        everyone[image] = Poses(measured.xy[here], measured.score[here], measured.score[here].mean(1))
    return precision(everyone, dataset)


def mean_pose(train: Dataset, val: Dataset) -> Float:
    """Baseline that ignores the image: the mean pose of the training set, placed into each given box.

    Returns:
        (M, K, 2) pixels of the images of ``val``.
    """
    rows = train.rows
    boxes, labelled = train.boxes[rows], train.visibility[rows] > 0
    within = (train.xy[rows] - boxes[:, None, :2]) / (boxes[:, None, 2:] - boxes[:, None, :2])
    count = np.maximum(labelled.sum(0), 1)[:, None]
    mean = np.where(labelled[..., None], within, 0).sum(0) / count
    there = val.boxes[val.rows]
    points: Float = there[:, None, :2] + mean * (there[:, None, 2:] - there[:, None, :2])
    return points
