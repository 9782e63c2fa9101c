"""Rescoring by points against a number worked out by hand, and by heatmaps with known values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sizes import B, H, K, N, W

from posekit.geometry.grid import GRIDS, Grid
from posekit.geometry.keypoints import Poses
from posekit.postprocess.rescore import read, rescore_by_heatmap, rescore_by_points

GRID = Grid.of((H * 4, W * 4), 4)


def people(seed=0, batch=()):
    """Poses all over the image."""
    rng = np.random.default_rng(seed)
    shape = (*batch, N, K)
    xy = rng.uniform(0, 1, (*shape, 2)) * [W * 4, H * 4]
    return Poses(xy=xy, score=rng.uniform(size=shape), instance_score=rng.uniform(size=shape[:-1]))


def test_the_box_times_the_mean_of_clear_points():
    score = np.array([[0.9, 0.8, 0.1, 0.5], [0.1, 0.2, 0.0, 0.2]])
    poses = Poses(xy=np.zeros((2, 4, 2)), score=score, instance_score=np.array([0.7, 0.7]))
    found = rescore_by_points(poses)
    np.testing.assert_allclose(found.instance_score, [0.513333, 0], atol=1e-6)
    np.testing.assert_array_equal(found.score, score)
    np.testing.assert_allclose(rescore_by_points(poses, threshold=0.85).instance_score, [0.63, 0])
    np.testing.assert_allclose(rescore_by_points(poses, threshold=-1).instance_score, 0.7 * score.mean(1))


def test_images_are_scored_apart_and_types_stay():
    poses = people(batch=(B,)).each(lambda array: array.astype(np.float32))
    found = rescore_by_points(poses)
    assert found.instance_score.shape == (B, N)
    assert found.instance_score.dtype == np.float32
    for b in range(B):
        alone = rescore_by_points(poses.each(lambda array, b=b: array[b]))
        np.testing.assert_array_equal(found.instance_score[b], alone.instance_score)


def test_a_score_of_whole_numbers_is_not_cut_off():
    poses = replace(people(), instance_score=np.ones(N, dtype=int))
    clear = np.where(poses.score > 0.2, poses.score, np.nan)
    np.testing.assert_allclose(rescore_by_points(poses).instance_score, np.nanmean(clear, axis=1))


@pytest.mark.parametrize("kind", GRIDS)
def test_a_slope_is_read_without_error(kind):
    grid = GRIDS[kind](height=H, width=W, image_height=H * 4, image_width=W * 4)
    across, down = grid.axes(np.zeros(1))
    k = np.arange(1, K + 1)[:, None, None]
    heatmap = k + 0.01 * across + 0.1 * down[:, None]
    rng = np.random.default_rng(0)
    low, high = np.array([across[0], down[0]]), np.array([across[-1], down[-1]])
    xy = rng.uniform(low, np.minimum(high, [W * 4, H * 4]), (N, K, 2))
    wanted = np.arange(1, K + 1) + 0.01 * xy[..., 0] + 0.1 * xy[..., 1]
    np.testing.assert_allclose(read(heatmap, xy, grid), wanted)


def test_a_cell_is_read_at_its_centre_and_the_edge_goes_on_to_the_border():
    heatmap = np.random.default_rng(1).uniform(size=(K, H, W))
    ys, xs = np.mgrid[:H, :W]
    cells = np.stack([xs, ys], axis=-1).reshape(-1, 1, 2).repeat(K, axis=1)
    np.testing.assert_allclose(read(heatmap, GRID.pixels(cells.astype(float)), GRID), heatmap.reshape(K, -1).T)
    corners = np.array([[0.0, 0.0], [W * 4, 0.0], [0.0, H * 4], [W * 4, H * 4]])[:, None].repeat(K, axis=1)
    wanted = np.stack([heatmap[:, y, x] for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1))])
    np.testing.assert_allclose(read(heatmap, corners, GRID), wanted)


def test_what_lies_outside_or_nowhere_reads_nothing():
    xy = np.array([[-0.1, 5.0], [W * 4 + 0.1, 5.0], [5.0, H * 4 + 0.1], [np.nan, 5.0], [5.0, np.inf]])[None]
    np.testing.assert_array_equal(read(np.ones((K, H, W)), xy, GRID), np.zeros((1, K)))


def test_a_pose_scores_the_mean_of_what_is_read():
    poses, heatmap = people(batch=(B,)), np.random.default_rng(2).uniform(size=(B, K, H, W))
    values = read(heatmap, poses.xy, GRID)
    found = rescore_by_heatmap(poses, heatmap, GRID)
    np.testing.assert_array_equal(found.score, values)
    np.testing.assert_allclose(found.instance_score, values.mean(-1))
    times = rescore_by_heatmap(poses, heatmap, GRID, times=True)
    np.testing.assert_allclose(times.instance_score, values.mean(-1) * poses.instance_score)
    np.testing.assert_allclose(times.score, values * poses.instance_score[..., None])
    np.testing.assert_array_equal(found.xy, poses.xy)
    for b in range(B):
        np.testing.assert_array_equal(read(heatmap[b], poses.xy[b], GRID), values[b])


def test_a_pose_on_the_peaks_beats_one_beside_them():
    on = people(seed=4).xy[:1]
    beside = on + [6.0, 0.0] * np.where(on[..., :1] > W * 2, -1, 1)
    across, down = GRID.axes(np.zeros(1))
    gap = (across - on[0, :, 0, None, None]) ** 2 + (down[:, None] - on[0, :, 1, None, None]) ** 2
    poses = Poses(xy=np.concatenate([beside, on]), score=np.ones((2, K)), instance_score=np.array([0.9, 0.1]))
    first, second = rescore_by_heatmap(poses, np.exp(-gap / 128), GRID).instance_score
    assert second > 0.9 > first


def test_values_are_clamped_and_scores_keep_their_type():
    poses = people().each(lambda array: array.astype(np.float32))
    for value, wanted in ((-0.5, 0), (1.5, 1)):
        found = rescore_by_heatmap(poses, np.full((K, H, W), value), GRID)
        assert found.score.dtype == found.instance_score.dtype == np.float32
        np.testing.assert_array_equal(found.score, np.full((N, K), wanted))


def test_nobody_is_nobody():
    nobody = Poses(xy=np.zeros((0, K, 2)), score=np.zeros((0, K)), instance_score=np.zeros(0))
    assert len(rescore_by_points(nobody)) == 0
    assert rescore_by_heatmap(nobody, np.zeros((K, H, W)), GRID).score.shape == (0, K)


@pytest.mark.parametrize("shape", [(K, W, H), (N, H, W), (B, K, H, W), (H, W)])
def test_a_heatmap_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"on a grid of 16x12 cells need a heatmap \(5, 16, 12\), got"):
        rescore_by_heatmap(people(), np.zeros(shape), GRID)
