"""What every filter promises, whichever it is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from smooth_tracks import OFF, of_values, walk, x_of

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track, frames_of
from posekit.postprocess.smooth import SMOOTHERS
from posekit.postprocess.smooth.clip import smooth_clip
from posekit.postprocess.smooth.ema import Ema
from posekit.postprocess.smooth.kalman import Kalman
from posekit.postprocess.smooth.lag import lag, ramp_lag, ungated
from posekit.postprocess.smooth.median import Median
from posekit.postprocess.smooth.one_euro import OneEuro
from posekit.postprocess.smooth.rts import Rts
from posekit.postprocess.smooth.savgol import SavGol
from posekit.postprocess.smooth.two_pass import TwoPass

CASES = {
    **{name: made() for name, made in SMOOTHERS.items()},
    "kalman-delay": Kalman(delay=80.0, noise=0.01),
    "kalman-position": Kalman(model="position"),
    "one-euro-filtered": OneEuro(derivative="filtered", beta=5.0, min_cutoff=1.0),
    "two-pass-one-euro": TwoPass(filter=OneEuro(min_cutoff=1.0, beta=1.0)),
}
CAUSAL = [name for name, smoother in CASES.items() if smoother.causal]
OFFLINE = [name for name, smoother in CASES.items() if not smoother.causal]
ANY = pytest.mark.parametrize("name", CASES)
RATES = pytest.mark.parametrize("fps", [10, 25, 60])


def inner(smoother, **changes):
    """The filter with other shared settings; of two passes, the filter of both."""
    if isinstance(smoother, TwoPass):
        return replace(smoother, filter=replace(smoother.filter, **changes))
    return replace(smoother, **changes)


def test_all_filters_have_their_names():
    assert list(SMOOTHERS) == ["ema", "one-euro", "kalman", "median", "savgol", "rts", "two-pass"]
    assert all(made().kind == name for name, made in SMOOTHERS.items())
    assert [name for name in SMOOTHERS if not SMOOTHERS[name]().causal] == ["savgol", "rts", "two-pass"]


@ANY
def test_settings_go_through_json(name):
    kind = type(CASES[name])
    adapter = TypeAdapter(kind)
    assert adapter.validate_python(json.loads(adapter.dump_json(CASES[name]))) == CASES[name]
    with pytest.raises(ValidationError, match="wrong"):
        adapter.validate_python({"wrong": 1})


@ANY
def test_a_clip_is_smoothed_as_each_track_by_itself(name):
    tracks = [walk(seed=n, id=n, frames=frames) for n, frames in ((5, 30), (2, 41), (9, 12))]
    done = smooth_clip(CASES[name], tracks)
    for track, found in zip(tracks, done, strict=True):
        alone = CASES[name].track(track)
        np.testing.assert_array_equal(found.poses.xy, alone.poses.xy)
        np.testing.assert_array_equal(found.poses.filled, alone.poses.filled)
        assert found.poses.ids is None
    with pytest.raises(ValueError, match="each track needs an id of its own"):
        smooth_clip(CASES[name], [tracks[0], tracks[0]])


@ANY
def test_shape_type_and_other_fields_stay(name):
    track = walk()
    poses = replace(track.poses.each(lambda a: a.astype(np.float32)), ids=np.full(len(track), 3))
    found = CASES[name].track(replace(track, poses=poses))
    assert found.poses.xy.shape == poses.xy.shape
    assert found.poses.xy.dtype == found.poses.score.dtype == np.float32
    np.testing.assert_array_equal(found.poses.ids, poses.ids)
    np.testing.assert_array_equal(found.poses.boxes, poses.boxes)
    np.testing.assert_allclose(found.poses.score, poses.score)
    assert not found.poses.filled.any()


@pytest.mark.parametrize("name", CAUSAL)
def test_a_stream_gives_what_the_track_gives(name):
    tracks = [walk(seed=n, id=n) for n in (4, 1, 7)]
    tracks[1] = replace(tracks[1], poses=tracks[1].poses[10:], frames=tracks[1].frames[10:], times=tracks[1].times[10:])
    named = [replace(t, poses=replace(t.poses, ids=np.full(len(t), t.id))) for t in tracks]
    stream = CASES[name].stream(5)
    rng = np.random.default_rng(0)
    done = {}
    for number, poses in enumerate(frames_of(named, 40, 5)):
        order = rng.permutation(len(poses))
        found = stream(poses[order], number / 25)
        np.testing.assert_array_equal(found.ids, poses.ids[order])
        for row, id in enumerate(found.ids):
            done[int(id), number] = found.xy[row]
    for track in tracks:
        alone = CASES[name].track(track)
        for frame, xy in zip(alone.frames, alone.poses.xy, strict=True):
            np.testing.assert_array_equal(done[track.id, int(frame)], xy)


@ANY
@RATES
def test_constant_in_constant_out(name, fps):
    found = CASES[name].track(of_values(np.full(30, 7.5), fps, 20.0))
    np.testing.assert_allclose(x_of(found), 7.5, atol=1e-9)


@ANY
@settings(max_examples=15, deadline=None)
@given(
    scale=st.floats(0.1, 30),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    seed=st.integers(0, 1000),
)
def test_moves_and_scales_with_the_image(name, scale, shift, seed):
    track = walk(seed=seed, frames=18, noise=8.0)
    moved = replace(
        track,
        poses=replace(
            track.poses,
            xy=track.poses.xy * scale + shift,
            boxes=track.poses.boxes * scale + np.tile(np.array(shift), 2),
        ),
    )
    plain, other = CASES[name].track(track), CASES[name].track(moved)
    np.testing.assert_allclose(other.poses.xy, plain.poses.xy * scale + shift, rtol=1e-6, atol=1e-6 * (scale + 100))
    np.testing.assert_array_equal(other.poses.filled, plain.poses.filled)


@ANY
def test_time_counts_from_any_start(name):
    track = walk(frames=20)
    later = replace(track, times=track.times + 4096.0)
    np.testing.assert_allclose(CASES[name].track(later).poses.xy, CASES[name].track(track).poses.xy, atol=1e-6)


@ANY
@RATES
def test_a_step_is_reached(name, fps):
    values = np.concatenate([np.zeros(2 * fps), np.full(2 * fps, 0.2)])
    smoother = ungated(CASES[name])
    if isinstance(smoother, OneEuro):
        smoother = replace(smoother, min_cutoff=1.0)
    found = x_of(inner(smoother, gap=10.0).track(of_values(values, fps)))
    assert abs(found[fps]) < 1e-3
    assert found[-1] == pytest.approx(0.2, abs=5e-3)
    # A step causes no more overshoot than a second-order filter's.
    assert found.max() < 0.2 * 1.35
    assert found.min() > -0.2 * 0.35


@ANY
@RATES
def test_lag_on_a_ramp(name, fps):
    smoother, frame = CASES[name], 1000 / fps
    expected = {
        "ema": Ema(tau=60.0).lag(fps),
        "median": 2 * frame,
        "kalman": 0.0,
        "kalman-delay": 80.0,
        "savgol": 0.0,
        "rts": 0.0,
        "two-pass": 0.0,
    }
    found = ramp_lag(smoother, fps, speed=1.0)
    if name in expected:
        assert found == pytest.approx(expected[name], abs=0.02 * frame)
    else:
        assert -0.02 * frame < found < 400


@pytest.mark.parametrize("fps", [10, 25, pytest.param(60, marks=pytest.mark.slow)])
def test_phase_lag(fps):
    # alpha / (1 - (1 - alpha) e^-jw): the phase at w, in closed form.
    w = 2 * np.pi / fps
    gain = Ema(tau=60.0).gain(1 / fps)
    phase = -np.angle(gain / (1 - (1 - gain) * np.exp(-1j * w)))
    assert lag(Ema(tau=60.0), fps) == pytest.approx(phase / (2 * np.pi) * 1000, abs=0.5)
    assert lag(Median(frames=5), fps, frequency=0.25) == pytest.approx(2000 / fps, rel=0.05)
    for smoother in (SavGol(), Rts(), TwoPass()):
        assert lag(smoother, fps) == pytest.approx(0, abs=0.5)
    late = [lag(Kalman(noise=0.02, motion=motion), fps) for motion in (20.0, 2.0, 0.2)]
    assert late == sorted(late)
    # One-Euro delays fast motion less.
    one_euro = OneEuro(min_cutoff=0.5, beta=5.0)
    assert lag(one_euro, fps, amplitude=0.5) < lag(one_euro, fps, amplitude=0.02)
    with pytest.raises(ValueError, match="expected a frequency between 0 and"):
        lag(one_euro, fps, frequency=fps)


def test_values_for_each_point():
    each = Kalman(noise=(0.01, 0.02, 0.03, 0.02, 0.01), motion=(2.0, 3.0, 4.0, 2.0, 1.0), delay=80.0)
    track = walk()
    found = each.track(track).poses.xy
    alone = Kalman(noise=0.03, motion=4.0, delay=80.0).track(track).poses.xy
    np.testing.assert_allclose(found[:, 2], alone[:, 2])
    assert np.abs(found[:, 1] - alone[:, 1]).max() > 0.01
    assert ramp_lag(each, 25) == pytest.approx(80, abs=1)
    with pytest.raises(ValueError, match="noise has 5 values for 17 points; give one, or one for each point"):
        each.stream(17)
    with pytest.raises(ValueError, match="motion has 2 values for 5 points"):
        Rts(motion=(1.0, 2.0)).track(track)


def test_lag_falls_as_promised_by_the_delay():
    plain = lag(Kalman(noise=0.02, motion=3.0, delay=0.0), 25)
    late = lag(Kalman(noise=0.02, motion=3.0, delay=80.0), 25)
    assert plain < 40
    assert 75 < late < 80 + plain


@pytest.mark.parametrize("name", ["ema", "kalman", "one-euro", "kalman-delay"])
def test_dropped_frames_and_uneven_times(name):
    """A slow movement read at 60 fps, with frames dropped and times jittered, comes out nearly the same."""
    rng = np.random.default_rng(3)
    smoother = CASES[name]
    if isinstance(smoother, OneEuro):
        smoother = replace(smoother, min_cutoff=1.5, beta=0.0)

    def smoothed(times):
        track = of_values(0.3 * np.sin(2 * np.pi * 0.3 * times))
        return np.interp(np.arange(1.0, 4.0, 0.1), times, x_of(smoother.track(replace(track, times=times))))

    even = np.arange(300) / 60
    dropped = even[np.sort(rng.permutation(300)[:200])]
    jittered = even + rng.uniform(-0.005, 0.005, 300)
    np.testing.assert_allclose(smoothed(dropped), smoothed(even), atol=0.01)
    np.testing.assert_allclose(smoothed(jittered), smoothed(even), atol=0.01)


def test_ema_takes_two_half_steps_as_one():
    values = np.array([0.0, 5.0])
    whole = x_of(Ema(**OFF).track(of_values(values, 10)))[-1]
    halves = x_of(Ema(**OFF).track(of_values([0.0, 5.0, 5.0], 20)))[-1]
    assert halves == pytest.approx(whole)


@ANY
@pytest.mark.parametrize("how", ["nan", "inf", "zero score", "nan score"])
def test_missing_points_never_poison_the_state(name, how):
    rng = np.random.default_rng(8)
    track = walk(frames=60)
    gone = rng.random((60, 5)) < 0.3
    gone[:3, 1] = gone[40:44, 2] = gone[-2:, 3] = gone[:, 4] = True
    xy, score = track.poses.xy.copy(), track.poses.score.copy()
    if how in ("nan", "inf"):
        xy[gone] = np.nan if how == "nan" else np.inf
    else:
        score[gone] = 0 if how == "zero score" else np.nan
        xy[gone] = 1e6
    found = CASES[name].track(replace(track, poses=replace(track.poses, xy=xy, score=score)))
    assert np.isfinite(found.poses.xy).all()
    assert np.isfinite(found.poses.score).all()
    assert (found.poses.score[gone & ~found.poses.filled] == 0).all()
    seen = ~gone
    apart = np.linalg.norm(found.poses.xy - track.poses.xy, axis=-1)
    assert apart[seen].max() < 30
    assert apart[gone & found.poses.filled].max() < 40
    assert not found.poses.filled[:, 4].any()


@ANY
def test_a_gap_is_filled_up_to_its_cap(name):
    values = np.full(40, 3.0)
    score = np.ones(40)
    score[10:14] = 0
    score[20:32] = 0
    values[score == 0] = 77.0
    smoother = inner(CASES[name], fill=0.2, gap=5.0)
    found = smoother.track(of_values(values, 25, 10.0, score)).poses
    filled, rows = found.filled[:, 0], found.score[:, 0]
    assert filled[10:14].all()
    assert (np.diff(rows[9:14]) < 0).all() or name in OFFLINE
    assert (rows[10:14] > 0).all()
    np.testing.assert_allclose(found.xy[:, 0], 3.0, atol=1e-6)
    beyond = filled[20:32]
    # Forward in time the first 0.2 s are filled; offline a gap is filled as a whole or not at all.
    assert beyond.tolist() == ([True] * 5 + [False] * 7 if smoother.causal or name.startswith("two") else [False] * 12)
    assert (rows[20:32][~beyond] == 0).all()


@pytest.mark.parametrize("name", ["savgol", "rts"])
def test_offline_filters_fill_along_the_movement(name):
    values = np.arange(30.0)
    score = np.ones(30)
    score[12:15] = 0
    measured = np.where(score > 0, values, -50.0)
    found = CASES[name].track(of_values(measured, 25, 100.0, score)).poses
    np.testing.assert_allclose(found.xy[10:17, 0, 0], values[10:17], atol=0.3)


@ANY
def test_no_track_and_one_frame(name):
    track = walk(frames=5)
    none = replace(track, frames=track.frames[:0], times=track.times[:0], poses=track.poses[:0])
    assert len(CASES[name].track(none)) == 0
    one = replace(track, frames=track.frames[:1], times=track.times[:1], poses=track.poses[:1])
    np.testing.assert_allclose(CASES[name].track(one).poses.xy, one.poses.xy)
    assert smooth_clip(CASES[name], []) == []


@ANY
def test_depth_is_smoothed_as_well(name):
    track = walk(noise=0.5)
    depth = np.tile(np.linspace(-20, 20, 5), (40, 1)) + np.random.default_rng(2).normal(0, 2, (40, 5))
    found = CASES[name].track(replace(track, poses=replace(track.poses, depth=depth)))
    assert found.poses.depth.shape == depth.shape
    before, after = (np.diff(values, 2, axis=0).std() for values in (depth, found.poses.depth))
    assert after < before
    np.testing.assert_array_equal(found.poses.xy, CASES[name].track(track).poses.xy)


def test_steadier_filters_are_steadier():
    track = walk(frames=100, noise=2.0)
    shake = {name: np.diff(CASES[name].track(track).poses.xy, 2, axis=0).std() for name in SMOOTHERS}
    raw = np.diff(track.poses.xy, 2, axis=0).std()
    assert all(shake[name] < 0.75 * raw for name in SMOOTHERS if name != "one-euro")
    assert shake["rts"] < 0.5 * shake["kalman"]


def test_a_filled_point_stays_marked_in_a_second_filter():
    score = np.ones(20)
    score[8:10] = 0
    first = Ema().track(of_values(np.full(20, 3.0), 25, 10.0, score))
    again = SavGol().track(first)
    assert again.poses.filled[:, 0].tolist() == first.poses.filled[:, 0].tolist()
    assert first.poses.filled[:, 0].sum() == 2


def test_poses_of_other_fields_stay_apart():
    plain, boxless = walk(id=1), walk(id=2, seed=2)
    boxless = replace(boxless, poses=replace(boxless.poses, boxes=None))
    done = smooth_clip(Kalman(), [plain, boxless])
    assert done[0].poses.boxes is not None
    assert done[1].poses.boxes is None
    assert isinstance(done[0], Track)
    assert isinstance(done[0].poses, Poses)
