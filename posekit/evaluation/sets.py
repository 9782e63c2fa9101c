"""Read the training and validation sets of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posekit.data.dataset import Dataset, merged
from posekit.data.errors import DataError
from posekit.data.named import read_named
from posekit.data.readers import has_split
from posekit.data.renaming import as_skeleton
from posekit.data.source import Data
from posekit.data.suspicions import Command, concerning
from posekit.data.unusable import with_usable_boxes
from posekit.geometry.skeleton import Skeleton

HELD_OUT = 10
"""Without a validation file one in this many images is held out."""


@dataclass(frozen=True, eq=False)
class Sets:
    """Training and validation sets, and notes on what was inferred; ``people`` are pasted into full images."""

    train: Dataset
    val: Dataset
    said: tuple[str, ...]
    people: Dataset | None = None


def read_sets(data: Data) -> Sets:
    """Read the data of a recipe; hold out a validation set if none is given.

    Raises:
        DataError: there is no training file, a file is not what it should be, or sets do not fit each other.
    """
    if not data.train:
        raise DataError("no training data: give --data.train FILE (COCO JSON, YOLO data.yaml, or a pack)")
    train = read_set(data, data.train, "train", "train")
    said = train.inferred
    if data.val:
        val = read_set(data, data.val, "val")
    elif all(has_split(file, "val") for file in data.train):
        val = read_set(data, data.train, "val")
    else:
        train, val = _held_out(train)
        total = len(train) + len(val)
        said += (f"no validation data: every {HELD_OUT}th image is held out ({len(val)} of {total} instances)",)
    if data.val:
        said += tuple(f"validation data: {sentence}" for sentence in warnings_of(val))
    if val.skeleton.points != train.skeleton.points:
        ours, theirs = list(train.skeleton.points), list(val.skeleton.points)
        raise DataError(f"training data has points {ours}, validation data {theirs}")
    for what, part in (("training", train), ("validation", val)):
        if not len(part):
            raise DataError(f"the {what} data has no instance with a labelled point; at least one is needed")
    people, told = _people(data, train.skeleton)
    return Sets(train, val, said + told, people)


def read_set(data: Data, files: Sequence[Path], split: str, command: Command = "eval") -> Dataset:
    """Read and join label files.

    Boxes without extent are put around the points of their instance; this, and contradictions in the labels that
    concern the command, are noted in ``inferred``.

    Args:
        data: images, category and skeleton.
        files: label files.
        split: part of files that have several.
        command: the command that uses the set.

    Raises:
        DataError: a file is not what it should be, or the named skeleton does not fit.
    """
    read = read_named(files, images=data.images, category=data.category, split=split, skeleton=data.skeleton)
    dataset = with_usable_boxes(read)
    doubts = tuple(f"warning: {sentence}" for sentence in concerning(dataset, command))
    return replace(dataset, inferred=(*dataset.inferred, *doubts))


def warnings_of(dataset: Dataset) -> tuple[str, ...]:
    """The warnings among the notes of a set."""
    return tuple(sentence for sentence in dataset.inferred if sentence.startswith("warning: "))


def _people(data: Data, skeleton: Skeleton) -> tuple[Dataset | None, tuple[str, ...]]:
    """People to paste, with the points of the training data, and notes on what was inferred."""
    if not data.people:
        return None, ()
    sets = [as_skeleton(read_named([file], category=data.category, split="train"), skeleton) for file in data.people]
    people = merged(sets)
    if not len(people):
        raise DataError(f"no instance in {', '.join(map(str, data.people))} has a labelled point that could be pasted")
    return people, tuple(f"people to paste: {sentence}" for sentence in people.inferred)


def _held_out(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """Split by image, so that no image is in both."""
    images = dataset.image_of_instance()
    number = np.unique(images, return_inverse=True)[1]
    out = (
        number % HELD_OUT == HELD_OUT - 1 if number.max(initial=0) >= HELD_OUT - 1 else number == number.max(initial=0)
    )
    return dataset.subset(np.flatnonzero(~out)), dataset.subset(np.flatnonzero(out))
