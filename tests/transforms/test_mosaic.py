"""Four views on one canvas."""

from dataclasses import replace

import numpy as np
import pytest
from dotted import BODY, PIXELS, centroid, dotted
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.geometry.affine import transform
from posekit.transforms.compose import Augment
from posekit.transforms.joining import joined
from posekit.transforms.mosaic import mosaic, random_mosaic, tiling
from posekit.transforms.photometric import Photometric
from posekit.transforms.scene import STILL_SCENE, Scene, letterbox

SIZE = (96, 128)
CUT = (50, 40)
MILD = Scene(scale=(0.5, 0.7), rotation=30, rotate_probability=0.5, shift=0.0, flip=0.5)


def blank(sample):
    return replace(sample, image=np.zeros_like(sample.image))


def views(tile, point=0):
    """Four plain views; only the one of ``tile`` has a dot."""
    return [
        letterbox(dotted(point) if i == tile else blank(dotted(point)), (y1 - y0, x1 - x0))
        for i, (x0, y0, x1, y1) in enumerate(tiling(CUT, SIZE))
    ]


@pytest.mark.parametrize("tile", range(4))
@pytest.mark.parametrize("point", [0, 3])
def test_the_dot_stays_under_its_point(tile, point):
    out = mosaic(views(tile, point), CUT, SIZE)
    assert out.image.shape == (*SIZE, 3)
    xy = out.instances.keypoints.xy[2 * tile, point]
    assert np.abs(xy - centroid(out.image)).max() < 0.5


@pytest.mark.parametrize("seed", range(8))
def test_the_dot_stays_under_its_point_wherever_its_tile_lies(seed):
    # Only the sample's own image has a dot; its depths say which row is its first person, and whether it is mirrored.
    out = random_mosaic(dotted(), [unnumbered()], np.random.default_rng(seed), BODY, MILD, (192, 256))
    depth = out.instances.keypoints.depth
    row = int(np.flatnonzero(np.sort(depth, axis=1)[:, 0] == 0)[0])
    assert np.abs(out.instances.keypoints.xy[row, 0] - centroid(out.image)).max() < 0.5


def unnumbered():
    sample = blank(dotted())
    points = replace(sample.instances.keypoints, depth=np.full((2, 5), 50, np.float32))
    return replace(sample, instances=replace(sample.instances, keypoints=points))


@given(x=st.integers(8, 120), y=st.integers(8, 88))
def test_tiles_cover_the_canvas_once(x, y):
    canvas = np.zeros(SIZE, int)
    for x0, y0, x1, y1 in tiling((x, y), SIZE):
        canvas[y0:y1, x0:x1] += 1
    assert (canvas == 1).all()


def tile_with(points, box, ignore=()):
    """A view of the second tile (78 x 40, at x = 50) with one person."""
    sample = dotted()
    xy = np.array(points, np.float32)[None]
    one = sample.instances.each(lambda column: column[:1])
    keypoints = replace(one.keypoints, xy=xy, visibility=np.array([[2, 1, 2, 2, 0]]))
    return replace(
        sample,
        image=np.zeros((40, 78, 3), np.uint8),
        instances=replace(one, keypoints=keypoints, boxes=np.array([box], np.float32)),
        ignore=np.array(ignore, np.float32).reshape(-1, 4),
    )


def laid(tile):
    nobody = [replace(v, instances=v.instances.each(lambda column: column[:0]), ignore=v.ignore[:0]) for v in views(9)]
    return mosaic([nobody[0], tile, *nobody[2:]], CUT, SIZE)


def test_points_beyond_the_tile_keep_their_place_and_lose_their_label():
    points = [(10, 10), (20, 39.5), (30, 41), (-1, 5), (40, 10)]
    out = laid(tile_with(points, (-5, 2, 60, 70)))
    np.testing.assert_allclose(out.instances.keypoints.xy[0], np.array(points) + np.array((50, 0)))
    assert out.instances.keypoints.visibility.tolist() == [[2, 1, 0, 0, 0]]
    assert out.instances.boxes.tolist() == [[50, 2, 110, 40]]
    assert out.instances.area.tolist() == [1500]


