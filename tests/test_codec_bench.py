"""The benchmark of the codecs covers all of them, counts memory rightly, and keeps what it cannot measure here."""

import json
import sys
from pathlib import Path

import cv2
import pytest
import torch

from posekit.recipes.representations import REPRESENTATIONS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch):
    """`benchmarks.codecs`, as `python -m` finds it."""
    monkeypatch.syspath_prepend(str(ROOT))
    pytest.importorskip("matplotlib")
    from benchmarks import codecs

    yield codecs
    for name in [n for n in sys.modules if n.startswith("benchmarks")]:
        sys.modules.pop(name)


def test_peaks_are_those_of_the_tensors_held(bench):
    a = torch.rand(1000, 500)
    one = a.numel() * a.element_size()
    assert bench.peak_bytes(lambda: a + 1) == pytest.approx(one, rel=1e-3)
    # The sum is gone before the next product: two live at once, never three.
    assert bench.peak_bytes(lambda: ((a + 1) * 2) * 3) == pytest.approx(2 * one, rel=1e-3)
    assert bench.peak_bytes(lambda: a.add_(1)) < 1000


def test_every_representation_is_measured_both_ways(bench):
    assert set(bench.scales()) == {f"{name} {what}" for name in REPRESENTATIONS for what in ("encode", "decode")}
    assert set(bench.COMPARED.values()) <= set(bench.scales())


def test_large_maps_go_in_smaller_batches(bench, monkeypatch):
    codec = bench.codecs()["dark"]
    assert bench.batch_of(codec) == 64
    monkeypatch.setattr(bench, "NUMBERS", 17 * 64 * 48 * 20)
    assert bench.batch_of(codec) == 16
    assert bench.scales()["dark encode"] == 4.0


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_what_is_timed_runs(bench, name):
    from benchmarks import codec_share

    recipe = codec_share.recipe_of(name)
    codec_share.own_part(recipe)()
    maps = bench.outputs(recipe.codec, 2)
    assert {key: tuple(value.shape[1:]) for key, value in maps.items()} == dict(recipe.codec.shapes)
    assert recipe.codec.decode(maps).xy.isfinite().all()


def test_earlier_figures_of_the_reference_stay_with_their_commit(bench, tmp_path):
    file = tmp_path / "codecs.json"
    row = {"median_ms": 2.0}
    before = {
        "commit": "old",
        "reference": "mmpose 1.3.2",
        "aims": {"mmpose dark decode over ours": {"figure": 10}, "other": {"figure": 1}},
        "rows": {"mmpose dark decode": row, "dark decode": row},
    }
    now = {"reference": "not timed", "aims": {"new": {"figure": 2}}, "rows": {"dark decode": {"median_ms": 3.0}}}
    assert bench.with_earlier(now, file) == now
    file.write_text(json.dumps(before), encoding="utf-8")
    merged = bench.with_earlier(now, file)
    assert merged["reference"] == "mmpose 1.3.2"
    assert merged["rows"] == {"dark decode": {"median_ms": 3.0}, "mmpose dark decode": {"commit": "old", **row}}
    assert merged["aims"] == {"new": {"figure": 2}, "mmpose dark decode over ours": {"commit": "old", "figure": 10}}
    # Taken over once more, they keep the commit beside which they were measured.
    file.write_text(json.dumps({**merged, "commit": "newer"}), encoding="utf-8")
    assert bench.with_earlier(now, file)["rows"]["mmpose dark decode"]["commit"] == "old"
    asked = {**now, "rows": {"mmpose dark decode": {"median_ms": 4.0}}}
    assert bench.with_earlier(asked, file) == asked


def test_the_chart_is_drawn(bench, tmp_path):
    row = {"median_ms": 2.0, "peak_bytes": 1 << 20}
    names = ("dark", "simcc")
    rows = {f"{name} {what}": row for name in names for what in ("encode", "decode")}
    step = {name: {"share": {"figure": 0.01}} for name in names}
    compared = {"dark decode": "dark decode"}
    rows |= {"fill": row, "mmpose dark decode": {**row, "commit": "old"}}
    result = {"rows": rows, "step": step, "compared": compared, "reference": "mmpose 1.3.2"}
    bench.chart(result, tmp_path / "chart.png")
    assert cv2.imread(str(tmp_path / "chart.png")).shape[1] > 1000
