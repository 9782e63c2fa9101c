"""CenterNet's maps for poses: what is drawn, what is asked for, and which points move to their own gaussians."""

import math
from dataclasses import replace

import pytest
import torch
from batches import MIRROR, POINTS, mirrored, scene
from one_stage_codecs import perfect_maps

from posekit.codecs.base import Target
from posekit.codecs.kernels import corner_radius
from posekit.codecs.one_stage.center_pose import SPARED, CenterPose
from posekit.geometry.grid import Grid
from posekit.losses.focal import Focal
from posekit.models.heads.one_stage.branches import PRIOR

IMAGE = (128, 192)
CODEC = CenterPose(points=POINTS, grid=Grid.of(IMAGE, 4))
APART = ([(11.0, 21.0, 70.0, 110.0), (101.0, 9.0, 180.0, 120.0)], [(41.0, 31.0, 120.0, 90.0)])
"No centre lies exactly between two cells, where a flip would choose the other one."


def test_perfect_maps_give_everyone_back():
    people = scene(*APART)
    poses = CODEC.decode(perfect_maps(CODEC, people))
    for image, boxes in enumerate(APART):
        for person in range(len(boxes)):
            away = (poses.xy[image] - people.keypoints.xy[image, person]).abs().amax((-1, -2))
            best = int(away.argmin())
            assert away[best] < 1e-3
            assert poses.instance_score[image, best] > 0.999
            torch.testing.assert_close(poses.boxes[image, best], people.boxes[image, person].float(), atol=1e-3, rtol=0)
        assert (poses.instance_score[image] > 0.5).sum() == len(boxes)
    assert (poses.instance_score.diff(dim=1) <= 0).all()


@pytest.mark.parametrize("snap", [True, False])
def test_a_point_without_a_gaussian_lies_where_the_centre_says(snap):
    people = scene(*APART)
    maps = perfect_maps(CODEC, people)
    maps["peaks"] = torch.full_like(maps["peaks"], -20.0)
    poses = replace(CODEC, snap=snap).decode(maps)
    away = (poses.xy[1, 0] - people.keypoints.xy[1, 0]).abs().max()
    assert away < 1e-3


def test_a_unit_of_many_pixels_says_the_same_with_smaller_numbers():
    maps = perfect_maps(CODEC, scene(*APART))
    smaller = {name: value / (4 if name in ("size", "point_offsets") else 1) for name, value in maps.items()}
    ours, other = (codec.decode(raw) for codec, raw in ((CODEC, maps), (replace(CODEC, unit=16.0), smaller)))
    torch.testing.assert_close(other.xy, ours.xy)
    torch.testing.assert_close(other.boxes, ours.boxes)


@pytest.mark.parametrize(("share", "moves"), [(0.29, True), (0.31, False)])
def test_how_far_a_point_moves_to_its_gaussian(share, moves):
    """The nearest gaussian is taken up to 0.3 of the box's longer side and not beyond."""
    people = scene([(16.0, 16.0, 176.0, 112.0)])
    maps = perfect_maps(CODEC, people)
    truth = people.keypoints.xy[0, 0].float()
    # The first point is said to lie further to the right, within the box.
    step = share * 160.0
    maps["point_offsets"][:, 0] = maps["point_offsets"][:, 0] + step / 4
    found = CODEC.decode(maps).xy[0, 0, 0]
    wanted = truth[0] if moves else truth[0] + torch.tensor([step, 0.0])
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


def test_a_gaussian_outside_the_box_is_another_persons():
    people = scene([(16.0, 16.0, 76.0, 112.0)])
    maps = perfect_maps(CODEC, people)
    maps["size"] = maps["size"] * 0.2
    # All points now lie outside the small box: each stays where the centre says, moved by nothing.
    maps["point_offsets"] = maps["point_offsets"] + 0.5
    found = CODEC.decode(maps).xy[0, 0]
    torch.testing.assert_close(found[3], people.keypoints.xy[0, 0, 3].float() + 2.0, atol=1e-3, rtol=0)


def test_gaussians_are_as_wide_as_the_box_tolerates():
    people = scene([(32.0, 16.0, 112.0, 112.0)])
    centre = CODEC.encode(people).maps["centre"][0, 0]
    radius = math.floor(corner_radius(torch.tensor(96 / 4), torch.tensor(80 / 4), 0.7))
    row, column = divmod(int(centre.argmax()), centre.shape[1])
    assert centre[row, column] == 1
    assert (centre[row] > 0).sum() == 2 * radius + 1
    assert centre[row, column + radius] == pytest.approx(math.exp(-0.5 * (radius * 6 / (2 * radius + 1)) ** 2))


