"""Damaged and empty images, and how human-like poses are."""

import pytest
import torch

from posekit.studies import robustness as study
from posekit.studies.discs import SIDE
from posekit.studies.people import SKELETON, PersonLearner, drawing, people, small_recipe

COUNT = 6


@pytest.fixture(scope="module")
def some():
    return people(COUNT, 3)


def test_people_and_their_points_lie_within_the_image(some):
    images, xy = some
    assert images.shape == (COUNT, 3, SIDE, SIDE) and xy.shape == (COUNT, len(SKELETON.points), 2)
    assert (xy >= 0).all() and (xy <= SIDE).all() and images.max() > 100
    again, _ = people(COUNT, 3)
    assert torch.equal(images, again)


def test_batches_are_drawn_from_the_given_images(some):
    images, xy = some
    batch, points = drawing(images, xy)(torch.Generator().manual_seed(0), 20)
    for image, point in zip(batch, points, strict=True):
        assert any(torch.equal(image, a) and torch.equal(point, b) for a, b in zip(images, xy, strict=True))


def test_damage_changes_what_it_says_and_leaves_the_original_alone(some):
    images = some[0]
    before = images.clone()
    damaged = {kind: damage(images, torch.Generator().manual_seed(0)) for kind, damage in study.DAMAGE.items()}
    assert torch.equal(images, before) and torch.equal(damaged["none"], images)
    square = (damaged["occlusion"] != images).any(1).sum((1, 2))
    assert (square <= 400).all() and (square > 300).all()
    assert (damaged["truncation"][:, :, 38:] == 0).all() and torch.equal(
        damaged["truncation"][:, :, :38], images[:, :, :38]
    )
    # A blur keeps the mean and takes away contrast.
    assert damaged["blur"].mean() == pytest.approx(float(images.mean()), rel=0.03)
    assert damaged["blur"].std() < images.std()
    assert float((damaged["noise"] - images).std()) == pytest.approx(40, abs=12)


@pytest.mark.parametrize("kind", ["noise", "backgrounds"])
def test_empty_images_are_images(kind):
    image = study.empty(kind, 3, torch.Generator().manual_seed(0))
    assert image.shape == (3, 3, SIDE, SIDE) and image.min() >= 0 and image.max() <= 255


def test_bone_lengths_do_not_depend_on_size_and_place(some):
    xy = some[1]
    assert torch.allclose(study.bone_lengths(xy), study.bone_lengths(3 * xy + 7), atol=1e-4)
    assert torch.allclose(study.bone_lengths(xy).mean(-1), torch.ones(COUNT), atol=1e-5)


def test_people_are_plausible_and_scattered_points_are_not():
    _, xy = people(200, 0)
    random = SIDE * torch.rand(200, len(SKELETON.points), 2, generator=torch.Generator().manual_seed(0))
    # 95 % of the known bones by definition.
    assert study.plausibility(xy, xy) == pytest.approx(0.95, abs=0.02)
    assert study.plausibility(random, xy) < 0.5


def test_a_recipe_learns_people(some):
    learner = PersonLearner(small_recipe("regression"), 0)
    assert learner.found(some[0]).shape == some[1].shape
    assert learner.errors(*some).shape == (COUNT,)
    loss = learner(*some)
    loss.backward()
    assert loss.isfinite() and any(p.grad is not None and p.grad.abs().sum() > 0 for p in learner.net.parameters())
