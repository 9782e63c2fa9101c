"""MoveNet's maps: an offset map for each kind of point, points read near their prediction inside the box, scores."""

from dataclasses import replace

import pytest
import torch
from batches import MIRROR, POINTS, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.one_stage.movenet import NEAR, WIDTH, MoveNetPose
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import INSTANCE, Instances, Keypoints

IMAGE = (128, 192)
CODEC = MoveNetPose(points=POINTS, grid=Grid.of(IMAGE, 4))
SINGLE = replace(CODEC, single=True)
TINY = MoveNetPose(points=2, grid=Grid.of((32, 48), 4), max_instances=2)
"8 x 12 cells, two points."
APART = ([(11.0, 21.0, 70.0, 110.0), (101.0, 9.0, 180.0, 120.0)], [(41.0, 31.0, 120.0, 90.0)])


def instances_of(xy, boxes, visibility=2):
    """One image with people of points (N, K, 2) and boxes (N, 4)."""
    xy = torch.tensor([xy], dtype=torch.float64)
    N = xy.shape[1]
    return Instances(
        keypoints=Keypoints(xy, torch.full(xy.shape[:3], visibility)),
        boxes=torch.tensor([boxes], dtype=torch.float64),
        area=torch.ones(1, N),
        category=torch.zeros(1, N, dtype=torch.long),
        role=torch.full((1, N), INSTANCE),
    )


def flat_maps(codec, peaks=-20.0, centre=-20.0):
    """Maps without anything."""
    start = {"peaks": peaks, "centre": centre}
    return {name: torch.full((1, *shape), start.get(name, 0.0)) for name, shape in codec.shapes.items()}


def logit(p):
    return torch.tensor(p).logit()


def person(maps, x, y, size=(8.0, 6.0), sure=0.5):
    """Put a centre with a box into a cell."""
    maps["centre"][0, 0, y, x] = logit(sure)
    if "size" in maps:
        maps["size"][0, :, y, x] = torch.tensor(size)
    return maps


