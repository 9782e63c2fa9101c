"""Predictions for a data set, read from a file and matched to its instances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, listed, shown
from posekit.data.image_match import by_name, by_number, origins
from posekit.data.prediction_files import LoadedPredictions, load_predictions
from posekit.data.renaming import shared_points
from posekit.geometry.affine import transform
from posekit.geometry.boxes import area, around
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS

Array = NDArray[Any]
OVERLAP = 0.2
"""Smallest IoU between the box of a prediction and that of its instance."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predicted points for the trainable instances of a data set.

    Args:
        xy: (len, K, 2) float64, pixels of the images' files.
        score: (len, K) float64 in [0, 1]; 0 where nothing was predicted.
        found: (len,) bool, instances that have a prediction; ``None``: all.
        points: (K,) bool, points that the predictions have; ``None``: all.
    """

    xy: Array
    score: Array
    found: Array | None = None
    points: Array | None = None

    def __len__(self) -> int:
        return len(self.score)


def read_predictions(path: Path | str, dataset: Dataset, skeleton: str | None = None) -> Predictions:
    """Read predictions and match them to the instances of a data set; points are matched by name.

    In each image predictions and instances are matched one to one by the IoU of their boxes, highest first. Predictions
    with a ``file_name`` (or ``path``) belong to the image of that name, regardless of ``image_id``; those without to
    the image with that id. Predictions for other images are left out.

    Args:
        path: of the file.
        dataset: its trainable instances are matched.
        skeleton: key of `SKELETONS` that names the file's points; unset: that of the set if it has the same number of
            points, else COCO's if there are 17.

    Raises:
        DataError: the file is invalid, has too few of the set's points, contradicts itself about its images, or
            matches no instance.
    """
    file = Path(path)
    return match_predictions(file, load_predictions(file), dataset, skeleton)


def match_predictions(
    file: Path, loaded: LoadedPredictions, dataset: Dataset, skeleton: str | None = None
) -> Predictions:
    """Match predictions that were loaded from a file; see `read_predictions`."""
    order = order_of_points(file, loaded, dataset, skeleton)
    of_image = origins(dataset)[1]
    image = file_of_each(file, loaded, dataset)
    instances, chosen = _matched(dataset, of_image, image, loaded.poses)
    if not len(chosen):
        raise DataError(_none_fits(file, loaded, dataset, image))
    points = len(dataset.skeleton.points)
    xy, score = np.zeros((len(dataset), points, 2)), np.zeros((len(dataset), points))
    there = order >= 0
    xy[instances] = loaded.poses[chosen][:, order, :2] * there[:, None]
    score[instances] = np.clip(loaded.poses[chosen][:, order, 2], 0, 1) * there
    found = np.zeros(len(dataset), bool)
    found[instances] = True
    return Predictions(xy, score, found, there)


def order_of_points(file: Path, loaded: LoadedPredictions, dataset: Dataset, skeleton: str | None = None) -> Array:
    """(K,) position of each point of the set among those of the file, by name; -1 where the file does not have it."""
    own = _named(file, loaded.poses.shape[1], dataset.skeleton, skeleton)
    return shared_points(own, dataset.skeleton, str(file))


def file_of_each(file: Path, loaded: LoadedPredictions, dataset: Dataset) -> Array:
    """(P,) position of each prediction's file among `origins` of the set; -1 where it has none."""
    files = origins(dataset)[0]
    return by_number(file, loaded.numbers, files) if loaded.names is None else by_name(file, loaded.names, files)


def _none_fits(file: Path, loaded: LoadedPredictions, dataset: Dataset, image: Array) -> str:
    where = dataset.file or "the data set"
    what = f"{file}: none of its {len(loaded.poses)} predictions is of one of the {len(dataset)} instances of {where}"
    if (image >= 0).any():
        return f"{what}; images agree, but no boxes overlap: are points in pixels of the images' files?"
    first = dataset.images[0].origin
    if loaded.names is None:
        ids = loaded.numbers[:3].tolist()
        return f"{what}; image ids must be those of the label file, as {first[1]} is, not as in {ids}"
    names = [shown(name) for name in loaded.names[:3]]
    return f"{what}; file names must be those of the images, as {first[0]} is, not as in {listed(names)}"


def _named(file: Path, points: int, own: Skeleton, skeleton: str | None) -> Skeleton:
    """The skeleton of the file's points."""
    if skeleton is not None and skeleton not in SKELETONS:
        raise DataError(f"no skeleton {skeleton!r}; known: {', '.join(SKELETONS)}")
    if skeleton is None and points == len(own.points):
        return own
    known = SKELETONS[skeleton or "coco17"]
    if len(known.points) != points:
        fix = "" if skeleton else ": name a skeleton with as many points"
        raise DataError(f"{file}: its poses have {points} points and {known.name!r} has {len(known.points)}{fix}")
    return known


def _matched(dataset: Dataset, of_image: Array, images: Array, poses: Array) -> tuple[Array, Array]:
    """Matched pairs of instances and poses.

    Args:
        dataset: whose instances are matched.
        of_image: (images,) the file that each image of the set is, or was cut from.
        images: (P,) the file that each pose is of; -1: none of these.
        poses: (P, K, 3).
    """
    ids = of_image[dataset.image_of_instance()]
    boxes = to_files(dataset, dataset.boxes[dataset.rows].reshape(-1, 2, 2)).reshape(-1, 4)
    order = np.argsort(images, kind="stable")
    first, last = (np.searchsorted(images[order], ids, side) for side in ("left", "right"))
    instance = np.repeat(np.arange(len(ids)), last - first)
    # Counted on from the first pose of each instance's image.
    step = np.arange(len(instance)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    pose = order[np.repeat(first, last - first) + step]
    overlap = _overlap(boxes[instance], around(poses[pose, :, :2], poses[pose, :, 2] > 0))
    pairs = np.argsort(-overlap, kind="stable")
    pairs = pairs[overlap[pairs] >= OVERLAP]
    taken: tuple[set[int], set[int]] = (set(), set())
    kept: list[tuple[int, int]] = []
    for one, other in zip(instance[pairs].tolist(), pose[pairs].tolist(), strict=True):
        if one not in taken[0] and other not in taken[1]:
            taken[0].add(one)
            taken[1].add(other)
            kept.append((one, other))
    both = np.array(kept, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _overlap(a: Array, b: Array) -> Array:
    """(P,) intersection over union of boxes (P, 4), pair by pair."""
    inner = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0).prod(-1)
    return np.asarray(inner / np.maximum(area(a) + area(b) - inner, 1e-9))


def to_files(dataset: Dataset, xy: Array) -> Array:
    """Points (len, ..., 2) of the trainable instances, pixels of the set's images, in pixels of the images' files."""
    images = [dataset.images[i] for i in dataset.image_of_instance()]
    if all(image.to_source is None for image in images):
        return xy
    return transform(xy, np.stack([np.eye(3) if i.to_source is None else i.to_source for i in images]))


def in_files(dataset: Dataset) -> Array:
    """(len, K, 2) labelled points of the trainable instances, in pixels of the images' files."""
    return to_files(dataset, dataset.xy[dataset.rows])
