"""Filters give the values of their published formulas."""

from dataclasses import replace

import numpy as np
import pytest
from smooth_tracks import OFF, of_values, x_of

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.ema import Ema, lag_frames, steady_gain
from posekit.postprocess.smooth.kalman import Kalman
from posekit.postprocess.smooth.median import Median
from posekit.postprocess.smooth.one_euro import OneEuro
from posekit.postprocess.smooth.rts import Rts
from posekit.postprocess.smooth.savgol import SavGol
from posekit.postprocess.smooth.two_pass import TwoPass

Z = [0, 10, 10, 10, 0]


@pytest.mark.parametrize(
    ("gain", "expected"), [(0.5, [0, 5, 7.5, 8.75, 4.375]), (0.2, [0, 2, 3.6, 4.88, 3.904]), (1.0, Z)]
)
def test_ema(gain, expected):
    found = replace(Ema.of_gain(gain, fps=1), **OFF).track(of_values(Z))
    np.testing.assert_allclose(x_of(found), expected, atol=1e-12)
    np.testing.assert_allclose(found.poses.xy[..., 1], found.poses.xy[..., 0])


def test_scalar_kalman():
    # q = 1, r = 4, P0 = 4: gains .555556 .446154 .410431 .397747.
    found = Kalman(noise=2.0, motion=1.0, model="position", tails=None, **OFF).track(of_values(Z))
    np.testing.assert_allclose(x_of(found), [0, 5.555556, 7.538462, 8.548753, 5.148515], atol=1e-6)


RATIOS = {0.01: 0.095125, 0.1: 0.270156, 0.25: 0.390388, 1: 0.618034, 10: 0.916080}


@pytest.mark.parametrize(("ratio", "gain"), RATIOS.items())
def test_steady_kalman_gain_is_that_of_the_ema(ratio, gain):
    assert steady_gain(ratio) == pytest.approx(gain, abs=5e-7)
    values = np.concatenate([np.zeros(300), [1.0]])
    settled = x_of(Kalman(noise=1.0, motion=ratio**0.5, model="position", tails=None, **OFF).track(of_values(values)))
    assert settled[-1] == pytest.approx(gain, abs=5e-7)
    assert Ema.of_noise(ratio, fps=25).gain(1 / 25) == pytest.approx(gain, abs=5e-7)


@pytest.mark.parametrize("ratio", RATIOS)
def test_settled_kalman_and_ema_are_the_same_filter(ratio):
    rng = np.random.default_rng(1)
    values = np.concatenate([np.zeros(300), rng.normal(0, 5, 40)])
    kalman = Kalman(noise=1.0, motion=ratio**0.5, model="position", tails=None, **OFF)
    ema = replace(Ema.of_noise(ratio, fps=1), **OFF)
    np.testing.assert_allclose(
        x_of(kalman.track(of_values(values)))[300:], x_of(ema.track(of_values(values)))[300:], atol=1e-9
    )


@pytest.mark.parametrize(
    ("fps", "settings", "expected"),
    [
        (1, {"min_cutoff": 0.004, "beta": 0.7}, [0, 9.743383, 9.964401, 9.982282, 0.257500]),
        (30, {"min_cutoff": 1.0, "beta": 0.0}, [0, 1.731707, 3.163533, 4.347409, 3.594565]),
        (30, {"min_cutoff": 1.0, "beta": 0.007}, [0, 2.221555, 4.158829, 5.689118, 4.422346]),
    ],
)
def test_one_euro(fps, settings, expected):
    one_euro = OneEuro(**settings, d_cutoff=1.0, derivative="filtered", **OFF)
    np.testing.assert_allclose(x_of(one_euro.track(of_values(Z, fps))), expected, atol=1e-6)


def test_one_euro_speed_from_measurements():
    # Frame 1: dx = 10, smoothed by a = 2 pi / (1 + 2 pi) = .862697 to 8.62697; cutoff 1 + .1 * 8.62697 = 1.862697;
    # gain 2 pi 1.862697 / (1 + 2 pi 1.862697) = .921280. Frame 2: dx = 0, smoothed 8.62697 * .137303 = 1.184508;
    # cutoff 1.118451, gain .875428.
    one_euro = OneEuro(min_cutoff=1.0, beta=0.1, d_cutoff=1.0, derivative="raw", **OFF)
    first = 10 * 0.921280
    second = first + 0.875428 * (10 - first)
    np.testing.assert_allclose(x_of(one_euro.track(of_values(Z, 1)))[1:3], [first, second], atol=1e-4)


def test_one_euro_speeds_are_in_object_sizes():
    small = OneEuro(min_cutoff=1.0, beta=0.5, **OFF)
    one, ten = small.track(of_values(Z, 30, 7.0)), small.track(of_values(np.multiply(Z, 10), 30, 70.0))
    np.testing.assert_allclose(x_of(ten), 10 * x_of(one))
    other = small.track(of_values(Z, 30, 70.0))
    assert abs(x_of(other)[1] - x_of(one)[1]) > 0.1


