"""MPJPE against a number worked out by hand, and the invariances of each alignment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import B, K

from posekit.metrics.spatial import mpjpe, n_mpjpe, p_mpjpe

TRUTH = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]])
QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
MOVED = 1.5 * TRUTH @ QUARTER.T + np.array([5.0, 6, 7])


def rotation(rng):
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def test_by_hand():
    assert mpjpe(MOVED, TRUTH) == pytest.approx(10.337367, abs=1e-6)
    assert p_mpjpe(MOVED, TRUTH) == pytest.approx(0, abs=1e-9)
    assert n_mpjpe(MOVED, TRUTH) == pytest.approx(1.441220, abs=1e-6)
    assert (MOVED * TRUTH).sum() / (MOVED * MOVED).sum() == pytest.approx(0.0985646, abs=1e-6)


def test_root_alignment_takes_the_shift_away():
    shifted = TRUTH + np.array([5.0, 6, 7])
    assert mpjpe(shifted, TRUTH) == pytest.approx(np.sqrt(110))
    assert mpjpe(shifted, TRUTH, root=2) == pytest.approx(0)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.floats(0.1, 10))
def test_similarity_is_undone_for_each_instance(seed, scale):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(B, K, 3)) * 100
    noisy = truth + rng.normal(size=truth.shape)
    turned = scale * noisy @ rotation(rng).T + rng.normal(size=(B, 1, 3)) * 100
    np.testing.assert_allclose(p_mpjpe(turned, truth), p_mpjpe(noisy, truth), rtol=1e-6)
    np.testing.assert_allclose(n_mpjpe(scale * noisy, truth), n_mpjpe(noisy, truth), rtol=1e-6)
    assert mpjpe(turned, truth).shape == (B,)


def test_a_reflection_is_not_undone():
    mirrored = TRUTH * np.array([-1.0, 1, 1])
    assert p_mpjpe(mirrored, TRUTH) > 0.1


def test_a_collapsed_prediction_is_measured():
    zeros = np.zeros_like(TRUTH)
    assert n_mpjpe(zeros, TRUTH) == pytest.approx(1.5)
    assert p_mpjpe(zeros, TRUTH) == pytest.approx(np.linalg.norm(TRUTH - TRUTH.mean(0), axis=1).mean())


def test_shapes_are_checked():
    for measure in (mpjpe, n_mpjpe, p_mpjpe):
        with pytest.raises(ValueError, match=r"the same shape \(\.\.\., K, 3\); got \(2, 5, 2\) and \(2, 5, 2\)"):
            measure(np.zeros((B, K, 2)), np.zeros((B, K, 2)))
