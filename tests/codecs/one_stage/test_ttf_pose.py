"""TTFNet's targets against its rules, and decoding of perfect maps."""

import math

import pytest
import torch
from batches import MIRROR, POINTS, mirrored, scene

from posekit.codecs.one_stage.ttf_pose import TtfPose
from posekit.geometry.grid import Grid

IMAGE = (128, 192)
CODEC = TtfPose(points=POINTS, grid=Grid.of(IMAGE, 4))
APART = ([(11.0, 21.0, 70.0, 110.0), (101.0, 9.0, 180.0, 120.0)], [(41.0, 31.0, 120.0, 90.0)])


def raw(target):
    """Targets as a network would give them."""
    maps = {name: target.maps[name].float() for name in CODEC.shapes}
    cells_a_unit = CODEC.unit / 4
    return {
        "centre": maps["centre"].clamp(1e-4, 1 - 1e-4).logit(),
        "box": maps["box"] / CODEC.unit,
        "point_offsets": maps["point_offsets"] / cells_a_unit,
    }


def test_perfect_maps_give_everyone_back():
    people = scene(*APART)
    poses = CODEC.decode(raw(CODEC.encode(people)))
    for image, boxes in enumerate(APART):
        assert (poses.instance_score[image] > 0.5).sum() == len(boxes)
        for person in range(len(boxes)):
            away = (poses.xy[image] - people.keypoints.xy[image, person]).abs().amax((-1, -2))
            best = int(away.argmin())
            assert away[best] < 1e-3
            torch.testing.assert_close(poses.boxes[image, best], people.boxes[image, person].float(), atol=1e-3, rtol=0)


def test_a_gaussian_has_the_proportions_of_the_box():
    """40x80 cells: radii 10 and 21, sigmas 3.5 and 7.1667."""
    wide = TtfPose(points=POINTS, grid=Grid.of((512, 512), 4))
    centre = wide.encode(scene([(130.0, 90.0, 290.0, 410.0)])).maps["centre"][0, 0]
    row, column = divmod(int(centre.argmax()), centre.shape[1])
    assert (centre[row] > 0).sum() == 21
    assert (centre[:, column] > 0).sum() == 43
    assert centre[row, column + 10] == pytest.approx(math.exp(-0.5 * (10 / 3.5) ** 2))
    assert centre[row + 21, column] == pytest.approx(math.exp(-0.5 * (21 / 7.16666667) ** 2))


@pytest.mark.parametrize("box", [(41.0, 31.0, 120.0, 90.0), (150.0, 80.0, 192.0, 128.0)])
def test_the_samples_of_one_weigh_the_logarithm_of_its_area(box):
    weight = CODEC.encode(scene([box])).weight["box"]
    area = (box[2] - box[0]) * (box[3] - box[1])
    assert weight.sum().item() == pytest.approx(math.log(area))


def test_the_smaller_takes_cells_from_the_larger():
    large, small = (21.0, 11.0, 170.0, 120.0), (81.0, 51.0, 120.0, 80.0)
    both, alone = CODEC.encode(scene([large, small])), CODEC.encode(scene([small]))
    there = alone.weight["box"] > 0
    assert there[0, 0, 16, 23]
    there[0, 0, 16, 23] = False  # The centre of the larger.
    torch.testing.assert_close(
        both.maps["box"][there.expand_as(both.maps["box"])], alone.maps["box"][there.expand_as(alone.maps["box"])]
    )
    torch.testing.assert_close(both.weight["box"][there], alone.weight["box"][there])
    rest = both.weight["box"].sum() - alone.weight["box"][there].sum()
    assert 0 < rest < math.log(149 * 109)
    assert both.maps["box"][0, :, 16, 23].tolist() == pytest.approx([73.0, 55.0, 76.0, 54.0])
    # The order of the slots decides nothing.
    turned = CODEC.encode(scene([small, large]))
    for name in CODEC.shapes:
        torch.testing.assert_close(turned.maps[name], both.maps[name])


def test_a_centre_keeps_its_cell_under_a_smaller_gaussian():
    """Decoding reads the centres: a centre assigned to another instance would give that one twice."""
    large, small = (21.0, 11.0, 170.0, 120.0), (81.0, 45.0, 120.0, 94.0)
    people = scene([large, small])
    poses = CODEC.decode(raw(CODEC.encode(people)))
    away = (poses.xy[0, :2, None] - people.keypoints.xy[0, None]).abs().amax((-1, -2))
    assert away.amin(0).max() < 1e-3


def test_unknown_points_and_regions_to_ignore():
    people = scene([(101.0, 9.0, 180.0, 120.0), (90.0, 0.0, 192.0, 128.0)], unknown=[(0, 0, 2)], ignored=[(0, 1)])
    target = CODEC.encode(people)
    heard = target.weight["point_offsets"].expand_as(target.maps["point_offsets"])[0].sum((-1, -2)) > 0
    assert heard.tolist() == [True] * 4 + [False] * 2 + [True] * 4
    weight = target.weight["centre"][0, 0]
    assert weight[:, :22].all()
    assert weight[:, 23:].sum() == 1


def test_nobody_asks_for_nothing():
    target = CODEC.encode(scene([]))
    assert target.weight["box"].sum() == 0
    assert target.maps["centre"].max() == 0
    assert target.weight["centre"].all()


def test_a_mirror_is_exact():
    people = scene(*APART)
    maps = {name: CODEC.encode(people).maps[name] for name in CODEC.shapes}
    other = CODEC.encode(mirrored(people, IMAGE[1])).maps
    back = CODEC.flip({name: other[name] for name in maps}, MIRROR)
    for name, value in maps.items():
        torch.testing.assert_close(back[name], value, atol=1e-9, rtol=0, msg=name)
