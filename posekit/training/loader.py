"""Crops for training and measuring, in an order that follows from (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from posekit.data.batch import Batch, collate
from posekit.data.dataset import Dataset
from posekit.data.sample import Sample
from posekit.recipe import Recipe


class Crops(TorchDataset[Sample]):
    """One training crop for each (epoch, index); every draw follows from (seed, epoch, index)."""

    def __init__(self, dataset: Dataset, recipe: Recipe, repeat: int = 1) -> None:
        self.dataset, self.recipe, self.repeat = dataset, recipe, repeat

    def __len__(self) -> int:
        return len(self.dataset) * self.repeat

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, index = key
        # A counter-based generator needs no hashing of its seed, which costs as much as all the draws.
        rng = np.random.Generator(np.random.Philox(key=(self.recipe.seed << 64) + (epoch << 32) + index))
        recipe = self.recipe
        return recipe.augment.train(
            self.dataset.instance(index % len(self.dataset)),
            rng,
            recipe.skeleton,
            size=recipe.size,
            padding=recipe.padding,
        )


class Batches(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch for one process: near-equal sizes, every sample once over all processes.

    Args:
        count: samples in the set.
        batch: samples a process takes a step, at most.
        seed: of the run.
        epoch: which order.
        start: batches to skip, when a run resumes in the middle.
        rank: this process.
        world: number of processes.
    """

    def __init__(
        self, count: int, batch: int, seed: int, epoch: int, start: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        order = np.random.default_rng([seed, epoch, 0x0DE4]).permutation(count)
        # Equal shares leave no tiny last batch, on which batch norm would fail, and as many steps on every process.
        parts = np.array_split(order, steps_per_epoch(count, batch, world))[start:]
        self.batches = [[(epoch, int(i)) for i in part[rank::world]] for part in parts]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def steps_per_epoch(count: int, batch: int, world: int = 1) -> int:
    """Batches that one epoch takes.

    Raises:
        ValueError: fewer samples than processes.
    """
    if count < world:
        raise ValueError(f"{count} samples cannot feed {world} processes; start at most {count}")
    return -(-count // (batch * world))


def training_loader(
    crops: Crops, *, epoch: int, start: int = 0, rank: int = 0, world: int = 1, pinned: bool = False
) -> DataLoader[Batch]:
    """The loader of one epoch, from batch ``start`` on."""
    options = crops.recipe.train
    sampler = Batches(len(crops), options.batch, crops.recipe.seed, epoch, start, rank, world)
    return DataLoader(crops, batch_sampler=sampler, collate_fn=collate, num_workers=options.workers, pin_memory=pinned)  # type: ignore[arg-type]


class StillCrops(TorchDataset[Sample]):
    """The plain crop of every instance, for measuring."""

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        self.dataset, self.recipe = dataset, recipe

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return self.recipe.augment.still(
            self.dataset.instance(index), size=self.recipe.size, padding=self.recipe.padding
        )


def still_loader(dataset: Dataset, recipe: Recipe, batch: int | None = None) -> DataLoader[Batch]:
    """Plain crops in the order of the file."""
    return DataLoader(
        StillCrops(dataset, recipe),
        batch_size=batch or max(recipe.train.batch, 32),
        collate_fn=collate,
        num_workers=recipe.train.workers,
    )
