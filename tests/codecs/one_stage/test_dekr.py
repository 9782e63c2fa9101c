"""DEKR's targets and their weights, the assignment of cells to instances, and decoding."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from batches import MIRROR, POINTS, SPREAD, mirrored, moved, scene
from torch.nn import functional as F

from posekit.codecs.base import Target
from posekit.codecs.one_stage.dekr import Dekr
from posekit.codecs.one_stage.dekr_first import DekrFirst
from posekit.codecs.one_stage.reading import read_locations
from posekit.codecs.refine import refine_parabola
from posekit.geometry.grid import Grid, RatioGrid
from posekit.geometry.keypoints import Instances, Keypoints
from posekit.losses.heatmaps import Mse
from posekit.losses.offsets import Offset
from posekit.postprocess.rescore import read

IMAGE = (128, 192)
GRID = Grid.of(IMAGE, 4)
CODEC = Dekr(points=POINTS, grid=GRID)
FIRST = DekrFirst(points=POINTS, grid=GRID)
APART = ([(11.0, 21.0, 80.0, 110.0), (101.0, 9.0, 180.0, 120.0)], [(41.0, 31.0, 120.0, 90.0)])

both = pytest.mark.parametrize("codec", [CODEC, FIRST], ids=["dekr", "dekr_first"])


def maps_of(codec, people):
    return {name: value.float() for name, value in codec.encode(people).maps.items() if name in codec.shapes}


def by_hand(codec, people, image):
    """The rules as plain loops over people and points: heatmap, its weight, offsets, their weight."""
    height, width = codec.grid.shape
    rows, columns = np.indices((height, width))
    heat, weight = np.zeros((POINTS + 1, height, width)), np.full((POINTS + 1, height, width), codec.background)
    way, worth = np.zeros((2 * POINTS, height, width)), np.zeros((2 * POINTS, height, width))
    assigned = np.full((height, width), math.inf)
    ignored = np.zeros((height, width), bool)
    for person, role in enumerate(people.role[image].tolist()):
        xy = codec.grid.cells(people.keypoints.xy[image, person]).numpy()
        known = (people.keypoints.visibility[image, person] > 0).numpy()
        if role == 2 or (role == 1 and not known.any()):
            x0, y0, x1, y1 = people.boxes[image, person].tolist()
            x, y = 4 * columns + 2, 4 * rows + 2
            ignored |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        if role != 1 or not known.any():
            continue
        large = max(math.hypot(*np.ptp(xy[known], axis=0)), math.sqrt(codec.min_area) / 4)
        centre, led = xy[known].mean(0), bool(people.area[image, person] >= codec.min_area)
        shown = [on and 0 <= x + 0.5 < width and 0 <= y + 0.5 < height for on, (x, y) in zip(known, xy, strict=True)]
        spots = [*zip(xy, shown, [codec.sigma / 4] * POINTS, strict=True), (centre, led, codec.centre_sigma / 4)]
        for number, ((x, y), drawn, sigma) in enumerate(spots):
            if drawn:
                gaussian = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
                heat[number] = np.maximum(heat[number], gaussian)
                weight[number][(abs(columns - x) < 3 * sigma + 2) & (abs(rows - y) < 3 * sigma + 2)] = 1
        near = (abs(columns - centre[0]) <= codec.radius / 4) & (abs(rows - centre[1]) <= codec.radius / 4)
        own = near & led & (large < assigned)
        assigned[own] = large
        for number, ((x, y), drawn) in enumerate(zip(xy, shown, strict=True)):
            way[2 * number, own], way[2 * number + 1, own] = (x - columns)[own] * drawn, (y - rows)[own] * drawn
            worth[2 * number : 2 * number + 2, own] = drawn / large
    weight[:, ignored] = 0
    return {"heatmap": heat, "point_offsets": way}, {"heatmap": weight, "point_offsets": worth}


def crowded():
    """Overlapping people, one partly outside, one without labels, one small, a region to ignore, an empty slot."""
    people = scene(
        [(8.0, 8.0, 90.0, 120.0), (21.0, 31.0, 71.0, 91.0), (-21.0, 5.0, 41.0, 60.0), (140.0, 90.0, 161.0, 121.0)],
        [(120.0, 3.0, 190.0, 60.0), (33.0, 42.0, 120.0, 109.0), (30.0, 20.0, 70.0, 50.0)],
        unknown=[(0, 0, 2), (0, 1, 0), *((1, 0, k) for k in range(POINTS))],
        ignored=[(1, 2)],
    )
    assert people.area[0, 3] < CODEC.min_area
    return people


@pytest.mark.parametrize(("min_area", "centres"), [(2400.0, 1), (2401.0, 0)])
def test_an_instance_of_just_the_least_area_has_a_centre(min_area, centres):
    target = replace(CODEC, min_area=min_area).encode(scene([(40.0, 40.0, 80.0, 100.0)]))
    assert (target.maps["heatmap"][0, -1] > 0.9).any() == bool(centres)
    assert (target.weight["point_offsets"] > 0).any() == bool(centres)


def test_targets_are_those_of_the_rules_in_words():
    people = crowded()
    target = CODEC.encode(people)
    for image in range(2):
        maps, weight = by_hand(CODEC, people, image)
        for name in ("heatmap", "point_offsets"):
            torch.testing.assert_close(target.maps[name][image].numpy(), maps[name], atol=1e-9, rtol=0)
            torch.testing.assert_close(target.weight[name][image].numpy(), weight[name], atol=1e-9, rtol=0)


def test_one_weight_for_all_maps_of_the_first_version():
    people = crowded()
    own, shared = CODEC.encode(people).weight["heatmap"], FIRST.encode(people).weight["heatmap"]
    assert shared.shape == (2, 1, *GRID.shape)
    torch.testing.assert_close(shared, own.amax(1, keepdim=True))
    assert set(shared.flatten().tolist()) == {0.0, 0.1, 1.0}


def test_a_way_by_hand():
    """A square of 40 pixels about (66, 46): its centre is cell (16, 11), its diagonal 10 sqrt(2) cells."""
    corners = torch.tensor([(66.0, 46.0), (46.0, 26.0), (86.0, 26.0), (46.0, 66.0), (86.0, 66.0)], dtype=torch.float64)
    people = scene([(46.0, 26.0, 86.0, 66.0)])
    people = replace(people, keypoints=Keypoints(corners[None, None], people.keypoints.visibility))
    target = CODEC.encode(people)
    assert target.maps["point_offsets"][0, :, 11, 16].tolist() == [0, 0, -5, -5, 5, -5, -5, 5, 5, 5]
    assert target.maps["point_offsets"][0, :, 8, 20].tolist() == [-4, 3, -9, -2, 1, -2, -9, 8, 1, 8]
    offset_weight = target.weight["point_offsets"][0]
    # Four cells to each side and the centre one.
    assert (offset_weight > 0).sum(dim=(-1, -2)).tolist() == [81] * 10
    torch.testing.assert_close(
        offset_weight[:, 11, 16], torch.full((10,), 1 / (10 * math.sqrt(2)), dtype=torch.float64)
    )
    assert target.maps["heatmap"][0, -1, 11, 16] == 1
    assert target.maps["heatmap"][0, 1, 6, 11] == 1
    # exp(-1 / 2 (3 / 2)^2) three cells from a point's top, exp(-1 / 2 (3 / 4)^2) from a centre's.
    torch.testing.assert_close(target.maps["heatmap"][0, 1, 6, 14].item(), math.exp(-1.125))
    torch.testing.assert_close(target.maps["heatmap"][0, -1, 11, 19].item(), math.exp(-0.28125))


def test_compat_takes_the_size_from_the_corner_of_the_image():
    """Points at most at x = 60 and y = 45, one of them unlabelled beyond: sqrt(60^2 + 45^2) = 75 pixels."""
    people = scene([(20.0, 5.0, 70.0, 55.0)], unknown=[(0, 0, 4)])
    xy = torch.tensor([(40.0, 20.0), (20.0, 5.0), (60.0, 30.0), (35.0, 45.0), (190.0, 120.0)], dtype=torch.float64)
    people = replace(people, keypoints=Keypoints(xy[None, None], people.keypoints.visibility))
    for codec, size in ((CODEC, math.hypot(40, 40)), (replace(CODEC, compat="dekr"), 75)):
        assert codec.encode(people).weight["point_offsets"].max().item() == pytest.approx(4 / size)


def test_a_person_with_one_label_does_not_outweigh_all_others():
    people = scene([(20.0, 5.0, 70.0, 55.0)], unknown=[(0, 0, k) for k in range(1, POINTS)])
    assert CODEC.encode(people).weight["point_offsets"].max().item() == pytest.approx(4 / 32)
    assert replace(CODEC, min_area=0).encode(people).weight["point_offsets"].max().item() == 1


@both
def test_slots_and_images_may_come_in_any_order(codec):
    people = crowded()
    target = codec.encode(people)
    turned = codec.encode(people.each(lambda array: array.flip(0)[:, [2, 0, 3, 1]]))
    alone = codec.encode(people.each(lambda array: array[1:]))
    for name in ("heatmap", "point_offsets"):
        for kind in ("maps", "weight"):
            value = getattr(target, kind)[name]
            torch.testing.assert_close(getattr(turned, kind)[name].flip(0), value, atol=1e-12, rtol=0)
            torch.testing.assert_close(getattr(alone, kind)[name], value[1:], atol=1e-12, rtol=0)


@both
def test_perfect_maps_give_everyone_back(codec):
    people = scene(*APART)
    poses = codec.decode(maps_of(codec, people))
    assert poses.xy.shape == (2, 30, POINTS, 2)
    for image, boxes in enumerate(APART):
        assert (poses.instance_score[image] > 0.5).sum() == len(boxes)
        for person in range(len(boxes)):
            truth = people.keypoints.xy[image, person].float()
            away = (poses.xy[image] - truth).abs().amax((-1, -2))
            best = int(away.argmin())
            assert away[best] < 0.05
            assert poses.instance_score[image, best] > 0.9
            box = torch.cat((truth.amin(0), truth.amax(0)))
            torch.testing.assert_close(poses.boxes[image, best], box, atol=0.05, rtol=0)


@both
def test_a_step_of_one_cell_moves_everything_by_four_pixels(codec):
    people = scene([(41.0, 31.0, 120.0, 90.0)])
    here, there = (maps_of(codec, some) for some in (people, moved(people, 4.0, 8.0)))
    torch.testing.assert_close(there["heatmap"][..., 2:, 1:], here["heatmap"][..., :-2, :-1], atol=1e-6, rtol=0)
    torch.testing.assert_close(
        there["point_offsets"][..., 2:, 1:], here["point_offsets"][..., :-2, :-1], atol=1e-5, rtol=0
    )


@both
def test_a_mirror_is_exact(codec):
    people = crowded()
    target, other = codec.encode(people), codec.encode(mirrored(people, IMAGE[1]))
    back = codec.flip({name: other.maps[name] for name in codec.shapes}, MIRROR)
    for name in codec.shapes:
        torch.testing.assert_close(back[name], target.maps[name], atol=1e-9, rtol=0, msg=name)
    weight = codec.flip({"heatmap": target.maps["heatmap"], "point_offsets": other.weight["point_offsets"]}, MIRROR)[
        "point_offsets"
    ].abs()
    torch.testing.assert_close(weight, target.weight["point_offsets"], atol=1e-9, rtol=0)


@both
def test_maps_of_an_image_and_its_mirror_decode_alike(codec):
    generator = torch.Generator().manual_seed(3)
    maps = {name: torch.randn(2, *shape, generator=generator) for name, shape in codec.shapes.items()}
    here, there = codec.decode(maps), codec.decode(codec.flip(maps, MIRROR))
    xy = torch.stack((IMAGE[1] - there.xy[..., 0], there.xy[..., 1]), -1)[:, :, list(MIRROR)]
    torch.testing.assert_close(here.xy, xy, atol=1e-3, rtol=0)
    torch.testing.assert_close(here.score, there.score[:, :, list(MIRROR)], atol=1e-5, rtol=0)


def test_a_points_score_is_the_centres_times_its_maps():
    people = scene(APART[0][:1], APART[1])
    maps = maps_of(CODEC, people)
    maps["heatmap"][:, -1] *= 0.8
    maps["heatmap"][:, 1] *= 0.5
    maps["point_offsets"][:, :2] += 100.0
    poses = CODEC.decode(maps)
    value = read(maps["heatmap"][:, :-1].numpy(), poses.xy.numpy(), GRID)
    centre = np.sort(maps["heatmap"][:, -1].flatten(1).numpy())[:, ::-1][:, :1]
    torch.testing.assert_close(poses.score[:, 0].numpy(), value[:, 0].astype(np.float32) * centre, atol=1e-5, rtol=0)
    # Off the image nobody says anything.
    assert (poses.score[:, 0, 0] == 0).all()
    assert 0.3 < poses.score[1, 0, 1] < 0.4
    torch.testing.assert_close(poses.instance_score, poses.score.mean(-1))


def test_the_best_come_first():
    """A lower centre with clear points stands before a higher one whose points nobody sees."""
    people = scene(APART[0])
    maps = maps_of(CODEC, people)
    maps["heatmap"][0, -1, :, :24] *= 0.7
    maps["heatmap"][0, :-1, :, 24:] *= 0.1
    poses = CODEC.decode(maps)
    assert (poses.instance_score.diff(dim=1) <= 0).all()
    for slot, person in enumerate((0, 1)):
        torch.testing.assert_close(poses.xy[0, slot], people.keypoints.xy[0, person].float(), atol=0.05, rtol=0)
        assert poses.score[0, slot].mean() == poses.instance_score[0, slot]


def test_places_are_read_as_the_suppression_reads_them():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, POINTS, 7, 11, generator=generator, dtype=torch.float64)
    grid = Grid(height=7, width=11, image_height=28, image_width=44)
    place = torch.rand(2, 9, POINTS, 2, generator=generator, dtype=torch.float64) * 16 - 2
    torch.testing.assert_close(
        read_locations(maps, place).numpy(), read(maps.numpy(), grid.pixels(place).numpy(), grid)
    )


def test_tops_of_gaussians_are_found_between_the_cells():
    top = torch.tensor([(3.3, 4.4), (7.5, 2.0)], dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(12.0), indexing="ij")
    gaussians = [torch.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in top.tolist()]
    maps = torch.maximum(*gaussians)[None, None].double()
    found = refine_parabola(maps, torch.tensor([(3, 4), (7, 2), (0, 8)])[None, None])[0, 0]
    torch.testing.assert_close(found, torch.cat((top, torch.tensor([(0.0, 8.0)]).double())), atol=0.02, rtol=0)


@pytest.mark.parametrize(("step", "drawn"), [(74.0, True), (76.0, False)])
def test_points_are_drawn_to_gaussians_up_to_75_pixels(step, drawn):
    people = scene([(16.0, 16.0, 106.0, 112.0)])
    maps = maps_of(FIRST, people)
    maps["point_offsets"][:, 2] += step / 4
    truth = people.keypoints.xy[0, 0, 1].float()
    wanted = truth if drawn else truth + torch.tensor([step, 0.0])
    torch.testing.assert_close(FIRST.decode(maps).xy[0, 0, 1], wanted, atol=0.05, rtol=0)
    stays = replace(FIRST, snap=False).decode(maps).xy[0, 0, 1]
    torch.testing.assert_close(stays, truth + torch.tensor([step, 0.0]), atol=0.05, rtol=0)
    assert FIRST.decode(maps).score[0, 0, 1].item() == pytest.approx(0.95 if drawn else 0.0, abs=0.05)


def test_a_gaussian_that_is_next_to_nothing_draws_nobody():
    maps = maps_of(FIRST, scene([(16.0, 16.0, 106.0, 112.0)]))
    maps["heatmap"][:, 1] *= 0.009
    maps["point_offsets"][:, 2] += 5.0
    away = FIRST.decode(maps).xy[0, 0, 1] - replace(FIRST, snap=False).decode(maps).xy[0, 0, 1]
    assert away.abs().max() == 0


@pytest.mark.parametrize(("size", "window"), [((800, 800), 3), ((800, 808), 5), ((1200, 1200), 5), ((1208, 1200), 7)])
def test_the_window_grows_with_the_map(size, window):
    """Two centres three cells apart are one in a window of 7, and neighbours but one are one in a window of 5."""
    codec = Dekr(points=2, grid=Grid.of(size, 4), max_instances=3)
    for apart in (2, 3):
        maps = {name: torch.zeros(1, *shape) for name, shape in codec.shapes.items()}
        maps["heatmap"][:, :2] = 1.0
        maps["heatmap"][0, 2, 50, 50], maps["heatmap"][0, 2, 50, 50 + apart] = 0.9, 0.8
        assert (codec.decode(maps).instance_score > 0.5).sum() == (1 if window // 2 >= apart else 2)


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="must be odd; got 4, use 5"):
        Dekr(points=2, grid=GRID, window=4)


def test_another_number_of_points_is_refused():
    with pytest.raises(ValueError, match=r"expected xy \(B, N, 3, 2\), got \(2, 2, 5, 2\)"):
        Dekr(points=3, grid=GRID).encode(scene(*APART))


@both
def test_wild_maps_give_finite_poses(codec):
    maps = {name: torch.randn(2, *shape) for name, shape in codec.shapes.items()}
    maps["heatmap"][0, :, :9] = math.nan
    maps["point_offsets"][0, 3] = math.inf
    maps["heatmap"][1, -1] = -1.0
    poses = codec.decode(maps)
    for value in (poses.xy, poses.score, poses.instance_score, poses.boxes):
        assert value.isfinite().all()
    assert ((poses.score >= 0) & (poses.score <= 1)).all()
    assert (poses.instance_score[1] == 0).all()


@both
def test_nobody_there(codec):
    target = codec.encode(scene([], []))
    assert target.maps["heatmap"].abs().sum() == 0
    assert target.weight["point_offsets"].abs().sum() == 0
    assert set(target.weight["heatmap"].flatten().tolist()) == {0.1}


def test_published_grids_lie_half_a_cell_less_half_a_pixel_away():
    codec = Dekr(points=POINTS, grid=RatioGrid.of(IMAGE, 4))
    people = scene(*APART)
    poses = codec.decode(maps_of(codec, people))
    away = (poses.xy[1] - people.keypoints.xy[1, 0]).abs().amax((-1, -2))
    assert away.min() < 0.05


def test_the_losses_are_those_of_the_paper():
    """mean(w (p - g)^2), and the sum of w smooth-L1 over how many weights are not 0."""
    target = CODEC.encode(crowded())
    generator = torch.Generator().manual_seed(1)
    output = {
        name: target.maps[name] + torch.randn(target.maps[name].shape, generator=generator, dtype=torch.float64)
        for name in CODEC.shapes
    }
    gaussians = Mse(each_cell=True).build(None)(output, target)["mse"]
    off = (output["heatmap"] - target.maps["heatmap"]) ** 2 * target.weight["heatmap"]
    torch.testing.assert_close(gaussians, off.sum() / off.numel())
    offsets = Offset(of="point_offsets", weight=0.03, smooth=1 / 9, mean="counted").build(None)(output, target)[
        "offset"
    ]
    weight = target.weight["point_offsets"]
    apart = F.smooth_l1_loss(output["point_offsets"], target.maps["point_offsets"], reduction="none", beta=1 / 9)
    torch.testing.assert_close(offsets, 0.03 * (weight * apart).sum() / (weight > 0).sum())
    alone = Offset(of="point_offsets", smooth=1 / 9).build(None)(output, target)["offset"]
    torch.testing.assert_close(alone, (weight * apart).sum() / weight.sum())


def test_smooth_l1_by_hand():
    weight = torch.tensor([0.5, 0.0, 0.5, 0.5, 0.5])
    output = torch.tensor([0.05, math.nan, 0.1, 0.2, 1.0])
    maps, xy = {"point_offsets": torch.zeros(5)}, torch.zeros(1, 1, 1, 2)
    target = Target({**maps, "xy": xy}, {"point_offsets": weight, "xy": xy[..., :1]})
    found = Offset(of="point_offsets", smooth=1 / 9, mean="counted").build(None)({"point_offsets": output}, target)[
        "offset"
    ]
    torch.testing.assert_close(found, torch.tensor((0.01125 + 0.045 + 0.144444 + 0.944444) / 8), atol=1e-6, rtol=0)
    nothing = Target({**maps, "xy": xy}, {"point_offsets": 0 * weight, "xy": xy[..., :1]})
    assert Offset(of="point_offsets", mean="counted").build(None)({"point_offsets": output}, nothing)["offset"] == 0


def test_nothing_is_learned_from_regions_to_ignore():
    people = crowded()
    target = CODEC.encode(people)
    maps = {"heatmap": target.maps["heatmap"].clone().requires_grad_()}
    spoiled = maps["heatmap"] + torch.where(target.weight["heatmap"] == 0, math.nan, 0.25)
    loss = Mse(each_cell=True).build(None)({"heatmap": spoiled}, target)["mse"]
    loss.backward()
    assert loss.isfinite()
    grad = maps["heatmap"].grad
    assert ((grad != 0) == (target.weight["heatmap"] > 0)).all()
    # The centre of the second image's region, and that of its person without labels.
    assert (grad[1, :, 8, 12] == 0).all()
    assert (grad[1, :, 7, 40] == 0).all()


@pytest.mark.parametrize("codec", [pytest.param(CODEC, marks=pytest.mark.slow), FIRST], ids=["dekr", "dekr_first"])
def test_decoding_is_exported(codec):
    class Decode(torch.nn.Module):
        def forward(self, heatmap, point_offsets):
            poses = codec.decode({"heatmap": heatmap, "point_offsets": point_offsets})
            return poses.xy, poses.score, poses.instance_score, poses.boxes

    maps = maps_of(codec, scene(*APART))
    batch = torch.export.Dim("batch", min=1, max=8)
    shapes = {"heatmap": {0: batch}, "point_offsets": {0: batch}}
    program = torch.export.export(Decode(), (maps["heatmap"], maps["point_offsets"]), dynamic_shapes=shapes)
    more = maps_of(codec, scene(*APART, *APART[::-1], [(30.0, 20.0, 160.0, 120.0)]))
    for found, wanted in zip(program.module()(more["heatmap"], more["point_offsets"]), Decode()(**more), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_people_come_back_from_anywhere():
    """Well apart, of any size and place: perfect maps give each point back."""
    generator = torch.Generator().manual_seed(5)
    low = torch.rand(40, 2, generator=generator, dtype=torch.float64) * torch.tensor([90.0, 40.0])
    size = 35 + torch.rand(40, 2, generator=generator, dtype=torch.float64) * torch.tensor([60.0, 50.0])
    boxes = torch.cat((low, low + size), -1)
    shuffled = torch.stack([SPREAD[torch.randperm(POINTS, generator=generator)] for _ in range(40)])
    people = Instances(
        Keypoints((boxes[:, None, :2] + size[:, None] * shuffled)[:, None], torch.full((40, 1, POINTS), 2)),
        boxes[:, None],
        size.prod(-1)[:, None],
        torch.zeros(40, 1, dtype=torch.long),
        torch.ones(40, 1, dtype=torch.long),
    )
    for codec in (CODEC, FIRST):
        poses = codec.decode(maps_of(codec, people))
        assert (poses.xy[:, 0] - people.keypoints.xy[:, 0]).abs().max() < 0.05
