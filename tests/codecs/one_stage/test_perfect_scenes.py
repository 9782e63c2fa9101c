"""Perfect maps of full images: they activate to the target, are finite, and everyone is decoded from them."""

from dataclasses import replace

import pytest
import torch
from batches import POINTS, matched, people, scene

from posekit.codecs.base import PerInstance, Target
from posekit.codecs.one_stage import ONE_STAGE_CODECS
from posekit.codecs.one_stage.center_pose import CenterPose
from posekit.codecs.one_stage.dekr import Dekr
from posekit.codecs.one_stage.dekr_first import DekrFirst
from posekit.codecs.one_stage.directpose import DirectPose
from posekit.codecs.one_stage.fcos import Fcos
from posekit.codecs.one_stage.fcpose import FCPose
from posekit.codecs.one_stage.movenet import MoveNetPose
from posekit.codecs.one_stage.ttf_pose import TtfPose
from posekit.geometry.grid import Grid

SIZE = (256, 384)
GRID, STRIDES = Grid.of(SIZE, 4), (8, 16, 32)
CODECS = {
    "center_pose": CenterPose(points=POINTS, grid=GRID),
    "center_pose in units": CenterPose(points=POINTS, grid=GRID, unit=16),
    "center_pose of centres alone": CenterPose(points=POINTS, grid=GRID, unit=24, snap=False),
    "center_pose with an offset for each kind of point": CenterPose(points=POINTS, grid=GRID, offset_each=True),
    "movenet": MoveNetPose(points=POINTS, grid=GRID),
    "ttf_pose": TtfPose(points=POINTS, grid=GRID),
    "ttf_pose in cells": TtfPose(points=POINTS, grid=GRID, unit=4),
    "dekr": Dekr(points=POINTS, grid=GRID),
    "dekr in units": Dekr(points=POINTS, grid=GRID, unit=16),
    "dekr of logits": Dekr(points=POINTS, grid=GRID, activation="sigmoid"),
    "dekr_first": DekrFirst(points=POINTS, grid=GRID),
    "dekr_first of logits": DekrFirst(points=POINTS, grid=GRID, activation="sigmoid"),
    "fcos": Fcos(points=POINTS, size=SIZE, strides=STRIDES),
    "fcos exp": Fcos(points=POINTS, size=SIZE, strides=STRIDES, distances="exp"),
    "directpose": DirectPose(points=POINTS, size=SIZE, strides=STRIDES),
    "directpose with boxes": DirectPose(points=POINTS, size=SIZE, strides=STRIDES, boxes=True, heatmaps=False),
    "fcpose": FCPose(points=POINTS, size=SIZE, strides=STRIDES),
    "fcpose alone": FCPose(points=POINTS, size=SIZE, strides=STRIDES, sides=False),
}
APART = [(10.0, 20.0, 71.0, 118.5), (150.5, 60.0, 290.5, 248.0), (330.0, 8.0, 371.3, 60.0)]
BESIDE = [(60.5, 40.0, 140.5, 200.0), (140.5, 40.0, 220.5, 200.0)]
SCENE = scene(APART, BESIDE)
LOGITS = {"logits", "centre", "peaks", "class", "centreness", "side_2", "side_8"}

every = pytest.mark.parametrize("case", CODECS)


def test_every_system_is_here():
    assert {codec.kind for codec in CODECS.values()} == set(ONE_STAGE_CODECS)


@every
def test_they_activate_to_the_target(case):
    codec = CODECS[case]
    target = codec.encode(SCENE)
    activated = codec.activate(codec.perfect(target))
    known = codec.gives & set(target.maps) - {"point_maps"}
    assert known == codec.gives - {"point_maps", "refine"}
    for name in known:
        value = activated[name].sigmoid() if name in LOGITS else activated[name]
        torch.testing.assert_close(value, target.maps[name], atol=1e-6, rtol=1e-6, msg=name)


@every
def test_they_are_finite_in_single_precision_and_have_the_shapes_of_the_network(case):
    codec = CODECS[case]
    target = codec.encode(SCENE)
    single = Target({name: value.float() for name, value in target.maps.items()}, target.weight)
    maps = codec.perfect(single)
    assert {name: tuple(maps[name].shape[1:]) for name in codec.shapes} == dict(codec.shapes)
    assert set(maps) - set(codec.shapes) == ({"point_maps", "cell"} if isinstance(codec, PerInstance) else set())
    assert all(value.isfinite().all() and value.half().isfinite().all() for value in maps.values())


@every
def test_everyone_is_decoded_from_them(case):
    codec = CODECS[case]
    poses = codec.decode(codec.perfect(codec.encode(SCENE)))
    for image in range(2):
        _, truth = people(SCENE, image)
        # Points of DEKR's first version end on peaks of the heatmaps, a little off where others are near.
        assert matched(poses.xy[image].numpy(), truth).max() < 0.5


def test_a_cell_of_fcpose_says_where_the_nearest_known_point_lies():
    codec = CODECS["fcpose"]
    near = scene(BESIDE, BESIDE[:1], unknown=[(0, 1, 2), *((1, 0, k) for k in range(POINTS))])
    refine = codec.activate(codec.perfect(codec.encode(near)))["refine"].unflatten(1, (-1, 2))
    grid = codec.levels.grids[0]
    place = grid.cells(near.keypoints.xy)
    # The right person's second point is not labelled, so cells there say the left one's.
    for cell, point, who in (((3, 3), 0, 0), ((45, 20), 0, 1), ((45, 20), 2, 0)):
        torch.testing.assert_close(refine[0, point, :, cell[1], cell[0]], place[0, who, point])
    # Nobody is labelled in the second image: cells say themselves.
    assert refine[1, 0, :, 7, 9].tolist() == [9.0, 7.0]


@pytest.mark.parametrize(("case", "name"), [("ttf_pose", "box"), ("dekr", "point_offsets"), ("fcos", "centreness")])
def test_a_target_of_another_codec_is_refused(case, name):
    target = CODECS[case].encode(SCENE)
    poorer = replace(
        target,
        maps={key: value for key, value in target.maps.items() if key != name},
        weight={key: value for key, value in target.weight.items() if key != name},
    )
    with pytest.raises(ValueError, match=f"and not '{name}', .*give it a target that this codec encoded"):
        CODECS[case].perfect(poorer)
