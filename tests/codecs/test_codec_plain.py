"""Drawing in bands or by factors and reading in windows equal the plain formula over full maps."""

import math
from dataclasses import replace

import pytest
import torch
from codec_cases import ALIGNED, FIVE, GRID, IMAGE, PARENTS, SIGMAS, instances, random_maps, scattered
from sizes import B, K, N

from posekit.codecs import cells as cells_module
from posekit.codecs import dark, smoothing
from posekit.codecs.cells import in_bands, mirrored, mirrored_pairs
from posekit.codecs.dark import refine_dark
from posekit.codecs.ellipse import Ellipse
from posekit.codecs.one_stage.instances import max_gaussians, written
from posekit.codecs.one_stage.levels import of_assigned
from posekit.codecs.openpose import CUT, OpenPose
from posekit.codecs.ranking import peak
from posekit.codecs.smoothing import blurred, window
from posekit.codecs.udp import UdpCombined, disc_left
from posekit.codecs.volume import Heatmap3d, Integral3d
from posekit.geometry.grid import RatioGrid


@pytest.fixture(params=[1, 700, 1 << 19], ids=["single rows", "few rows", "whole maps"])
def band(request, monkeypatch):
    """Bands of one row, of several with a rest, and one of the whole map."""
    monkeypatch.setattr(cells_module, "BAND", request.param)


def away(xy, grid):
    """(..., H, W) pixels along x and along y from points (..., 2) to the centres of cells."""
    x, y = grid.axes(xy)
    return torch.broadcast_tensors(x - xy[..., 0, None, None], y[:, None] - xy[..., 1, None, None])


@pytest.mark.parametrize("row", [1, 37])
def test_bands_are_put_together(row, band):
    maps = torch.rand(2, 3, 10, 4)
    assert torch.equal(in_bands(lambda rows: maps[..., rows, :] * 1, 10, row), maps)


@pytest.mark.parametrize("shape", ["box", "point", "oks"])
def test_ellipses_along_the_axes(shape):
    xy, labels = scattered(dtype=torch.float64), instances(scattered(dtype=torch.float64))
    codec = Ellipse(points=K, grid=GRID, parents=PARENTS, sigmas=SIGMAS, shape=shape)
    share, ratio = codec.share, torch.tensor(SIGMAS, dtype=torch.float64)
    width, height = {
        "box": (ratio * 0 + 60.0 * share, ratio * 0 + 80.0 * share),
        "point": (codec.across * ratio / ratio.mean(),) * 2,
        "oks": (2 * ratio * math.sqrt(4800.0),) * 2,
    }[shape]
    dx, dy = away(xy[:, 0], GRID)
    plain = torch.exp(-(dx**2) / (2 * width[:, None, None] ** 2) - dy**2 / (2 * height[:, None, None] ** 2))
    torch.testing.assert_close(codec.encode(labels).maps["heatmap"], plain, atol=1e-9, rtol=0)


def test_ellipses_along_bones(band):
    xy = scattered(dtype=torch.float64)
    codec = Ellipse(points=K, grid=GRID, parents=PARENTS, sigmas=SIGMAS, along=17.0, across=5.0)
    made = codec.encode(instances(xy)).maps["heatmap"]
    dx, dy = away(xy[:, 0], GRID)
    for k, parent in enumerate(PARENTS):
        bone = xy[:, 0, k] - xy[:, 0, parent]
        unit = (bone / bone.norm(dim=-1, keepdim=True))[..., None, None]
        u = dx[:, k] * unit[:, 0] + dy[:, k] * unit[:, 1]
        v = dy[:, k] * unit[:, 0] - dx[:, k] * unit[:, 1]
        along = 17.0 if parent >= 0 else 5.0
        plain = torch.exp(-(u**2) / (2 * along**2) - v**2 / (2 * 5.0**2)) if parent >= 0 else None
        if plain is None:
            plain = torch.exp(-(dx[:, k] ** 2 + dy[:, k] ** 2) / (2 * 5.0**2))
        torch.testing.assert_close(made[:, k], plain, atol=1e-9, rtol=0)


