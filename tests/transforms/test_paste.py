"""Pasted people: where their points land, whom they hide, what stays."""

from dataclasses import replace

import numpy as np
import pytest
from dotted import BODY, centroid, dotted
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.data.synthetic import Synthetic
from posekit.geometry.keypoints import IGNORE, INSTANCE
from posekit.skeletons.body import COCO17
from posekit.transforms.compose import Augment
from posekit.transforms.geometric import Placement, place
from posekit.transforms.paste import paste, put
from posekit.transforms.photometric import Photometric
from posekit.transforms.scene import STILL_SCENE, in_view
from posekit.transforms.silhouette import silhouette

SIZE = (96, 128)
BOX = dotted().instances.boxes[0]
HALF = Placement(BOX, padding=1.0, scale=0.6)


def view(**changes):
    """A black view with one person at its left edge and one region to ignore."""
    sample = dotted()
    left = sample.instances.each(lambda column: column[1:])
    image = np.zeros((*SIZE, 3), np.uint8)
    return replace(sample, image=image, instances=left, ignore=np.array([[90, 5, 100, 15]], np.float32), **changes)


def donor(point=0, shade=0):
    sample = dotted(point)
    return replace(sample, image=np.maximum(sample.image, shade), path="donor.png", image_id=9)


@pytest.mark.parametrize("point", range(5))
@pytest.mark.parametrize(
    "placement",
    [
        HALF,
        replace(HALF, flip=True),
        replace(HALF, scale=0.9, shift=(0.1, 0.02)),
        replace(HALF, rotation=30, flip=True),
    ],
)
def test_the_dot_stays_under_its_point(point, placement):
    out = put(view(), donor(point), placement, BODY)
    now = BODY.flip[point] if placement.flip else point
    assert len(out.instances.role) == 2
    assert np.abs(out.instances.keypoints.xy[-1, now] - centroid(out.image)).max() < 0.3


def test_the_dot_stays_under_its_point_wherever_it_is_pasted():
    seen = 0
    for seed in range(16):
        out = paste(view(), [donor(seed % 5)], np.random.default_rng(seed), BODY, most=1)
        flipped = out.instances.keypoints.depth[-1, 1] == 2
        xy = out.instances.keypoints.xy[-1, BODY.flip[seed % 5] if flipped else seed % 5]
        if (xy > 6).all() and (xy < np.array(SIZE[::-1]) - 6).all():
            seen += 1
            assert np.abs(xy - centroid(out.image)).max() < 0.5
    assert seen > 8


def test_the_person_is_the_donors_and_the_rest_is_the_views():
    sample, other = replace(view(), image=np.full((*SIZE, 3), 30, np.uint8)), donor(shade=200)
    out = put(sample, other, HALF, BODY)
    moved = place(other, HALF, SIZE)
    cover = silhouette(moved.instances.keypoints.xy[0], np.ones(5, bool), BODY, SIZE)
    assert (cover == 1).sum() > 300
    np.testing.assert_array_equal(out.image[cover == 1], moved.image[cover == 1])
    np.testing.assert_array_equal(out.image[cover == 0], sample.image[cover == 0])
    np.testing.assert_array_equal(out.instances.keypoints.xy[-1], moved.instances.keypoints.xy[0])
    np.testing.assert_array_equal(out.instances.boxes[-1], moved.instances.boxes[0])
    assert (out.path, out.image_id) == (sample.path, sample.image_id)
    np.testing.assert_array_equal(out.to_source, sample.to_source)


def test_points_under_the_person_turn_hidden_and_nothing_else_changes():
    # Someone stands where the person comes; the last two of the points lie away from it.
    sample, where = view(), place(donor(), HALF, SIZE).instances.keypoints.xy[0]
    xy = np.array([where[:2].mean(0), where.mean(0), where[1], [5.5, 5.5], [140.0, 50.0]], np.float32)[None]
    old = replace(sample.instances.keypoints, xy=xy, visibility=np.array([[2, 1, 0, 2, 2]]))
    sample = replace(sample, instances=replace(sample.instances, keypoints=old))
    out = put(sample, donor(), HALF, BODY)
    assert out.instances.keypoints.visibility[0].tolist() == [1, 1, 0, 2, 2]
    np.testing.assert_array_equal(out.instances.keypoints.xy[0], xy[0])
    np.testing.assert_array_equal(out.ignore, sample.ignore)
    assert old.visibility[0, 0] == 2