def test_who_keeps_no_label_is_a_region_to_ignore():
    out = laid(tile_with([(10, -1), (20, 50), (30, 41), (-1, 5), (40, 10)], (-5, 2, 60, 70), ignore=[(70, 30, 90, 50)]))
    assert len(out.instances.role) == 0
    assert out.ignore.tolist() == [[120, 30, 128, 40], [50, 2, 110, 40]]


def test_the_canvas_takes_the_frame_of_the_tile_it_is_told():
    tiles = views(2)
    for first in range(4):
        out = mosaic(tiles, CUT, SIZE, first)
        home = transform(out.instances.keypoints.xy[2 * first].astype(np.float64), out.to_source)
        np.testing.assert_allclose(home, PIXELS[0] + 0.5, atol=1e-3)


def test_the_frame_of_a_mosaic_is_the_samples_wherever_its_tile_lies():
    corners = set()
    for seed in range(12):
        out = random_mosaic(dotted(), [unnumbered()], np.random.default_rng(seed), BODY, replace(MILD, flip=0), SIZE)
        row = int(np.flatnonzero(np.sort(out.instances.keypoints.depth, axis=1)[:, 0] == 0)[0])
        xy = out.instances.keypoints.xy[row].astype(np.float64)
        np.testing.assert_allclose(transform(xy, out.to_source), PIXELS[0] + 0.5, atol=1e-2)
        corners.add(tuple((xy[0] > np.array((64, 48))).tolist()))
    assert len(corners) == 4


@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_a_mosaic_keeps_to_its_tiles(seed):
    wild = Scene(scale=(0.5, 3.0), rotation=180, rotate_probability=1, shift=0.3)
    rngs = [np.random.default_rng(seed) for _ in range(2)]
    sample = replace(dotted(), to_source=np.eye(3) * (2, 2, 1))
    one, two = (random_mosaic(sample, [dotted(1), dotted(2)], rng, BODY, wild, SIZE) for rng in rngs)
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.instances.boxes, two.instances.boxes)
    assert one.path == sample.path
    edge = (SIZE[1], SIZE[0])
    points = one.instances.keypoints
    labelled = points.xy[points.labelled]
    assert ((labelled >= 0) & (labelled <= edge)).all()
    assert points.labelled.any(-1).all()
    for boxes in (one.instances.boxes, one.ignore):
        assert ((boxes.reshape(-1, 2, 2) >= 0) & (boxes.reshape(-1, 2, 2) <= edge)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_training_makes_as_many_mosaics_as_asked():
    augment = Augment(scene=replace(STILL_SCENE, mosaic=0.5), colour=Photometric(brightness=0, contrast=0))
    outs = [
        augment.train_scene(dotted(), np.random.default_rng(s), BODY, size=SIZE, scenes=[dotted()]) for s in range(40)
    ]
    whole = letterbox(dotted(), SIZE).image
    assert 10 < sum((out.image != whole).any() for out in outs) < 30
    for scenes in (None, []):
        alone = augment.train_scene(dotted(), np.random.default_rng(1), BODY, size=SIZE, scenes=scenes)
        np.testing.assert_array_equal(alone.image, whole)


def test_joined_people_keep_their_order_and_types():
    one, two = dotted().instances, dotted().instances.each(lambda column: column[:1])
    flat = replace(two, keypoints=replace(two.keypoints, depth=None, depth_known=None))
    both = joined([one, flat])
    assert both.keypoints.xy.shape == (3, 5, 2) and both.keypoints.xy.dtype == np.float32
    assert both.keypoints.depth_known.tolist() == [[True] * 5] * 2 + [[False] * 5]
    assert both.role.dtype == one.role.dtype
    np.testing.assert_array_equal(both.boxes, np.concatenate([one.boxes, two.boxes]))
    assert joined([flat, flat]).keypoints.depth is None


def test_messages():
    tiles = views(0)
    with pytest.raises(ValueError, match=r"cut at x=50 y=40 has a tile of 40x50 .* here; got a view of 40x78"):
        mosaic([tiles[1], *tiles[1:]], CUT, SIZE)
    with pytest.raises(ValueError, match="draws three more scenes; got none"):
        random_mosaic(dotted(), [], np.random.default_rng(0), BODY, MILD, SIZE)
