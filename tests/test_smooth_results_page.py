"""The page on files of points over time: its options and formats are those of the code, and its Python runs."""

import json
import re
from pathlib import Path

import numpy as np

from posekit.cli.flags import flags
from posekit.cli.smooth import Options
from posekit.data.clip_files import FORMATS
from posekit.postprocess.smooth import SMOOTHERS

PAGE = (Path(__file__).parents[1] / "docs" / "smooth-results.md").read_text(encoding="utf-8")


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_option_and_filter_is_on_the_page():
    table = PAGE.split("## Formats")[0]
    assert {flag for flag in flags(Options) if flag != "--out"} == set(
        re.findall(r"^\| `(--[a-z]+)", table, re.MULTILINE)
    )
    named = set(re.findall(r"`([a-z-]+)`", next(line for line in table.splitlines() if "`--filter`" in line)))
    assert {*SMOOTHERS, "none"} <= named


def test_every_suffix_is_on_the_page():
    formats = PAGE.split("## Formats")[1].split("## Angles")[0]
    for form in FORMATS.values():
        assert not form.suffixes or f"`{form.suffixes[0]}`" in formats


def test_files_are_made_steady_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 200, (17, 2))
    entries = [
        {
            "image_id": n,
            "keypoints": np.c_[base + n + rng.normal(0, 1, (17, 2)), np.ones(17)].ravel().tolist(),
            "score": 0.9,
        }
        for n in range(40)
    ]
    Path("results.json").write_text(json.dumps(entries))
    exec(blocks()[0], {})
    assert Path("steady.json").is_file()


def test_a_stream_of_rtmlib_is_made_steady():
    names: dict = {}
    exec(blocks()[1], names)
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 200, (2, 17, 2)) + np.array([[[0, 0]], [[400, 0]]])
    raw, steady = [], []
    for n in range(60):
        xy = base + rng.normal(0, 2, base.shape)
        keypoints, scores = names["steady"](xy, np.full((2, 17), 0.9), n / 30)
        assert keypoints.shape == (2, 17, 2) and scores.shape == (2, 17)
        raw.append(xy)
        steady.append(keypoints)
    jitter = [np.abs(np.diff(np.array(track)[20:], 2, axis=0)).mean() for track in (raw, steady)]
    assert jitter[1] < 0.7 * jitter[0]
    assert np.abs(steady[-1] - base).mean() < 2
