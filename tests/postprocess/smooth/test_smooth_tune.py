"""Noise and motion of a clip, and filters tuned for an accepted lag."""

from dataclasses import replace

import numpy as np
import pytest

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.metrics.motion import lag_ms, steadiness
from posekit.postprocess.smooth import SMOOTHERS
from posekit.postprocess.smooth.clip_noise import DEFAULT_MOTION, DEFAULT_NOISE, clip_noise, frame_rate
from posekit.postprocess.smooth.lag import lag
from posekit.postprocess.smooth.trial import Clip
from posekit.postprocess.smooth.tune import tuned

SIZE = 100.0


def wiener(fps, frames, noise, motion, rng, id=0, trust=0.0):
    """Points with white acceleration and white noise: what the Kalman filter assumes. Sizes are of 100 px."""
    dt, k = 1 / fps, len(noise)
    # Increments of integrated Brownian motion, exactly.
    cov = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    step = rng.multivariate_normal(np.zeros(2), cov, (frames, k, 2)) * (np.array(motion)[:, None, None] * SIZE)
    v = np.concatenate([np.zeros((1, k, 2)), np.cumsum(step[..., 1], 0)])[:-1]
    x = np.cumsum(v * dt + step[..., 0], 0)
    score = rng.uniform(0.2, 1.0, (frames, 1)) * np.ones(k)
    off = rng.normal(0, 1, x.shape) * (np.array(noise) / score**trust)[..., None] * SIZE
    boxes = np.tile((0.0, 0.0, SIZE, SIZE), (frames, 1))
    return Track(id, np.arange(frames), np.arange(frames) / fps, Poses(x + off, score, score[:, 0], boxes=boxes)), x


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_noise_and_motion_are_found_again(fps):
    rng = np.random.default_rng(0)
    noise, motion = (0.01, 0.02, 0.04), (1.0, 2.0, 4.0)
    tracks = [wiener(fps, 2000, noise, motion, rng, id)[0] for id in range(3)]
    # The score says nothing here.
    found = clip_noise(tracks)
    assert found.fps == pytest.approx(fps)
    assert found.trust == pytest.approx(0, abs=0.1)
    np.testing.assert_allclose(found.noise, noise, rtol=0.15 if fps > 10 else 0.6)
    np.testing.assert_allclose(found.motion, motion, rtol=0.2)


def test_what_scores_say_is_found_again():
    rng = np.random.default_rng(1)
    found = clip_noise([wiener(25, 4000, (0.02, 0.03), (0.5, 0.5), rng, trust=1.0)[0]])
    assert found.trust == pytest.approx(1.0, abs=0.35)


def test_outliers_do_not_count_as_noise():
    rng = np.random.default_rng(2)
    track, _ = wiener(25, 2000, (0.02, 0.02), (1.0, 1.0), rng)
    xy = track.poses.xy + np.where(rng.random((2000, 2, 1)) < 0.04, 50.0, 0.0)
    plain, hit = clip_noise([track]), clip_noise([replace(track, poses=replace(track.poses, xy=xy))])
    np.testing.assert_allclose(hit.noise, plain.noise, rtol=0.25)


@pytest.mark.slow
def test_short_clips_get_defaults():
    rng = np.random.default_rng(3)
    track, _ = wiener(25, 10, (0.3, 0.3), (9.0, 9.0), rng)
    found = clip_noise([track])
    assert found.noise == (DEFAULT_NOISE,) * 2
    assert found.motion == (DEFAULT_MOTION,) * 2
    one = Track(1, track.frames[:1], track.times[:1], track.poses[:1])
    assert frame_rate([one]) == 25
    for name in SMOOTHERS:
        done = tuned(name, [one], 40.0).track(one)
        np.testing.assert_allclose(done.poses.xy, one.poses.xy)


