"""FCOS's head: what it costs, what it gives on which level, and where it starts."""

import math

import pytest
import torch
from sizes import B
from torch import nn

from posekit.models.compress.count import count_parameters
from posekit.models.heads.one_stage.fcos import FCOS

STRIDES = (8, 16, 32)
BEFORE = 24


def shapes(strides=STRIDES, size=128, **counts):
    return {f"{name}_{s}": (n, size // s, size // s) for name, n in counts.items() for s in strides}


def wanted(classes=1, **more):
    return {"class": classes, "box": 4, "centreness": 1} | more


def small(points=0):
    torch.manual_seed(0)
    counts = wanted() | ({"points": points} if points else {})
    return FCOS(channels=32, convs=2).build(shapes(**counts), BEFORE, STRIDES)


def pyramid(height=16, width=12):
    return [torch.randn(B, BEFORE, height >> level, width >> level) for level in range(len(STRIDES))]


@pytest.mark.parametrize(("classes", "count"), [(1, 4_738_566), (80, 4_920_661)])
def test_counts(classes, count):
    for strides in (STRIDES, (8, 16, 32, 64, 128)):
        head = FCOS().build(shapes(strides, 512, **wanted(classes)), 256, strides)
        assert count_parameters(head) == count + len(strides)


def test_points_have_a_tower_of_their_own():
    with_points = FCOS().build(shapes(**wanted(points=34)), 256, STRIDES)
    tower = 4 * (256 * 256 * 9 + 256 + 2 * 256)
    assert count_parameters(with_points) == 4_738_566 + 3 + tower + 256 * 9 * 34 + 34
    other = FCOS().build(shapes(**{"class": 1, "centreness": 1, "box": 4}), 256, STRIDES)
    assert set(other.towers) == {"class", "box"}


def test_maps_are_named_by_stride():
    head, maps = small(points=10), pyramid()
    result = head(maps)
    assert set(result) == {f"{n}_{s}" for n in ("class", "box", "centreness", "points") for s in STRIDES}
    for level, stride in enumerate(STRIDES):
        for name, count in (("class", 1), ("box", 4), ("centreness", 1), ("points", 10)):
            assert result[f"{name}_{stride}"].shape == (B, count, 16 >> level, 12 >> level)


def test_levels_share_all_but_the_scale_of_their_boxes():
    head = small()
    with torch.no_grad():
        head.scale.copy_(torch.tensor([1.0, 2.0, 3.0]))
    x = torch.randn(B, BEFORE, 8, 6)
    result = head([x, x, x])
    for name in ("class", "centreness"):
        torch.testing.assert_close(result[f"{name}_8"], result[f"{name}_32"])
    torch.testing.assert_close(3 * result["box_8"], result["box_32"])


def test_centreness_is_read_from_the_tower_of_the_box():
    head, maps = small(), pyramid()
    before = head(maps)
    nn.init.zeros_(head.towers["box"][0].weight)
    after = head(maps)
    assert torch.equal(before["class_8"], after["class_8"])
    assert not torch.equal(before["centreness_8"], after["centreness_8"])


def test_untrained_it_sees_nothing_and_boxes_of_eight_cells():
    result = small(points=10)(pyramid())
    torch.testing.assert_close(result["class_8"].sigmoid(), torch.full_like(result["class_8"], 0.01), rtol=0.5, atol=0)
    assert -math.log(99) == pytest.approx(-4.59512, abs=1e-5)
    assert (result["box_16"] - 4).abs().max() < 0.5
    assert result["points_8"].abs().max() < 0.5


def test_strides_of_codec_and_neck_must_agree():
    with pytest.raises(ValueError, match=r"needs 'class' at strides 8, 16, but the neck outputs 8, 16, 32: set neck"):
        FCOS().build(shapes((8, 16), **wanted()), BEFORE, STRIDES)
