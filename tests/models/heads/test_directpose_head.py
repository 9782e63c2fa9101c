"""DirectPose's head: its parts and what they cost, which groups skeletons have, and that it moves with the image."""

from dataclasses import replace

import pytest
import torch
from sizes import B
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import count_parameters
from posekit.models.heads.one_stage.directpose import DirectPoseHead
from posekit.recipes.directpose import groups_of
from posekit.skeletons import SKELETONS

STRIDES = (8, 16, 32)
COCO = ((0, 1, 2, 3, 4), (5,), (7, 9), (6,), (8, 10), (11,), (13, 15), (12,), (14, 16))
POINTS = 5


def shapes(points, heatmaps=True, boxes=False, size=64):
    counts = {"class": 1, "centreness": 1, "points": 2 * points} | ({"box": 4} if boxes else {})
    wanted = {f"{name}_{s}": (n, size // s, size // s) for name, n in counts.items() for s in STRIDES}
    return wanted | ({"peaks": (points, size // 8, size // 8)} if heatmaps else {})


def small(**options):
    torch.manual_seed(0)
    config = DirectPoseHead(groups=((0, 3), (1, 2, 4)), width=4, channels=32, convs=1, side=32)
    return config.build(shapes(POINTS, **options), 24, STRIDES).eval()


def test_counts():
    head = DirectPoseHead(groups=groups_of(SKELETONS["coco17"])).build(shapes(17), 256, STRIDES)
    branch = head.points
    parts = [count_parameters(part) for part in (branch.tower, branch.locator, branch.sampler, branch.predictor)]
    assert parts == [2_329_344, 10_386, 333_504, 2_210]
    # One tower of FCOS with class and centre-ness.
    assert count_parameters(head.detector) == 4 * (256 * 256 * 9 + 3 * 256) + 2 * (256 * 9 + 1)
    layers = 256 * 128 * 9 + 3 * 128 + 128 * 128 * 9 + 3 * 128
    assert count_parameters(head.heatmap) == layers + 128 * 9 * 17 + 17
    with_boxes = DirectPoseHead(groups=COCO).build(shapes(17, boxes=True), 256, STRIDES)
    assert count_parameters(with_boxes.detector) == 4_738_566 + len(STRIDES)


def test_the_nine_groups_of_coco():
    assert set(groups_of(SKELETONS["coco17"])) == {tuple(sorted(group)) for group in COCO}


@pytest.mark.parametrize("name", SKELETONS)
def test_groups_of_every_skeleton_hold_each_point_once(name):
    skeleton = SKELETONS[name]
    groups = groups_of(skeleton)
    assert sorted(point for group in groups for point in group) == list(range(len(skeleton.points)))
    assert 1 < len(groups) <= 16
    order = skeleton.flip
    assert {tuple(sorted(order[k] for k in group)) for group in groups} == set(groups)
    bare = groups_of(replace(skeleton, bones=()))
    assert sorted(point for group in bare for point in group) == list(range(len(skeleton.points)))
    assert len(bare) <= 16


def test_maps_of_every_level():
    for options in ({}, {"boxes": True}, {"heatmaps": False}):
        result = small(**options)([torch.randn(B, 24, 8 >> level, 8 >> level) for level in range(3)])
        assert {name: tuple(value.shape[1:]) for name, value in result.items()} == shapes(POINTS, **options)


def test_points_without_groups_have_places_of_their_own():
    head = DirectPoseHead(width=4, channels=32, convs=1, side=32).build(shapes(POINTS), 24, STRIDES)
    assert head.points.groups == POINTS


def test_groups_of_other_points_are_refused():
    with pytest.raises(ValueError, match="the groups of the head hold 17 points, the codec has 5"):
        DirectPoseHead(groups=COCO).build(shapes(POINTS), 24, STRIDES)


def test_everything_moves_with_the_image_by_128_pixels():
    head = small(boxes=True)
    for name, layer in head.named_modules():
        if isinstance(layer, nn.GroupNorm):
            # The norm sees the whole map, border and all.
            layer.forward = lambda x: x
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.005 if name.endswith("locator") else 0.15)
    maps = [torch.zeros(B, 24, 96, 96)]
    maps[0][:, :, 32:48, 32:48] = torch.randn(B, 24, 16, 16)
    maps += [F.avg_pool2d(maps[0], 2), F.avg_pool2d(maps[0], 4)]
    steps = {8: 16, 16: 8, 32: 4}
    before = head(maps)
    after = head([x.roll((step, step), (2, 3)) for x, step in zip(maps, steps.values(), strict=True)])
    for name, value in after.items():
        step = steps[8 if name == "peaks" else int(name.rpartition("_")[2])]
        inner = slice(2 * step, 4 * step)
        moved = before[name].roll((step, step), (2, 3))[:, :, inner, inner]
        torch.testing.assert_close(value[:, :, inner, inner], moved, atol=1e-4, rtol=1e-4)
        assert moved.std() > 1e-3