def test_missing_frames_and_points_are_left_out():
    rng = np.random.default_rng(4)
    track, _ = wiener(25, 3000, (0.02, 0.02), (1.0, 1.0), rng)
    keep = np.sort(rng.permutation(3000)[:2400])
    poses = track.poses[keep]
    xy = poses.xy.copy()
    xy[rng.random(xy.shape[:2]) < 0.1] = np.nan
    part = Track(0, keep, track.times[keep], replace(poses, xy=xy))
    np.testing.assert_allclose(clip_noise([part]).noise, clip_noise([track]).noise, rtol=0.15)
    assert frame_rate([part]) == pytest.approx(25)


def swinging(fps=25.0, seconds=8.0, noise=2.0, seed=5):
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps)) / fps
    phase, rate = rng.uniform(0, 6, (4, 2)), rng.uniform(0.3, 0.9, (4, 2))
    truth = 200 + rng.uniform(-30, 30, (4, 2)) + 15 * np.sin(2 * np.pi * rate * times[:, None, None] + phase)
    xy = truth + rng.standard_t(3, truth.shape) * noise
    boxes = np.tile((150.0, 150.0, 250.0, 250.0), (len(times), 1))
    score = np.full(truth.shape[:2], 0.8)
    return Track(1, np.arange(len(times)), times, Poses(xy, score, score[:, 0], boxes=boxes)), truth


@pytest.mark.parametrize("name", ["ema", pytest.param("one-euro", marks=pytest.mark.slow), "kalman", "median"])
def test_the_accepted_lag_is_kept(name):
    track, truth = swinging()
    clip, late, shake = Clip([track]), [], []
    raw = steadiness(track.poses.xy, truth).error
    for accepted in (0.0, 40.0, 120.0):
        found = tuned(name, clip, accepted)
        xy = found.track(track).poses.xy
        late.append(lag_ms(xy, truth, track.times))
        shake.append(steadiness(xy, truth).error / raw)
        assert late[-1] <= max(accepted, 4.0) + 6
    assert late == sorted(late)
    assert shake == sorted(shake, reverse=True)
    assert shake[2] < 0.4
    if name in ("ema", "kalman"):
        assert late[2] > 100


@pytest.mark.slow
def test_kalman_is_steadier_than_ema_at_the_same_lag():
    track, truth = swinging()
    clip = Clip([track])
    for accepted in (40.0, 80.0):
        ours, ema = (
            steadiness(tuned(name, clip, accepted).track(track).poses.xy, truth).error for name in ("kalman", "ema")
        )
        assert ours < 0.8 * ema


@pytest.mark.parametrize("name", ["savgol", "rts", "two-pass"])
def test_offline_filters_have_no_lag(name):
    track, truth = swinging()
    found = tuned(name, [track], 0.0)
    xy = found.track(track).poses.xy
    assert not found.causal
    assert lag_ms(xy, truth, track.times) == pytest.approx(0, abs=6)
    assert steadiness(xy, truth).error < 0.2 * steadiness(track.poses.xy, truth).error


def test_where_nothing_moves_the_lag_is_that_of_a_swing():
    rng = np.random.default_rng(6)
    track, _ = swinging()
    xy = np.round(np.full(track.poses.xy.shape, 200.0)) + np.where(np.arange(200)[:, None, None] % 2, 1.0, -1.0)
    still = replace(track, poses=replace(track.poses, xy=xy + 0 * rng.random()))
    found = tuned("ema", [still], 60.0)
    assert lag(found, 25) < 70


def test_a_trial_is_made_once():
    clip = Clip([swinging()[0]])
    assert clip.trial(clip.kalman(2.0)) is clip.trial(clip.kalman(2.0))
    assert clip.trial(None).jitter > clip.trial(clip.kalman(1.0)).jitter


def test_errors():
    track, _ = swinging()
    with pytest.raises(ValueError, match="there is no filter 'butterworth'; expected one of ema, one-euro, kalman"):
        tuned("butterworth", [track], 40)
    with pytest.raises(ValueError, match="the accepted lag cannot be negative; got -1 ms"):
        tuned("ema", [track], -1)
    with pytest.raises(ValueError, match="there is no track to estimate noise from"):
        tuned("ema", [], 40)