@pytest.mark.parametrize(("away", "lost"), [(0, True), (1, False)])
def test_who_is_covered_is_a_region_to_ignore(away, lost):
    # Four of five points covered is a fifth left, which is enough to stay.
    sample, where = view(), place(donor(), HALF, SIZE).instances.keypoints.xy[0]
    xy = where.copy()
    xy[:away] = (5.5, 5.5)
    points = replace(sample.instances.keypoints, xy=xy[None])
    box = np.array([[2, 2, 90, 120]], np.float32)
    sample = replace(sample, instances=replace(sample.instances, keypoints=points, boxes=box))
    out = put(sample, donor(), HALF, BODY)
    assert len(out.instances.role) == 2 - lost
    assert out.ignore[1:].tolist() == ([[2, 2, 90, 96]] if lost else [])


def test_points_out_of_view_neither_save_nor_lose_anybody():
    sample, where = view(), place(donor(), HALF, SIZE).instances.keypoints.xy[0]
    xy = where.copy()
    xy[2:] = (-40, -40)
    points = replace(sample.instances.keypoints, xy=xy[None])
    out = put(replace(sample, instances=replace(sample.instances, keypoints=points)), donor(), HALF, BODY)
    assert len(out.instances.role) == 1
    points = replace(points, xy=np.full((1, 5, 2), -40, np.float32))
    out = put(replace(sample, instances=replace(sample.instances, keypoints=points)), donor(), HALF, BODY)
    assert len(out.instances.role) == 2


def test_nothing_of_the_donors_outside_is_pasted():
    # The donor's image ends at x = 60; its right hand lies beyond, at x = 72.5.
    cut = donor(shade=200)
    cut = replace(cut, image=cut.image[:, :60])
    sample = replace(view(), image=np.full((*SIZE, 3), 100, np.uint8))
    out = put(sample, cut, HALF, BODY)
    assert out.instances.keypoints.visibility[-1].tolist() == [2, 0, 2, 0, 2]
    np.testing.assert_array_equal(out.instances.keypoints.xy[-1], place(cut, HALF, SIZE).instances.keypoints.xy[0])
    assert out.image.min() >= 99


def people():
    return Synthetic(COCO17, 6, (80, 64), seed=1, outside=0).dataset()


def test_a_head_without_labels_is_not_background():
    dataset = people()
    face = [i for i, name in enumerate(COCO17.points) if name.split("_")[-1] in ("nose", "eye", "ear")]
    sample = replace(view(), instances=dataset.instance(0).instances.each(lambda column: column[:0]))
    for i in range(6):
        other = dataset.instance(i)
        placement = Placement(other.instances.boxes[0], padding=1.0, scale=0.7)
        known = put(sample, other, placement, COCO17)
        assert len(known.ignore) == 1
        nose = known.instances.keypoints.xy[0, 0]
        other.instances.keypoints.visibility[:, face] = 0
        unknown = put(sample, other, placement, COCO17)
        x0, y0, x1, y1 = unknown.ignore[1]
        assert len(unknown.ignore) == 2
        assert x0 < nose[0] < x1 and y0 < nose[1] < y1


def test_who_cannot_be_pasted_is_left_out():
    sample, bare = view(), donor()
    bare.instances.keypoints.visibility[0, 2:] = 0
    assert put(sample, bare, HALF, BODY) is sample
    assert put(sample, donor(), replace(HALF, shift=(3.0, 0.0)), BODY) is sample
    assert paste(sample, [], np.random.default_rng(0), BODY) is sample


def test_depths_are_unknown_where_a_donor_has_none():
    flat = donor()
    points = replace(flat.instances.keypoints, depth=None, depth_known=None)
    out = put(view(), replace(flat, instances=replace(flat.instances, keypoints=points)), HALF, BODY)
    assert out.instances.keypoints.depth_known.all(-1).tolist() == [True, False]
    np.testing.assert_array_equal(out.instances.keypoints.depth[0], view().instances.keypoints.depth[0])


