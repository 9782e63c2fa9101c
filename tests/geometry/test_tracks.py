import numpy as np
import pytest

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track, frames_of, tracks_of


def poses(*ids: int, at: float = 0.0) -> Poses:
    n = len(ids)
    xy = np.full((n, 2, 2), at) + np.asarray(ids, float).reshape(-1, 1, 1)
    return Poses(xy=xy, score=np.ones((n, 2)), instance_score=np.ones(n), ids=np.array(ids))


def test_tracks_of_a_clip_and_back():
    clip = [poses(3, 1, at=10), Poses.empty(2), poses(1, at=20)]
    one, three = tracks_of(clip, [0.0, 0.1, 0.2])
    assert (one.id, one.frames.tolist(), one.times.tolist()) == (1, [0, 2], [0.0, 0.2])
    assert (three.id, three.frames.tolist()) == (3, [0])
    assert one.poses.xy[:, 0, 0].tolist() == [11, 21]
    back = frames_of([three, one], 3, 2)
    assert [len(frame) for frame in back] == [2, 0, 1]
    assert back[0].ids.tolist() == [1, 3]
    assert back[0].xy[:, 0, 0].tolist() == [11, 13]


def test_a_clip_without_instances_has_no_tracks():
    assert tracks_of([Poses.empty(2)], [0.0]) == []


def test_ids_are_needed_and_distinct():
    bare = Poses(xy=np.zeros((1, 2, 2)), score=np.ones((1, 2)), instance_score=np.ones(1))
    with pytest.raises(ValueError, match="frame 0: instances have no ids"):
        tracks_of([bare], [0.0])
    with pytest.raises(ValueError, match=r"frame 0: an id occurs twice in \[2, 2\]"):
        tracks_of([poses(2, 2)], [0.0])
    with pytest.raises(ValueError, match="1 frames and 2 times"):
        tracks_of([poses(1)], [0.0, 1.0])


@pytest.mark.parametrize(
    ("frames", "times", "what"),
    [
        ([0, 0], [0.0, 1.0], "frames must increase"),
        ([0, 1], [0.0, np.nan], "times must increase"),
        ([0], [0.0], "as many"),
    ],
)
def test_time_runs_forwards(frames, times, what):
    with pytest.raises(ValueError, match=what):
        Track(1, np.array(frames), np.array(times), poses(1, 2))
