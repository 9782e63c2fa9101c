"""`posekit.predict_video`: files of a video, killed and resumed, and what it refuses."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import Squares, write_clip
from figures import FOUR

from posekit.api.video import predict_video
from posekit.api.video_files import free_name
from posekit.data.video import VideoFile

ROOT = Path(__file__).parents[2]
FRAMES = 340

KILLED = """
import os, signal, sys
from clips import Squares
from posekit.api import video

class Killed(Squares):
    def poses(self, image):
        if where == "predict" and self.seen > 300:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().poses(image)

where, clip, out = sys.argv[1:]
drawn = 0
plain = video.draw_tracked

def draw(*about, **more):
    global drawn
    drawn += 1
    if where == "draw" and drawn > 300:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(*about, **more)

video.draw_tracked = draw
video.predict_video(clip, Killed(), out=out, smooth="one-euro")
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    times = np.cumsum(np.random.default_rng(0).integers(1000, 6000, FRAMES)).tolist()
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", times=times, size=(33, 47), pixels="yuv444p")


@pytest.fixture(scope="module")
def unbroken(clip, tmp_path_factory):
    return predict_video(clip, Squares(), out=tmp_path_factory.mktemp("whole"), smooth="one-euro")


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def pictures(file):
    frames = [(frame.pts, hashlib.sha256(frame.image.tobytes()).hexdigest()) for frame in VideoFile(file).frames()]
    return frames


def test_files_and_result(clip, unbroken):
    assert (len(unbroken), unbroken.height, unbroken.width) == (FRAMES, 33, 47)
    assert unbroken.faults == () and unbroken.source == str(clip) and unbroken.more == ("filled", "raw")
    frames = list(unbroken)
    assert len(frames) == FRAMES and len(frames[-1].poses.ids) == 1 and frames[-1].raw is not None
    times = [frame.time for frame in VideoFile(clip).frames()]
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=5.1e-7)
    assert [frame.time for frame in VideoFile(unbroken.drawing).frames()] == times
    folder = unbroken.lines.parent
    assert sorted(file.name for file in folder.iterdir()) == ["a.json", "a.jsonl", "a.mp4"]
    about = json.loads((folder / "a.json").read_text())
    assert about["skeleton"]["points"] == list(FOUR.points) and about["settings"]["smooth"] == "one-euro"
    assert {stage.name for stage in unbroken.stages} == {"read", "predict", "track", "smooth", "draw", "write"}
    assert all(stage.rate > 0 for stage in unbroken.stages)


@pytest.mark.parametrize("where", ["predict", pytest.param("draw", marks=pytest.mark.slow)])
def test_a_killed_run_is_continued_and_equals_an_unbroken_one(clip, unbroken, tmp_path, where):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, str(clip), str(tmp_path)],
        env=environment,
        check=False,
        capture_output=True,
    )
    assert done.returncode == -9, done.stderr.decode()
    assert [file.name for file in tmp_path.iterdir()] == ["a.part"]
    with pytest.raises(ValueError, match=r"a\.part holds an unfinished run: add --resume"):
        predict_video(clip, Squares(), out=tmp_path, smooth="one-euro")
    rest = Squares()
    found = predict_video(clip, rest, out=tmp_path, smooth="one-euro", resume=True)
    assert rest.seen == (FRAMES - 288 if where == "predict" else 0)
    assert digest(found.lines) == digest(unbroken.lines)
    assert pictures(found.drawing) == pictures(unbroken.drawing)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "a.jsonl", "a.mp4"]


def test_a_finished_run_is_not_done_again(clip, tmp_path):
    predict_video(clip, Squares(), out=tmp_path, pictures=False)
    again = Squares()
    found = predict_video(clip, again, out=tmp_path, pictures=False, resume=True)
    assert again.seen == 0 and "was finished before; nothing was done" in found.notes[0] and len(list(found)) == FRAMES
    predict_video(clip, again, out=tmp_path, pictures=False, resume=True, track=True)
    assert again.seen == FRAMES


def test_a_run_of_another_source_is_not_continued(clip, tmp_path):
    source = tmp_path / "in" / "a.mp4"
    source.parent.mkdir()
    write_clip(source, 40)

    class Stopped(Squares):
        def poses(self, image):
            if self.seen > 20:
                raise KeyboardInterrupt
            return super().poses(image)

    with pytest.raises(KeyboardInterrupt):
        predict_video(source, Stopped(), out=tmp_path / "out")
    write_clip(source, 41)
    with pytest.raises(ValueError, match="other settings: version of the source was"):
        predict_video(source, Squares(), out=tmp_path / "out", resume=True)


def test_without_a_folder_nothing_stays(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = predict_video(clip, Squares())
    lines = found.lines
    assert found.drawing is None and len(list(found)) == FRAMES and not list(tmp_path.iterdir())
    assert found.write_csv(tmp_path / "a.csv").is_file() and found.write_npz(tmp_path / "a.npz").is_file()
    del found
    assert not lines.exists()


def test_the_source_is_never_overwritten(tmp_path):
    source = write_clip(tmp_path / "a.mp4")
    before = digest(source)
    found = predict_video(source, Squares(), out=tmp_path)
    assert found.drawing == tmp_path / "a_pose.mp4" and digest(source) == before
    assert free_name("in/a.mp4", tmp_path, ["a", "a_pose"]) == "a_2"


def test_what_could_not_be_read_is_said(tmp_path):
    source = write_clip(tmp_path / "a.mp4", 60, container={"movflags": "+faststart"})
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    found = predict_video(source, Squares(), out=tmp_path / "out")
    assert 0 < len(found) < 60 and f"{len(found)} of 60 frames could be read" in found.faults[0]
    assert len(list(VideoFile(found.drawing).frames())) == len(found) == len(list(found))


def test_options_that_do_not_fit(clip):
    with pytest.raises(ValueError, match="no filter 'one-eur'; did you mean 'one-euro'"):
        predict_video(clip, Squares(), smooth="one-eur")
    with pytest.raises(ValueError, match="every is a number of frames, at least 1; got 0"):
        predict_video(clip, Squares(), every=0)
    with pytest.raises(ValueError, match=r"every 5 frames \(--every\) is for two models in a row.*squares is not"):
        predict_video(clip, Squares(), every=5)
    with pytest.raises(ValueError, match="the lag is a delay of at least 0 ms; got -3"):
        predict_video(clip, Squares(), smooth="ema", lag=-3)


def test_a_run_that_fails_before_its_first_frame_leaves_no_folder(clip, tmp_path):
    class Broken(Squares):
        def poses(self, image):
            raise ValueError("a broken model")

    with pytest.raises(ValueError, match="a broken model"):
        predict_video(clip, Broken(), out=tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
