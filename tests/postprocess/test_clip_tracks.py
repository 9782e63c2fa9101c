"""Ids for clips: those of the file are kept; instances in no track stay, with numbers below 0 of their own."""

import json

import numpy as np
import pytest

from posekit.data.clip_files import read_clip
from posekit.data.errors import DataError
from posekit.postprocess.clip_tracks import with_ids
from posekit.postprocess.track import Tracking


def clip_of(folder, people, score=0.9):
    """A clip of people at given x in each frame; each is a pair of points."""
    entries = [
        {"image_id": n, "keypoints": [x, 0, 1, x + 20, 30, 1], "score": s if isinstance(s, float) else score}
        for n, frame in enumerate(people)
        for x, s in frame
    ]
    file = folder / "r.json"
    file.write_text(json.dumps(entries))
    return read_clip(file)


def test_instances_in_no_track_have_numbers_of_their_own(tmp_path):
    # Someone who stays, and someone with a low score here and there.
    people = [[(10, None), (500, 0.1)], [(200, 0.1), (11, None)], [(12, None), (13, 0.05), (700, 0.2)]]
    clip, tracked = with_ids(clip_of(tmp_path, people), np.arange(3) / 30)
    assert tracked
    assert [poses.ids.tolist() for poses in clip.frames] == [[1, -1], [-2, 1], [1, -3, -4]]
    assert [len(records) for records in clip.records] == [2, 2, 3] and None not in clip.records[2]
    again, tracked = with_ids(clip, np.arange(3) / 30)
    assert again is clip and not tracked


def test_equal_instances_in_one_frame(tmp_path):
    clip, _ = with_ids(clip_of(tmp_path, [[(10, None), (10, None)]] * 3), np.arange(3) / 30)
    ids = [poses.ids.tolist() for poses in clip.frames]
    assert all(len(set(one)) == 2 for one in ids)


def test_nothing_to_track(tmp_path):
    clip = clip_of(tmp_path, [[(10, 0.2)], [(11, 0.1)]])
    with pytest.raises(
        DataError, match=r"over 2 frames: .* a score of 0.3, the best has 0.2; give a lower --threshold"
    ):
        with_ids(clip, np.arange(2) / 30)
    found, _ = with_ids(clip, np.arange(2) / 30, Tracking(score_threshold=0.1))
    assert found.frames[1].ids.tolist() == [1]
