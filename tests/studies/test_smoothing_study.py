"""The study of smoothing: errors drawn as measured, people who move, the table, the picture and the verdict."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from posekit.data.error_process import BANDS, RANKS, ErrorProcess, described, kind_of
from posekit.data.moving_people import moving_person
from posekit.skeletons import SKELETONS
from posekit.studies.smoothing import measure, plot, row_of, settings, verdict

SKELETON = SKELETONS["coco17"]


def test_the_same_seed_moves_alike_at_any_frame_rate():
    slow_times, slow = moving_person(SKELETON, 4.0, 10, seed=3)
    times, fast = moving_person(SKELETON, 4.0, 50, seed=3)
    assert fast.shape == (200, 17, 2)
    np.testing.assert_allclose(times[::5], slow_times)
    np.testing.assert_allclose(fast[::5], slow, atol=1e-6)
    _, other = moving_person(SKELETON, 4.0, 10, seed=4)
    assert np.abs(other - slow).max() > 10
    # There are rests and fast movements: the speed of a wrist differs by much.
    speed = np.linalg.norm(np.diff(fast[:, SKELETON.index(["left_wrist"])[0]], axis=0), axis=-1) * 50
    assert np.percentile(speed, 90) > 3 * np.percentile(speed, 10)


@pytest.mark.parametrize("correlation", [0.0, 0.1])
def test_errors_are_drawn_as_measured(correlation):
    process = ErrorProcess.load()
    frames, size = 8000, 150.0
    times = np.arange(frames) / 25
    truth = np.tile(np.arange(17.0)[:, None] * 200, (frames, 1, 2))
    xy, score = process.draw(truth, np.full(frames, size), times, SKELETON, correlation, np.random.default_rng(0))
    off = np.linalg.norm(xy - truth, axis=-1) / size
    flip = np.array(SKELETON.flip)
    swapped = np.linalg.norm(xy - truth[:, flip], axis=-1) / size < off
    for point in (0, 5, 9, 15):
        kind = kind_of(SKELETON, point)
        plain = off[~swapped[:, point], point]
        for rank in (20, 50, 80):
            assert np.percentile(plain, rank) == pytest.approx(process.length[kind][RANKS.index(rank)], rel=0.12)
    wrist = SKELETON.index(["left_wrist"])[0]
    assert swapped[:, wrist].mean() == pytest.approx(process.swapped["wrist"], abs=0.015)
    # Long errors have lower scores.
    near, far = off[:, wrist] < np.median(off[:, wrist]), off[:, wrist] > np.percentile(off[:, wrist], 90)
    assert score[near, wrist].mean() > score[far, wrist].mean() + 0.1
    assert ((score >= 0) & (score <= 1)).all()
    # Nose: no swaps; the correlation from frame to frame is that of a Gauss-Markov process.
    x = (xy - truth)[:, 0, 0]
    small = np.clip(x, *np.percentile(x, (5, 95)))
    assert np.corrcoef(small[1:], small[:-1])[0, 1] == pytest.approx(
        np.exp(-0.04 / correlation) if correlation else 0, abs=0.08
    )


def test_described_is_read_back(tmp_path):
    rng = np.random.default_rng(1)
    length, score = rng.exponential(0.05, 500), rng.uniform(0, 1, 500)
    found = described("a model", {"wrist": length}, {"wrist": score}, {"wrist": 0.25})
    assert found["kinds"]["wrist"]["length"][RANKS.index(50)] == pytest.approx(np.median(length), abs=1e-5)
    assert len(found["kinds"]["wrist"]["score"]) == len(BANDS) - 1
    assert found["kinds"]["wrist"]["measured"] == 500
    assert found["kinds"]["wrist"]["swapped"] == 0.25


@pytest.fixture(scope="module")
def small():
    said = []
    result = measure(people=2, seconds=2.0, conditions=[(25.0, 0.04)], lags=(2,), say=said.append)
    assert said == ["2 people at 25 fps, errors correlated over 40 ms"]
    return result


def test_rows_of_the_study(small):
    (where,) = small["synthetic"]
    raw = row_of(where, "raw")
    assert raw["cut"] == {"mean": 0, "spread": 0}
    assert raw["of_raw"]["mean"] == 1
    assert {row["method"] for row in where["rows"] if row["lag"] == 2} == {"ema", "median", "one-euro", "kalman"}
    assert row_of(where, "kalman", 2)["cut"]["mean"] > 0.6
    assert row_of(where, "rts")["cut"]["mean"] > row_of(where, "kalman", 2)["cut"]["mean"]
    assert row_of(where, "kalman", 1) is None


def test_picture(small, tmp_path):
    plot(small, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")
    assert "Jitter and lag, 25 fps" in text and "errors of" in text and "kalman" in text


def row(method, lag, cut, late=1.0, of_raw=0.5):
    return {
        "method": method,
        "lag": lag,
        **{name: {"mean": v, "spread": 0.0} for name, v in (("cut", cut), ("late", late), ("of_raw", of_raw))},
    }


@pytest.mark.parametrize(
    ("cut", "late", "of_raw", "word"),
    [(0.8, 1.0, 0.6, "reached"), (0.6, 1.0, 0.6, "missed"), (0.8, 1.2, 0.6, "missed"), (0.8, 1.0, 1.1, "missed")],
)
def test_verdict(cut, late, of_raw, word):
    rows = [
        row("kalman", 1, cut, late, of_raw),
        row("ema", 1, 0.55),
        row("two-pass", None, 0.9),
        row("rts", None, 0.97),
    ]
    said = verdict({"synthetic": [{"fps": 25.0, "correlation": 0.04, "rows": rows}]}).splitlines()
    assert said[0].endswith(f"aim (70% within a frame, less error than raw) {word}")
    assert said[1].endswith(f"by frames of lag: 1: {cut:.0%} against 55%")
    assert said[2].endswith("offline two-pass 90%, rts 97%; best rts; aim (85% in two passes) reached")


def test_settings():
    from posekit.postprocess.smooth.ema import Ema
    from posekit.postprocess.smooth.kalman import Kalman
    from posekit.postprocess.smooth.two_pass import TwoPass

    assert settings(None) == {}
    assert settings(Kalman(noise=(0.1, 0.2), outlier=None)) == {"kind": "kalman", "noise": [0.1, 0.2], "outlier": None}
    assert settings(TwoPass(filter=Ema(tau=5.0))) == {"kind": "two-pass", "filter": {"kind": "ema", "tau": 5.0}}
