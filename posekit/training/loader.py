"""Crops, or full images, for training and evaluation, in an order that follows from (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from posekit.data.batch import Batch, collate
from posekit.data.dataset import Dataset
from posekit.data.sample import Sample
from posekit.geometry.framing import Crop
from posekit.recipe import Recipe


class Crops(TorchDataset[Sample]):
    """One training crop for each (epoch, index); all random numbers depend on (seed, epoch, index) alone."""

    def __init__(self, dataset: Dataset, recipe: Recipe, repeat: int = 1) -> None:
        self.dataset, self.recipe, self.repeat = dataset, recipe, repeat

    def __len__(self) -> int:
        return len(self.dataset) * self.repeat

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        recipe, (epoch, index) = self.recipe, key
        return recipe.augment.at(epoch / recipe.train.epochs).train(
            self.dataset.instance(index % len(self.dataset)),
            _random(recipe.seed, key),
            recipe.skeleton,
            size=recipe.size,
            padding=cast(Crop, recipe.framing).padding,
        )


def _random(seed: int, key: tuple[int, int]) -> np.random.Generator:
    """The random generator of one sample; every random choice about it comes from here."""
    epoch, index = key
    # A counter-based generator needs no seed hashing, which would take as long as all the random numbers.
    return np.random.Generator(np.random.Philox(key=(seed << 64) + (epoch << 32) + index))


class FullImages(TorchDataset[Sample]):
    """One augmented full image for each (epoch, index); all random numbers depend on (seed, epoch, index) alone.

    Args:
        dataset: the images.
        recipe: size and augmentation of the views.
        repeat: passes over the images that make an epoch.
        people: images of one person each to paste into the views; ``None``: no pasting.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, repeat: int = 1, people: Dataset | None = None) -> None:
        self.dataset, self.recipe, self.repeat = dataset, recipe, repeat
        self.scenes = Each(dataset.scene, dataset.scenes)
        self.people = None if people is None else Each(people.instance, len(people))

    def __len__(self) -> int:
        return self.dataset.scenes * self.repeat

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        recipe, (epoch, index) = self.recipe, key
        return recipe.augment.at(epoch / recipe.train.epochs).train_scene(
            self.scenes[index % len(self.scenes)],
            _random(recipe.seed, key),
            recipe.skeleton,
            size=recipe.size,
            scenes=self.scenes,
            people=self.people,
        )


class Each(Sequence[Sample]):
    """A lazy sequence: a function from index to sample, called on access."""

    def __init__(self, read: Callable[[int], Sample], count: int) -> None:
        self._read, self._count = read, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        if not 0 <= index < self._count:
            raise IndexError(f"there are {self._count} samples; got index {index}")
        return self._read(index)


TrainingView = Crops | FullImages


def training_view(dataset: Dataset, recipe: Recipe, repeat: int = 1, people: Dataset | None = None) -> TrainingView:
    """The training samples of a recipe: crops, or views of full images."""
    return FullImages(dataset, recipe, repeat, people) if recipe.one_stage else Crops(dataset, recipe, repeat)


class Batches(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch for one process: of nearly equal size; every sample is in one process once.

    Args:
        count: number of samples.
        batch: largest batch of a process.
        seed: seed of the run.
        epoch: epoch, which changes the order.
        start: batches to skip, when a run resumes within an epoch.
        rank: index of this process.
        world: number of processes.
    """

    def __init__(
        self, count: int, batch: int, seed: int, epoch: int, start: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        order = np.random.default_rng([seed, epoch, 0x0DE4]).permutation(count)
        # Equal parts avoid a tiny last batch, on which batch norm would fail, and give every process as many steps.
        parts = np.array_split(order, steps_per_epoch(count, batch, world))[start:]
        self.batches = [[(epoch, int(i)) for i in part[rank::world]] for part in parts]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def steps_per_epoch(count: int, batch: int, world: int = 1) -> int:
    """Number of steps in one epoch.

    Raises:
        ValueError: fewer samples than processes.
    """
    if count < world:
        raise ValueError(f"{count} samples are too few for {world} processes; start at most {count}")
    return -(-count // (batch * world))


def training_loader(
    crops: TrainingView, *, epoch: int, start: int = 0, rank: int = 0, world: int = 1, pinned: bool = False
) -> DataLoader[Batch]:
    """The data loader of one epoch, starting at batch ``start``."""
    options = crops.recipe.train
    sampler = Batches(len(crops), options.batch, crops.recipe.seed, epoch, start, rank, world)
    return DataLoader(crops, batch_sampler=sampler, collate_fn=collate, num_workers=options.workers, pin_memory=pinned)  # type: ignore[arg-type]