def test_median():
    found = Median(frames=3, **OFF).track(of_values([0, 9, 1, 2, 50, 3, 4]))
    np.testing.assert_allclose(x_of(found), [0, 4.5, 1, 2, 2, 3, 4])


@pytest.mark.parametrize(
    ("frames", "kernel"),
    [
        (5, np.array([-3, 12, 17, 12, -3]) / 35),
        (7, np.array([-2, 3, 6, 7, 6, 3, -2]) / 21),
        (11, np.array([-36, 9, 44, 69, 84, 89, 84, 69, 44, 9, -36]) / 429),
    ],
)
def test_savgol_kernels(frames, kernel):
    order = 2
    values = np.zeros(31)
    values[15] = 1
    found = x_of(SavGol(frames=frames, order=order, **OFF).track(of_values(values)))
    half = frames // 2
    np.testing.assert_allclose(found[15 - half : 16 + half], kernel, atol=1e-12)


def test_savgol_impulse_with_ends():
    found = x_of(SavGol(frames=5, order=2, **OFF).track(of_values([0, 0, 0, 10, 0, 0, 0])))
    np.testing.assert_allclose(found[:4], [-1.428571, 1.714286, 3.428571, 4.857143], atol=1e-6)
    np.testing.assert_allclose(found, found[::-1], atol=1e-12)


@pytest.mark.parametrize(("frames", "order", "count"), [(5, 2, 7), (7, 3, 20), (11, 2, 40), (9, 4, 9), (3, 0, 12)])
def test_savgol_is_scipys(frames, order, count):
    signal = pytest.importorskip("scipy.signal", reason="the reference is SciPy's")
    values = np.random.default_rng(count).normal(0, 3, count)
    found = x_of(SavGol(frames=frames, order=order, **OFF).track(of_values(values, 25)))
    np.testing.assert_allclose(found, signal.savgol_filter(values, frames, order, mode="interp"), atol=1e-9)


def test_savgol_is_exact_on_quadratics_at_uneven_times_with_gaps():
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.uniform(0.01, 0.08, 30))
    values = 3 - 2 * times + 5 * times**2
    score = np.ones(30)
    score[[4, 5, 17]] = 0
    measured = np.where(score > 0, values, 99.0)
    track = of_values(measured, score=score)
    track = Track(track.id, track.frames, times, track.poses)
    found = SavGol(frames=9, order=2, fill=0.5, **{**OFF, "gap": 1.0}).track(track)
    np.testing.assert_allclose(x_of(found), values, atol=1e-9)
    assert found.poses.filled[:, 0].tolist() == (score == 0).tolist()


def test_savgol_of_a_short_track_is_one_fit():
    values = [1.0, 4.0, 9.0]
    np.testing.assert_allclose(x_of(SavGol(**OFF).track(of_values(values))), values, atol=1e-9)
    np.testing.assert_allclose(x_of(SavGol(**OFF).track(of_values([7.0]))), [7.0])
    np.testing.assert_allclose(x_of(SavGol(**OFF).track(of_values([7.0, 9.0]))), [7.0, 9.0], atol=1e-6)


def textbook(values, dts, noise, motion, tails=None):
    """A Kalman filter and RTS smoother with 2x2 matrices, one coordinate."""
    r, q = noise**2, motion**2
    x, p = np.array([values[0], 0.0]), np.diag([r, q])
    xs, ps, ahead = [x], [p], [None]
    for z, dt in zip(values[1:], dts, strict=True):
        f = np.array([[1, dt], [0, 1]])
        x, p = f @ x, f @ p @ f.T + q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        ahead.append((f, x, p))
        gain = p[:, 0] / (p[0, 0] + r)
        x, p = x + gain * (z - x[0]), p - np.outer(gain, p[0])
        xs.append(x)
        ps.append(p)
    smooth = [xs[-1]]
    for n in range(len(xs) - 2, -1, -1):
        f, xa, pa = ahead[n + 1]
        smooth.append(xs[n] + ps[n] @ f.T @ np.linalg.inv(pa) @ (smooth[-1] - xa))
    return np.array(xs)[:, 0], np.array(smooth[::-1])[:, 0]


def uneven(seed=4, count=25):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.1, count))
    values = 3 * np.sin(4 * times) + rng.normal(0, 0.3, count)
    track = of_values(values)
    return Track(3, track.frames, times, track.poses), values, times


def test_kalman_is_the_textbooks():
    track, values, times = uneven()
    filtered, smooth = textbook(values, np.diff(times), 0.4, 6.0)
    given = {"noise": 0.4, "motion": 6.0, "tails": None, **OFF}
    np.testing.assert_allclose(x_of(Kalman(**given).track(track)), filtered, atol=1e-9)
    np.testing.assert_allclose(x_of(Rts(**given).track(track)), smooth, atol=1e-9)


