"""A temporal network as a filter: live is offline, the future is not seen, missing points and uneven times."""

from dataclasses import replace

import numpy as np
import pytest
from small_temporal import CONFIG, small_net
from smooth_tracks import walk

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.clip import smooth_clip
from posekit.postprocess.smooth.temporal import Temporal, TemporalOffline, usual_step


class InMemory:
    """The small network without a file."""

    window, ahead, points, lifts = CONFIG.window, CONFIG.ahead, 17, True

    def __init__(self, seed=0):
        self.net = small_net(seed)

    def __call__(self, points, score, step):
        import torch

        with torch.inference_mode():
            given = [torch.from_numpy(np.asarray(a, np.float32)) for a in (points, score, step)]
            return self.net(*given).numpy().astype(np.float64)


NETWORK = InMemory()


def track(frames=30, fps=40.0, **more):
    return walk(frames=frames, points=17, noise=3.0, fps=fps, **more)


def changed(one, **fields):
    return replace(one, poses=replace(one.poses, **fields))


@pytest.mark.parametrize("delay", [0, 25, 75, 500])
def test_the_future_changes_nothing(delay):
    one = track()
    later = changed(one, xy=np.where(np.arange(30)[:, None, None] >= 20, one.poses.xy + 9, one.poses.xy))
    smoother = Temporal(network=NETWORK, delay=delay)
    assert smoother.causal
    before, after = smoother.track(one).poses.xy, smoother.track(later).poses.xy
    np.testing.assert_array_equal(after[:20], before[:20])
    assert np.abs(after[20:] - before[20:]).max() > 1


def test_live_is_offline_and_instances_do_not_touch_each_other():
    tracks = [track(seed=1, id=3), track(seed=2, id=5, frames=22)]
    smoother = Temporal(network=NETWORK, delay=40)
    alone = [smoother.track(one).poses for one in tracks]
    for one, other in zip(smooth_clip(smoother, tracks), alone, strict=True):
        np.testing.assert_allclose(one.poses.xy, other.xy, atol=1e-3)


def test_the_largest_look_ahead_is_a_live_filter_without_its_lag():
    one = track()
    whole = TemporalOffline(network=NETWORK, jump=None)
    assert not whole.causal
    offline = whole.track(one).poses.xy
    live = Temporal(network=NETWORK, delay=75, jump=None).track(one).poses.xy
    # Sizes are those of the box, which does not change here; so three frames later the same is shown.
    np.testing.assert_allclose(live[10:], offline[7:-3], atol=1e-3)
    with pytest.raises(ValueError, match="temporal-offline needs the whole track"):
        whole.stream(17)


@pytest.mark.parametrize("filter", [Temporal(network=NETWORK, delay=40), TemporalOffline(network=NETWORK)])
def test_larger_people_elsewhere_are_smoothed_alike(filter):
    one = track()
    grown = changed(one, xy=one.poses.xy * 3 + 70, boxes=one.poses.boxes * 3 + 70)
    np.testing.assert_allclose(filter.track(grown).poses.xy, filter.track(one).poses.xy * 3 + 70, atol=0.01)


