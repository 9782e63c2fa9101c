from dataclasses import replace

import numpy as np
import pytest

from posekit.geometry.skeleton import Skeleton
from posekit.visualize.draw import draw_maps, draw_poses, sheet
from posekit.visualize.legend import entries, with_legend
from posekit.visualize.palette import CENTRE, LEFT, RIGHT, bone_colours, point_colours, wheel

BODY = Skeleton(
    name="body",
    points=("nose", "left_hand", "right_hand", "left_foot", "right_foot"),
    mirror=(("left_hand", "right_hand"), ("right_foot", "left_foot")),
    bones=(("nose", "left_hand"), ("nose", "right_hand"), ("left_hand", "left_foot"), ("left_foot", "right_foot")),
)
BARE = Skeleton(name="bare", points=("a", "b", "c"))
XY = np.array([[[150, 30], [220, 100], [80, 100], [200, 250], [100, 250]]], float)


def grey(height=300, width=320):
    return np.full((height, width, 3), 120, np.uint8)


def at(image, xy):
    """The pixel that holds a continuous point."""
    return tuple(image[int(xy[1]), int(xy[0])].tolist())


def test_palette_follows_sides():
    assert point_colours(BODY) == [CENTRE, LEFT, RIGHT, LEFT, RIGHT]
    assert bone_colours(BODY) == [LEFT, RIGHT, LEFT, CENTRE]
    assert len(set(wheel(17))) == 17 and point_colours(BARE) == wheel(3) and wheel(0) == []


def test_points_and_bones_have_the_colours_of_their_sides():
    before = grey()
    image = draw_poses(before, XY, np.full((1, 5), 0.9), BODY)
    assert image.shape == before.shape and image.dtype == np.uint8 and (before == 120).all()
    assert [at(image, p) for p in XY[0]] == [CENTRE, LEFT, RIGHT, LEFT, RIGHT]
    middle = [(XY[0, i] + XY[0, j]) / 2 for i, j in BODY.edges]
    assert [at(image, p) for p in middle] == [LEFT, RIGHT, LEFT, CENTRE]


def test_low_scores_and_unknown_places_are_left_out():
    score = np.array([[0.9, 0.05, 0.9, 0.9, 0.9]])
    xy = XY.copy()
    xy[0, 3] = np.nan
    xy[0, 4] = 1e9
    image = draw_poses(grey(), xy, score, BODY, threshold=0.3)
    assert at(image, XY[0, 0]) == CENTRE and at(image, XY[0, 2]) == RIGHT
    assert [at(image, XY[0, i]) for i in (1, 3, 4)] == [(120, 120, 120)] * 3


def test_points_a_little_below_the_threshold_are_rings():
    plain = Skeleton(name="plain", points=("a", "b"))
    xy = np.array([[[60.5, 60.5], [160.5, 160.5]]])
    image = draw_poses(grey(), xy, np.array([[0.9, 0.2]]), plain, threshold=0.3)
    colours = point_colours(plain)
    assert at(image, xy[0, 0]) == colours[0]
    assert at(image, xy[0, 1]) == (120, 120, 120)
    ring = image[155:167, 155:167].reshape(-1, 3)
    assert (np.abs(ring.astype(int) - colours[1]).sum(-1) < 60).any()


def test_without_left_and_right_every_point_has_its_colour():
    chain = Skeleton(name="chain", points=("a", "b", "c"), bones=(("a", "b"), ("b", "c")))
    assert point_colours(chain) == wheel(3)
    assert bone_colours(chain)[0] == tuple((p + q) // 2 for p, q in zip(*wheel(3)[:2], strict=True))


def test_small_instances_have_marks_that_can_be_seen():
    one = draw_poses(grey(), np.array([[[150.5, 150.5]]]), None, Skeleton(name="one", points=("a",)))
    assert (one != 120).any(-1).sum() >= 40


def test_a_legend_stands_below_the_picture():
    legend = entries(BARE)
    assert [name for name, _ in legend] == ["a", "b", "c"] and [colour for _, colour in legend] == wheel(3)
    picture = with_legend(grey(), legend)
    np.testing.assert_array_equal(picture[:300], grey())
    strip = picture[300:].reshape(-1, 3)
    assert 20 <= len(picture) - 300 <= 40 and all((strip == colour).all(-1).any() for colour in wheel(3))
    assert len(with_legend(grey(300, 90), [("a long name", LEFT)] * 3)) > len(picture)
    assert with_legend(grey(), []).shape == (300, 320, 3)


def test_a_legend_of_many_points_names_sides():
    many = replace(BODY, points=(*BODY.points, *(f"p{n}" for n in range(9))))
    assert entries(many) == []
    assert entries(many, sides=True) == [("left", LEFT), ("right", RIGHT), ("middle", CENTRE)]
    assert entries(replace(many, bones=()), sides=True) == []


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.25, -0.25), (0.5, 0.5), (-0.375, 0.125)])
def test_drawing_is_exact_below_the_pixel(offset):
    one = Skeleton(name="one", points=("a",))
    xy = np.array([[[150.5, 120.5]]]) + offset
    changed = np.abs(draw_poses(grey(), xy, None, one).astype(float) - 120).sum(-1)
    y, x = np.arange(300) + 0.5, np.arange(320) + 0.5
    centre = np.array([(changed.sum(0) * x).sum(), (changed.sum(1) * y).sum()]) / changed.sum()
    assert np.abs(centre - xy[0, 0]).max() < 0.12


