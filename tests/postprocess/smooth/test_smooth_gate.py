"""Outliers, jumps, new and dead instances, and the object's size."""

from dataclasses import replace

import numpy as np
import pytest
from smooth_tracks import of_values, walk, x_of

from posekit.geometry.keypoints import Poses
from posekit.postprocess.smooth.ema import Ema
from posekit.postprocess.smooth.gate import fresh_gate, read
from posekit.postprocess.smooth.handling import Handling
from posekit.postprocess.smooth.kalman import Kalman
from posekit.postprocess.smooth.median import Median
from posekit.postprocess.smooth.one_euro import OneEuro
from posekit.postprocess.smooth.rows import Rows
from posekit.postprocess.smooth.rts import Rts
from posekit.postprocess.smooth.savgol import SavGol

FILTERS = pytest.mark.parametrize(
    "smoother", [Ema(), OneEuro(min_cutoff=1.0), Kalman(), Kalman(delay=80.0), Median()], ids=lambda s: s.kind
)


def frame(xy, ids, score=None, boxes=None):
    xy = np.asarray(xy, np.float64)
    score = np.ones(xy.shape[:2]) if score is None else np.asarray(score)
    return Poses(xy, score, np.ones(len(xy)), ids=np.asarray(ids), boxes=boxes)


def person(x, y=0.0):
    """Five points in a box of 100 by 100."""
    return np.array([[0, 0], [100, 0], [100, 100], [0, 100], [50, 50]]) + np.array([x, y])


@FILTERS
def test_a_single_outlier_is_rejected_and_marked(smoother):
    values = np.full(20, 4.0)
    values[10] = 34.0
    found = smoother.track(of_values(values, 25, 100.0)).poses
    np.testing.assert_allclose(found.xy[..., 0], 4.0, atol=1e-9)
    assert np.flatnonzero(found.filled[:, 0]).tolist() == [10]
    assert 0 < found.score[10, 0] < 1
    assert (found.score[np.arange(20) != 10, 0] == 1).all()


@FILTERS
@pytest.mark.parametrize("patience", [0, 1, 3])
def test_a_point_that_stays_where_it_jumped_to_starts_anew_there(smoother, patience):
    values = np.repeat([4.0, 44.0], 15)
    # Another point keeps the instance in place, so that it does not jump as a whole.
    track = of_values(values, 25, 100.0)
    xy = np.concatenate([track.poses.xy, np.zeros((30, 2, 2))], 1)
    track = replace(track, poses=replace(track.poses, xy=xy, score=np.ones((30, 3))))
    found = replace(smoother, patience=patience).track(track).poses
    assert np.flatnonzero(found.filled[:, 0]).tolist() == list(range(15, 15 + patience))
    np.testing.assert_allclose(found.xy[: 15 + patience, 0, 0], 4.0, atol=1e-9)
    np.testing.assert_allclose(found.xy[15 + patience :, 0, 0], 44.0, atol=1e-9)


def test_outliers_here_and_there_are_not_believed():
    values = np.full(20, 0.0)
    values[8:14] = [20, -20, 20, -20, 20, -20]
    found = Ema(fill=1.0).track(of_values(values, 25, 100.0))
    np.testing.assert_allclose(x_of(found), 0.0, atol=1e-9)


@pytest.mark.parametrize("smoother", [SavGol(), Rts()], ids=lambda s: s.kind)
def test_offline_a_jump_counts_from_its_first_frame(smoother):
    values = np.repeat([4.0, 44.0], 15)
    track = of_values(values, 25, 100.0)
    xy = np.concatenate([track.poses.xy, np.zeros((30, 2, 2))], 1)
    found = smoother.track(replace(track, poses=replace(track.poses, xy=xy, score=np.ones((30, 3))))).poses
    np.testing.assert_allclose(found.xy[:, 0, 0], values, atol=1e-6)
    assert not found.filled.any()


@FILTERS
def test_an_instance_that_jumps_starts_anew(smoother):
    stream = smoother.stream(5)
    for number in range(10):
        stream(frame([person(0)], [7]), number / 25)
    found = stream(frame([person(300)], [7]), 10 / 25)
    np.testing.assert_allclose(found.xy[0], person(300))
    assert not found.filled.any()


@FILTERS
def test_exchanged_identities_start_anew(smoother):
    stream = smoother.stream(5)
    for number in range(10):
        stream(frame([person(0), person(400)], [7, 2]), number / 25)
    found = stream(frame([person(0), person(400)], [2, 7]), 10 / 25)
    np.testing.assert_allclose(found.xy, [person(0), person(400)])


@FILTERS
def test_a_new_id_and_one_that_comes_back_start_anew(smoother):
    stream = smoother.stream(5)
    stream(frame([person(0)], [7]), 0.0)
    np.testing.assert_allclose(stream(frame([person(10)], [8]), 0.04).xy[0], person(10))
    late = stream(frame([person(20), person(30)], [7, 8]), 0.9).xy
    np.testing.assert_allclose(late, [person(20), person(30)])
    soon = stream(frame([person(40)], [7]), 0.94).xy[0]
    if not isinstance(smoother, OneEuro):
        assert np.abs(soon - person(40)).max() > 0.1


