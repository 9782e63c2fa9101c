"""FCOS: targets of its cells, and decoding of perfect maps."""

import math
from dataclasses import replace

import pytest
import torch
from batches import MIRROR, POINTS, laid, matched, mirrored, moved, people, perfect, scene, thinned
from pydantic import ValidationError

from posekit.codecs.one_stage.fcos import Fcos

SIZE = (256, 384)
CODEC = Fcos(points=POINTS, size=SIZE, strides=(8, 16, 32))
# Small, middling and large, apart; two of one size that touch.
APART = [(10.0, 20.0, 71.0, 118.5), (150.0, 60.0, 290.0, 248.0), (330.0, 8.0, 371.3, 60.0)]
BESIDE = [(60.0, 40.0, 140.0, 200.0), (140.0, 40.0, 220.0, 200.0)]
SCENE = scene(APART, BESIDE, unknown=[(0, 0, 3), (1, 1, 0)])


def test_shapes_are_those_of_every_level():
    assert CODEC.shapes == {
        f"{name}_{stride}": (count, SIZE[0] // stride, SIZE[1] // stride)
        for name, count in (("class", 1), ("box", 4), ("centreness", 1), ("points", 10))
        for stride in (8, 16, 32)
    }
    bare = replace(CODEC, keypoints=False)
    assert not [name for name in bare.shapes if name.startswith("points")]
    assert CODEC.gives - bare.gives == {"points"}


def test_a_size_that_the_strides_do_not_divide_is_refused():
    with pytest.raises(
        ValidationError, match="image is 256x390; a map of stride 32 needs multiples of it: use 256x416"
    ):
        Fcos(points=POINTS, size=(256, 390), strides=(8, 16, 32))


def test_the_cell_in_the_centre_of_a_box():
    # Centre (44, 44), a centre of stride 8; the furthest side is 40 away.
    target = CODEC.encode(scene([(4.0, 14.0, 84.0, 74.0)]))
    cell = 5 * 48 + 5
    assert target.maps["class"][0, 0, cell] == 1
    assert target.maps["box"][0, :, cell].tolist() == [40, 30, 40, 30]
    assert target.maps["centreness"][0, 0, cell] == 1
    assert target.weight["box"][0, 0, cell] == 1
    # Its right neighbour: 48, 30, 32, 30.
    assert target.maps["box"][0, :, cell + 1].tolist() == [48, 30, 32, 30]
    assert target.maps["centreness"][0, 0, cell + 1].item() == pytest.approx((32 / 48) ** 0.5)
    assert target.weight["points"][0, :, cell + 1].tolist() == pytest.approx([(32 / 48) ** 0.5] * 10)
    # The first point lies at (44, 20): 24 pixels above, three cells.
    assert target.maps["points"][0, :2, cell].tolist() == pytest.approx([0, -3])
    # 1.5 cells around the centre, strictly.
    assert target.maps["class"].sum() == target.weight["centreness"].sum() == 9


def test_every_known_point_is_read_back():
    for keypoints in (True, False):
        codec = replace(CODEC, keypoints=keypoints)
        poses = codec.decode(perfect(codec, codec.encode(SCENE)))
        for image in range(2):
            boxes, points = people(SCENE, image)
            found = thinned(poses, image)
            assert len(found) == len(boxes)
            assert matched(found.boxes.reshape(-1, 2, 2), boxes.reshape(-1, 2, 2)).max() < 0.05
            if keypoints:
                # The unknown points come too: perfect maps hold no more than the target's own numbers.
                known = SCENE.keypoints.labelled[image][: len(points)].numpy()
                near = abs(found.xy[:, None] - points[None]).max(-1)
                assert (near * known).max(-1).min(0).max() < 0.05
                assert (found.score == found.instance_score[:, None]).all()
            else:
                assert (found.score == 0).all()
                centre = (found.boxes[:, None, :2] + found.boxes[:, None, 2:]) / 2
                assert abs(found.xy - centre).max() < 1e-9


def test_exponential_distances_are_read_back():
    codec = replace(CODEC, distances="exp")
    target = codec.encode(SCENE)
    maps = perfect(codec, target)
    for name in codec.levels.named("box"):
        maps[name] = maps[name].clamp_min(1e-3).log()
    found = thinned(codec.decode(maps), 0)
    assert matched(found.boxes.reshape(-1, 2, 2), people(SCENE, 0)[0].reshape(-1, 2, 2)).max() < 0.05


def test_exponential_distances_end_at_the_twelfth_power():
    codec = replace(CODEC, distances="exp")
    maps = {name: torch.full((1, *shape), 200.0) for name, shape in codec.shapes.items()}
    box = codec.activate(maps)["box"]
    torch.testing.assert_close(box[0, :, 0], torch.full((4,), 8 * math.exp(12)))
    torch.testing.assert_close(box[0, :, -1], torch.full((4,), 32 * math.exp(12)))


def test_unknown_points_do_not_count():
    target = CODEC.encode(SCENE)
    assigned = target.weight["points"].unflatten(1, (POINTS, 2))
    assert torch.equal(assigned[:, :, 0], assigned[:, :, 1])
    own = target.weight["box"][:, 0] > 0
    none = own & (assigned[:, 3, 0] == 0)
    assert none[0].any() and not none[1].any()
    assert (target.maps["points"].unflatten(1, (POINTS, 2))[:, 3][none[:, None].expand(-1, 2, -1)] == 0).all()
    assert target.weight["xy"][..., 0].tolist() == (SCENE.keypoints.labelled.double()).tolist()


def test_regions_to_ignore_are_not_counted_but_who_stands_there_is():
    crowded = scene([(100.0, 100.0, 160.0, 190.0), (90.0, 80.0, 300.0, 240.0)], ignored=[(0, 1)])
    target = CODEC.encode(crowded)
    locations = CODEC.levels.locations(target.maps["class"])
    inside = ((locations >= torch.tensor([90.0, 80.0])) & (locations <= torch.tensor([300.0, 240.0]))).all(-1)
    weight, positive = target.weight["class"][0, 0], target.maps["class"][0, 0] == 1
    assert positive.any()
    assert torch.equal(weight == 1, ~inside | positive)
    alone = CODEC.encode(scene([(100.0, 100.0, 160.0, 190.0)]))
    for name in ("class", "box", "centreness", "points"):
        assert torch.equal(target.maps[name], alone.maps[name])


def test_a_flip_is_exact():
    there = CODEC.encode(mirrored(SCENE, SIZE[1]))
    back = CODEC.flip(perfect(CODEC, there), MIRROR)
    here = perfect(CODEC, CODEC.encode(SCENE))
    assert back.keys() == here.keys()
    for name, value in back.items():
        torch.testing.assert_close(value, here[name], rtol=0, atol=1e-9)
    twice = CODEC.flip(CODEC.flip(here, MIRROR), MIRROR)
    assert all(torch.equal(twice[name], value) for name, value in here.items())


def test_people_who_move_by_a_coarse_cell_take_their_targets_along():
    one = scene([(70.0, 40.0, 141.0, 180.0), (180.0, 64.0, 221.0, 100.0)])
    here, there = (perfect(CODEC, CODEC.encode(who)) for who in (one, moved(one, 32, 0)))
    for stride in CODEC.strides:
        step = 32 // stride
        for name in ("class", "box", "centreness", "points"):
            before, after = here[f"{name}_{stride}"], there[f"{name}_{stride}"]
            torch.testing.assert_close(after[..., step:], before[..., :-step])


def test_boxes_end_with_the_image_and_flat_ones_are_made_of_points():
    target = CODEC.encode(scene([(-40.0, 100.0, 60.0, 200.0)]))
    assert (target.maps["box"][0, 0] <= CODEC.levels.locations(target.maps["box"])[:, 0]).all()
    assert target.maps["class"].sum() > 0
    flat = scene([(20.0, 30.0, 80.0, 130.0)])
    flat.boxes[0, 0, 2:] = flat.boxes[0, 0, :2]
    target = CODEC.encode(flat)
    cell = target.maps["class"][0, 0].argmax()
    x, y = CODEC.levels.locations(target.maps["box"])[cell].tolist()
    left, top, right, bottom = target.maps["box"][0, :, cell].tolist()
    around = [x - left, y - top, x + right, y + bottom]
    # Points lie from 0.25 to 0.8 of the width and from 0.1 to 0.9 of the height.
    assert around == pytest.approx([35, 40, 68, 120])


def test_an_empty_scene_has_no_positives_and_untrained_maps_decode():
    target = CODEC.encode(scene([], []))
    assert target.maps["class"].sum() == 0
    assert (target.weight["class"] == 1).all()
    assert all(target.weight[name].sum() == 0 for name in ("box", "centreness", "points"))
    junk = {name: torch.full((2, *shape), float("nan")) for name, shape in CODEC.shapes.items()}
    poses = CODEC.decode(junk)
    assert poses.xy.shape == (2, 100, POINTS, 2)
    for value in (poses.xy, poses.boxes, poses.score, poses.instance_score):
        assert value.isfinite().all()
    assert (poses.instance_score == 0).all()


def test_other_numbers_of_points_are_refused():
    with pytest.raises(ValueError, match=r"expected xy \(B, N, 4, 2\), got \(2, 3, 5, 2\)"):
        Fcos(points=4, size=SIZE, strides=(8, 16, 32)).encode(SCENE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_targets_keep_the_type_of_the_labels(dtype):
    target = CODEC.encode(scene(APART, dtype=dtype))
    assert {value.dtype for value in (*target.maps.values(), *target.weight.values())} == {dtype}


def test_scores_are_roots_of_class_times_centreness():
    levels = CODEC.levels
    logits = torch.full((1, 1, sum(levels.counts)), -9.0)
    centre = torch.zeros_like(logits)
    logits[..., 40], centre[..., 40] = 2.0, 1.0
    maps = laid(levels, logits, "class") | laid(levels, centre, "centreness")
    maps |= {name: torch.ones(1, *CODEC.shapes[name]) for name in (*levels.named("box"), *levels.named("points"))}
    poses = CODEC.decode(maps)
    expected = (logits[0, 0, 40].sigmoid() * centre[0, 0, 40].sigmoid()).sqrt()
    assert poses.instance_score[0, 0].item() == pytest.approx(expected.item())
    # Cell 40 of the finest level lies at (324, 4); every side is a cell away, every point a cell right and below.
    assert poses.boxes[0, 0].tolist() == [316, -4, 332, 12]
    assert poses.xy[0, 0].tolist() == [[332, 12]] * POINTS
