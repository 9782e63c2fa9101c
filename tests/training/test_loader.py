"""Orders and crops are functions of (seed, epoch, index), and every sample is seen once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.data.synthetic import Synthetic
from posekit.recipes import RECIPES
from posekit.training.loader import Batches, Crops, steps_per_epoch, training_loader

SIZE = (64, 32)


@pytest.fixture(scope="module")
def dataset():
    return Synthetic(FOUR, count=7, size=(48, 40), seed=1).dataset()


@pytest.fixture
def recipe():
    made = RECIPES["topdown-regression-tiny"](FOUR, size=SIZE)
    return replace(made, train=replace(made.train, batch=3))


@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(4, 60),
    batch=st.integers(1, 9),
    world=st.integers(1, 4),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 999),
)
def test_every_index_comes_once_in_near_equal_batches(count, batch, world, seed, epoch):
    ranks = [Batches(count, batch, seed, epoch, rank=rank, world=world).batches for rank in range(world)]
    seen = [index for rank in ranks for part in rank for _, index in part]
    assert sorted(seen) == list(range(count))
    assert {e for rank in ranks for part in rank for e, _ in part} == {epoch}
    assert {len(rank) for rank in ranks} == {steps_per_epoch(count, batch, world)}
    sizes = [len(part) for rank in ranks for part in rank]
    assert max(sizes) <= batch
    whole = [sum(map(len, step)) for step in zip(*ranks, strict=True)]
    assert max(whole) - min(whole) <= 1


@settings(deadline=None, max_examples=25)
@given(count=st.integers(4, 40), start=st.integers(0, 5), seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_the_order_follows_from_seed_and_epoch_and_start_skips(count, start, seed, epoch):
    all_of_them = list(Batches(count, 4, seed, epoch))
    rest = Batches(count, 4, seed, epoch, start)
    assert list(rest) == all_of_them[start:]
    assert len(rest) == len(all_of_them[start:])


def test_epochs_and_seeds_have_orders_of_their_own():
    def order(seed, epoch):
        return tuple(i for part in Batches(30, 4, seed, epoch) for _, i in part)

    assert len({order(0, 0), order(0, 1), order(1, 0), order(1, 1)}) == 4


def test_more_processes_than_samples_are_refused():
    with pytest.raises(ValueError, match="2 samples are too few for 3 processes; start at most 2"):
        steps_per_epoch(2, 4, 3)


def test_a_crop_follows_from_seed_epoch_and_index_alone(dataset, recipe):
    crops = Crops(dataset, recipe, repeat=2)
    first = crops[2, 5].image
    _ = crops[0, 1], crops[2, 4]
    np.testing.assert_array_equal(first, crops[2, 5].image)
    np.testing.assert_array_equal(first, Crops(dataset, recipe, repeat=2)[2, 5].image)
    assert crops[2, 5].to_source.tolist() != crops[3, 5].to_source.tolist()
    assert crops[2, 5].to_source.tolist() != Crops(dataset, replace(recipe, seed=1))[2, 5].to_source.tolist()
    # A repeated sample is drawn anew.
    assert crops[2, 5].index == crops[2, 5 + len(dataset)].index
    assert crops[2, 5].to_source.tolist() != crops[2, 5 + len(dataset)].to_source.tolist()
    assert len(crops) == 14


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker:UserWarning")  # on a machine of one core
def test_crops_are_those_of_two_workers(dataset, recipe):
    def epoch(workers):
        options = replace(recipe, train=replace(recipe.train, workers=workers))
        return list(training_loader(Crops(dataset, options), epoch=3))

    alone, helped = epoch(0), epoch(2)
    assert [len(batch) for batch in alone] == [3, 2, 2]
    for a, b in zip(alone, helped, strict=True):
        assert torch.equal(a.image, b.image)
        assert torch.equal(a.instances.keypoints.xy, b.instances.keypoints.xy)
        assert torch.equal(a.index, b.index)


def test_dropping_begins_when_the_run_is_so_far(dataset, recipe):
    """The published schedule hides nothing in the first half of a run."""
    drop = replace(recipe.augment.drop, probability=1.0, start=0.5)
    late = replace(recipe, augment=replace(recipe.augment, drop=drop), train=replace(recipe.train, epochs=4))
    never = replace(recipe, train=late.train)
    for epoch in range(4):
        same = np.array_equal(Crops(dataset, late)[epoch, 0].image, Crops(dataset, never)[epoch, 0].image)
        assert same == (epoch < 2)
