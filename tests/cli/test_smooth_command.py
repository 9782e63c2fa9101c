"""`posekit smooth` and `posekit angles` as a person uses them."""

import json

import numpy as np
import pytest
from clip_samples import SAMPLES, coco, openpose, table

from posekit.cli.main import main


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_of_each_format(name, tmp_path, capsys):
    source = SAMPLES[name](tmp_path)
    target = tmp_path / "new" / source.name
    assert main(["smooth", str(source), "--out", str(target), "--filter", "savgol", "--threshold", "0.1"]) == 0
    out = capsys.readouterr().out
    assert "2 tracks" in out or "1 track " in out
    assert "filter savgol: jitter" in out and f"written: {target}; next: posekit angles {target}" in out
    assert target.exists()


def test_what_is_printed(tmp_path, capsys):
    rng = np.random.default_rng(0)
    time = np.arange(90) / 30
    x = 100 + 50 * np.sin(4 * time)[:, None] + rng.normal(0, 1, (90, 5))
    frames = [
        {
            "image_id": n,
            "keypoints": np.stack([row + 20 * np.arange(5), row / 9 + 40 * np.arange(5), np.ones(5)], 1)
            .ravel()
            .tolist(),
            "score": 0.9,
        }
        for n, row in enumerate(x)
    ]
    frames[50]["keypoints"][6:9] = [0, 0, 0]
    source = tmp_path / "r.json"
    source.write_text(json.dumps([*frames, {**frames[0], "image_id": 95, "score": 0.1}]))
    assert main(["smooth", str(source), "--out", str(tmp_path / "new.json"), "--lag", "0"]) == 0
    done = capsys.readouterr()
    lines = done.out.splitlines()
    assert lines[0] == "COCO results (JSON): 91 frames, 1 track (ids by tracking)"
    assert lines[1] == "1 instance in no track: as in the file"
    assert lines[2].startswith("filter kalman: jitter ") and "pixels per frame squared (-" in lines[2]
    assert lines[2].endswith(" ms")
    assert lines[3] == "1 missing point filled in"
    assert "posekit smooth: 5 points without names" in done.err
    assert "the file has no times: 30 frames a second assumed" in done.err
    assert main(["smooth", str(source), "--out", str(tmp_path / "n.json"), "--filter", "none", "--fps", "25"]) == 0
    done = capsys.readouterr()
    assert "filter" not in done.out and "assumed" not in done.err


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--out", "SOURCE"], "is the file that is read; give another name with --out"),
        (["--out", "x.csv"], "which is written as it was read; give --out"),
        (["--out", "x.json", "--filter", "kalmann"], "no filter 'kalmann'; did you mean 'kalman'?"),
        (["--out", "x.json", "--filter", "rts", "--lag", "9"], "has no lag: leave out --lag"),
        (["--out", "x.json", "--points", "a,b"], "has 17 points, --points gives 2 (a, b)"),
        (["--out", "x.json", "--fps", "0"], "frames a second must be a positive number; got 0"),
    ],
)
def test_one_line_says_what_is_wrong(words, match, tmp_path, capsys):
    source = coco(tmp_path)
    words = [str(source) if word == "SOURCE" else word for word in words]
    words = [str(tmp_path / word) if word.startswith("x.") else word for word in words]
    assert main(["smooth", str(source), *words]) == 1
    err = capsys.readouterr().err
    assert match in err and err.count("\n") == 1


def test_angles_beside_the_file(tmp_path, capsys):
    source = coco(tmp_path)
    assert main(["angles", str(source), "--angles", "left_knee", "lean=left_hip,left_knee,nose", "--signed"]) == 0
    done = capsys.readouterr()
    assert "3 frames, 2 tracks: 2 angles" in done.out
    assert "the file has no spread of its points" in done.out
    assert (tmp_path / "results.angles.csv").read_text().startswith("frame,time,id,left_knee,lean")
    assert (tmp_path / "results.angles.svg").is_file()


def test_angles_and_lengths_of_a_folder_and_of_a_table(tmp_path, capsys):
    words = ["--lengths", "all", "--angles", "all", "--out", str(tmp_path / "o"), "--threshold", "0.05"]
    assert main(["angles", str(openpose(tmp_path)), *words]) == 0
    assert "10 angles and 24 lengths" in capsys.readouterr().out
    assert main(["angles", str(table(tmp_path)), "--lengths", "arm=tip,end"]) == 0
    assert "1 length" in capsys.readouterr().out
    head = (tmp_path / "points.lengths.csv").read_text().splitlines()[0]
    assert head == "frame,time,id,arm,arm_sd"
    assert main(["angles", str(table(tmp_path))]) == 1
    assert "have no known angles" in capsys.readouterr().err
