"""What a model said of a data set, read from a file: each prediction beside the instance that it is of.

Two forms are read: COCO's results, a list of objects with ``image_id`` and flat ``keypoints`` (x, y, score), and an
object ``predictions`` from image id to one pose, or several, of [x, y, score]. Both count pixel centres from 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError, read_text
from posekit.data.renaming import shared_points
from posekit.geometry.affine import transform
from posekit.geometry.boxes import area, around
from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS

Array = NDArray[Any]
HALF_PIXEL = 0.5
EXPECTED = "predictions as JSON: COCO results, or an object 'predictions' from image id to points (x, y, score)"
OVERLAP = 0.2
"""Least overlap of a prediction's box with an instance's for one to be of the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Points that were predicted for the trainable instances of a set.

    Args:
        xy: (len, K, 2) float64, pixels of the images' files.
        score: (len, K) float64 in [0, 1]; 0 where nothing was said.
    """

    xy: Array
    score: Array

    def __len__(self) -> int:
        return len(self.score)


def read_predictions(path: Path | str, dataset: Dataset, skeleton: str | None = None) -> Predictions:
    """Read predictions and put them beside the instances of a set, point by point of the same name.

    In each image the best overlapping pairs of boxes go together, each prediction to one instance.

    Args:
        path: of the file.
        dataset: whose trainable instances they are of; matched by the ids of its images.
        skeleton: key of `SKELETONS` that names the file's points; unset: that of the set where it has as many points,
            else COCO's where there are 17.

    Raises:
        DataError: the file is not what it should be, names too few of the set's points, or fits none of its instances.
    """
    file = Path(path)
    images, poses = _read(file)
    order = shared_points(_named(file, poses.shape[1], dataset.skeleton, skeleton), dataset.skeleton, str(file))
    instances, chosen = _matched(dataset, images, poses)
    if not len(chosen):
        raise DataError(
            f"{file}: none of its {len(poses)} predictions is of one of the {len(dataset)} instances of "
            f"{dataset.file or 'the data set'}; image ids must be those of the label file, as in {images[:3].tolist()}"
        )
    points = len(dataset.skeleton.points)
    xy, score = np.zeros((len(dataset), points, 2)), np.zeros((len(dataset), points))
    there = order >= 0
    xy[instances] = poses[chosen][:, order, :2] * there[:, None]
    score[instances] = np.clip(poses[chosen][:, order, 2], 0, 1) * there
    return Predictions(xy, score)


def _read(file: Path) -> tuple[Array, Array]:
    """(P,) ids of images and (P, K, 3) points with scores, first pixel centre at (0.5, 0.5)."""
    try:
        content = json.loads(read_text(file, EXPECTED))
        if isinstance(content, Mapping):
            images, flat = _by_image(content["predictions"])
        else:
            images, flat = [e["image_id"] for e in content], [e["keypoints"] for e in content]
        if not flat:
            raise DataError(f"{file}: holds no predictions; expected {EXPECTED}")
        poses = np.array(flat, np.float64).reshape(len(flat), -1, 3)
        ids = np.array(images, np.int64)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file}: not {EXPECTED} ({type(error).__name__}: {error})") from None
    if not np.isfinite(poses).all():
        raise DataError(f"{file}: {(~np.isfinite(poses)).sum()} of its numbers are not finite; leave such poses out")
    poses[..., :2] += HALF_PIXEL
    return ids, poses


def _by_image(predictions: Mapping[str, Any]) -> tuple[list[int], list[Any]]:
    """Flat lists of image ids and of poses."""
    images: list[int] = []
    poses: list[Any] = []
    for image, said in predictions.items():
        several = np.ndim(said) == 3
        images += [int(image)] * (len(said) if several else 1)
        poses += said if several else [said]
    return images, poses


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


def _matched(dataset: Dataset, images: Array, poses: Array) -> tuple[Array, Array]:
    """Instances and the poses that are of them, pair by pair."""
    ids = np.array([image.id for image in dataset.images], np.int64)[dataset.image_of_instance()]
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