@given(seed=st.integers(0, 2**31), most=st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_pasting_follows_from_the_generator_and_draws_the_same_number(seed, most):
    rngs = [np.random.default_rng(seed) for _ in range(3)]
    bare = donor()
    bare.instances.keypoints.visibility[:] = 0
    one = paste(view(), [donor(0), donor(1)], rngs[0], BODY, most=most)
    two = paste(view(), [donor(0), donor(1)], rngs[1], BODY, most=most)
    paste(view(), [bare], rngs[2], BODY, most=most)
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.instances.keypoints.xy, two.instances.keypoints.xy)
    assert len({rng.random() for rng in rngs}) == 1
    assert 1 <= (one.instances.role == INSTANCE).sum() <= most + 1 and (one.instances.role != IGNORE).all()


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_donors_are_mirrored_as_often_as_asked(flip):
    for seed in range(6):
        out = paste(view(), [donor()], np.random.default_rng(seed), BODY, most=1, flip=flip)
        assert (out.instances.keypoints.depth[-1, 1] == 2) == (flip == 1)


def test_donors_are_not_blown_up_beyond_twice_their_size():
    small = donor()
    tiny = replace(small, instances=replace(small.instances, boxes=np.array([[50, 40, 58, 48]], np.float32)))
    xy = np.array([[[51, 41], [57, 42], [52, 46], [56, 47], [54, 44]]], np.float32)
    points = small.instances.keypoints
    points = replace(points, xy=np.repeat(xy, 2, axis=0))
    tiny = replace(tiny, instances=replace(tiny.instances, keypoints=points))
    for seed in range(10):
        box = paste(view(), [tiny], np.random.default_rng(seed), BODY, most=1).instances.boxes[-1]
        np.testing.assert_allclose(box[2:] - box[:2], 16, rtol=1e-4)


def test_training_pastes_as_often_as_asked():
    augment = Augment(scene=replace(STILL_SCENE, paste=0.5), colour=Photometric(brightness=0, contrast=0))
    sample = in_view(view())
    outs = [augment.train_scene(sample, np.random.default_rng(s), BODY, size=SIZE, people=[donor()]) for s in range(40)]
    pasted = [len(out.instances.role) > 1 or out.image.any() for out in outs]
    assert 10 < sum(pasted) < 30
    alone = augment.train_scene(sample, np.random.default_rng(3), BODY, size=SIZE)
    assert len(alone.instances.role) == 1 and not alone.image.any()


def test_pasting_and_mosaics_are_drawn_apart():
    augment = Augment(scene=replace(STILL_SCENE, mosaic=0.5, paste=0.5))
    four = [replace(donor(), path="other.png")] * 2
    many = [
        len(
            augment.train_scene(
                donor(), np.random.default_rng(s), BODY, size=(192, 256), scenes=four, people=[donor()]
            ).instances.role
        )
        for s in range(40)
    ]
    # Two people an image: 2, 2 and the pasted, and up to 8 with and without them.
    plain, mosaics = [n for n in many if n <= 4], [n for n in many if n > 4]
    assert 10 < len(plain) < 30
    assert {2} < set(plain)
    assert min(mosaics) <= 8 < max(mosaics)


def test_the_donor_and_the_view_are_left_alone():
    sample, other = view(), donor()
    before = [a.copy() for a in (sample.image, other.image, sample.instances.keypoints.visibility, other.ignore)]
    paste(sample, [other], np.random.default_rng(0), BODY)
    after = (sample.image, other.image, sample.instances.keypoints.visibility, other.ignore)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_messages():
    flat = donor()
    flat = replace(flat, instances=replace(flat.instances, boxes=np.array([[3, 3, 3, 9]], np.float32)))
    with pytest.raises(ValueError, match=r"donor\.png: a crop needs a finite box"):
        paste(view(), [flat], np.random.default_rng(0), BODY)