@pytest.mark.parametrize("filter", [Temporal(network=NETWORK, delay=40), TemporalOffline(network=NETWORK)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_missing_points_poison_nothing(filter, bad):
    one = track()
    xy, score = one.poses.xy.copy(), one.poses.score.copy()
    score[:4, 2] = score[10:13, 5] = score[:, 9] = 0
    right = filter.track(changed(one, xy=xy.copy(), score=score)).poses
    for rows, point in ((slice(0, 4), 2), (slice(10, 13), 5)):
        xy[rows, point] = bad
    found = filter.track(changed(one, xy=xy, score=score)).poses
    seen = found.score > 0
    np.testing.assert_array_equal(found.xy[seen], right.xy[seen])
    assert np.isfinite(found.xy).all() and found.filled[10:13, 5].all() and not found.filled[:, 9].any()
    assert (found.score[:, 9] == 0).all()


def test_look_aheads_follow_the_frame_rate():
    # Of 500 ms 100 are used: 3 of the trained look-aheads at 40 fps, 1 at 10 fps, and less than one at 5 fps.
    for fps, ahead in ((40.0, 3), (10.0, 1), (5.0, 0)):
        one = track(fps=fps, speed=0.0)
        long = Temporal(network=NETWORK, delay=500, gap=1.0, jump=None).track(one).poses.xy
        delay = ahead / fps * 1000
        exact = Temporal(network=NETWORK, delay=delay, gap=1.0, jump=None).track(one).poses.xy
        np.testing.assert_array_equal(long, exact)
        less = Temporal(network=NETWORK, delay=max(delay - 0.5 / fps * 1000, 0), gap=1.0, jump=None)
        assert ahead == 0 or np.abs(less.track(one).poses.xy - long).max() > 0.1


def test_uneven_times_and_dropped_frames_are_taken_as_they_are():
    one = track()
    kept = np.r_[0:9, 11:30]
    times = one.times + np.random.default_rng(0).uniform(-0.01, 0.01, 30)
    dropped = Track(3, one.frames[kept], times[kept], one.poses[kept])
    for filter in (Temporal(network=NETWORK, delay=40), TemporalOffline(network=NETWORK)):
        found = filter.track(dropped)
        assert len(found) == 28 and np.isfinite(found.poses.xy).all()
    np.testing.assert_allclose(usual_step(np.array([[0.0, 0.1, 0.3, 0.1], [0, 0, 0, 0]])), [0.1, 0.04])


def test_a_jump_starts_anew():
    one = track()
    far = np.where(np.arange(30)[:, None, None] >= 15, one.poses.xy + 5000, one.poses.xy)
    boxes = np.where(np.arange(30)[:, None] >= 15, one.poses.boxes + 5000, one.poses.boxes)
    jumped = changed(one, xy=far, boxes=boxes)
    rest = Track(3, one.frames[15:], one.times[15:], jumped.poses[15:])
    for filter in (Temporal(network=NETWORK, delay=40), TemporalOffline(network=NETWORK)):
        np.testing.assert_allclose(filter.track(jumped).poses.xy[15:], filter.track(rest).poses.xy, atol=1e-6)


def test_lifted_depths_are_in_pixels_about_the_root():
    one = track()
    for kind in (Temporal, TemporalOffline):
        plain, lifted = kind(network=NETWORK).track(one).poses, kind(network=NETWORK, lift=True).track(one).poses
        assert plain.depth is None
        np.testing.assert_array_equal(lifted.xy, plain.xy)
        assert lifted.depth.shape == (30, 17) and np.abs(lifted.depth).max() > 1
        assert np.abs(lifted.depth[:, [11, 12]].mean(1)).max() < 1e-3
        grown = changed(one, xy=one.poses.xy * 3, boxes=one.poses.boxes * 3)
        np.testing.assert_allclose(
            kind(network=NETWORK, lift=True).track(grown).poses.depth, 3 * lifted.depth, atol=0.02
        )
    # Depths that came with the points are smoothed as the points are.
    deep = changed(one, depth=np.full((30, 17), 40.0))
    np.testing.assert_allclose(Temporal(network=NETWORK).track(deep).poses.depth, 40.0, atol=1e-3)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="smooths 17 points, and the poses have 5: train one"):
        Temporal(network=NETWORK).stream(5)
    with pytest.raises(ValueError, match="smooths 17 points, and the poses have 5: train one"):
        TemporalOffline(network=NETWORK).track(walk())
    flat = InMemory()
    flat.lifts = False
    with pytest.raises(ValueError, match="gives no depths: leave out lift, or train one that does"):
        Temporal(network=flat, lift=True)
    empty = Track(1, np.zeros(0, int), np.zeros(0), Poses.empty(17))
    assert len(TemporalOffline(network=NETWORK).track(empty)) == 0