def random_maps(codec, seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    maps = {name: torch.randn(2, *shape, generator=generator) for name, shape in codec.shapes.items()}
    maps |= {name: 4 * maps[name] + 6 for name in ("size",) if name in maps}
    return {name: value.to(dtype) for name, value in maps.items()}


def test_each_kind_of_point_has_an_offset_in_its_own_cell():
    # In cells: (2, 2.75) and (4.75, 1).
    target = TINY.encode(instances_of([[(10, 13), (21, 6)]], [(4, 4, 28, 28)]))
    offset, weight = (side["offset"][0].unflatten(0, (2, 2)) for side in (target.maps, target.weight))
    assert offset[0, :, 3, 2].tolist() == [0, -0.25]
    assert offset[1, :, 1, 5].tolist() == [-0.25, 0]
    wanted = torch.zeros_like(weight)
    wanted[0, :, 3, 2] = wanted[1, :, 1, 5] = 1
    assert torch.equal(weight, wanted)
    assert (offset[weight == 0] == 0).all()
    assert set(target.maps) == TINY.gives | {"xy"}


def test_two_kinds_in_one_cell_keep_both_offsets():
    target = TINY.encode(instances_of([[(9, 13), (10, 15)]], [(4, 4, 28, 28)]))
    assert target.maps["offset"][0, :, 3, 2].tolist() == [-0.25, -0.25, 0, 0.25]


@pytest.mark.parametrize("outside", [(-0.1, 13.0), (48.0, 13.0), (10.0, 32.0), (10.0, -3.0)])
def test_a_point_outside_is_not_written(outside):
    target = TINY.encode(instances_of([[outside, (21, 6)]], [(4, 4, 28, 28)]))
    assert target.weight["offset"][0].sum((-1, -2)).tolist() == [0, 0, 1, 1]


def test_unlabelled_points_are_not_written():
    target = TINY.encode(instances_of([[(10, 13), (21, 6)]], [(4, 4, 28, 28)], visibility=0))
    assert target.weight["offset"].sum() == 0


def test_another_number_of_points_is_refused():
    with pytest.raises(ValueError, match=r"expected xy \(B, N, 2, 2\), got \(1, 1, 3, 2\)"):
        TINY.encode(instances_of([[(1, 1), (2, 2), (3, 3)]], [(0, 0, 8, 8)]))


def test_perfect_maps_give_all_people_back():
    people = scene(*APART)
    poses = CODEC.decode(CODEC.perfect(CODEC.encode(people)))
    for image, boxes in enumerate(APART):
        for number in range(len(boxes)):
            away = (poses.xy[image] - people.keypoints.xy[image, number]).abs().amax((-1, -2))
            best = int(away.argmin())
            assert away[best] < 1e-3
            assert poses.instance_score[image, best] > 0.95
            torch.testing.assert_close(
                poses.boxes[image, best].double(), people.boxes[image, number], atol=1e-3, rtol=0
            )
        assert (poses.instance_score[image] > 0.5).sum() == len(boxes)
    assert (poses.instance_score.diff(dim=1) <= 0).all()
    assert poses.xy.shape == (2, 6, POINTS, 2)


def test_a_box_up_to_the_edges_comes_back():
    people = scene([(0.0, 0.0, 192.0, 128.0)])
    poses = CODEC.decode(CODEC.perfect(CODEC.encode(people)))
    torch.testing.assert_close(poses.boxes[0, 0].double(), people.boxes[0, 0], atol=1e-3, rtol=0)


def test_a_score_is_the_centres_times_the_mean_of_points_above_the_threshold():
    codec = replace(TINY, max_instances=1, point_threshold=0.1)
    maps = person(flat_maps(codec), 5, 4, sure=0.5)
    maps["peaks"][0, 0, 4, 5], maps["peaks"][0, 1, 4, 5] = logit(0.8), logit(0.05)
    poses = codec.decode(maps)
    torch.testing.assert_close(poses.score[0, 0], torch.tensor([0.8, 0.05]))
    assert poses.instance_score[0, 0].item() == pytest.approx(0.5 * 0.8)
    maps["peaks"][0, 1, 4, 5] = logit(0.4)
    assert codec.decode(maps).instance_score[0, 0].item() == pytest.approx(0.5 * 0.6)
    assert replace(codec, point_threshold=0.9).decode(maps).instance_score[0, 0] == 0


def test_a_points_score_falls_with_the_distance_to_its_prediction():
    maps = person(flat_maps(TINY), 5, 4, size=(12.0, 8.0))
    maps["peaks"][0, :, 3, 7] = logit(0.8)
    poses = TINY.decode(maps)
    wanted = 0.8 * torch.tensor(-(4 + 1) / (WIDTH * 8)).exp()
    torch.testing.assert_close(poses.score[0, 0], wanted.expand(2))
    torch.testing.assert_close(poses.xy[0, 0], torch.tensor([30.0, 14.0]).expand(2, 2))


def test_a_peak_outside_the_box_is_another_persons():
    maps = person(flat_maps(TINY), 5, 4, size=(2.0, 2.0))
    maps["peaks"][0, :, 4, 5], maps["peaks"][0, :, 4, 7] = logit(0.1), logit(0.99)
    assert TINY.decode(maps).xy[0, 0].tolist() == [[22.0, 18.0]] * 2
    assert TINY.decode(person(maps, 5, 4, size=(4.0, 2.0))).xy[0, 0].tolist() == [[30.0, 18.0]] * 2


@pytest.mark.parametrize("size", [(0.0, 6.0), (-3.0, -3.0), (0.8, 0.8)])
def test_without_a_cell_in_the_box_a_point_is_where_the_centre_predicts_it(size):
    codec = replace(TINY, max_instances=1, margin=0.0)
    maps = person(flat_maps(codec, peaks=3.0), 5, 4, size)
    maps["centre_offset"][0, 0, 4, 5] = 0.5
    maps["point_offsets"][0, :, 4, 5] = torch.tensor([1.25, -2.0, 0.0, 1.5])
    poses = codec.decode(maps)
    torch.testing.assert_close(poses.xy[0, 0], torch.tensor([[27.0, 10.0], [22.0, 24.0]]))
    assert poses.score[0, 0].tolist() == [0, 0]
    assert poses.instance_score[0, 0] == 0


def test_equal_scores_are_ordered_by_cell_and_equal_cells_too():
    maps = person(person(flat_maps(TINY, peaks=0.0), 9, 5), 2, 2)
    poses = TINY.decode(maps)
    assert poses.xy[0, :, 0].tolist() == [[10.0, 10.0], [38.0, 22.0]]
    assert poses.instance_score[0, 0] == poses.instance_score[0, 1]
    # A prediction halfway between cells: the first in reading order.
    maps["point_offsets"][0, :, 2, 2] = torch.tensor([0.5, 0.0, 0.5, 0.5])
    assert TINY.decode(maps).xy[0, :, :].amin(0).tolist() == [[10.0, 10.0], [10.0, 10.0]]


def test_a_sure_centre_with_unsure_points_comes_later():
    maps = person(person(flat_maps(TINY), 2, 2, (4.0, 4.0), sure=0.9), 9, 5, (4.0, 4.0), sure=0.6)
    maps["peaks"][0, :, 2, 2], maps["peaks"][0, :, 5, 9] = logit(0.2), logit(0.9)
    poses = TINY.decode(maps)
    torch.testing.assert_close(poses.instance_score[0], torch.tensor([0.6 * 0.9, 0.9 * 0.2]))
    assert poses.boxes[0, :, 0].tolist() == [4 * (9 - 2) + 2, 2]


def test_the_single_person_is_the_one_nearest_the_middle():
    single = replace(TINY, single=True)
    maps = person(person(person(flat_maps(single), 1, 1, sure=0.9), 7, 4, sure=0.5), 11, 7, sure=0.9)
    maps["peaks"][0, :, 1, 1], maps["peaks"][0, :, 4, 7], maps["peaks"][0, :, 7, 11] = (
        logit(0.9),
        logit(0.6),
        logit(0.9),
    )
    maps["offset"][0, :, 4, 7] = torch.tensor([0.25, -0.25, 0.0, 0.5])
    poses = single.decode(maps)
    assert set(maps) == {"centre", "peaks", "point_offsets", "offset"}
    torch.testing.assert_close(poses.xy[0], torch.tensor([[[31.0, 17.0], [30.0, 20.0]]]))
    torch.testing.assert_close(poses.score, torch.full((1, 1, 2), 0.6))
    torch.testing.assert_close(poses.instance_score, torch.full((1, 1), 0.6))
    assert poses.boxes is None


@pytest.mark.parametrize(("score", "far"), [(0.9, True), (0.6, False)])
def test_a_far_peak_of_the_single_person_must_be_much_higher(score, far):
    """A heatmap is divided by the distance to the prediction plus 1.8 cells: 0.3 / 1.8 against score / (2 + 1.8)."""
    single = replace(TINY, single=True)
    maps = person(flat_maps(single), 5, 4)
    maps["peaks"][0, :, 4, 5], maps["peaks"][0, :, 4, 7] = logit(0.3), logit(score)
    assert (score / (2 + NEAR) > 0.3 / NEAR) == far
    assert single.decode(maps).xy[0, 0, 0, 0] == (30.0 if far else 22.0)


def test_perfect_maps_of_one_person_give_it_back():
    people = scene([(41.0, 31.0, 150.0, 110.0)])
    poses = SINGLE.decode(SINGLE.perfect(SINGLE.encode(people)))
    torch.testing.assert_close(poses.xy.double(), people.keypoints.xy, atol=1e-3, rtol=0)
    assert poses.instance_score.item() > 0.99


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e30]),
    st.floats(0, 1),
    st.booleans(),
)
def test_no_number_in_the_maps_gives_nan(seed, bad, share, single):
    codec = replace(TINY, single=single)
    maps = random_maps(codec, seed)
    generator = torch.Generator().manual_seed(seed)
    maps = {n: torch.where(torch.rand(m.shape, generator=generator) < share, bad, m) for n, m in maps.items()}
    poses = codec.decode(maps)
    for value in (poses.xy, poses.score, poses.instance_score, *([] if single else [poses.boxes])):
        assert value.isfinite().all()
    for score in (poses.score, poses.instance_score):
        assert (score >= 0).all() and (score <= 1).all()


