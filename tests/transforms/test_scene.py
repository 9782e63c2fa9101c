"""Full images: the fit, the random view, and who is still in it."""

from dataclasses import replace

import numpy as np
import pytest
from dotted import BODY, HEIGHT, PIXELS, WIDTH, centroid, dotted
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.geometry.affine import transform
from posekit.geometry.framing import letterbox_matrix
from posekit.transforms.compose import Augment
from posekit.transforms.geometric import warp
from posekit.transforms.photometric import Photometric
from posekit.transforms.scene import STILL_SCENE, Scene, in_view, letterbox, random_scene

SIZE = (96, 64)
MILD = Scene(scale=(0.7, 1.1), rotation=40, rotate_probability=0.7, shift=0.02, flip=0.5)
sizes = st.tuples(st.integers(8, 300), st.integers(8, 300))


@given(shape=sizes, size=sizes)
@settings(deadline=None, max_examples=40)
def test_the_fit_is_centred_of_one_scale_and_touches_two_sides(shape, size):
    matrix = letterbox_matrix(shape, size)
    assert matrix[0, 0] == matrix[1, 1] and matrix[0, 1] == matrix[1, 0] == 0
    corners = transform(np.array([[0.0, 0.0], [shape[1], shape[0]]]), matrix)
    view = np.array([size[1], size[0]], float)
    np.testing.assert_allclose(corners.sum(0), view, atol=1e-9)
    bars = corners[0]
    assert bars.min() > -1e-9 and np.isclose(bars.min(), 0, atol=1e-9)


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (45, 150), (90, 110)])
@pytest.mark.parametrize("point", range(5))
def test_the_dot_stays_under_its_point_in_the_fit(point, size):
    out = letterbox(dotted(point), size)
    assert out.image.shape == (*size, 3)
    assert np.abs(out.instances.keypoints.xy[0, point] - centroid(out.image)).max() < 0.3


def test_the_fit_by_hand():
    # 110 x 90 (w x h) into 64 x 96: 64 / 110 a pixel, 52.36 high, bars of 21.82.
    out = letterbox(dotted(), SIZE)
    f, bar = 64 / 110, (96 - 90 * 64 / 110) / 2
    np.testing.assert_allclose(out.instances.keypoints.xy, (PIXELS + 0.5) * f + [0, bar], rtol=1e-5)
    np.testing.assert_allclose(out.instances.boxes[0], [30 * f, 12 * f + bar, 82 * f, 80 * f + bar], rtol=1e-5)
    np.testing.assert_allclose(out.ignore[0], [0, bar, 10 * f, 20 * f + bar], rtol=1e-5)
    np.testing.assert_allclose(out.instances.area, np.array([1500, 700]) * f * f, rtol=1e-5)
    assert (out.path, out.image_id) == ("a/b.png", 7)


