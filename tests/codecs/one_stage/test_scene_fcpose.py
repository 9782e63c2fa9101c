"""FCPose: which instances it trains on, and decoding of the instance maps."""

from dataclasses import replace

import pytest
import torch
from batches import MIRROR, POINTS, matched, mirrored, moved, people, perfect, scene, thinned

from posekit.codecs.base import PerInstance
from posekit.codecs.one_stage.fcos import Fcos
from posekit.codecs.one_stage.fcpose import FCPose

SIZE = (256, 384)
CODEC = FCPose(points=POINTS, size=SIZE, strides=(8, 16, 32))
APART = [(10.0, 20.0, 71.0, 118.5), (150.5, 60.0, 290.5, 248.0), (330.0, 8.0, 371.3, 60.0)]
BESIDE = [(60.5, 40.0, 140.5, 200.0), (140.5, 40.0, 220.5, 200.0)]
SCENE = scene(APART, BESIDE)


def whole(codec, instances):
    """Perfect maps: each instance's map is highest in its point's cell, and the offset from there ends at the point."""
    target = codec.encode(instances)
    maps, grid = perfect(codec, target), codec.levels.grids[0]
    assigned = codec.assignment(instances).assigned
    cells = codec.select(maps)
    place = grid.cells(instances.keypoints.xy)
    cell = (place + 0.5).floor()
    number = (cell[..., 1] * grid.width + cell[..., 0]).long().clamp(0, grid.height * grid.width - 1)
    B, N, K = number.shape
    way = torch.zeros(B, K, 2, grid.height * grid.width, dtype=place.dtype)
    index = number.transpose(1, 2)[:, :, None].expand(-1, -1, 2, -1)
    way.scatter_(3, index, (place - cell).permute(0, 2, 3, 1))
    who = assigned.gather(1, cells).clamp_max(N - 1)
    own = number.gather(1, who[..., None].expand(-1, -1, K))
    logits = torch.full((B, cells.shape[1], K, grid.height * grid.width), -9.0, dtype=place.dtype)
    logits.scatter_(3, own[..., None], 4.0)
    maps["refine"] = way.flatten(1, 2).unflatten(-1, grid.shape)
    maps |= {"point_maps": logits.unflatten(-1, grid.shape), "cell": cells}
    return maps | {name: target.maps[name] for name in target.maps if name.startswith("side_")}


def test_it_is_known_as_a_codec_of_instances():
    assert isinstance(CODEC, PerInstance)
    assert not isinstance(Fcos(points=POINTS, size=SIZE, strides=(8,)), PerInstance)


def test_maps_and_what_losses_may_ask_for():
    assert CODEC.gives == {"class", "box", "centreness", "point_maps", "refine", "side_2", "side_8"}
    assert replace(CODEC, sides=False).gives == {"class", "box", "centreness", "point_maps", "refine"}
    shapes = CODEC.shapes
    assert (shapes["refine"], shapes["side_8"], shapes["side_2"]) == ((10, 32, 48), (5, 32, 48), (5, 128, 192))


def test_every_point_is_read_back():
    poses = CODEC.decode(whole(CODEC, SCENE))
    for image in range(2):
        corners, points = people(SCENE, image)
        found = thinned(poses, image)
        assert len(found) == len(points)
        assert matched(found.xy, points).max() < 0.05
        assert matched(found.boxes.reshape(-1, 2, 2), corners.reshape(-1, 2, 2)).max() < 0.05
        assert found.score == pytest.approx(torch.tensor(4.0).sigmoid().item())


def test_what_it_shares_with_fcos_is_the_same():
    here, there = CODEC.encode(SCENE), Fcos(points=POINTS, size=SIZE, strides=(8, 16, 32)).encode(SCENE)
    for name in ("class", "centreness", "box"):
        assert torch.equal(here.maps[name], there.maps[name])
        assert torch.equal(here.weight[name], there.weight[name])


@pytest.mark.parametrize("learnt", [2, 4, 5, 8])
def test_everyone_has_a_share_of_the_cells_to_learn_from(learnt):
    codec = replace(CODEC, learnt=learnt)
    target = codec.encode(SCENE)
    cells, assigned = codec.sampled(target), codec.assignment(SCENE).assigned
    assert cells.shape == (2, learnt)
    assert (target.weight["cell"] == 1).all()
    for image, persons in ((0, 3), (1, 2)):
        who = assigned[image, cells[image]].tolist()
        assert len(set(cells[image].tolist())) == learnt
        counts = [who.count(n) for n in range(persons)]
        assert sum(counts) == learnt
        assert max(counts) - min(counts) <= 1
        # The cells of an instance share its weight.
        weight = target.weight["point_maps"][image]
        assert weight.shape == (learnt, POINTS)
        for n, count in enumerate(counts):
            own = weight[[i for i, other in enumerate(who) if other == n]]
            assert own.flatten().tolist() == pytest.approx([1 / max(count, 1)] * count * POINTS)
            if count:
                centre = target.maps["centreness"][image, 0, assigned[image] == n]
                best = target.maps["centreness"][image, 0, cells[image][[i for i, o in enumerate(who) if o == n]]]
                assert best.tolist() == pytest.approx(centre.topk(count).values.tolist())


