from dataclasses import replace

import numpy as np
import pytest
from dotted import BODY, HEIGHT, PIXELS, WIDTH, centroid, dotted
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.geometry.affine import transform
from posekit.geometry.skeleton import Skeleton
from posekit.transforms.geometric import Crop, Geometry, Placement, move_boxes, place, still_crop

SIZE = (96, 64)
BOX = dotted().instances.boxes[0]
placements = st.builds(
    Placement,
    box=st.just(BOX),
    padding=st.floats(1.0, 2.0),
    scale=st.floats(0.6, 1.6),
    rotation=st.floats(-180, 180),
    shift=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)),
    flip=st.booleans(),
)


@pytest.mark.parametrize("point", range(5))
@pytest.mark.parametrize(
    "placement",
    [
        Placement(BOX),
        Placement(BOX, flip=True),
        Placement(BOX, rotation=37.0),
        Placement(BOX, rotation=-90.0, flip=True),
        Placement(BOX, scale=0.7, shift=(0.1, -0.05)),
        Placement(BOX, padding=1.5, scale=1.2, rotation=12, shift=(-0.04, 0.03), flip=True),
    ],
)
def test_the_dot_stays_under_its_point(placement, point):
    out = place(dotted(point), placement, SIZE, BODY)
    assert out.image.shape == (*SIZE, 3)
    # A flip gives the place of a left point to its right mirror.
    now = BODY.flip[point] if placement.flip else point
    assert np.abs(out.instances.keypoints.xy[0, now] - centroid(out.image)).max() < 0.3


@pytest.mark.parametrize("seed", range(8))
def test_the_dot_stays_under_its_point_wherever_the_crop_lands(seed):
    geometry = Geometry(scale=0.2, rotation=60, shift=0.05, rotate_probability=1, flip=0.5, half_body=0)
    sample, rng = dotted(), np.random.default_rng(seed)
    out = Crop(size=SIZE, padding=1.4, geometry=geometry)(sample, rng, BODY)
    assert np.abs(out.instances.keypoints.xy[0, 0] - centroid(out.image)).max() < 0.3


@pytest.mark.parametrize("upper", [True, False])
def test_the_dot_stays_under_its_point_in_half_a_body(upper):
    point = 1 if upper else 3
    sample = dotted(point)
    skeleton = Skeleton(name="five", points=("nose", "hand", "elbow", "knee", "foot"))
    # Three points make a half: leave two of them to one half by their names, and the other half is tried next.
    names = ("nose", "hand", "elbow", "knee", "foot") if upper else ("nose", "hand", "left_hip", "knee", "foot")
    skeleton = replace(skeleton, points=names)
    out = Crop(size=SIZE, geometry=Geometry(scale=0, rotation=0, shift=0, flip=0, half_body=1))(
        sample, np.random.default_rng(0), skeleton
    )
    assert np.abs(out.instances.keypoints.xy[0, point] - centroid(out.image)).max() < 0.3
    half = [0, 1, 2] if upper else [2, 3, 4]
    np.testing.assert_allclose(out.instances.keypoints.xy[0, half].mean(0), (SIZE[1] / 2, SIZE[0] / 2), atol=1e-3)


@given(placements)
@settings(deadline=None, max_examples=25)
def test_to_source_leads_back_to_the_file(placement):
    before = dotted()
    # The sample already is a crop of a larger file: the two steps compose.
    first = np.array([[2.0, 0.0, 30.0], [0.0, 2.0, -7.0], [0.0, 0.0, 1.0]])
    out = place(replace(before, to_source=first), placement, SIZE, BODY)
    order = list(BODY.flip) if placement.flip else list(range(5))
    xy = out.instances.keypoints.xy[:, order].astype(np.float64)
    np.testing.assert_allclose(transform(xy, out.to_source), (PIXELS + 0.5) * 2 + [30, -7], atol=1e-3)


@given(placements)
@settings(deadline=None, max_examples=25)
def test_boxes_hold_what_they_held_and_areas_keep_their_share(placement):
    before = dotted()
    out = place(before, placement, SIZE, BODY)
    boxes, points = out.instances.boxes, out.instances.keypoints.xy
    slack = 1e-3
    assert (points >= boxes[:, None, :2] - slack).all() and (points <= boxes[:, None, 2:] + slack).all()
    scale = np.abs(np.linalg.det(out.to_source)) ** -1
    np.testing.assert_allclose(out.instances.area, before.instances.area * scale, rtol=1e-5)
    assert out.ignore.shape == before.ignore.shape and out.ignore.dtype == np.float32


def test_a_moved_box_is_the_one_around_the_four_corners():
    boxes = np.array([[1.0, 2.0, 5.0, 4.0], [0.0, 0.0, 1.0, 8.0]])
    matrix = np.array([[0.5, -2.0, 3.0], [1.5, 0.25, -1.0], [0.0, 0.0, 1.0]])
    corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
    moved = transform(corners, matrix)
    np.testing.assert_allclose(move_boxes(boxes, matrix), np.concatenate([moved.min(1), moved.max(1)], axis=1))
    assert move_boxes(np.zeros((0, 4)), matrix).shape == (0, 4)


def test_the_plain_crop_by_hand():
    # Box 30..82 x 12..80, centre (56, 46), 52 x 68; a crop of 64 x 96 grows it to max(52/64, 68/96) = 0.8125 px a cell,
    # padded 1.25: 1.015625. The nose (55.5, 20.5) lands at 32 - 0.5 / 1.015625, 48 - 25.5 / 1.015625.
    out = still_crop(dotted(), SIZE, 1.25)
    np.testing.assert_allclose(out.instances.keypoints.xy[0, 0], [32 - 0.5 / 1.015625, 48 - 25.5 / 1.015625], rtol=1e-5)
    assert (out.path, out.image_id) == ("a/b.png", 7)


