"""Methods told apart, scores that can be trusted, and sentences that follow the numbers."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from figures import FOUR

from posekit.data.synthetic import Synthetic
from posekit.evaluation.contrast import contrast, trust, unsaturated
from posekit.evaluation.contrast_tables import csv_rows, metrics_of, pairs_table, points_tables, write_csv, write_json
from posekit.evaluation.measure import compared
from posekit.evaluation.verdict import Gap, gaps_of, listed, verdict


@pytest.fixture(scope="module")
def labelled():
    return Synthetic(FOUR, count=40, size=(64, 64), people=2).dataset()


def noisy(dataset, spread, seed=0):
    truth = dataset.xy[dataset.rows]
    return truth + np.random.default_rng(seed).normal(0, spread, truth.shape)


@pytest.fixture(scope="module")
def found(labelled):
    made = {"rough": noisy(labelled, 4.0, 1), "fine": noisy(labelled, 1.0, 2), "same": noisy(labelled, 1.02, 3)}
    return contrast(made, labelled, "nme_box", count=400)


def test_values_are_those_of_the_protocols(labelled, found):
    wanted = compared(noisy(labelled, 4.0, 1), np.ones((len(labelled), 4)), labelled, "nme_box")
    for metric in found.metrics:
        assert found.estimates["rough"][metric].value[0] == pytest.approx(wanted.figures[metric])
    own = found.estimates["rough"]["nme_box"]
    assert own.value[1:] == pytest.approx(wanted.per_point["nme_box"])
    assert (own.low < own.value).all() and (own.value < own.high).all()
    assert found.metrics[0] == "nme_box" and found.instances == len(labelled)
    assert found.errors["rough"] == pytest.approx(wanted.instance_error)


def test_the_better_method_is_told_apart_and_the_equal_one_is_not(found):
    assert found.ranked()[-1] == "rough"
    value, low, high = found.apart("rough", "fine", "nme_box")
    assert 0 < low < value < high
    _, low, high = found.apart("same", "fine", "nme_box")
    assert low < 0 < high
    pairs = {(pair["a"], pair["b"]): pair for pair in found.pairs()}
    assert pairs["fine", "rough"]["p"] < 1e-6 and len(pairs) == 3
    table = pairs_table(found, found.pairs())
    assert [row[2] for row in table.rows].count("apart") == 2
    best, gaps = gaps_of(found, ["rough", "fine", "same"])
    assert [gap.worse for gap in gaps] == [False, True] and best == "fine"
    wide = gaps[1].high - gaps[1].low
    assert wide > np.ptp(found.apart("rough", best, "nme_box")[1:])  # they hold for both together


def test_gaps_of_a_metric_where_higher_is_better(labelled):
    made = {"rough": noisy(labelled, 4.0, 1), "fine": noisy(labelled, 1.0, 2)}
    best, (gap,) = gaps_of(contrast(made, labelled, "pck@0.05", count=200), list(made))
    assert best == "fine" and 0 < gap.low < gap.value < gap.high


VALUES = {"rle": 0.05, "simcc": 0.051, "dark": 0.08}
TIED, WORSE = Gap("simcc", 0.001, -0.001, 0.002), Gap("dark", 0.03, 0.02, 0.04)


def test_the_sentences_follow_the_numbers():
    one = verdict("rle", [TIED, WORSE], "nme_box", 400, values=VALUES, ms={"rle": 4.0, "simcc": 3.9, "dark": 2.0})
    assert one.take == one.best == "rle" and one.tied == ("simcc",)
    assert one.sentences[0] == "Take rle: it is the most accurate (nme_box 0.05, 4 ms an image)."
    assert one.sentences[1].startswith(
        "rle and simcc cannot be told apart on your 400 images: simcc by 0.001 nme_box (-0.001"
    )
    assert one.sentences[2].startswith("Worse than rle: dark by 0.03 nme_box (0.02 to 0.04)")
    # Now the one that cannot be told apart is clearly faster.
    fast = verdict("rle", [TIED, WORSE], "nme_box", 400, values=VALUES, ms={"rle": 4.0, "simcc": 2.0, "dark": 1.0})
    assert fast.take == "simcc" and fast.best == "rle"
    assert fast.sentences[0].startswith("Take simcc: it is as accurate as the best, rle (nme_box 0.05;")
    assert "takes 2 ms an image instead of 4" in fast.sentences[0]
    # Or its interval is so wide that it might be much worse.
    ms = {"rle": 4.0, "simcc": 2.0}
    unsure = verdict("rle", [replace(TIED, high=0.02), WORSE], "nme_box", 9, values=VALUES, ms=ms)
    assert unsure.take == "rle" and unsure.tied == ("simcc",)
    assert unsure.sentences[-1] == "Faster, and perhaps as accurate: simcc (2 ms); more validation images would tell."
    # And now everything else is worse.
    alone = verdict(
        "rle", [replace(TIED, low=0.0005), WORSE], "nme_box", 400, values=VALUES, ms={"rle": 9.0, "simcc": 1.0}
    )
    assert alone.take == "rle" and not alone.tied
    assert (
        alone.sentences[1]
        == "Every other method is worse on your 400 images, beyond what the choice of images explains."
    )
    # Without intervals nothing is called worse.
    few = verdict("rle", [Gap("dark", 0.03, np.nan, np.nan)], "nme_box", 3, values=VALUES)
    assert few.tied == ("dark",) and few.sentences[-1].startswith(
        "Where no interval is given, there are too few images"
    )
    assert verdict("rle", [], "nme_box", 1, values=VALUES).sentences == (
        "Take rle: it is the most accurate (nme_box 0.05).",
    )
    assert listed(["rle"]) == "rle"


def test_scores_that_know_and_scores_that_do_not(labelled):
    random = np.random.default_rng(0)
    xy = noisy(labelled, 4.0)
    error = np.linalg.norm(xy - labelled.xy[labelled.rows], axis=-1)
    knowing = trust(xy, np.exp(-error / 10), labelled, "nme_box")
    blind = trust(xy, random.uniform(size=error.shape), labelled, "nme_box")
    assert knowing.ranks > 0.9 > 0.6 > blind.ranks
    assert knowing.meaning == "nearer than 0.1 of the box's longer side" and 0 < knowing.correct < 1
    assert blind.raw > 0.1 and blind.calibrated < blind.raw
    none = replace(labelled, visibility=np.zeros_like(labelled.visibility))
    assert np.isnan(trust(xy[:0], np.zeros((0, 4)), none, "nme_box").ranks)


def test_json_csv_and_tables(found, tmp_path):
    document = {"methods": {name: metrics_of(found, name) for name in found.estimates}, "pairs": found.pairs()}
    written = json.loads(write_json(tmp_path / "a.json", document | {"none": float("nan")}).read_text())
    own = written["methods"]["fine"]["nme_box"]
    assert own["low"] < own["value"] < own["high"] and set(own["points"]) == set(FOUR.points)
    assert "points" not in written["methods"]["fine"]["oks"] and written["none"] is None
    with write_csv(tmp_path / "a.csv", [*csv_rows(found), {"method": "late", "stopped": 3}]).open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["method"] for row in rows] == [*found.ranked(), "late"] and rows[-1]["nme_box"] == ""
    assert float(rows[0]["nme_box low"]) < float(rows[0]["nme_box"])
    table = points_tables(found)[0]
    assert table.title == "Points: nme_box" and len(table.rows) == 4 and table.header[2:] == found.ranked()


def test_a_metric_at_its_limit_does_not_rank(labelled):
    near = {"a": noisy(labelled, 0.3, 1), "b": noisy(labelled, 0.6, 2), "c": noisy(labelled, 4.0, 3)}
    usual = contrast(near, labelled, count=50)
    assert usual.main == "pck@0.2" and unsaturated(usual).main == "nme_box" and not unsaturated(usual).higher
    assert unsaturated(usual).ranked() == ["a", "b", "c"]
    rough = contrast({"b": near["b"], "c": near["c"]}, labelled, "pck@0.05", count=50)
    assert unsaturated(rough).main == "pck@0.05"


def test_errors_are_told(labelled):
    with pytest.raises(ValueError, match="at least one method; got none"):
        contrast({}, labelled)
    with pytest.raises(ValueError, match=r"metric 'auc' has no interval; those that have one: oks, pck@0\.2"):
        contrast({"a": noisy(labelled, 1)}, labelled, "auc")
