"""`posekit predict` with videos: which sources are videos, what is written and printed, interruption and resume."""

import csv

import cv2
import numpy as np
import pytest
from clips import Squares, picture, write_clip, write_sound

from posekit.cli import predict as predict_command
from posekit.cli.main import main
from posekit.data.video import VideoFile


class Stopped(Squares):
    """Is interrupted after some frames."""

    def poses(self, image):
        if self.seen > 20:
            raise KeyboardInterrupt
        return super().poses(image)


@pytest.fixture
def squares(monkeypatch, tmp_path):
    """The stand-in predictor as the model of the command, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predict_command, "_model", lambda options: Squares())
    return tmp_path


def test_a_video_gives_a_video_and_lines(squares, capsys):
    write_clip(squares / "a.mp4", 30)
    words = ["predict", "a.mp4", "--smooth", "kalman", "--lag", "80", "--csv", "a.csv", "--npz", "a.npz"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert (
        "30 frames, 30 instances" in said.out and "written: predictions/a.mp4, predictions/a.jsonl, a.csv" in said.out
    )
    assert [line.split()[:2] for line in said.out.splitlines()[2:]] == [
        ["read", "60"],
        *([stage, "30"] for stage in ("predict", "track", "smooth", "draw", "write")),
    ]
    assert said.err == ""
    assert len(list(VideoFile("predictions/a.mp4").frames())) == 30
    with (squares / "a.csv").open(newline="") as opened:
        assert len(list(csv.DictReader(opened))) == 30 * 4
    assert np.load("a.npz")["xy"].shape == (30, 4, 2)


def test_several_videos_by_a_pattern_keep_their_names_apart(squares, capsys):
    for name in ("x/a.mp4", "y/a.mp4", "y/b.mp4"):
        (squares / name).parent.mkdir(exist_ok=True)
        write_clip(squares / name, 3)
    assert main(["predict", "*/*.mp4", "--no-pictures"]) == 0
    assert sorted(file.name for file in (squares / "predictions").glob("*.jsonl")) == [
        "a.jsonl",
        "a_pose.jsonl",
        "b.jsonl",
    ]
    assert not list((squares / "predictions").glob("*.mp4"))
    capsys.readouterr()
    assert main(["predict", "*/*.mp4", "--csv", "t.csv"]) == 1
    assert "--csv t.csv is for one video, and 3 are given" in capsys.readouterr().err


def test_a_folder_of_images_is_a_video_if_it_is_asked_for(squares):
    (squares / "in").mkdir()
    for number in range(3):
        cv2.imwrite(f"in/{number}.png", picture(number)[..., ::-1])
    assert main(["predict", "in", "--fps", "5"]) == 0
    video = VideoFile("predictions/in.mp4")
    assert [frame.time for frame in video.frames()] == [0, 0.2, 0.4]


def test_an_interrupted_run_says_how_to_go_on(squares, monkeypatch, capsys):
    write_clip(squares / "a.mp4", 30)
    monkeypatch.setattr(predict_command, "_model", lambda options: Stopped())
    assert main(["predict", "a.mp4", "--track"]) == 130
    said = capsys.readouterr().err
    assert "what is finished stays in predictions/a.part" in said
    assert "Continue with: posekit predict a.mp4 --track --resume" in said
    monkeypatch.setattr(predict_command, "_model", lambda options: Squares())
    assert main(["predict", "a.mp4", "--track"]) == 1
    assert "holds an unfinished run: add --resume" in capsys.readouterr().err
    assert main(["predict", "a.mp4", "--track", "--resume"]) == 0
    assert len(list(VideoFile("predictions/a.mp4").frames())) == 30


def test_missing_frames_give_status_1(squares, capsys):
    file = write_clip(squares / "a.mp4", 60, container={"movflags": "+faststart"})
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert main(["predict", "a.mp4"]) == 1
    said = capsys.readouterr()
    assert "of 60 frames could be read, the rest is missing or damaged" in said.err and "written:" in said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.jpg", "--track"], "--track is for videos, and a.jpg is none"),
        (["a.jpg", "--resume"], "--resume is for videos"),
        (["a.mp4", "a.jpg"], "a.mp4 is a video and a.jpg is not"),
        (["a.mp4", "--boxes", "b.json"], "--boxes is for images"),
        (["a.mp4", "--lag", "20"], "--lag is the delay of --smooth: name a filter"),
        (["a.mp4", "--smooth", "kalmann"], "no filter 'kalmann'; did you mean 'kalman'"),
        (["b.mp4"], "b.mp4: no such file; expected a video"),
        (["*.mkv"], "no file there"),
        (["sound.mp4"], "no video in it, only audio"),
        (["in", "--fps", "0"], "frames a second must be above 0"),
    ],
)
def test_what_does_not_fit_is_one_line(squares, capsys, words, said):
    (squares / "in").mkdir()
    cv2.imwrite("in/0.png", picture(0))
    write_clip(squares / "a.mp4", 3)
    write_sound(squares / "sound.mp4")
    assert main(["predict", *words]) == 1
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1
