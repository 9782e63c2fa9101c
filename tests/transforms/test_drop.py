from dataclasses import replace

import numpy as np
import pytest
from dotted import BODY, dotted
from pydantic import ValidationError

from posekit.transforms.drop import Drop, ellipse

KINDS = ("cutout", "hide_and_seek", "grid_mask", "coarse", "keypoint")


def white(size=(256, 192)):
    return replace(dotted(), image=np.full((*size, 3), 255, np.uint8))


@pytest.mark.parametrize("kind", KINDS)
def test_black_where_the_mask_says_and_nowhere_else(kind):
    config, sample = Drop(probability=1, kind=kind, grids=(16, 32)), white()
    out = config(sample, np.random.default_rng(3), BODY)
    rng = np.random.default_rng(3)
    rng.random()
    mask = config.mask(sample, rng)
    assert 0 < mask.sum() < mask.size
    np.testing.assert_array_equal(out.image == 0, np.repeat(mask[..., None], 3, -1))
    assert out.image.dtype == np.uint8 and (sample.image == 255).all()


@pytest.mark.parametrize("kind", KINDS)
def test_points_and_their_visibility_are_never_touched(kind):
    sample = white()
    out = Drop(probability=1, kind=kind)(sample, np.random.default_rng(0), BODY)
    assert out.instances is sample.instances and out.to_source is sample.to_source


@pytest.mark.parametrize("kind", KINDS)
def test_probability_zero_is_the_identity(kind):
    sample = white()
    assert Drop(probability=0, kind=kind)(sample, np.random.default_rng(0), BODY) is sample


def test_probability_is_a_share():
    sample, rng = white((16, 12)), np.random.default_rng(0)
    changed = [Drop(probability=0.3, radius=0.5)(sample, rng, BODY) is not sample for _ in range(400)]
    assert 0.23 < np.mean(changed) < 0.37


def test_cutout_hides_what_the_specification_says():
    # By integration, on a crop of 192 x 256: 16.5 % on average; the whole ellipse covers 9.4 to 37.7 %.
    config, sample, rng = Drop(kind="cutout"), white(), np.random.default_rng(0)
    share = np.array([config.mask(sample, rng).mean() for _ in range(1500)])
    assert abs(share.mean() - 0.165) < 0.006
    assert share.max() < 0.377
    whole = [ellipse((256, 192), (96, 128), (r * 192, r * 192)).mean() for r in (0.2, 0.4)]
    np.testing.assert_allclose(whole, [0.0942, 0.3770], atol=2e-3)


def test_rectangles_start_and_end_at_the_edges_too():
    # 2 x 2 pixels on 3 x 3: the corner lies in row and column 0 or 1, each equally often.
    config, sample, rng = Drop(kind="coarse", unit=(2, 2), holes=1), white((3, 3)), np.random.default_rng(0)
    masks = [config.mask(sample, rng) for _ in range(60)]
    assert {tuple(int(axis[0]) for axis in mask.nonzero()) for mask in masks} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert {int(mask.sum()) for mask in masks} == {4}


def test_an_ellipse_is_the_pixels_whose_centres_it_holds():
    # Radii 1.2 and 0.6 about (1.5, 1.5): row 1 only, columns whose centres are within 1.2 of 1.5.
    assert ellipse((3, 4), (1.5, 1.5), (1.2, 0.6)).astype(int).tolist() == [[0] * 4, [1, 1, 1, 0], [0] * 4]


@pytest.mark.parametrize("size", [(256, 192), (192, 256), (50, 70)])
def test_hide_and_seek_reaches_every_cell_of_the_whole_picture(size):
    config, sample, rng = Drop(kind="hide_and_seek", grids=(32,)), white(size), np.random.default_rng(0)
    masks = np.stack([config.mask(sample, rng) for _ in range(60)])
    assert masks.any(0).all() and not masks.all(0).any()
    assert abs(masks.mean() - 0.5) < 0.1
    first = masks[0]
    assert (first[:32, :32] == first[0, 0]).all()


def test_hide_and_seek_draws_every_size_even_the_last():
    config, sample, rng = Drop(kind="hide_and_seek", grids=(0, 200)), white((150, 190)), np.random.default_rng(0)
    hidden = [config.mask(sample, rng).any() for _ in range(200)]
    # Half of the draws take 200, one cell for all, which is hidden by a coin.
    assert 0.15 < np.mean(hidden) < 0.35


def test_grid_mask_is_a_lattice():
    config = Drop(kind="grid_mask", unit=(20, 20), share=0.5)
    mask = config.mask(white((200, 160)), np.random.default_rng(0))
    np.testing.assert_array_equal(mask[20:], mask[:-20])
    np.testing.assert_array_equal(mask[:, 20:], mask[:, :-20])
    assert mask.mean() == 0.25


def test_coarse_rectangles_fit_even_a_small_crop():
    mask = Drop(kind="coarse", unit=(30, 40), holes=1).mask(white((16, 12)), np.random.default_rng(0))
    assert mask.all()


def test_a_disc_falls_near_a_labelled_point():
    sample = white((400, 400))
    sample.instances.keypoints.visibility[:] = 0
    sample.instances.keypoints.visibility[0, 0] = 1
    config, rng = Drop(kind="keypoint", radius=0.05), np.random.default_rng(1)
    total = np.sum([config.mask(sample, rng) for _ in range(60)], axis=0)
    # The point is at (55.5, 20.5), the offset has a deviation of 80 pixels: the far corner stays clear.
    assert total[:200, :200].sum() > 10 * total[300:, 300:].sum()


def test_without_labelled_points_a_disc_becomes_a_cutout():
    sample = white()
    sample.instances.keypoints.visibility[:] = 0
    discs = Drop(kind="keypoint").mask(sample, np.random.default_rng(4))
    np.testing.assert_array_equal(discs, Drop(kind="cutout").mask(sample, np.random.default_rng(4)))


def test_messages():
    with pytest.raises(ValidationError, match=r"drop\.grids wants sizes of 0 .* got \(-3,\)"):
        Drop(grids=(-3,))
    with pytest.raises(ValidationError, match=r"drop\.unit wants a smallest and a largest size"):
        Drop(unit=(40, 10))
    with pytest.raises(ValidationError, match="cutout"):
        Drop(kind="holes")
