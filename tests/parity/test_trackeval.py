"""Metrics of identities against TrackEval 1.3.0 and Roboflow's trackers 2.6.1."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from parity_table import HERE, PAGE

from posekit.metrics.identity import Frame, clear_mot, identity_metrics

VECTORS = json.loads((HERE / "vectors_trackeval.json").read_text(encoding="utf-8"))
INTERRUPTED = ("fragmentations", "id_switches", "mota", "motp", "found", "missed", "false")
"""What depends on whether a frame without any instance interrupts a track."""


@pytest.mark.parametrize("reference", ["trackeval", "trackers"])
@pytest.mark.parametrize("name", VECTORS["sequences"])
def test_identity_metrics(name, reference):
    stored = VECTORS["sequences"][name]
    ours = identity_metrics([Frame.of(*frame) for frame in stored["frames"]])
    theirs = stored[reference]
    assert set(ours) == set(theirs)
    left_out = INTERRUPTED if name == "empty" else ()
    assert {k: v for k, v in ours.items() if k not in left_out} == pytest.approx(
        {k: v for k, v in theirs.items() if k not in left_out}, abs=1e-8
    )


def test_the_sequences_contain_every_error():
    every = [sequence["trackeval"] for sequence in VECTORS["sequences"].values()]
    assert all(
        any(figures[name] > 0 for figures in every) for name in ("id_switches", "fragmentations", "missed", "false")
    )
    frames = VECTORS["sequences"]["empty"]["frames"]
    assert any(not true for true, _, _ in frames) and any(not found for _, found, _ in frames)


def test_an_empty_frame_interrupts_a_track():
    found, missed, nothing = Frame.of([7], [1], [[1.0]]), Frame.of([7], [], []), Frame.of([], [], [])
    for between in (missed, nothing, Frame.of([], [2], [])):
        assert clear_mot([found, between, found])["fragmentations"] == 1
    assert clear_mot([found, found])["fragmentations"] == 0


def test_the_page_names_the_versions():
    page = PAGE.read_text(encoding="utf-8")
    assert f"| TrackEval | {VECTORS['versions']['trackeval']} |" in page
    assert f"| trackers | {VECTORS['versions']['trackers']} |" in page


@pytest.mark.parity
def test_trackeval_vectors_are_what_trackeval_says(tmp_path):
    interpreter = os.environ.get("POSEKIT_TRACKEVAL_PYTHON")
    if not interpreter:
        pytest.skip("POSEKIT_TRACKEVAL_PYTHON does not name an interpreter with trackeval and trackers")
    again = tmp_path / "again.json"
    script = HERE / "make_trackeval_vectors.py"
    made = subprocess.run([interpreter, str(script), str(again)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    fresh = json.loads(again.read_text(encoding="utf-8"))
    assert fresh["versions"] == VECTORS["versions"]
    for name, stored in VECTORS["sequences"].items():
        assert fresh["sequences"][name]["frames"] == stored["frames"]
        for reference in ("trackeval", "trackers"):
            assert fresh["sequences"][name][reference] == pytest.approx(stored[reference], abs=1e-8)