def test_what_is_ignored_counts_for_nothing_but_a_centre_in_it_does():
    people = scene([(100.0, 8.0, 180.0, 120.0), (90.0, 0.0, 192.0, 128.0)], ignored=[(0, 1)])
    target = CODEC.encode(people)
    weight = target.weight["centre"][0, 0]
    x, y = CODEC.grid.axes(weight)
    inside = (x >= 90)[None].expand(len(y), -1)
    peak = target.maps["centre"][0, 0] == 1
    assert peak.sum() == 1
    assert (weight == (~inside | peak)).all()
    assert target.weight["size"][0].sum() == 2


def test_every_cell_counts_where_nothing_is_ignored():
    target = CODEC.encode(scene(*APART))
    assert (target.weight["centre"] == 1).all() and (target.weight["peaks"] == 1).all()


def test_people_without_points_are_neither_centres_nor_background():
    everyone = scene(*APART, unknown=[(0, 0, k) for k in range(POINTS)])
    target = CODEC.encode(everyone)
    assert (target.maps["centre"][0] == 1).sum() == 1
    assert ((target.maps["centre"][0] - SPARED).abs() < 1e-9).sum() == 1
    assert target.weight["point_offsets"][0].sum() == 2 * POINTS


def test_an_unknown_point_is_not_asked_for():
    target = CODEC.encode(scene(*APART, unknown=[(1, 0, 2)]))
    assert target.weight["point_offsets"][1].sum(dim=(-1, -2)).tolist() == [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]
    assert target.maps["peaks"][1, 2].max() == 0


def test_empty_images_teach_that_nobody_is_there():
    """The focal loss of a map without peaks is -sum p^2 log(1 - p), divided by nothing."""
    target = CODEC.encode(scene([]))
    logits = torch.linspace(-4, 2, 32 * 48, dtype=torch.float64).reshape(1, 1, 32, 48)
    found = Focal(of="centre").build(None)({"centre": logits}, Target(target.maps, target.weight))["focal"]
    p = logits.sigmoid()
    torch.testing.assert_close(found, -(p.square() * (1 - p).log()).sum())


@pytest.mark.parametrize("each", [False, True])
def test_a_mirror_is_exact(each):
    people, codec = scene(*APART), replace(CODEC, offset_each=each)
    maps = {name: value for name, value in codec.encode(people).maps.items() if name in codec.shapes}
    other = codec.encode(mirrored(people, IMAGE[1])).maps
    back = codec.flip({name: other[name] for name in maps}, MIRROR)
    for name, value in maps.items():
        torch.testing.assert_close(back[name], value, atol=1e-9, rtol=0, msg=name)


def test_points_of_two_kinds_in_one_cell_keep_their_own_offsets():
    """Points at (17, 17) and (19, 18) are both in cell (4, 4), whose centre is (18, 18)."""
    people = scene([(10.0, 10.0, 40.0, 40.0)])
    xy = people.keypoints.xy.clone()
    xy[0, 0, 0], xy[0, 0, 1] = xy.new_tensor((17.0, 17.0)), xy.new_tensor((19.0, 18.0))
    people = replace(people, keypoints=replace(people.keypoints, xy=xy))
    codec = replace(CODEC, offset_each=True)
    target = codec.encode(people)
    assert target.maps["offset"].shape == (1, 2 * POINTS, *codec.grid.shape)
    assert target.maps["offset"][0, :4, 4, 4].tolist() == [-0.25, -0.25, 0.25, 0.0]
    assert target.weight["offset"][0, :4, 4, 4].tolist() == [1.0] * 4
    poses = codec.decode(perfect_maps(codec, people))
    torch.testing.assert_close(poses.xy[0, 0, :2].double(), xy[0, 0, :2].double(), atol=1e-3, rtol=0)


def test_what_an_output_of_one_stands_for():
    assert CODEC.units["size"] == CODEC.units["offset"] == (4.0, 4.0)
    wide = replace(CODEC, unit=16.0).units
    assert wide["size"] == wide["point_offsets"] == (16.0, 16.0)
    assert wide["centre_offset"] == wide["offset"] == (4.0, 4.0)


def test_where_logits_start():
    assert torch.tensor(PRIOR).sigmoid().item() == pytest.approx(0.10065, abs=1e-5)