def test_dead_instances_are_forgotten():
    stream = Kalman(delay=40.0).stream(5)
    for number in range(400):
        stream(frame([person(0), person(300)], [number // 4, 1000 + number // 4]), number / 25)
    # Half a second at 25 fps are 12 frames, of three or four ids a person.
    assert len(stream) <= 10
    stream(Poses.empty(5), 100.0)
    assert len(stream) == 0


def test_a_gap_in_an_instance_is_no_gap_in_time():
    """Frames without the instance pass time: the gain afterwards is that of the whole time."""
    stream = Ema(tau=100.0).stream(5)
    stream(frame([person(0)], [7]), 0.0)
    stream(Poses.empty(5), 0.04)
    found = stream(frame([person(10)], [7]), 0.08)
    np.testing.assert_allclose(found.xy[0, 0, 0], 10 * -np.expm1(-0.8))


def test_order_of_instances_does_not_matter():
    tracks = [walk(seed=n, id=n).poses.xy for n in range(4)]
    one, other = Kalman(delay=40.0).stream(5), Kalman(delay=40.0).stream(5)
    rng = np.random.default_rng(1)
    for number in range(20):
        xy, ids = np.stack([t[number] for t in tracks]), np.array([40, 3, 17, 8])
        order = rng.permutation(4)
        plain = one(frame(xy, ids), number / 25)
        mixed = other(frame(xy[order], ids[order]), number / 25)
        np.testing.assert_array_equal(mixed.xy, plain.xy[order])


def test_order_of_points_does_not_matter():
    track = walk()
    order = np.array([3, 0, 4, 1, 2])
    mixed = replace(track, poses=replace(track.poses, xy=track.poses.xy[:, order], score=track.poses.score[:, order]))
    for smoother in (Kalman(delay=40.0), OneEuro(), Rts(), SavGol()):
        np.testing.assert_allclose(smoother.track(mixed).poses.xy, smoother.track(track).poses.xy[:, order], atol=1e-9)


def test_min_score():
    score = np.array([1, 1, 0.3, 0.3, 1.0])
    found = Ema(tau=0.0, min_score=0.3).track(of_values([1, 1, 5, 5, 2], 25, 100.0, score)).poses
    np.testing.assert_allclose(found.xy[:, 0, 0], [1, 1, 1, 1, 2])
    np.testing.assert_allclose(found.score[2:4, 0], [1 - 0.04 / 0.2, 1 - 0.08 / 0.2], atol=1e-5)


def test_size_of_boxes_and_points():
    xy = np.array([[[0.0, 0.0], [60.0, 0.0], [0.0, 20.0]]])
    with_boxes = frame(xy, [1], boxes=np.array([[0.0, 0.0, 100.0, 50.0]]))
    for poses, expected in (
        (with_boxes, 75.0),
        (frame(xy, [1]), 40.0),
        (frame(xy, [1], boxes=np.full((1, 4), np.nan)), 40.0),
        (frame(xy, [1], score=[[1.0, 0.0, 0.0]]), 1.0),
    ):
        reading, _ = read(poses, 0.0, fresh_gate(1, 3), np.zeros(1, bool), Handling())
        assert reading.size[0] == expected
    # The size follows with a time constant of half a second.
    _, state = read(with_boxes, 0.0, fresh_gate(1, 3), np.zeros(1, bool), Handling())
    doubled = frame(xy, [1], boxes=np.array([[0.0, 0.0, 200.0, 100.0]]))
    reading, _ = read(doubled, 0.1, state, np.ones(1, bool), Handling())
    assert reading.size[0] == pytest.approx(75 - 75 * np.expm1(-0.2))


def test_without_a_size_nothing_is_an_outlier():
    stream = Ema(tau=0.0).stream(1)
    for number, x in enumerate((0.0, 5.0, 900.0)):
        found = stream(frame([[[x, 0.0]]], [1]), number / 25)
        assert found.xy[0, 0, 0] == x


def test_rows():
    rows = Rows()
    fresh = {"a": np.zeros(2)}
    state, known = rows.take(np.array([5, 3]), fresh)
    assert known.tolist() == [False, False]
    rows.put(np.array([5, 3]), {"a": np.array([50.0, 30.0])}, np.zeros(0, bool))
    assert rows.ids.tolist() == [3, 5]
    state, known = rows.take(np.array([9, 5]), fresh)
    assert known.tolist() == [False, True]
    assert state["a"].tolist() == [0.0, 50.0]
    rows.put(np.array([9, 5]), {"a": np.array([90.0, 51.0])}, np.array([True, True]))
    assert rows.ids.tolist() == [3, 5, 9]
    assert rows.state["a"].tolist() == [30.0, 51.0, 90.0]
    rows.put(np.array([9]), {"a": np.array([91.0])}, np.array([False, True, True]))
    assert rows.ids.tolist() == [5, 9]


def test_errors_of_a_stream():
    stream = Ema().stream(5)
    stream(frame([person(0)], [1]), 1.0)
    with pytest.raises(
        ValueError, match=r"frames must come in order of time: 1\.0 s after 1\.0 s; leave the frame out"
    ):
        stream(frame([person(0)], [1]), 1.0)
    with pytest.raises(ValueError, match="instances have no ids; track them before smoothing"):
        stream(replace(frame([person(0)], [1]), ids=None), 2.0)
    with pytest.raises(ValueError, match=r"expected poses of one frame, \(N, 5, 2\); got \(1, 4, 2\)"):
        stream(frame([person(0)[:4]], [1]), 2.0)
    with pytest.raises(ValueError, match=r"an id occurs twice in one frame: \[4, 4\]"):
        stream(frame([person(0), person(9)], [4, 4]), 2.0)
    with pytest.raises(ValueError, match=r"at 2\.0 s: depths must come in every frame or in none"):
        stream(replace(frame([person(0)], [1]), depth=np.zeros((1, 5))), 2.0)
    # What was refused has changed nothing.
    assert len(stream(frame([person(0)], [1]), 2.0)) == 1
