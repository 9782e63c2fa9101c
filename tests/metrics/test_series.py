"""Series of tracks: the values of each frame, with their spread, at the times of the track."""

import numpy as np

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.metrics.series import series

T = 4


def track(spread=True):
    xy = np.zeros((T, 3, 2))
    xy[:, 0] = [10, 0]
    turn = np.radians([10, 170, 190, 350])
    xy[:, 2] = 20 * np.stack([np.cos(turn), np.sin(turn)], -1)
    score = np.ones((T, 3))
    score[1, 2] = 0.2
    poses = Poses(xy, score, np.ones(T), spread=np.ones_like(xy) if spread else None)
    return Track(5, np.array([0, 1, 2, 4]), np.array([0, 0.1, 0.2, 0.4]), poses)


def test_angles_plain_and_signed():
    one = track()
    found = series("angles", {"bend": (0, 1, 2)}, [one]).tracks[0]
    np.testing.assert_allclose(found.values[:, 0], [10, 170, 170, 10])
    assert found.id == 5 and found.times is one.times and found.frames is one.frames
    signed = series("angles", {"bend": (0, 1, 2)}, [one], signed=True).tracks[0]
    # Turned on past 180 degrees, where the sign jumps.
    np.testing.assert_allclose(signed.values[:, 0], [10, 170, 190, 350])
    gone = series("angles", {"bend": (0, 1, 2)}, [one], threshold=0.3).tracks[0]
    assert np.isnan(gone.values[:, 0]).tolist() == [False, True, False, False]
    assert np.isnan(gone.spread[:, 0]).tolist() == [False, True, False, False]


def test_lengths_and_spread():
    found = series("lengths", {"a": (0, 1), "b": (1, 2)}, [track()]).tracks[0]
    np.testing.assert_allclose(found.values, [[10, 20]] * T)
    np.testing.assert_allclose(found.spread, np.full((T, 2), np.sqrt(2)))
    assert series("lengths", {"a": (0, 1)}, [track(spread=False)]).tracks[0].spread is None
