"""Spatial generalisation: the exact model, and where training and test images have their discs."""

import pytest
import torch

from posekit.studies import spatial_generalisation as study
from posekit.studies.discs import SIDE


def test_the_exact_model_is_that_of_the_closed_form():
    found = study.exact_model()
    assert found["truth"] == pytest.approx([-0.875, -0.625, -0.375, -0.125, 0.125, 0.375, 0.625, 0.875])
    assert found["bias"] == pytest.approx([-0.4])
    assert found["weights"] == pytest.approx([-0.475, -0.225, 0.025, 0.275, 0, 0, 0, 0], abs=1e-12)
    assert found["linear"][:4] == pytest.approx(found["truth"][:4])
    assert found["linear"][4:] == pytest.approx([-0.4] * 4)
    errors = [abs(a - b) for a, b in zip(found["shared"], found["truth"], strict=True)]
    assert max(errors) == pytest.approx(3.2e-4, abs=1e-5)


def test_gradient_descent_from_zero_ends_at_the_same_weights():
    weights = torch.zeros(9, dtype=torch.float64)
    inputs = torch.cat((torch.eye(8, dtype=torch.float64), torch.ones(8, 1, dtype=torch.float64)), 1)[:4]
    truth = torch.tensor(study.exact_model()["truth"][:4], dtype=torch.float64)
    for _ in range(2000):
        weights -= 0.2 * inputs.T @ (inputs @ weights - truth)
    assert weights.tolist() == pytest.approx([*study.exact_model()["weights"], -0.4], abs=1e-9)


def test_training_images_have_their_disc_in_the_upper_left_quadrant_unless_shifted():
    generator = torch.Generator().manual_seed(0)
    image, xy = study.draw_upper_left(0.0)(generator, 64)
    assert image.shape == (64, 3, SIDE, SIDE) and (xy < 0.5 * SIDE).all()
    _, moved = study.draw_upper_left(0.5)(generator, 256)
    shares = [
        ((moved[:, 0] > SIDE / 2) == right) & ((moved[:, 1] > SIDE / 2) == low) for right in (0, 1) for low in (0, 1)
    ]
    assert all(share.float().mean() > 0.03 for share in shares)
    for quadrant, corner in study.QUADRANTS.items():
        xy = study.centres(generator, 64, quadrant)
        low = torch.tensor(corner) * SIDE
        assert ((xy > low) & (xy < low + SIDE / 2)).all(), quadrant


def test_a_network_is_measured_in_each_quadrant():
    found = study.measured("fully connected", 0.0, 2, 0)
    assert list(found) == list(study.QUADRANTS) and all(error > 0 for error in found.values())
