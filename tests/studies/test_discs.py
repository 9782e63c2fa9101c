"""The images of a disc, and the networks that learn them with each representation."""

import pytest
import torch

from posekit.studies import discs


def draw(generator, count):
    xy = discs.anywhere(generator, count)
    return discs.images(xy, generator), xy


def test_the_disc_is_where_the_label_says():
    generator = torch.Generator().manual_seed(0)
    xy = discs.anywhere(generator, 8)
    image = discs.images(xy, generator, noise=0.0)
    assert image.shape == (8, 3, discs.SIDE, discs.SIDE) and image.min() >= 0 and image.max() <= 255
    weight = (image[:, 0] - 20).clamp_min(0)
    centres = torch.arange(discs.SIDE) + 0.5
    x = (weight.sum(1) * centres).sum(-1) / weight.sum((1, 2))
    y = (weight.sum(2) * centres).sum(-1) / weight.sum((1, 2))
    assert torch.allclose(torch.stack((x, y), -1), xy, atol=0.05)
    cluttered = discs.images(xy, generator, noise=0.0, clutter=3)
    assert (cluttered.sum((1, 2, 3)) > image.sum((1, 2, 3))).all() and cluttered.max() <= 221


@pytest.mark.parametrize("name", discs.methods())
def test_every_representation_overfits_a_batch(name):
    learner = discs.Learner(discs.methods()[name], 0)
    image, xy = draw(torch.Generator().manual_seed(5), 8)
    before = float(learner(image, xy).detach())
    seen = []
    discs.train(learner, lambda generator, count: (image, xy), 30, 0, lr=1e-3, watch=seen.append)
    assert seen == list(range(31))
    assert float(learner(image, xy).detach()) < before
    assert learner.errors(image, xy).shape == (8,) and learner.training


def test_training_ends_where_the_watcher_says_so():
    seen = []
    discs.train(
        discs.Learner(discs.methods()["pooled"], 0), draw, 9, 0, watch=lambda step: seen.append(step) or step == 2
    )
    assert seen == [0, 1, 2]


def test_a_learner_depends_on_its_seed_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, again, other = (discs.Learner(discs.methods()["rle"], seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_heatmaps_learn_the_disc_to_a_pixel():
    learner = discs.Learner(discs.methods()["soft-argmax"], 0)
    discs.train(learner, draw, 60, 0)
    image, xy = draw(torch.Generator().manual_seed(9), 64)
    assert float(learner.errors(image, xy).mean()) < 1.5