def test_what_counts_for_nothing_is_zero_wherever_it_lies(band):
    xy = scattered(dtype=torch.float64)
    xy[:, :, 2] = 1e9
    visibility = torch.full(xy.shape[:-1], 2)
    visibility[:, :, 1] = 0
    for shape in ("bone", "box"):
        codec = Ellipse(points=K, grid=GRID, parents=PARENTS, sigmas=SIGMAS, shape=shape)
        target = codec.encode(instances(xy, visibility))
        assert (target.maps["heatmap"][:, [1, 2]] == 0).all()
        assert (target.weight["heatmap"][:, [1, 2]] == 0).all()


def people_apart(seed=3):
    """(B, N, K, 2) locations in the image."""
    size = torch.tensor(IMAGE[::-1], dtype=torch.float64)
    return torch.rand(B, N, K, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * size


@pytest.mark.parametrize("form", ["paper", "code"])
@pytest.mark.parametrize("grid", [GRID, ALIGNED])
def test_openpose_person_by_person(form, grid, band):
    xy = people_apart()
    codec = OpenPose(points=K, bones=FIVE.edges, grid=grid, form=form)
    maps = codec.encode(instances(xy)).maps
    dx, dy = away(xy, grid)
    gaussians = torch.exp(-(dx**2 + dy**2) / (2 * codec.gaussian**2))
    if form == "paper":
        drawn = gaussians.amax(1)
    else:
        drawn = torch.where(gaussians >= CUT, gaussians, 0.0).sum(1).clamp(max=1)
    torch.testing.assert_close(maps["heatmap"][:, :K], drawn, atol=1e-9, rtol=0)
    torch.testing.assert_close(maps["heatmap"][:, K], 1 - drawn.amax(1), atol=1e-9, rtol=0)
    for number, (first, last) in enumerate(FIVE.edges):
        bone = xy[:, :, last] - xy[:, :, first]
        length = bone.norm(dim=-1)[..., None, None]
        unit = bone / bone.norm(dim=-1, keepdim=True)
        ux, uy = unit[..., 0, None, None], unit[..., 1, None, None]
        ax, ay = dx[:, :, first], dy[:, :, first]
        on = (ax * uy - ay * ux).abs() <= codec.thickness
        if form == "paper":
            on &= (ax * ux + ay * uy >= 0) & (ax * ux + ay * uy <= length)
        else:
            for step, end in ((ax, bone[..., 0, None, None]), (ay, bone[..., 1, None, None])):
                on &= (step >= end.clamp(max=0) - codec.thickness) & (step <= end.clamp(min=0) + codec.thickness)
        count = on.sum(1).clamp(min=1)
        for axis, part in enumerate((ux, uy)):
            torch.testing.assert_close(maps["paf"][:, 2 * number + axis], (on * part).sum(1) / count, atol=1e-9, rtol=0)


def smoothed(maps, width):
    """Whole maps convolved with the window, zeros around them."""
    taps = torch.tensor(window(width), dtype=maps.dtype)
    flat = maps.flatten(0, 1)[:, None]
    kernel = (taps[:, None] * taps)[None, None]
    return torch.nn.functional.conv2d(flat, kernel, padding=width // 2).reshape(maps.shape)


@pytest.mark.parametrize("width", [1, 3, 15, 63])
def test_a_map_is_smoothed_by_band_matrices(width):
    maps = torch.rand(2, 3, 16, 12, dtype=torch.float64)
    torch.testing.assert_close(blurred(maps, width), smoothed(maps, width), atol=1e-12, rtol=0)


@pytest.mark.parametrize("merge", ["near", "peak"])
@pytest.mark.parametrize("offset_blur", [0.0, 12.0, 28.0, 200.0])
@pytest.mark.parametrize("noise", [0.001, 0.3])
def test_udp_reads_the_offsets_that_whole_maps_would_give(merge, offset_blur, noise):
    codec = UdpCombined(points=K, grid=ALIGNED, merge=merge, offset_blur=offset_blur)
    # Some discs lie at the border, some points outside.
    xy = scattered(margin=-6.0, seed=5)
    maps = codec.perfect(codec.encode(instances(xy)))
    draw = torch.Generator().manual_seed(2)
    # With a little noise no two cells of a smoothed disc are equal.
    maps = {name: value + noise * torch.randn(value.shape, generator=draw).double() for name, value in maps.items()}
    disc, offset = maps["disc"].clamp_min(0), maps["offset"].unflatten(1, (K, 2))
    cells = ALIGNED.scale[0]
    wide, narrow = smoothing.odd(codec.blur / cells), smoothing.odd(offset_blur / cells)
    blur = smoothed(disc, wide)
    best = blur.flatten(2).argmax(-1)
    x, y = (axis / codec.radius for axis in ALIGNED.axes(disc))
    here = torch.stack((x.expand(disc.shape[2:]), y[:, None].expand(disc.shape[2:])))
    if merge == "peak":
        lead = smoothed(offset.flatten(1, 2), narrow).unflatten(1, (K, 2))
    else:
        weight = smoothed(disc, narrow)[:, :, None]
        ends = smoothed(((offset + here) * disc[:, :, None]).flatten(1, 2), narrow).unflatten(1, (K, 2))
        lead = torch.where(weight > 1e-6, ends / weight.clamp_min(1e-9) - here, offset)
    step = lead.flatten(3).gather(3, best[:, :, None, None].expand(-1, -1, 2, 1))[..., 0]
    cell = torch.stack((best % ALIGNED.width, best // ALIGNED.width), -1)
    poses = codec.decode(maps)
    torch.testing.assert_close(poses.xy[:, 0], ALIGNED.pixels(cell.double()) + step * codec.radius, atol=1e-6, rtol=0)
    value = blur.flatten(2).amax(-1) / disc_left(codec.radius / cells, wide)
    torch.testing.assert_close(poses.score[:, 0], value.clamp(0, 1), atol=1e-9, rtol=0)


def test_what_is_not_finite_in_a_disc_says_nothing():
    codec = UdpCombined(points=K, grid=ALIGNED)
    maps = codec.perfect(codec.encode(instances(scattered(margin=20.0))))
    clean = codec.decode(maps)
    maps = {name: value.clone() for name, value in maps.items()}
    # Far from every disc's cells.
    maps["disc"][:, :, 0, 0], maps["disc"][:, :, 0, 1], maps["disc"][:, :, 1, 0] = torch.nan, torch.inf, -torch.inf
    maps["offset"][:, :, 0, 0] = torch.nan
    torch.testing.assert_close(codec.decode(maps).xy, clean.xy, atol=1e-9, rtol=0)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_a_volume_is_summed_in_parts(beta):
    codec = Integral3d(points=K, grid=GRID, depth=80.0, bins=8, beta=beta)
    maps = random_maps(codec, dtype=torch.float64)
    maps["volume"][0, 3, 4, 5] = torch.nan
    poses, activated = codec.decode(maps), codec.activate(maps)
    volume = torch.nan_to_num(maps["volume"], nan=-1e30).unflatten(1, (K, 8)) * beta
    share = volume.flatten(2).softmax(-1).unflatten(2, (8, *GRID.shape))
    mean = [(share.sum(other) * torch.arange(share.shape[axis])).sum(-1) for axis, other in ((4, (2, 3)), (3, (2, 4)))]
    torch.testing.assert_close(poses.xy[:, 0], GRID.pixels(torch.stack(mean, -1)), atol=1e-6, rtol=0)
    level = (share.sum((3, 4)) * torch.arange(8)).sum(-1)
    torch.testing.assert_close(poses.depth[:, 0], ((level + 0.5) / 8 - 0.5) * 80.0, atol=1e-6, rtol=0)
    torch.testing.assert_close(activated["xy"], poses.xy, atol=1e-6, rtol=0)
    torch.testing.assert_close(activated["spread"], poses.spread, atol=1e-6, rtol=0)


def test_a_volume_is_searched_without_a_copy():
    codec = Heatmap3d(points=K, grid=GRID, depth=80.0, bins=8, refine="none")
    maps = random_maps(codec)
    maps["volume"][0, 3, 4, 5] = torch.nan
    poses = codec.decode(maps)
    volume = torch.nan_to_num(maps["volume"], nan=-1e30).unflatten(1, (K, 8)).flatten(2)
    best = volume.argmax(-1)
    H, W = GRID.shape
    cell = torch.stack((best % W, best // W % H), -1).float()
    torch.testing.assert_close(poses.xy[:, 0], GRID.pixels(cell))
    torch.testing.assert_close(poses.depth[:, 0], ((best // (H * W) + 0.5) / 8 - 0.5) * 80.0)


def test_the_highest_of_many(band):
    draw = torch.Generator().manual_seed(0)
    rows, columns = (torch.rand(B, N, K, size, generator=draw) for size in (16, 12))
    drawn = torch.rand(B, N, K, generator=draw) > 0.4
    plain = (rows[..., None] * columns[..., None, :] * drawn[..., None, None]).amax(1)
    assert torch.equal(max_gaussians(rows, columns, drawn), plain)


def test_the_last_of_those_in_a_cell_is_written():
    draw = torch.Generator().manual_seed(0)
    values, cell = torch.rand(B, 6, 4, generator=draw), torch.randint(0, 3, (B, 6, 2), generator=draw)
    kept = torch.rand(B, 6, 4, generator=draw) > 0.4
    kept[:, 5] = False
    value, weight = torch.zeros(B, 4, 5, 3), torch.zeros(B, 4, 5, 3)
    for b in range(B):
        for n in range(6):
            if kept[b, n].any():
                x, y = cell[b, n].tolist()
                value[b, :, y, x], weight[b, :, y, x] = values[b, n] * kept[b, n], kept[b, n].float()
    made = written(values, cell, kept, (5, 3))
    assert torch.equal(made[0], value)
    assert torch.equal(made[1], weight)


def test_each_cell_has_the_numbers_of_its_assigned_instance():
    draw = torch.Generator().manual_seed(0)
    values, assigned = torch.rand(B, N, 4, generator=draw), torch.randint(0, N + 1, (B, 7), generator=draw)
    made = of_assigned(values, assigned)
    for b in range(B):
        for place, n in enumerate(assigned[b].tolist()):
            assert torch.equal(made[b, place], values[b, min(n, N - 1)])


def test_windows_are_made_once():
    maps = torch.rand(B, K, 16, 12)
    cell, _ = peak(maps)
    refine_dark(maps, cell, 9)
    before = dark._taps.cache_info()
    refine_dark(maps.double(), cell, 9)
    after = dark._taps.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 2)


@pytest.mark.parametrize("grid", [GRID, ALIGNED, RatioGrid.of(IMAGE, 4)])
def test_pairs_are_mirrored_as_maps_and_turned(grid):
    pairs = torch.rand(B, 2 * K, *grid.shape)
    made = mirrored_pairs(pairs, FIVE.flip, grid).unflatten(1, (K, 2))
    for axis, sign in ((0, -1), (1, 1)):
        assert torch.equal(made[:, :, axis], sign * mirrored(pairs[:, axis::2], FIVE.flip, grid))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_it_was_written(half):
    codec = UdpCombined(points=K, grid=ALIGNED)
    maps = codec.perfect(codec.encode(instances(scattered(margin=20.0, dtype=torch.float32))))
    poses = codec.decode({name: value.to(half) for name, value in maps.items()})
    assert poses.xy.dtype == torch.float32
    assert (poses.xy - codec.decode(maps).xy).abs().max() < 0.1


def test_a_window_larger_than_the_map():
    codec = replace(UdpCombined(points=K, grid=ALIGNED), blur=900.0, offset_blur=900.0)
    poses = codec.decode(codec.perfect(codec.encode(instances(scattered(margin=20.0)))))
    assert poses.xy.isfinite().all()