def test_a_delay_is_fixed_lag_smoothing():
    values = np.random.default_rng(5).normal(0, 1, 30)
    found = x_of(Kalman(noise=0.4, motion=6.0, tails=None, delay=3000 / 25, **OFF).track(of_values(values, 25)))
    for now in range(5, 30):
        _, smooth = textbook(values[: now + 1], np.full(now, 1 / 25), 0.4, 6.0)
        assert found[now] == pytest.approx(smooth[now - 3], abs=1e-9)
    # The first frames show the best estimate of the first location.
    for now in range(4):
        _, smooth = textbook(values[: now + 1], np.full(now, 1 / 25), 0.4, 6.0)
        assert found[now] == pytest.approx(smooth[0], abs=1e-9)


def test_a_delay_between_frames_is_interpolated():
    values = np.random.default_rng(6).normal(0, 1, 20)
    given = {"noise": 0.4, "motion": 6.0, "tails": None, **OFF}
    one, two, between = (
        x_of(Kalman(**given, delay=delay).track(of_values(values, 25))) for delay in (40.0, 80.0, 50.0)
    )
    np.testing.assert_allclose(between[5:], 0.75 * one[5:] + 0.25 * two[5:], atol=1e-9)


def test_noise_of_each_point_and_score():
    xy = np.zeros((2, 2, 2))
    xy[1] = 10
    poses = Poses(xy, np.array([[1.0, 1.0], [1.0, 0.5]]), np.ones(2), boxes=np.tile((0.0, 0.0, 1.0, 1.0), (2, 1)))
    track = Track(1, np.arange(2), np.arange(2.0), poses)
    found = Kalman(noise=(2.0, 1.0), motion=1.0, trust=1.0, model="position", tails=None, **OFF).track(track)
    # Point 0: P- = 4 + 1, r = 4. Point 1: P- = 1 + 1, r = 1 / 0.5^2 = 4.
    np.testing.assert_allclose(found.poses.xy[1, :, 0], [10 * 5 / 9, 10 * 2 / 6])


def test_spread_adds_to_the_noise():
    xy = np.zeros((2, 1, 2))
    xy[1] = 10
    spread = np.zeros((2, 1, 2))
    spread[1] = (3.0, 0.0)
    poses = Poses(xy, np.ones((2, 1)), np.ones(2), boxes=np.tile((0.0, 0.0, 1.0, 1.0), (2, 1)), spread=spread)
    track = Track(1, np.arange(2), np.arange(2.0), poses)
    given = {"noise": 2.0, "motion": 1.0, "model": "position", "tails": None, **OFF}
    # x: r = 4 + 2^2 * 9 = 40; y: r = 4.
    found = Kalman(**given, spread=2.0).track(track)
    np.testing.assert_allclose(found.poses.xy[1, 0], [10 * 5 / 45, 10 * 5 / 9])
    np.testing.assert_allclose(Kalman(**given).track(track).poses.xy[1, 0], [10 * 5 / 9] * 2)


def test_tails_weaken_what_lies_far_off():
    given = {"noise": 2.0, "motion": 1.0, "model": "position", **OFF}
    found = x_of(Kalman(**given, tails=4.0).track(of_values([0, 10])))
    # S = 5 + 4; both coordinates are 10 off: m^2 = 200 / 9; factor (4 + m^2) / 6.
    r = 4 * (4 + 200 / 9) / 6
    assert found[1] == pytest.approx(10 * 5 / (5 + r))
    near = x_of(Kalman(**given, tails=4.0).track(of_values([0, 1])))
    assert near[1] == pytest.approx(1 * 5 / 9)


def test_two_passes_of_an_ema():
    ema = replace(Ema.of_gain(0.5, fps=1), **OFF)
    values = np.zeros(41)
    values[20] = 1
    found = x_of(TwoPass(filter=ema).track(of_values(values)))
    # The kernel is a / (2 - a) (1 - a)^|k|.
    np.testing.assert_allclose(found[15:26], 0.5 / 1.5 * 0.5 ** np.abs(np.arange(-5, 6)), atol=1e-6)


def test_lag_of_an_ema():
    assert lag_frames(0.5) == 1
    assert lag_frames(0.2) == pytest.approx(4)
    assert Ema.of_lag(80, fps=25).lag(25) == pytest.approx(80)
    assert Ema.of_lag(0, fps=25).gain(0.04) == 1


def test_bad_settings():
    with pytest.raises(ValueError, match=r"gain in \(0, 1\] and a positive frame rate; got 0 at 25"):
        Ema.of_gain(0, 25)
    with pytest.raises(ValueError, match="frames must be odd and exceed order 2; got 4"):
        SavGol(frames=4)
    with pytest.raises(ValueError, match=r"noise must be positive; got \(0.1, 0.0\)"):
        Kalman(noise=(0.1, 0.0))
    with pytest.raises(ValueError, match="motion must be positive; got nan"):
        Rts(motion=float("nan"))
    with pytest.raises(ValueError, match="two-pass needs the whole track"):
        TwoPass().stream(5)
    with pytest.raises(ValueError, match="savgol needs the whole track and cannot run on a stream"):
        SavGol().stream(5)