def test_the_bars_are_black_and_the_matrix_is_the_one_that_warps():
    sample = replace(dotted(), image=np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    out = letterbox(sample, (64, 64))
    assert (out.image[:5] == 0).all() and (out.image[-5:] == 0).all() and (out.image[7:57] == 200).all()
    np.testing.assert_array_equal(out.image, warp(sample.image, letterbox_matrix((HEIGHT, WIDTH), (64, 64)), (64, 64)))


def test_an_image_of_the_views_size_comes_out_as_it_went_in():
    sample = dotted()
    out = letterbox(sample, (HEIGHT, WIDTH))
    np.testing.assert_array_equal(out.image, sample.image)
    np.testing.assert_allclose(out.instances.keypoints.xy, sample.instances.keypoints.xy, atol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_the_dot_stays_under_its_point_wherever_the_scene_lands(seed):
    rng = np.random.default_rng(seed)
    point = seed % 5
    out = random_scene(dotted(point), rng, BODY, MILD, SIZE)
    flipped = np.linalg.det(out.to_source[:2, :2]) < 0
    now = BODY.flip[point] if flipped else point
    assert np.abs(out.instances.keypoints.xy[0, now] - centroid(out.image)).max() < 0.5


def test_flips_swap_names_and_happen_half_the_time():
    flips = 0
    for seed in range(40):
        out = random_scene(dotted(), np.random.default_rng(seed), BODY, replace(STILL_SCENE, flip=0.5), SIZE)
        plain = letterbox(dotted(), SIZE).instances.keypoints
        if np.linalg.det(out.to_source[:2, :2]) < 0:
            flips += 1
            plain = plain.flipped(SIZE[1], BODY)
        np.testing.assert_allclose(out.instances.keypoints.xy, plain.xy, atol=1e-4)
        np.testing.assert_array_equal(out.instances.keypoints.depth, plain.depth)
    assert 10 < flips < 30
    nameless = replace(BODY, mirror=(), symmetry="none")
    out = random_scene(dotted(), np.random.default_rng(0), nameless, replace(STILL_SCENE, flip=1), SIZE)
    assert np.linalg.det(out.to_source[:2, :2]) > 0


@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_to_source_leads_every_point_home_wherever_it_lies(seed):
    first = np.array([[2.0, 0.0, 30.0], [0.0, 2.0, -7.0], [0.0, 0.0, 1.0]])
    wild = Scene(scale=(0.5, 2.5), rotation=180, rotate_probability=1, shift=0.4)
    out = random_scene(replace(dotted(), to_source=first), np.random.default_rng(seed), BODY, wild, SIZE)
    flipped = np.linalg.det(out.to_source[:2, :2]) < 0
    order = list(BODY.flip) if flipped else list(range(5))
    points = out.instances.keypoints
    assert (points.visibility == 2).all()
    # Depths number the points of both people: they say whose the kept rows are.
    who = (points.depth[:, order[0]] / 5).astype(int)
    home = transform(points.xy[:, order].astype(np.float64), out.to_source)
    np.testing.assert_allclose(home, ((PIXELS + 0.5) * 2 + [30, -7])[who], atol=2e-3)


@given(seed=st.integers(0, 2**31), low=st.floats(0.3, 1), ratio=st.floats(1, 4))
@settings(deadline=None, max_examples=40)
def test_draws_stay_in_their_ranges_and_their_number_is_fixed(seed, low, ratio):
    scene = Scene(scale=(low, low * ratio), rotation=25, shift=0.2)
    rng = np.random.default_rng(seed)
    drawn = scene.draw((HEIGHT, WIDTH), rng, BODY, SIZE)
    assert low * (1 - 1e-9) <= drawn.scale <= low * ratio * (1 + 1e-9)
    assert abs(drawn.rotation) <= 25
    assert np.abs(drawn.shift).max() <= 0.2 + abs(drawn.scale - 1) / 2
    other = np.random.default_rng(seed)
    STILL_SCENE.draw((7, 300), other, replace(BODY, mirror=(), symmetry="none"), (32, 32))
    assert rng.random() == other.random()


def test_half_of_the_scales_lie_below_the_geometric_mean():
    scene, rng = Scene(scale=(0.5, 2.0)), np.random.default_rng(0)
    drawn = [scene.draw((HEIGHT, WIDTH), rng, BODY, SIZE).scale for _ in range(400)]
    assert abs(np.mean(np.array(drawn) < 1) - 0.5) < 0.07
    assert abs(np.mean(np.array(drawn) < 2**-0.5) - 0.25) < 0.07


def viewed(boxes, xy, visibility=2, ignore=()):
    """A sample whose image is a view of 60 x 40 (w x h)."""
    sample = dotted()
    n = len(boxes)
    xy = np.broadcast_to(np.asarray(xy, np.float32)[:, None], (n, 5, 2)).copy()
    points = replace(
        sample.instances.keypoints, xy=xy, visibility=np.full((n, 5), visibility), depth=None, depth_known=None
    )
    column = np.zeros(n, np.float32)
    return replace(
        sample,
        image=np.zeros((40, 60, 3), np.uint8),
        instances=replace(
            sample.instances,
            keypoints=points,
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            area=column,
            category=column,
            role=column,
        ),
        ignore=np.array(ignore, np.float32).reshape(-1, 4),
    )


@pytest.mark.parametrize(
    ("box", "point", "kept", "ignored"),
    [
        ((10, 10, 30, 30), (20, 20), True, None),
        # A tenth of the box inside, with a point: kept whole.
        ((-90, 10, 10, 30), (5, 20), True, None),
        # The same without a point inside: the visible part is ignored.
        ((-90, 10, 10, 30), (-20, 20), False, (0, 10, 10, 30)),
        # 60 % inside, no point inside: kept.
        ((-4, 10, 6, 30), (-2, 20), True, None),
        # 4 % inside, with a point.
        ((-96, 10, 4, 30), (3, 20), False, (0, 10, 4, 30)),
        # Gone, to the right and below.
        ((70, 10, 90, 30), (75, 20), False, None),
        ((10, 41, 30, 90), (20, 60), False, None),
    ],
)
def test_who_stays_in_view(box, point, kept, ignored):
    out = in_view(viewed([box], [point]))
    assert len(out.instances.boxes) == kept
    if kept:
        assert out.instances.boxes[0].tolist() == list(box)
        assert out.instances.keypoints.xy[0, 0].tolist() == list(point)
    assert out.ignore.tolist() == ([] if ignored is None else [list(ignored)])


def test_unlabelled_points_hold_nobody_in_view():
    out = in_view(viewed([(-90, 10, 10, 30)], [(5, 20)], visibility=0))
    assert len(out.instances.boxes) == 0 and out.ignore.tolist() == [[0, 10, 10, 30]]


def test_regions_to_ignore_are_cut_to_the_view():
    out = in_view(viewed([], np.zeros((0, 2)), ignore=[(-5, -5, 10, 50), (61, 0, 70, 10), (50, 30, 80, 35)]))
    assert out.ignore.tolist() == [[0, 0, 10, 40], [50, 30, 60, 35]]
    assert out.instances.keypoints.xy.shape == (0, 5, 2)


def test_training_without_chance_sees_the_fit():
    sample = dotted()
    still = Augment.none().still_scene(sample, size=SIZE)
    for seed in range(3):
        out = Augment.none().train_scene(sample, np.random.default_rng(seed), BODY, size=SIZE)
        np.testing.assert_array_equal(out.image, still.image)
        np.testing.assert_array_equal(out.instances.keypoints.xy, still.instances.keypoints.xy)
        np.testing.assert_array_equal(out.instances.boxes, still.instances.boxes)
    np.testing.assert_array_equal(Augment().still_scene(sample, size=SIZE).image, still.image)


def test_a_scene_follows_from_its_generator_alone():
    augment = Augment(colour=Photometric(noise=1))
    one, two = (augment.train_scene(dotted(), np.random.default_rng([4, 2]), BODY, size=SIZE) for _ in range(2))
    other = augment.train_scene(dotted(), np.random.default_rng([4, 3]), BODY, size=SIZE)
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.to_source, two.to_source)
    assert (one.to_source != other.to_source).any()


def test_the_sample_that_came_is_left_alone():
    sample = dotted()
    image, xy, ignore = sample.image.copy(), sample.instances.keypoints.xy.copy(), sample.ignore.copy()
    random_scene(sample, np.random.default_rng(0), BODY, Scene(flip=1), SIZE)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.instances.keypoints.xy, xy)
    np.testing.assert_array_equal(sample.ignore, ignore)


def test_messages():
    with pytest.raises(ValueError, match="finite box"):
        letterbox_matrix((0, 5), (32, 32))
    with pytest.raises(ValidationError, match="0 < smallest <= largest"):
        Scene(scale=(2.0, 1.0))
    with pytest.raises(ValidationError, match="0 < smallest <= largest"):
        Scene(scale=(0.0, 1.0))
    with pytest.raises(ValidationError, match="scale"):
        Scene(mean_scale=2)
