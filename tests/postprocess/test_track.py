"""Identities: who keeps an id, who gets a new one, and that order, location and scale change nothing."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import tracks_of
from posekit.postprocess.track import Tracking
from posekit.skeletons import SKELETONS

COCO = SKELETONS["coco17"]
BODY = np.random.default_rng(3).uniform(0, 1, (17, 2)) * (30, 80)
"""A body of 30 x 80 pixels from its upper left corner."""
BIRTH = Tracking().score_threshold * Tracking().birth_score


def frame(*corners, score=0.8, **fields):
    """The same body with its upper left corner at each of ``corners``."""
    xy = np.array(corners, float).reshape(-1, 1, 2) + BODY
    poses = Poses(
        xy=xy,
        score=np.full(xy.shape[:2], 0.7),
        instance_score=np.broadcast_to(score, len(xy)).astype(float),
        boxes=np.concatenate([xy.min(1), xy.max(1)], -1),
    )
    return replace(poses, **fields)


def ids(tracker, poses, time):
    return tracker(poses, time).ids.tolist()


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("rate", [5, 10, 30])
def test_two_people_who_cross_keep_their_ids(rate, boxes):
    tracker = Tracking().start(COCO)
    for number in range(4 * rate + 1):
        step = 50 * number / rate
        poses = frame((step, 0), (200 - step, 4))
        found = tracker(poses if boxes else replace(poses, boxes=None), number / rate)
        assert found.ids.tolist() == [1, 2] and found.ids.dtype == np.int64


def test_people_who_cross_while_one_hides_the_other_keep_their_ids():
    tracker = Tracking().start(COCO)
    for number in range(41):
        step = 5.0 * number
        hidden = abs(2 * step - 200) < 30
        poses = frame((step, 0)) if hidden else frame((step, 0), (200 - step, 4))
        assert ids(tracker, poses, number / 10) == ([1] if hidden else [1, 2])


def test_ids_stay_when_a_person_leaves():
    tracker = Tracking().start(COCO)
    assert ids(tracker, frame((0, 0), (100, 0), (200, 0)), 0.0) == [1, 2, 3]
    assert ids(tracker, frame((100, 0), (200, 0)), 0.1) == [2, 3]
    assert ids(tracker, frame((200, 0), (100, 0)), 0.2) == [3, 2]
    # Who comes later, elsewhere, gets a fresh number.
    assert ids(tracker, frame((400, 0), (200, 0), (100, 0)), 0.3) == [4, 3, 2]


@pytest.mark.parametrize(("gap", "expected"), [(1.5, 1), (2.5, 2)])
def test_who_comes_back_in_time_near_the_prediction_keeps_the_id(gap, expected):
    tracker = Tracking(memory=2.0).start(COCO)
    for number in range(20):
        tracker(frame((4 * number, 0)), number / 10)
    last = 1.9
    for number in range(1, 100):
        if number / 10 < gap:
            assert len(tracker(frame(), last + number / 10)) == 0
    # 40 pixels a second on.
    assert ids(tracker, frame((76 + 40 * gap, 0)), last + gap) == [expected]


def test_who_comes_back_elsewhere_is_another():
    tracker = Tracking().start(COCO)
    tracker(frame((0, 0)), 0.0)
    tracker(frame((0, 0)), 0.1)
    assert ids(tracker, frame((300, 0)), 0.6) == [2]


def test_dropped_frames_and_unequal_times():
    tracker = Tracking().start(COCO)
    rng = np.random.default_rng(0)
    time = 0.0
    for _ in range(60):
        # One runs by the other at 3 of their sizes a second, in steps of 20 to 400 ms.
        assert ids(tracker, frame((150 * time, 0), (400, 60)), time) == [1, 2]
        time += float(rng.choice([0.02, 0.1, 0.4]))


def test_empty_frames():
    tracker = Tracking().start(COCO)
    for number in range(3):
        found = tracker(Poses.empty(17), number / 10)
        assert len(found) == 0 and found.ids.shape == (0,)
    assert ids(tracker, frame((0, 0)), 0.5) == [1]
    assert len(tracker(Poses.empty(17), 0.6)) == 0
    assert ids(tracker, frame((0, 0)), 0.7) == [1]


def test_a_low_score_continues_a_track_but_begins_none():
    tracker = Tracking(score_threshold=0.5, low=0.4).start(COCO)
    assert ids(tracker, frame((0, 0), (200, 0), score=[0.8, 0.3]), 0.0) == [1]
    found = tracker(frame((200, 0), (0, 0), score=[0.3, 0.3]), 0.1)
    assert found.ids.tolist() == [1] and found.xy[0, 0, 0] == BODY[0, 0]
    # Below 0.4 times the threshold it is not even that.
    assert ids(tracker, frame((0, 0), score=0.19), 0.2) == []
    # A track that was missed is not taken up again by a low score.
    assert ids(tracker, frame((0, 0), score=0.3), 0.3) == []
    assert ids(tracker, frame((0, 0), score=0.5), 0.4) == [1]


def test_a_high_score_comes_before_a_low_one_that_fits_better():
    tracker = Tracking(score_threshold=0.5).start(COCO)
    tracker(frame((0, 0)), 0.0)
    found = tracker(frame((0, 0), (6, 0), score=[0.3, 0.8]), 0.1)
    assert found.instance_score.tolist() == [0.8]


def test_birth_after_some_frames_in_a_row_or_with_a_high_score():
    tracker = Tracking(birth_frames=3).start(COCO)
    doubtful = BIRTH - 0.01
    assert [ids(tracker, frame((0, 0), score=doubtful), t / 10) for t in range(4)] == [[], [], [1], [1]]
    # Interrupted: it has to begin again.
    for t, there in ((4, True), (5, False), (6, True), (7, True)):
        assert ids(tracker, frame(*[(300, 0)] * there, score=doubtful), t / 10) == []
    assert ids(tracker, frame((300, 0), (600, 0), score=[doubtful, BIRTH]), 0.8) == [3, 2]


def test_duplicates_begin_no_track():
    tracker = Tracking().start(COCO)
    tracker(frame((0, 0)), 0.0)
    assert ids(tracker, frame((0, 0), (1, 1)), 0.1) == [1]
    assert ids(tracker, frame((0, 0), (20, 0)), 0.2) == [1, 2]


def test_points_that_are_no_numbers_are_left_out():
    tracker = Tracking().start(COCO)
    rng = np.random.default_rng(1)
    for number in range(20):
        poses = frame((3 * number, 0), (60 - 3 * number, 90))
        gone = rng.uniform(size=poses.score.shape) < 0.4
        xy = np.where(gone[..., None], np.nan, poses.xy)
        score = np.where(gone & (rng.uniform(size=gone.shape) < 0.5), np.nan, poses.score)
        found = tracker(replace(poses, xy=xy, score=score, boxes=None), number / 10)
        assert found.ids.tolist() == [1, 2]
        np.testing.assert_array_equal(found.xy, xy)
    for values in (tracker.tracks.xy, tracker.tracks.velocity, tracker.tracks.variance, tracker.tracks.boxes):
        assert np.isfinite(values).all()


def test_instances_without_any_number_are_dropped_and_do_no_harm():
    tracker = Tracking().start(COCO)
    poses = frame((0, 0), (200, 0), (400, 0))
    poses.xy[1], poses.boxes[1], poses.instance_score[2] = np.nan, np.nan, np.nan
    assert ids(tracker, poses, 0.0) == [1]
    assert ids(tracker, frame((0, 0), (200, 0)), 0.1) == [1, 2]


def test_without_common_points_the_boxes_decide():
    tracker = Tracking().start(COCO)
    tracker(frame((0, 0), (100, 0)), 0.0)
    assert ids(tracker, frame((100, 0), (2, 0)), 0.1) == [2, 1]
    blind = frame((102, 0), (4, 0))
    assert ids(tracker, replace(blind, score=np.zeros_like(blind.score)), 0.2) == [2, 1]


def test_categories_are_tracked_apart():
    tracker = Tracking().start(COCO)
    assert ids(tracker, frame((0, 0), category=np.array([0])), 0.0) == [1]
    assert ids(tracker, frame((0, 0), category=np.array([1])), 0.1) == [2]


def test_two_hundred_people():
    rng = np.random.default_rng(0)
    corner = np.stack(np.meshgrid(np.arange(20) * 60.0, np.arange(10) * 110.0), -1).reshape(-1, 2)
    speed = rng.normal(0, 30, corner.shape)
    tracker = Tracking().start(COCO)
    first = tracker(frame(*corner), 0.0)
    assert sorted(first.ids.tolist()) == list(range(1, 201))
    kept = 0
    for number in range(1, 11):
        order = rng.permutation(200)
        found = tracker(frame(*(corner + speed * number / 20)[order]), number / 20)
        kept += int((found.ids == first.ids[order]).sum())
    assert kept == 2000


def wander(seed, frames=12, people=4):
    """Frames of people who wander, with noise, misses and low scores."""
    rng = np.random.default_rng(seed)
    corner, speed = rng.uniform(0, 250, (people, 2)), rng.normal(0, 60, (people, 2))
    for number in range(frames):
        some = rng.uniform(size=people) > 0.2
        poses = frame(*(corner + speed * number / 10)[some], score=rng.uniform(0.1, 0.9, int(some.sum())))
        yield number / 10, replace(poses, xy=poses.xy + rng.normal(0, 1.5, poses.xy.shape))


@given(st.integers(0, 9999))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_instances_changes_nothing(seed):
    one, other, rng = Tracking().start(COCO), Tracking().start(COCO), np.random.default_rng(seed)
    for time, poses in wander(seed):
        order = rng.permutation(len(poses))
        plain, permuted = one(poses, time), other(poses[order], time)
        assert dict(zip(plain.ids.tolist(), plain.xy[:, 0, 0], strict=True)) == dict(
            zip(permuted.ids.tolist(), permuted.xy[:, 0, 0], strict=True)
        )


@given(st.integers(0, 9999), st.sampled_from([0.25, 0.5, 2.0, 8.0]), st.integers(-3000, 3000))
@settings(max_examples=25, deadline=None)
def test_location_and_scale_change_nothing(seed, scale, shift):
    one, other = Tracking().start(COCO), Tracking().start(COCO)
    for time, poses in wander(seed):
        moved = poses.transformed(np.array([[scale, 0, shift], [0, scale, 2 * shift], [0, 0, 1.0]]))
        assert ids(one, poses, time) == ids(other, moved, time)


@given(st.integers(0, 9999))
@settings(max_examples=25, deadline=None)
def test_ids_begin_at_one_are_used_once_and_fill_the_tracks(seed):
    tracker = Tracking().start(COCO)
    times, frames = zip(*((time, tracker(poses, time)) for time, poses in wander(seed)), strict=True)
    tracks = tracks_of(frames, times)
    assert {track.id for track in tracks} == set(range(1, tracker.last_id + 1))
    assert sum(len(track) for track in tracks) == sum(map(len, frames))


def picture(*corners, size=(120, 320)):
    """A textured patch at each corner on a textured ground."""
    rng = np.random.default_rng(5)
    image = cv2.GaussianBlur(rng.integers(0, 120, (*size, 3), np.uint8), (0, 0), 2)
    patch = cv2.GaussianBlur(rng.integers(0, 255, (84, 34, 3), np.uint8), (0, 0), 2) // 2 + 128
    for x, y in np.array(corners, int):
        image[y : y + 84, x : x + 34] = patch
    return image


def test_flow_predicts_points_that_accelerate():
    step = 8
    plain, flowing = Tracking().start(COCO), Tracking(flow=True).start(COCO)
    for tracker in (plain, flowing):
        for number in range(2):
            tracker(frame((100, 10)), number / 10, picture((100, 10)))
        tracker.advance(0.2, picture((100 + step, 10)))
    moved = flowing.predicted.xy.mean(1) - plain.predicted.xy.mean(1)
    # At rest until now: only flow can tell. It is weighed against the motion before.
    assert 0.5 * step < moved[0, 0] < 1.1 * step and abs(moved[0, 1]) < 1


def test_predicted_tracks_are_those_of_the_last_frame():
    tracker = Tracking().start(COCO)
    for number in range(20):
        tracker(frame((5 * number, 0), (0, 200)), number / 10)
    tracker(frame((100, 0)), 2.0)
    tracker.advance(2.2)
    assert tracker.predicted.ids.tolist() == [1]
    np.testing.assert_allclose(tracker.predicted.xy[0], frame((110, 0)).xy[0], atol=1.0)


def test_follow_takes_known_ids_and_keeps_the_others():
    tracker = Tracking().start(COCO)
    tracker(frame((0, 0), (100, 0), (200, 0)), 0.0)
    tracker.advance(0.1)
    tracker.follow(frame((204, 0), (4, 0), ids=np.array([3, 1])), 0.1)
    # The second was not followed, but it comes back.
    assert ids(tracker, frame((100, 0), (8, 0), (208, 0)), 0.2) == [2, 1, 3]
    tracker.follow(frame(ids=np.zeros(0, int)), 0.3)
    with pytest.raises(ValueError, match=r"expected 1 distinct ids of the tracks \[1, 2, 3\]; got \[7\]"):
        tracker.follow(frame((0, 0), ids=np.array([7])), 0.4)


def test_what_cannot_be_tracked_is_refused():
    tracker = Tracking().start(COCO)
    tracker(frame((0, 0)), 1.0)
    for time in (1.0, 0.5, np.nan):
        with pytest.raises(ValueError, match=f"expected a time in seconds after 1.0; got {time}"):
            tracker(frame((0, 0)), time)
    with pytest.raises(ValueError, match=r"\(N, 17, 2\) for skeleton 'coco17'; got \(0, 5, 2\)"):
        tracker(Poses.empty(5), 2.0)
    with pytest.raises(ValueError, match="tracking with flow needs the image of each frame"):
        Tracking(flow=True).start(COCO)(frame((0, 0)), 0.0)
    with pytest.raises(ValidationError, match="memory"):
        Tracking(memory=0)


def test_repr_counts_tracks():
    tracker = Tracking().start(COCO)
    tracker(frame((0, 0), (100, 0)), 0.0)
    assert repr(tracker).startswith("Tracker(2 tracks of 'coco17'")
