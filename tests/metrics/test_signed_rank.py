"""Wilcoxon's signed-rank test is SciPy's."""

import numpy as np
import pytest
from scipy import stats

from posekit.metrics.signed_rank import signed_rank

SIDES = ("two-sided", "greater", "less")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("count", [1, 2, 7, 20, 50])
def test_exact_for_few(count, side):
    differences = np.random.default_rng(count).normal(0.3, 1, count)
    wanted = stats.wilcoxon(differences, alternative=side, method="exact").pvalue
    assert signed_rank(differences, side) == pytest.approx(wanted)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_approximate_with_ties_and_zeros(side, spread):
    differences = np.round(np.random.default_rng(5).normal(0.2, spread, 90))
    wanted = stats.wilcoxon(differences, alternative=side, method="asymptotic", correction=False).pvalue
    assert signed_rank(differences, side) == pytest.approx(wanted)
    few = differences[:12]
    wanted = stats.wilcoxon(few, alternative=side, method="asymptotic", correction=False).pvalue
    assert signed_rank(few, side) == pytest.approx(wanted)


@pytest.mark.parametrize("side", SIDES)
def test_approximate_for_many(side):
    differences = np.random.default_rng(6).normal(0.1, 1, 400)
    wanted = stats.wilcoxon(differences, alternative=side, method="asymptotic").pvalue
    assert signed_rank(differences, side) == pytest.approx(wanted)


def test_what_says_nothing():
    assert signed_rank(np.zeros(5)) == signed_rank(np.array([])) == signed_rank(np.array([np.nan])) == 1.0
    differences = np.array([0.5, -0.2, 0.9, np.nan, 0.0])
    assert signed_rank(differences) == signed_rank(differences[:3])
    with pytest.raises(ValueError, match="side is 'two-sided', 'greater' or 'less'; got 'left'"):
        signed_rank(differences, "left")
