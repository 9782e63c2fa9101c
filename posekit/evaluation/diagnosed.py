"""Tell the kinds of errors of a measurement apart."""

from __future__ import annotations

from posekit.data.dataset import Dataset
from posekit.evaluation.measure import Measured
from posekit.metrics.diagnosis import Diagnosis, diagnose


def diagnosed(measured: Measured, dataset: Dataset) -> Diagnosis:
    """The kind of error of each labelled point of a measurement; see `diagnose`.

    Args:
        measured: predictions for the trainable instances of the set.
        dataset: the same.
    """
    rows, skeleton = dataset.rows, dataset.skeleton
    return diagnose(
        measured.xy,
        dataset.xy[rows],
        measured.labelled,
        dataset.area[rows],
        dataset.image_of_instance(),
        skeleton.oks_sigmas,
        skeleton.flip if skeleton.flippable else range(len(skeleton.points)),
        # What `matched` writes where there is no pose.
        measured.score.max(axis=1) > 0 if measured.everyone else None,
    )