def test_who_has_no_point_and_who_is_not_there_is_not_learnt_from():
    some = scene(APART, [], unknown=[(0, 0, k) for k in range(POINTS)] + [(0, 1, 2)])
    target = CODEC.encode(some)
    assigned = CODEC.assignment(some).assigned
    assert set(assigned[0, CODEC.sampled(target)[0]].tolist()) == {1, 2}
    assert target.weight["cell"][1].tolist() == [0] * 8
    assert target.maps["cell"][1].tolist() == [0] * 8
    assert (target.weight["point_maps"][1] == 0).all()
    of_second = assigned[0, target.maps["cell"][0]] == 1
    weight = target.weight["point_maps"][0][of_second]
    assert (weight[:, 2] == 0).all()
    assert (weight[:, [0, 1, 3, 4]] > 0).all()


def test_points_outside_the_image_are_not_learnt():
    target = CODEC.encode(scene([(-40.0, 60.0, 60.0, 160.0)]))
    # Points 1 and 3 lie at x = -10 and -15.
    assert (target.weight["point_maps"][0] > 0).all(0).tolist() == [True, False, True, False, True]


def test_what_the_maps_of_an_instance_should_say():
    target = replace(CODEC, learnt=1).encode(scene([(4.0, 14.0, 84.0, 74.0)]))
    # Its centre cell, in column and row 5.
    assert target.maps["cell"].tolist() == [[5 * 48 + 5]]
    truth = target.maps["point_maps"]
    assert truth.shape == (1, 1, POINTS, 3)
    # (44, 20) in cells of 8 pixels; sides of 80 and 60 pixels.
    assert truth[0, 0, 0].tolist() == pytest.approx([5, 2, 70 / 8])


def test_side_heatmaps():
    target = CODEC.encode(scene([(4.0, 14.0, 84.0, 74.0)], [], unknown=[(0, 0, 4)]))
    fine, coarse = target.maps["side_2"], target.maps["side_8"]
    # (44, 20) lies in column 22 and row 10 of cells of 2 pixels.
    assert fine[0, 0, 10, 22] == 1
    assert fine[0, 0, 10, 24].item() == pytest.approx(torch.tensor(-(2**2) / 2 / 1.8**2).exp().item())
    assert coarse[0, 0, 2, 5] == 1
    assert coarse[0, 0, 3, 5].item() == pytest.approx(torch.tensor(-1 / 2 / 0.9**2).exp().item())
    assert not fine[0, 4].any() and not fine[1].any()
    assert not replace(CODEC, sides=False).encode(SCENE).maps.keys() & {"side_2", "side_8"}


def test_regions_to_ignore_are_not_counted_in_side_heatmaps():
    target = CODEC.encode(scene([(100.0, 100.0, 160.0, 190.0), (90.0, 80.0, 300.0, 240.0)], ignored=[(0, 1)]))
    weight, gaussians = target.weight["side_8"][0], target.maps["side_8"][0]
    assert (weight[:, 10:30, 11:38] == (gaussians[:, 10:30, 11:38] == 1)).all()
    assert weight[:, :10].all()


def test_a_flip_is_exact():
    here, back = whole(CODEC, SCENE), CODEC.flip(whole(CODEC, mirrored(SCENE, SIZE[1])), MIRROR)
    assert back.keys() == here.keys()
    for name in back.keys() - {"cell", "point_maps", "refine"}:
        torch.testing.assert_close(back[name], here[name], rtol=0, atol=1e-9)
    # Cells of equal score may stand in another order.
    one, other = CODEC.decode(here), CODEC.decode(back)
    for image in range(2):
        for first, second in ((one, other), (other, one)):
            found, truth = (thinned(poses, image) for poses in (first, second))
            assert matched(found.xy, truth.xy).max() < 1e-6
    raw = {name: value for name, value in here.items() if name not in ("cell", "point_maps")}
    assert CODEC.flip(raw, MIRROR).keys() == raw.keys()


def test_people_who_move_by_a_coarse_cell_take_their_targets_along():
    one = scene([(70.0, 40.0, 141.0, 180.0), (180.0, 64.0, 221.0, 100.0)])
    here, there = (CODEC.decode(whole(CODEC, who)) for who in (one, moved(one, 64, 32)))
    torch.testing.assert_close(there.xy[0, :8], here.xy[0, :8] + torch.tensor([64.0, 32.0]))


def test_maps_that_are_no_numbers_give_numbers():
    junk = {name: torch.full((2, *shape), float("nan")) for name, shape in CODEC.shapes.items()}
    junk["cell"] = CODEC.select(junk)
    junk["point_maps"] = torch.full((2, 100, POINTS, 32, 48), float("nan"))
    poses = CODEC.decode(junk)
    for value in (poses.xy, poses.boxes, poses.score, poses.instance_score):
        assert value.isfinite().all()
    assert (poses.score == 0).all()