def test_large_instances_have_thicker_marks():
    small, large = (draw_poses(grey(900, 900), XY * s, None, BODY) for s in (0.3, 3.0))
    assert (large != 120).sum() > 20 * (small != 120).sum()


def test_small_images_are_enlarged_by_a_whole_factor_with_their_points():
    image = draw_poses(grey(60, 64), XY / 5, None, BODY)
    assert image.shape == (240, 256, 3)
    assert at(image, XY[0, 0] / 5 * 4) == CENTRE
    assert draw_poses(grey(60, 64), XY / 5, None, BODY, enlarge=0).shape == (60, 64, 3)


def test_boxes_and_truth_are_drawn():
    plain = draw_poses(grey(), XY, None, BODY)
    boxed = draw_poses(grey(), XY, None, BODY, boxes=np.array([[60.5, 20.5, 240.5, 280.5]]))
    assert (boxed[150, 60] != plain[150, 60]).any() and (boxed[150, 62] == plain[150, 62]).all()
    truth = XY[0] + [9.0, 0.0]
    truth[4] = np.nan
    shown = draw_poses(grey(), XY, None, BODY, truth=truth)
    changed = (shown != plain).any(-1)
    assert changed[25:36, 150:165].any() and not changed[240:262, 85:120].any()


def test_an_image_without_poses_comes_back_as_it_was():
    np.testing.assert_array_equal(draw_poses(grey(), np.zeros((0, 5, 2)), np.zeros((0, 5)), BODY), grey())


def test_maps_glow_where_they_peak():
    maps = np.zeros((3, 30, 32))
    maps[0, 5, 6] = 4.0
    maps[1, 20, 25] = 0.1
    image = draw_maps(grey(), maps)
    assert image.shape == (300, 320, 3)
    # Cell (row 5, column 6) of ten pixels is centred at (65, 55): the first colour of the wheel is red.
    assert image[55, 65, 0] > 180 > image[55, 65, 2]
    assert (image[205, 255].max() > 150) and (image[150, 150] == 120).all()
    np.testing.assert_array_equal(draw_maps(grey(), np.zeros((0, 30, 32))), grey())


def test_a_sheet_holds_every_image_in_its_cell():
    images = [np.full((40 + 10 * i, 60, 3), 20 * i, np.uint8) for i in range(5)]
    page = sheet(images, 3, [f"n° {i} with a caption far too long for its cell" for i in range(5)], cell=64)
    assert page.shape == (8 + 2 * (64 + 22 + 8), 8 + 3 * 72, 3)
    for i in range(5):
        row, column = divmod(i, 3)
        assert (page[8 + row * 94 + 32, 8 + column * 72 + 32] == 20 * i).all()
    assert sheet(images[:2], 4, cell=64).shape == (80, 152, 3)


def test_messages():
    with pytest.raises(ValueError, match=r"poses want \(N, 5, 2\) for 'body'; got \(5, 2\)"):
        draw_poses(grey(), XY[0], None, BODY)
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8 RGB; got \(300, 320\)"):
        draw_poses(grey()[..., 0], XY, None, BODY)
    with pytest.raises(ValueError, match=r"maps want \(K, h, w\)"):
        draw_maps(grey(), np.zeros((30, 32)))
    with pytest.raises(ValueError, match="at least one image and one column; got 0 images"):
        sheet([])
    with pytest.raises(ValueError, match="a caption for each of 2 images, or none; got 1"):
        sheet([grey(), grey()], 2, ["one"])