@pytest.mark.parametrize("seed", range(4))
def test_mirrored_maps_give_mirrored_points(seed):
    maps = random_maps(CODEC, seed)
    poses, other = CODEC.decode(maps), CODEC.decode(CODEC.flip(maps, MIRROR))
    mirrored = torch.stack((IMAGE[1] - other.xy[..., 0], other.xy[..., 1]), -1)[:, :, list(MIRROR)]
    torch.testing.assert_close(mirrored, poses.xy, atol=1e-3, rtol=0)
    torch.testing.assert_close(other.instance_score, poses.instance_score)
    x0, y0, x1, y1 = other.boxes.unbind(-1)
    back = torch.stack((IMAGE[1] - x1, y0, IMAGE[1] - x0, y1), -1)
    torch.testing.assert_close(back, poses.boxes, atol=1e-3, rtol=0)


def test_the_mirror_of_a_single_person():
    maps = random_maps(SINGLE, 0)
    maps["centre"] -= 10.0
    maps["centre"][:, 0, 13, 20] = 3.0
    poses, other = SINGLE.decode(maps), SINGLE.decode(SINGLE.flip(maps, MIRROR))
    mirrored = torch.stack((IMAGE[1] - other.xy[..., 0], other.xy[..., 1]), -1)[:, :, list(MIRROR)]
    torch.testing.assert_close(mirrored, poses.xy, atol=1e-3, rtol=0)


@pytest.mark.parametrize("codec", [CODEC, SINGLE], ids=["several", "single"])
def test_a_flip_twice_changes_nothing(codec):
    maps = random_maps(codec, 1)
    back = codec.flip(codec.flip(maps, MIRROR), MIRROR)
    assert set(back) == set(maps)
    assert all(torch.equal(back[name], maps[name]) for name in maps)


@pytest.mark.parametrize("codec", [CODEC, SINGLE], ids=["several", "single"])
def test_maps_of_16_bits_are_computed_in_32(codec):
    half = random_maps(codec, 3, torch.float16)
    found = codec.decode(half)
    wanted = codec.decode({name: value.float() for name, value in half.items()})
    assert found.xy.dtype == found.score.dtype == torch.float32
    torch.testing.assert_close(found.xy, wanted.xy)
    torch.testing.assert_close(found.instance_score, wanted.instance_score)


def test_the_margin_lets_a_point_lie_half_a_cell_outside_its_box():
    maps = person(flat_maps(TINY), 5, 4, size=(3.2, 2.0))
    maps["peaks"][0, :, 4, 7] = logit(0.9)  # 2 cells from the centre, the box ends after 1.6
    assert TINY.decode(maps).xy[0, 0].tolist() == [[30.0, 18.0]] * 2
    assert replace(TINY, margin=0.0).decode(maps).score[0, 0].max() < 0.5
