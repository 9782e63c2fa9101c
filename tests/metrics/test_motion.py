"""Acceleration, jerk and lag of tracks, against closed forms."""

import numpy as np
import pytest

from posekit.metrics.motion import lag_ms, normalised_jerk, position_error, steadiness


def swing(times, late=0.0, points=3):
    phase = np.arange(points)[:, None] + np.array([0.0, 0.7])
    return 10 * np.sin(2 * np.pi * 0.8 * (times - late)[:, None, None] + phase)


def test_steadiness():
    # x = t^2 has second differences 2; y is still. The truth accelerates by (2, 3).
    t = np.arange(6.0)
    xy = np.stack([t**2, 0 * t], -1)[:, None]
    truth = np.stack([t**2, 1.5 * t**2], -1)[:, None]
    found = steadiness(xy, truth)
    assert found.acceleration == pytest.approx(2)
    assert found.energy == pytest.approx(4)
    assert found.error == pytest.approx(3)
    assert np.isnan(steadiness(xy).error)


def test_steadiness_of_white_noise():
    # Second differences of white noise have variance 6 in each of two coordinates: energy 12.
    noise = np.random.default_rng(0).normal(0, 1, (20000, 2, 2))
    assert steadiness(noise).energy == pytest.approx(12, rel=0.02)


def test_steadiness_leaves_unknown_frames_out():
    t = np.arange(9.0)
    xy = np.stack([t**2, 0 * t], -1)[:, None].repeat(2, 1)
    xy[4, 0] = np.nan
    xy[4, 1] = 1e3
    assert steadiness(xy[:, :1]).acceleration == pytest.approx(2)
    assert steadiness(xy).acceleration > 2
    assert np.isnan(steadiness(xy[:2]).acceleration)


def test_position_error():
    xy = np.zeros((4, 2, 2))
    truth = xy + np.array([3.0, 4.0])
    truth[0, 0] = np.nan
    assert position_error(xy, truth) == pytest.approx(5)


@pytest.mark.parametrize("fps", [10, 25, 60])
@pytest.mark.parametrize("late", [0.0, 0.013, 0.04, 0.25, -0.02])
def test_lag(fps, late):
    times = np.arange(10 * fps) / fps
    assert lag_ms(swing(times, late), swing(times), times) == pytest.approx(1000 * late, abs=1)


def test_lag_with_noise_drift_and_missing_points():
    rng = np.random.default_rng(1)
    times = np.arange(300) / 25
    truth = swing(times) + 30 * times[:, None, None]
    xy = swing(times, 0.06) + 30 * (times - 0.06)[:, None, None] + rng.normal(0, 1, truth.shape)
    xy[rng.random(xy.shape[:2]) < 0.2] = np.nan
    assert lag_ms(xy, truth, times) == pytest.approx(60, abs=3)


def test_lag_at_uneven_times():
    times = np.arange(300) / 25 + np.random.default_rng(2).uniform(-0.01, 0.01, 300)
    assert lag_ms(swing(times, 0.05), swing(times), times) == pytest.approx(50, abs=2)


def test_lag_that_cannot_be_told():
    times = np.arange(100) / 25
    still = np.ones((100, 3, 2))
    assert np.isnan(lag_ms(still, still, times))
    assert np.isnan(lag_ms(swing(times[:20]), swing(times[:20]), times[:20]))
    assert np.isnan(lag_ms(still[:1], still[:1], times[:1]))


@pytest.mark.parametrize("fps", [10, 24, 25, 60])
def test_jerk_of_a_swing(fps):
    # A sin(w t): mean square of the jerk A^2 w^6 / 2, length 4 A f D. Differences over h see w as 2 sin(w h / 2) / h.
    f, long, h = 0.5, 8.0, 0.2
    times = np.arange(round(long * fps) + 1) / fps
    xy = np.stack([30 * np.sin(2 * np.pi * f * times), 0 * times], -1)[:, None]
    w = 2 * np.sin(np.pi * f * h) / h
    assert normalised_jerk(xy, times) == pytest.approx(w**3 * long**3 / 2 / (4 * f * long), rel=0.03)


def test_jerk_does_not_depend_on_size_or_frame_rate():
    def shaky(fps, scale=1.0):
        times = np.arange(round(6 * fps) + 1) / fps
        return normalised_jerk(scale * swing(times), times)

    assert shaky(25, 7.0) == pytest.approx(shaky(25))
    assert shaky(60) == pytest.approx(shaky(20), rel=0.02)
    # Noise of the same size adds as much at any frame rate that has the step in whole frames.
    rng = np.random.default_rng(3)
    found = []
    for fps in (10, 25, 60):
        times = np.arange(40 * fps) / fps
        found.append(normalised_jerk(swing(times) + rng.normal(0, 3, (len(times), 3, 2)), times))
    assert max(found) < 1.1 * min(found)
    times = np.arange(1000) / 25
    assert found[0] > 1.5 * normalised_jerk(swing(times), times)


def test_jerk_that_cannot_be_told():
    times = np.arange(50) / 25
    assert np.isnan(normalised_jerk(np.ones((50, 2, 2)), times))
    assert np.isnan(normalised_jerk(swing(times[:5]), times[:5]))
    assert np.isfinite(normalised_jerk(np.where(np.arange(3)[:, None] == 1, np.nan, swing(times)), times))


def test_errors():
    times = np.arange(10.0)
    with pytest.raises(ValueError, match=r"track and truth need the same shape; got \(10, 2\) and \(9, 2\)"):
        steadiness(np.zeros((10, 2)), np.zeros((9, 2)))
    with pytest.raises(ValueError, match="track and truth need the same shape"):
        position_error(np.zeros((10, 2)), np.zeros((9, 2)))
    with pytest.raises(ValueError, match="track and truth need the same shape"):
        lag_ms(np.zeros((10, 2)), np.zeros((9, 2)), times)
    with pytest.raises(ValueError, match=r"expected a track \(T, ..., C\) and T increasing times; got \(10, 2\)"):
        normalised_jerk(np.zeros((10, 2)), times[::-1])
    with pytest.raises(ValueError, match=r"a track has shape \(T, ..., C\), locations along time; got \(10,\)"):
        steadiness(np.zeros(10))
