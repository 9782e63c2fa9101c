"""Assignment: the largest total gain, as SciPy finds it, with forbidden pairs and any shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.metrics.assignment import assign

scipy = pytest.importorskip("scipy.optimize")


def best(gain):
    worth = np.where(gain > 0, gain, 0.0)
    rows, columns = scipy.linear_sum_assignment(worth, maximize=True)
    return worth[rows, columns].sum()


def drawn(seed, N, M, whole, forbidden):
    rng = np.random.default_rng(seed)
    gain = rng.integers(-3, 5, (N, M)).astype(float) if whole else rng.normal(size=(N, M))
    gain[rng.uniform(size=gain.shape) < forbidden] = rng.choice([-np.inf, np.nan, 0.0])
    return gain


@given(st.integers(0, 9999), st.integers(0, 9), st.integers(0, 9), st.booleans(), st.sampled_from([0.0, 0.3, 0.9, 1.0]))
@settings(max_examples=300, deadline=None)
def test_the_total_is_that_of_scipy_and_no_pair_is_forbidden(seed, N, M, whole, forbidden):
    gain = drawn(seed, N, M, whole, forbidden)
    rows, columns = assign(gain)
    assert gain[rows, columns].sum() == pytest.approx(best(gain))
    assert (gain[rows, columns] > 0).all()
    assert (np.diff(rows) > 0).all() and len(set(columns.tolist())) == len(columns)


@pytest.mark.parametrize("shape", [(200, 200), (60, 150), (150, 60)])
def test_large_matrices(shape):
    gain = np.random.default_rng(1).uniform(size=shape)
    assert gain[assign(gain)].sum() == pytest.approx(best(gain))


def test_rows_that_all_want_the_same_column():
    gain = np.array([[9.0, 8.0, 1.0], [9.0, 5.0, 1.0], [9.0, 1.0, 2.0]])
    # 8 + 9 + 2 = 19, where the first row alone would take the first column: 9 + 5 + 2.
    rows, columns = assign(gain)
    assert (rows.tolist(), columns.tolist()) == ([0, 1, 2], [1, 0, 2])


def test_one_good_pair_is_better_than_two_poor_ones():
    rows, columns = assign(np.array([[0.9, 0.2], [0.2, 0.0]]))
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_permuted_rows_and_columns_are_permuted_pairs():
    rng = np.random.default_rng(2)
    gain = rng.uniform(size=(7, 9))
    rows, columns = assign(gain)
    first, second = rng.permutation(7), rng.permutation(9)
    again, other = assign(gain[first][:, second])
    assert set(zip(first[again], second[other], strict=True)) == set(zip(rows, columns, strict=True))


def test_what_is_no_matrix_of_gains_is_refused():
    with pytest.raises(ValueError, match=r"expected gains \(N, M\).*got shape \(3,\)"):
        assign(np.ones(3))
    with pytest.raises(ValueError, match="row 1 with column 0 is infinite"):
        assign(np.array([[0.0, 1.0], [np.inf, 0.0]]))
