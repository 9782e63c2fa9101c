"""Tracks to learn from: people with depth, errors added, pieces of batches."""

from dataclasses import replace

import numpy as np
import pytest

from posekit.data.error_process import RANKS, ErrorProcess
from posekit.data.labelled_tracks import batch_of, synthetic_tracks, with_errors
from posekit.data.moving_people import turning_person
from posekit.geometry.root import root_of
from posekit.geometry.tracks import held
from posekit.skeletons import SKELETONS

SKELETON = SKELETONS["coco17"]


def test_people_who_turn_have_depths_about_the_root():
    times, xy, depth = turning_person(SKELETON, 6.0, 25, seed=4)
    assert xy.shape == (150, 17, 2) and depth.shape == (150, 17) and times[1] == 0.04
    hips = list(root_of(SKELETON.points))
    assert hips == [11, 12] and np.abs(depth[:, hips].mean(1)).max() < 1e-9
    # Half of a second or less apart the depth of a wrist moves as its place does: some pixels a frame at most.
    assert 1 < np.abs(np.diff(depth[:, 9])).max() < 40
    _, slow_xy, slow = turning_person(SKELETON, 6.0, 5, seed=4)
    np.testing.assert_allclose(depth[::5], slow, atol=1e-6)
    np.testing.assert_allclose(xy[::5], slow_xy, atol=1e-6)


def test_the_face_is_in_front_of_the_ears_and_shows_which_way_a_person_turns():
    for seed in range(5):
        _, xy, depth = turning_person(SKELETON, 4.0, 25, seed=seed)
        nose, ears = 0, [3, 4]
        shown = xy[:, 5, 0] - xy[:, 6, 0]  # left shoulder to the right of the image: seen from the front
        front, back = shown > 30, shown < -30
        near = depth[:, nose] - depth[:, ears].mean(1)
        assert (near[front] < 5).all() and (near[back] > -5).all()


def test_the_root_of_other_skeletons():
    assert root_of(("nose", "pelvis", "left_hip", "right_hip")) == (1,)
    assert root_of(("a", "b")) == (0, 1)


def test_synthetic_tracks_are_repeated_by_their_seed():
    one, again, other = (synthetic_tracks(SKELETON, 3, seed, frames=30) for seed in (0, 0, 1))
    for a, b, c in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(a.xy, b.xy)
        assert a.xy.shape != c.xy.shape or np.abs(a.xy - c.xy).max() > 1
    flat = synthetic_tracks(SKELETON, 3, 0, frames=30, turning=0.0)
    assert not any(track.depth_known.any() for track in flat)
    assert all(t.depth_known.all() for t in synthetic_tracks(SKELETON, 3, 0, frames=30, turning=1.0))


def test_points_whose_truth_is_not_known_are_not_measured():
    times, xy, depth = turning_person(SKELETON, 2.0, 25, seed=1)
    known = np.ones((50, 17), bool)
    known[10:, 7] = False
    xy[10:, 7] = np.nan
    depth[:5] = np.nan
    track = with_errors(times, xy, SKELETON, 0.04, np.random.default_rng(0), known=known, depth=depth)
    assert np.isfinite(track.xy).all() and np.isfinite(track.depth).all() and np.isfinite(track.true).all()
    assert (track.score[10:, 7] == 0).all() and (track.score[:10, 7] > 0).all()
    # The mirror point may have been exchanged with it.
    assert (track.score[10:, 8] == 0).all()
    assert not track.depth_known[:5].any() and track.depth_known[5:].all()
    assert 100 < np.median(track.size) < 400
    assert not track.without_depth().depth_known.any()


def test_pieces_are_in_object_sizes_and_begin_where_the_track_does():
    tracks = synthetic_tracks(SKELETON, 2, 0, frames=20, turning=1.0)
    batch = batch_of(tracks, SKELETON, 6, 32, np.random.default_rng(0))
    assert batch.points.shape == (6, 32, 17, 3) and batch.points.dtype == np.float32
    long = [len(track) for track in tracks]
    assert set(batch.begun.sum(1).tolist()) <= set(long)
    assert (batch.score[~batch.begun] == 0).all() and (batch.step > 0).all()
    assert np.abs(batch.true).max() < 5
    off = np.linalg.norm(batch.points[..., :2] - batch.true, axis=-1)
    assert np.median(off[batch.score > 0]) < 0.2
    again = batch_of(tracks, SKELETON, 6, 32, np.random.default_rng(0))
    np.testing.assert_array_equal(again.points, batch.points)


def test_a_mirrored_piece_keeps_who_is_where_in_depth():
    # A person whose left wrist alone lies in front: in every piece the wrist in front is the left one.
    times, xy, _ = turning_person(SKELETON, 2.0, 25, seed=1)
    depth = np.zeros((50, 17))
    depth[:, 9] = -50
    track = with_errors(times, xy, SKELETON, 0.04, np.random.default_rng(0), depth=depth)
    track = replace(track, xy=track.true, score=np.ones((50, 17)))
    batch = batch_of([track], SKELETON, 12, 40, np.random.default_rng(0))
    mirrored = batch.depth[:, -1, 10] < 0
    assert 0 < mirrored.sum() < 12 and (batch.depth[~mirrored, -1, 9] < 0).all()


def test_what_is_missing_holds_its_last_value():
    values = np.arange(5.0)[None, :, None, None]
    found, there = held(values, np.array([[False, True, False, False, True]])[..., None])
    assert found.ravel().tolist() == [0, 1, 1, 1, 4]
    assert there.ravel().tolist() == [False, True, True, True, True]


def test_points_that_were_not_measured_err_as_the_mean_of_those_that_were():
    hand, frames = SKELETONS["hand21"], 4000
    true = np.tile(np.random.default_rng(0).normal(0, 50, (21, 2)), (frames, 1, 1))
    track = with_errors(np.arange(frames) / 25, true, hand, 0.0, np.random.default_rng(0))
    off = np.linalg.norm(track.xy - true, axis=-1) / track.size[:, None]
    process = ErrorProcess.load()
    median = np.mean([length[RANKS.index(50)] for length in process.length.values()])
    assert np.median(off[:, 3]) == pytest.approx(median, rel=0.1)
    # The wrist was measured.
    assert np.median(off[:, 0]) == pytest.approx(process.length["wrist"][RANKS.index(50)], rel=0.1)
