"""Optimal assignment: which rows and columns belong together, so that the total gain is largest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Index = NDArray[np.intp]


def assign(gain: NDArray[Any]) -> tuple[Index, Index]:
    """Pair rows with columns, each at most once, so that the sum of the gains is as large as possible.

    Pairs that are not worth anything are never made: a gain of zero, below zero, or NaN is a forbidden pair, and a row
    without a gain stays alone. So two good pairs are not given up to make three.

    Args:
        gain: (N, M), finite or -inf; any numbers of rows and columns, also none.

    Returns:
        Rows (P,), increasing, and their columns (P,).

    Raises:
        ValueError: the gains are not a matrix, or one is infinitely large.

    Source: shortest augmenting paths with dual variables, as Jonker and Volgenant 1987 (doi:10.1007/BF02278710) and
    Crouse 2016 (doi:10.1109/TAES.2016.140952) describe them. Differs: rows whose best columns are distinct are paired
    before, so that few rows need a path.
    """
    gain = np.asarray(gain, np.float64)
    if gain.ndim != 2:
        raise ValueError(f"expected gains (N, M), one for each pair of a row and a column; got shape {gain.shape}")
    if np.isposinf(gain).any():
        row, column = np.argwhere(np.isposinf(gain))[0].tolist()
        raise ValueError(f"expected finite gains; that of row {row} with column {column} is infinite")
    worth = np.where(gain > 0, gain, 0.0)
    wide = worth.shape[0] <= worth.shape[1]
    found = _least(-worth if wide else -worth.T)
    rows, columns = np.arange(len(found)), found
    if not wide:
        rows, columns = columns, rows
    made = worth[rows, columns] > 0
    order = np.argsort(rows[made], kind="stable")
    return rows[made][order], columns[made][order]


def _least(cost: Float) -> Index:
    """The column of each row (N,), all distinct, with the least total cost; (N, M) with N <= M."""
    N, M = cost.shape
    if not N:
        return np.zeros(0, np.intp)
    # Each row starts at its cheapest column: reduced costs are not negative, and those of the pairs are zero.
    best = cost.argmin(1)
    u, v = cost[np.arange(N), best], np.zeros(M)
    row_of, column_of = np.full(M, -1, np.intp), np.full(N, -1, np.intp)
    columns, rows = np.unique(best, return_index=True)
    row_of[columns], column_of[rows] = rows, columns
    for row in np.flatnonzero(column_of < 0).tolist():
        _augment(cost, row, u, v, row_of, column_of)
    return column_of


def _augment(cost: Float, row: int, u: Float, v: Float, row_of: Index, column_of: Index) -> None:
    """Give a row a column along the shortest augmenting path; the arguments after it are changed in place.

    Args:
        cost: (N, M).
        row: without a column.
        u: (N,) dual variables of the rows.
        v: (M,) dual variables of the columns.
        row_of: (M,) the row of each column, or -1.
        column_of: (N,) the column of each row, or -1.
    """
    M = cost.shape[1]
    distance, before = np.full(M, np.inf), np.full(M, -1, np.intp)
    done = np.zeros(M, bool)
    here, length = row, 0.0
    while True:
        reached = length + cost[here] - u[here] - v
        closer = ~done & (reached < distance)
        distance[closer], before[closer] = reached[closer], here
        column = int(np.where(done, np.inf, distance).argmin())
        length = float(distance[column])
        if row_of[column] < 0:
            break
        done[column] = True
        here = int(row_of[column])
    slack = length - distance[done]
    u[row] += length
    u[row_of[done]] += slack
    v[done] -= slack
    while column >= 0:
        here = int(before[column])
        row_of[column], column_of[here], column = here, column, int(column_of[here])
