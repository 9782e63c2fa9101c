"""Grids: their three conventions, and exact conversion from pixels to cells and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sizes import B, H, K, N, W

from posekit.geometry.grid import GRIDS, AlignedGrid, AnyGrid, Grid, RatioGrid

kinds = pytest.mark.parametrize("kind", [Grid, RatioGrid, AlignedGrid])
sizes = st.tuples(*[st.integers(2, 40)] * 2, *[st.integers(41, 300)] * 2)


def test_where_507_lies():
    # Pixel index x = 507 is the location 507.5.
    p = np.array([507.5, 507.5])
    for kind, cell in ((RatioGrid, 126.75), (AlignedGrid, 126.005871), (Grid, 126.375)):
        grid = kind.of(image=(512, 512), stride=4)
        np.testing.assert_allclose(grid.cells(p), [cell, cell], atol=1e-6)


def test_grid_lies_evenly_over_the_image():
    grid = Grid.of(image=(256, 192), stride=4)
    assert grid.shape == (64, 48)
    assert grid.image == (256, 192)
    assert grid.scale == (4, 4)
    np.testing.assert_allclose(grid.pixels(np.array([[0.0, 0.0], [47.0, 63.0]])), [[2, 2], [190, 254]])
    np.testing.assert_allclose(grid.cells(np.array([0.0, 256.0])), [-0.5, 63.5])


def test_the_other_grids_touch_the_first_pixel():
    ratio, aligned = (kind.of(image=(256, 192), stride=4) for kind in (RatioGrid, AlignedGrid))
    last = np.array([47.0, 63.0])
    np.testing.assert_allclose(ratio.pixels(np.zeros(2)), [0.5, 0.5])
    np.testing.assert_allclose(aligned.pixels(np.zeros(2)), [0.5, 0.5])
    np.testing.assert_allclose(ratio.pixels(last), [188.5, 252.5])
    np.testing.assert_allclose(aligned.pixels(last), [191.5, 255.5])


def test_uneven_maps_have_a_scale_of_their_own_on_each_axis():
    grid = Grid(height=H, width=W, image_height=48, image_width=60)
    assert grid.scale == (5, 3)
    np.testing.assert_allclose(grid.pixels(np.array([1.0, 1.0])), [7.5, 4.5])


@kinds
@settings(deadline=None, max_examples=25)
@given(sizes, st.tuples(*[st.floats(-500, 500)] * 2))
def test_pixels_and_cells_are_inverse(kind, size, xy):
    height, width, image_height, image_width = size
    grid = kind(height=height, width=width, image_height=image_height, image_width=image_width)
    there = grid.cells(np.array(xy))
    np.testing.assert_allclose(grid.pixels(there), xy, atol=1e-9)
    np.testing.assert_allclose(grid.cells(grid.pixels(np.array(xy))), xy, atol=1e-9)


@kinds
@settings(deadline=None, max_examples=25)
@given(sizes, st.floats(-50, 350))
def test_flip_of_the_image_is_flip_of_the_map(kind, size, x):
    height, width, image_height, image_width = size
    grid = kind(height=height, width=width, image_height=image_height, image_width=image_width)
    xy = np.array([x, 1.0])
    mirrored = grid.cells(np.array([image_width - x, 1.0]))[0]
    residue = mirrored - ((width - 1) - grid.cells(xy)[0])
    # Exact for the symmetric grids; the ratio grid's cells lean to the left by (s - 1) / s of a cell.
    s = image_width / width
    expected = (s - 1) / s if kind is RatioGrid else 0.0
    assert residue == pytest.approx(expected, abs=1e-9)


@kinds
def test_axes_are_the_places_of_the_cells(kind):
    grid = kind(height=H, width=W, image_height=64, image_width=60)
    columns, rows = grid.axes(np.zeros(1, np.float32))
    assert columns.shape == (W,)
    assert rows.shape == (H,)
    assert columns.dtype == rows.dtype == np.float32
    cells = np.stack(np.meshgrid(np.arange(W), np.arange(H)), -1).astype(float)
    locations = grid.pixels(cells)
    np.testing.assert_allclose(locations[..., 0], np.broadcast_to(columns, (H, W)), atol=1e-5)
    np.testing.assert_allclose(locations[..., 1], np.broadcast_to(rows[:, None], (H, W)), atol=1e-5)


@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_gives_what_numpy_gives(kind, dtype):
    grid = kind(height=H, width=W, image_height=64, image_width=60)
    xy = np.random.default_rng(0).uniform(0, 60, (B, N, K, 2))
    ours = grid.cells(torch.tensor(xy, dtype=dtype))
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours.numpy(), grid.cells(xy), atol=1e-4)
    np.testing.assert_allclose(grid.pixels(ours).numpy(), xy, atol=1e-4)
    columns, rows = grid.axes(ours)
    assert columns.dtype == rows.dtype == dtype
    for mine, theirs in zip((columns, rows), grid.axes(xy), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, atol=1e-4)


@kinds
def test_cells_let_gradients_through(kind):
    grid = kind(height=H, width=W, image_height=64, image_width=60)
    xy = torch.rand(B, K, 2, dtype=torch.float64, requires_grad=True)
    grid.cells(xy).sum().backward()
    sx, sy = grid.scale
    np.testing.assert_allclose(xy.grad.numpy(), np.broadcast_to([1 / sx, 1 / sy], (B, K, 2)))


def test_stride_that_does_not_divide_tells_the_size_that_would():
    with pytest.raises(ValueError, match=r"image is 250x190; a map of stride 4 .*: use 252x192"):
        Grid.of(image=(250, 190), stride=4)
    with pytest.raises(ValueError, match="stride 0"):
        Grid.of(image=(250, 190), stride=0)


def test_sizes_are_positive_and_nothing_else_is_taken():
    with pytest.raises(ValidationError, match="height"):
        Grid(height=0, width=W, image_height=64, image_width=60)
    with pytest.raises(ValidationError, match="stride"):
        Grid(height=H, width=W, image_height=64, image_width=60, stride=4)


def test_aligned_grid_needs_two_cells():
    with pytest.raises(ValueError, match=r"at least 2x2 cells; got 1x12"):
        _ = AlignedGrid(height=1, width=W, image_height=64, image_width=60).scale


def test_grids_survive_json():
    adapter = TypeAdapter(AnyGrid)
    for name, kind in GRIDS.items():
        grid = kind(height=H, width=W, image_height=64, image_width=60)
        assert grid.kind == name
        back = adapter.validate_json(adapter.dump_json(grid))
        assert type(back) is kind
        assert back == grid
