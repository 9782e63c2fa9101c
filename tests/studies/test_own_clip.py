"""`posekit study smoothing --clip`: the trade-off on one's own clip, and the setting that follows from it."""

import json

import numpy as np
import pytest

from posekit.cli.main import main
from posekit.data.errors import DataError
from posekit.data.video_results import VideoFrame, frame_line
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.geometry.tracks import Track
from posekit.studies.own_clip import OwnClip, findings, on_clip

SKELETON = Skeleton(name="stick", points=("a", "b", "c"))


def row(method, lag, cut, late=0.5):
    return {"method": method, "lag": lag, "cut": cut, "late": late, "jitter": 1 - cut}


def results(kalman, ema, fps=30.0):
    rows = [row("raw", None, 0.0, 0.0)]
    rows += [row(name, lag, cut) for name, cuts in (("kalman", kalman), ("ema", ema)) for lag, cut in enumerate(cuts)]
    reached = [one for one in rows if one["method"] == "kalman" and one["cut"] >= 0.7]
    chosen = reached[0] if reached else max(rows[1 : 1 + len(kalman)], key=lambda one: one["cut"])
    return {"fps": fps, "tracks": 1, "frames": 100, "rows": rows, "recommended": chosen}


def test_the_verdict_follows_from_the_numbers():
    study = OwnClip("clip.jsonl", ())
    good, bad = results((0.3, 0.75), (0.1, 0.5)), results((0.3, 0.6), (0.1, 0.65))
    assert [one.holds for one in findings(good)] == [True, True]
    assert [one.holds for one in findings(bad)] == [False, False]
    assert "1 frame: 75% and 50%" in study.verdict(good)
    said = study.recommended(good)
    assert (
        "`posekit smooth clip.jsonl --out NEW --filter kalman --lag 34`" in said and "the least lag that cuts" in said
    )
    assert "nothing here cuts 70%" in study.recommended(bad)
    assert study.table(good).rows[2] == ["kalman", "1", "0.50", "0.75"]


def clip_file(path, frames):
    rng = np.random.default_rng(0)
    times = np.arange(frames) / 25
    away = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 40.0]])
    xy = 100 + 20 * np.sin(2 * times)[:, None, None] + away + rng.normal(0, 1.5, (frames, 3, 2))
    score = np.full((1, 3), 0.9)
    poses = [Poses(one[None], score, score[:, 0], ids=np.array([1])) for one in xy]
    lines = [frame_line(VideoFrame(i, float(times[i]), one), SKELETON) for i, one in enumerate(poses)]
    path.write_bytes(b"".join(lines))


@pytest.mark.slow
def test_a_clip_of_ones_own(tmp_path, capsys):
    clip_file(tmp_path / "clip.jsonl", 30)
    words = ["study", "smoothing", "--clip", str(tmp_path / "clip.jsonl"), "--quick", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    told = json.loads((tmp_path / "out" / "smoothing.json").read_text())
    assert told["command"].endswith(f"--clip {tmp_path / 'clip.jsonl'}")
    assert told["results"]["recommended"]["lag"] in (0, 1) and told["results"]["tracks"] == 1
    assert (tmp_path / "out" / "smoothing.svg").read_text().startswith("<svg")
    assert "Recommended" in capsys.readouterr().out


def test_what_does_not_fit_is_refused(tmp_path, capsys):
    assert main(["study", "grids", "--clip", "clip.jsonl"]) == 1
    assert "--clip is an option of the study smoothing; got grids" in capsys.readouterr().err
    assert main(["study", "smoothing", "--fps", "30"]) == 1
    assert "--fps belongs to --clip" in capsys.readouterr().err
    clip_file(tmp_path / "short.jsonl", 12)
    with pytest.raises(DataError, match=r"short\.jsonl: a track of at least 20 frames .*; the longest of 1 has 12"):
        OwnClip.read(tmp_path / "short.jsonl")


@pytest.mark.slow
def test_the_least_lag_that_reaches_the_aim_is_recommended():
    times = np.arange(200) / 25
    still = 100 + 20 * np.sin(2 * np.pi * 0.3 * times)[:, None, None] + np.arange(10.0).reshape(5, 2) * 10
    xy = still + np.random.default_rng(3).normal(0, 2, still.shape)
    score = np.ones((200, 5))
    found = on_clip([Track(0, np.arange(200), times, Poses(xy, score, score[:, 0]))], lags=(0, 1, 4))
    assert found["recommended"]["lag"] in (0, 1)
    assert found["recommended"]["cut"] >= 0.7