def test_a_crop_without_chance_is_the_plain_crop_whatever_the_generator():
    sample = dotted()
    plain = still_crop(sample, SIZE, 1.1)
    for seed in range(3):
        out = Crop(size=SIZE, padding=1.1)(sample, np.random.default_rng(seed), BODY)
        np.testing.assert_array_equal(out.image, plain.image)
        np.testing.assert_array_equal(out.instances.keypoints.xy, plain.instances.keypoints.xy)


def test_a_flip_swaps_visibility_and_depth_and_twice_is_once_back():
    sample = dotted()
    sample.instances.keypoints.visibility[0] = [2, 1, 0, 2, 1]
    plain, flipped = place(sample, Placement(BOX), SIZE), place(sample, Placement(BOX, flip=True), SIZE, BODY)
    assert flipped.instances.keypoints.visibility[0].tolist() == [2, 0, 1, 1, 2]
    assert flipped.instances.keypoints.depth[0].tolist() == [0, 2, 1, 4, 3]
    again = flipped.instances.keypoints.flipped(SIZE[1], BODY)
    np.testing.assert_allclose(again.xy, plain.instances.keypoints.xy, atol=1e-4)
    # Mirrored pixels differ from pixels of the mirrored crop by the rounding of the resampling alone.
    assert np.abs(flipped.image[:, ::-1].astype(int) - plain.image).max() <= 8


def test_points_outside_keep_place_and_visibility():
    out = place(dotted(), Placement(BOX, padding=1.0), SIZE)
    xy = out.instances.keypoints.xy[1]
    assert (xy[:, 0] < 0).all() and (out.instances.keypoints.visibility == 2).all()
    np.testing.assert_allclose(transform(xy, out.to_source), PIXELS[1] + 0.5, atol=1e-3)


def test_the_outside_of_the_image_is_black():
    sample = replace(dotted(), image=np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    out = place(sample, Placement(np.array([-40.0, 10.0, 20.0, 70.0]), padding=1.0), (60, 60))
    assert (out.image[:, :39] == 0).all() and (out.image[:, 41:] == 200).all()


def test_nothing_is_flipped_where_a_mirror_is_unknown():
    nameless = replace(BODY, mirror=(), symmetry="none")
    rng = np.random.default_rng(1)
    drawn = [Geometry(flip=1).draw(dotted(), rng, nameless, SIZE, 1.25).flip for _ in range(5)]
    assert drawn == [False] * 5
    assert Geometry(flip=1).draw(dotted(), rng, BODY, SIZE, 1.25).flip


def test_draws_stay_in_their_ranges_and_follow_the_generator():
    geometry = Geometry(scale=0.3, rotation=40, rotate_probability=0.6, shift=0.1, flip=0.5)
    rng = np.random.default_rng(5)
    drawn = [geometry.draw(dotted(), rng, BODY, SIZE, 1.25) for _ in range(400)]
    scale, turn = np.array([p.scale for p in drawn]), np.array([p.rotation for p in drawn])
    shift, flips = np.array([p.shift for p in drawn]), np.array([p.flip for p in drawn])
    assert 0.7 <= scale.min() < 0.72 and 1.28 < scale.max() <= 1.3
    assert np.abs(turn).max() <= 40 and 0.5 < (turn != 0).mean() < 0.7
    assert np.abs(shift).max() <= 0.1 and 0.4 < flips.mean() < 0.6
    again = np.random.default_rng(5)
    assert geometry.draw(dotted(), again, BODY, SIZE, 1.25).scale == drawn[0].scale


def test_the_mean_scale_is_the_middle_of_the_range_and_leaves_half_bodies_alone():
    rng = np.random.default_rng(0)
    geometry = Geometry(mean_scale=1.5, scale=0.2)
    scales = [geometry.draw(dotted(), rng, BODY, SIZE, 1.25).scale for _ in range(200)]
    assert 1.2 <= min(scales) < 1.25
    assert 1.75 < max(scales) <= 1.8
    assert Geometry(mean_scale=1.5, scale=0, half_body=1).draw(dotted(), rng, BODY, SIZE, 1.25).scale == 1.0


def test_the_sample_that_came_is_left_alone():
    sample = dotted()
    image, xy = sample.image.copy(), sample.instances.keypoints.xy.copy()
    Crop(size=SIZE, geometry=Geometry(flip=1))(sample, np.random.default_rng(0), BODY)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.instances.keypoints.xy, xy)


def test_messages():
    sample = dotted()
    empty = replace(sample, instances=sample.instances.each(lambda a: a[:0]))
    with pytest.raises(ValueError, match=r"a/b\.png: a top-down crop needs an instance"):
        still_crop(empty, SIZE)
    with pytest.raises(ValueError, match="needs an instance with a box"):
        Crop(size=SIZE)(empty, np.random.default_rng(0), BODY)
    with pytest.raises(ValueError, match=r"a/b\.png: a crop needs a finite box"):
        place(sample, Placement(np.array([3.0, 3.0, 3.0, 9.0])), SIZE)
    with pytest.raises(ValueError, match="flipped crop needs the skeleton"):
        place(sample, Placement(BOX, flip=True), SIZE)
    with pytest.raises(ValidationError, match="less than or equal to 180"):
        Geometry(rotation=200)
    with pytest.raises(ValidationError, match="rotate"):
        Geometry(rotate=30)
