"""The MSE trap: closed forms of the maps, and how loss and error are compared along a run."""

import math

import numpy as np
import pytest

from posekit.studies import mse_trap


def test_heights_below_which_a_right_map_looks_worse_than_a_shifted_one():
    assert mse_trap.critical_height(1, 2) == pytest.approx(0.6519, abs=1e-4)
    assert mse_trap.critical_height(2, 2) == pytest.approx(0.3349, abs=1e-4)
    assert mse_trap.critical_height(1, 3) == pytest.approx(0.7659, abs=1e-4)


def test_squared_errors_of_the_maps():
    found = mse_trap.by_hand()
    sums = {name: row["sse"] for name, row in found.items()}
    wanted = {"half height": 3.141593, "sigma 1.2": 3.784707, "sigma 1": 5.655511}
    wanted |= {"shift 1": 1.522716, "shift 2": 5.559343, "shift 3": 10.812537}
    assert sums == pytest.approx(wanted, abs=2e-6)
    assert found["half height"]["losses"]["mse"] == pytest.approx(7.66990e-4, rel=1e-5)
    assert found["shift 1"]["losses"]["mse"] == pytest.approx(3.71757e-4, rel=1e-5)
    assert [row["error"] for row in found.values()] == [0, 0, 0, 1, 2, 3]
    # pi (4 + s^2 - 16 s^2 / (4 + s^2)) for a narrow peak of sigma s.
    assert sums["sigma 1"] == pytest.approx(math.pi * (4 + 1 - 16 / 5), abs=1e-3)


def test_which_losses_rank_the_wrong_map_first():
    maps = mse_trap.by_hand()
    counts = {loss: mse_trap.misranked(maps, loss) for loss in maps["shift 1"]["losses"]}
    # Narrow maps lie beyond a shift of 1 for every loss on the shape, half height for those that mind the height.
    assert counts["mse"] == 4 and counts["focal"] == 0
    assert counts["kl"] == counts["js"] == 3
    assert counts["dsnt, distance"] == 0


def test_rank_correlation_shares_ties():
    assert mse_trap.rank_correlation(np.array([1.0, 2, 3]), np.array([2.0, 4, 9])) == pytest.approx(1)
    assert mse_trap.rank_correlation(np.array([1.0, 2, 3]), np.array([9.0, 4, 2])) == pytest.approx(-1)
    assert mse_trap.rank_correlation(np.array([1.0, 2, 3]), np.array([5.0, 5, 5])) == 0
    # Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3.
    tied = mse_trap.rank_correlation(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4]))
    assert tied == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_pairs_of_checkpoints_that_disagree():
    # Of three pairs one disagrees: the second loss is lower than the first, its error larger.
    assert mse_trap.disagreeing(np.array([3.0, 2, 1]), np.array([5.0, 6, 1])) == pytest.approx(1 / 3)
    assert mse_trap.disagreeing(np.array([3.0, 2, 1]), np.array([3.0, 2, 1])) == 0


def test_a_run_is_followed_at_its_checkpoints():
    found = mse_trap.follow("soft-argmax", 4, 2, 0)
    assert found["steps"] == [0, 2, 4] and len(found["loss"]) == len(found["error"]) == 3
    # Its loss is the mean absolute error of x and y, so it ranks images nearly as their distance does.
    assert found["images"] > 0.8
