"""DirectPose: boxes made of points, gaussians that only training sees, and what it shares with FCOS."""

from dataclasses import replace

import pytest
import torch
from batches import MIRROR, POINTS, laid, matched, mirrored, moved, people, perfect, scene, thinned

from posekit.codecs.one_stage.directpose import DirectPose
from posekit.codecs.one_stage.fcos import Fcos

SIZE = (256, 384)
CODEC = DirectPose(points=POINTS, size=SIZE, strides=(8, 16, 32))
APART = [(10.0, 20.0, 71.0, 118.5), (150.5, 60.0, 290.5, 248.0), (330.0, 8.0, 371.3, 60.0)]
BESIDE = [(60.5, 40.0, 140.5, 200.0), (140.5, 40.0, 220.5, 200.0)]
SCENE = scene(APART, BESIDE)


def whole(codec, instances):
    """Perfect maps, gaussians included."""
    target = codec.encode(instances)
    maps = perfect(codec, target)
    return maps | ({"peaks": 20 * target.maps["peaks"] - 10} if codec.heatmaps else {})


def test_maps_and_what_losses_may_ask_for():
    assert CODEC.gives == {"class", "centreness", "points", "peaks"}
    assert replace(CODEC, boxes=True, heatmaps=False).gives == {"class", "centreness", "points", "box"}
    assert CODEC.shapes["peaks"] == (POINTS, 32, 48)
    assert [name for name in CODEC.shapes if name.startswith("box")] == []
    assert set(whole(CODEC, SCENE)) == set(CODEC.shapes)


@pytest.mark.parametrize("boxes", [False, True])
def test_points_and_boxes_are_read_back(boxes):
    codec = replace(CODEC, boxes=boxes)
    poses = codec.decode(whole(codec, SCENE))
    for image in range(2):
        corners, points = people(SCENE, image)
        found = thinned(poses, image)
        assert len(found) == len(points)
        assert matched(found.xy, points).max() < 0.05
        around = torch.cat((torch.from_numpy(points).amin(1), torch.from_numpy(points).amax(1)), 1).numpy()
        truth = corners if boxes else around
        assert matched(found.boxes.reshape(-1, 2, 2), truth.reshape(-1, 2, 2)).max() < 0.05


def test_what_it_shares_with_fcos_is_the_same():
    here, there = CODEC.encode(SCENE), Fcos(points=POINTS, size=SIZE, strides=(8, 16, 32)).encode(SCENE)
    for name in ("class", "centreness", "points"):
        assert torch.equal(here.maps[name], there.maps[name])
        assert torch.equal(here.weight[name], there.weight[name])


def test_each_known_point_lies_in_one_cell():
    some = scene(APART, BESIDE, unknown=[(0, 1, 2)])
    gaussians = CODEC.encode(some).maps["peaks"]
    assert gaussians.sum((2, 3)).tolist() == [[3, 3, 2, 3, 3], [2] * 5]
    # The first point of the first: (40.5, 29.85), in column 5 and row 3.
    assert gaussians[0, 0, 3, 5] == 1
    # Two in one cell are one gaussian; a point outside the image is none.
    twice = scene([(30.0, 30.0, 90.0, 90.0), (30.0, 30.0, 90.0, 92.0), (-60.0, 10.0, 20.0, 90.0)])
    assert CODEC.encode(twice).maps["peaks"].sum((0, 2, 3)).tolist() == [1, 1, 1, 1, 2]


def test_points_inside_regions_to_ignore_are_still_counted():
    target = CODEC.encode(scene([(100.0, 100.0, 160.0, 190.0), (90.0, 80.0, 300.0, 240.0)], ignored=[(0, 1)]))
    weight, gaussians = target.weight["peaks"], target.maps["peaks"]
    assert weight.shape == gaussians.shape
    assert (weight[gaussians == 1] == 1).all()
    inside = weight[0, :, 10:30, 11:38]
    assert inside.sum() == gaussians.sum() == POINTS
    assert weight.sum() == weight.numel() - inside.numel() + POINTS


@pytest.mark.parametrize("boxes", [False, True])
def test_a_flip_is_exact(boxes):
    codec = replace(CODEC, boxes=boxes)
    here, back = whole(codec, SCENE), codec.flip(whole(codec, mirrored(SCENE, SIZE[1])), MIRROR)
    assert back.keys() == here.keys()
    for name, value in back.items():
        torch.testing.assert_close(value, here[name], rtol=0, atol=1e-9)


def test_people_who_move_by_a_coarse_cell_take_their_targets_along():
    one = scene([(70.0, 40.0, 141.0, 180.0), (180.0, 64.0, 221.0, 100.0)])
    here, there = whole(CODEC, one), whole(CODEC, moved(one, 32, 64))
    for name in here:
        stride = 8 if name == "peaks" else int(name.rpartition("_")[2])
        down, right = 64 // stride, 32 // stride
        torch.testing.assert_close(there[name][..., down:, right:], here[name][..., :-down, :-right])


def test_decoding_does_without_the_gaussians():
    maps = whole(CODEC, SCENE)
    with_heatmaps = CODEC.decode(maps)
    without = CODEC.decode({name: value for name, value in maps.items() if name != "peaks"})
    assert torch.equal(with_heatmaps.xy, without.xy)


def test_a_pose_is_counted_in_cells_of_its_level():
    levels = CODEC.levels
    logits = torch.full((1, 1, sum(levels.counts)), -9.0)
    number = levels.counts[0] + 24 * 2 + 3  # stride 16, third row, fourth column: (56, 40)
    logits[..., number] = 5.0
    maps = laid(levels, logits, "class") | laid(levels, torch.zeros_like(logits), "centreness")
    offsets = torch.zeros(1, 2 * POINTS, logits.shape[-1])
    offsets[0, :4, number] = torch.tensor([1.0, -2.0, 0.5, 0.0])
    poses = CODEC.decode(maps | laid(levels, offsets, "points"))
    assert poses.xy[0, 0].tolist() == [[72, 8], [64, 40], [56, 40], [56, 40], [56, 40]]
    assert poses.boxes[0, 0].tolist() == [56, 8, 72, 40]
