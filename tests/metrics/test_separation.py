"""The area under the ROC curve, against its definition: how often a positive is above a negative."""

import numpy as np
import pytest

from posekit.metrics.separation import roc_auc


def brute_force(value, positive, counted):
    """Over all pairs of a positive and a negative: 1 if it is higher, 1/2 if equal."""
    areas = []
    for k in range(value.shape[1]):
        use = counted[:, k] & ~np.isnan(value[:, k])
        high, low = value[use & positive[:, k], k], value[use & ~positive[:, k], k]
        wins = (high[:, None] > low).sum() + 0.5 * (high[:, None] == low).sum()
        areas.append(wins / (len(high) * len(low)) if len(high) and len(low) else np.nan)
    return np.array(areas)


def column(*values):
    return np.array(values)[:, None]


@pytest.mark.parametrize(
    ("value", "positive", "area"),
    [
        # scikit-learn's example: two positives 0.35, 0.8 and two negatives 0.1, 0.4; 3 of 4 pairs are in order.
        ((0.1, 0.4, 0.35, 0.8), (0, 0, 1, 1), 0.75),
        ((0.1, 0.2, 0.8, 0.9), (0, 0, 1, 1), 1.0),
        ((0.1, 0.2, 0.8, 0.9), (1, 1, 0, 0), 0.0),
        ((0.5, 0.5, 0.5, 0.5), (0, 1, 1, 1), 0.5),
        # Pairs of 0.5: (0.5, 0.5) is half a win, (0.5, 0.1) and (0.9, ...) whole ones: 3.5 of 4.
        ((0.9, 0.5, 0.5, 0.1), (1, 1, 0, 0), 0.875),
        ((0.0, np.inf), (0, 1), 1.0),
    ],
)
def test_by_hand(value, positive, area):
    value, positive = column(*value), column(*positive).astype(bool)
    assert roc_auc(value, positive, np.ones_like(positive)).tolist() == [area]


@pytest.mark.parametrize("steps", [3, 10, 10**6])
def test_the_definition(steps):
    random = np.random.default_rng(steps)
    value = random.integers(0, steps, (60, 7)) / steps
    value[random.random(value.shape) < 0.1] = np.nan
    value[random.random(value.shape) < 0.05] = np.inf
    positive, counted = random.random(value.shape) < 0.7, random.random(value.shape) < 0.6
    np.testing.assert_allclose(roc_auc(value, positive, counted), brute_force(value, positive, counted), rtol=1e-12)


def test_a_column_with_one_class_has_no_area():
    value = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    positive = np.array([[True, False, True], [True, False, False]])
    counted = np.array([[True, True, True], [True, True, False]])
    assert np.isnan(roc_auc(value, positive, counted)).all()
    assert np.isnan(roc_auc(value[:0], positive[:0], counted[:0])).all()


def test_shapes_are_checked():
    flags = np.ones((4, 3), bool)
    with pytest.raises(ValueError, match=r"same shape \(M, K\); got \(4, 2\), \(4, 3\) and \(4, 3\)"):
        roc_auc(np.zeros((4, 2)), flags, flags)
    with pytest.raises(ValueError, match=r"same shape \(M, K\); got \(4,\)"):
        roc_auc(np.zeros(4), flags[:, 0], flags[:, 0])
