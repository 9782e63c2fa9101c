"""Panels of series: one for each instance and eight names, curves that break, long ones thinned."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from posekit.visualize.charts import HEIGHT, line_chart
from posekit.visualize.time_series import DENSE, panels

SVG = "{http://www.w3.org/2000/svg}"


def curves(chart):
    tree = ElementTree.fromstring(chart)
    return [len(line.get("points").split()) for line in tree.iter(f"{SVG}polyline")]


def test_curves_break_where_nothing_is_known():
    points = [(0, 1.0), (1, 2.0), (2, np.nan), (3, 1.0), (4, np.nan), (5, 1.0), (6, 3.0)]
    assert curves(line_chart("a", {"x": points})) == [5]
    broken = line_chart("a", {"x": points}, gaps=True)
    assert curves(broken) == [2, 2]
    # A lone point and the end are dots.
    assert broken.count("<circle") == 2
    assert "no data" in line_chart("a", {"x": [(0, np.nan)]}, gaps=True)


def test_a_panel_for_each_instance_and_eight_names():
    times = np.arange(5) / 10
    values = np.random.default_rng(0).uniform(0, 9, (5, 10))
    names = [f"angle{n}" for n in range(10)]
    drawn, left = panels("of a clip", names, {2: (times, values), 7: (times[:3], values[:3])}, "degrees")
    tree = ElementTree.fromstring(drawn)
    assert left == 0 and len(list(tree)) == 4
    assert tree.get("viewBox").split()[-1] == str(4 * HEIGHT)
    titles = [chart.get("aria-label") for chart in tree]
    assert titles == ["of a clip, id 2"] * 2 + ["of a clip, id 7"] * 2
    assert sorted(curves(drawn)) == [3] * 10 + [5] * 10


def test_what_does_not_fit_is_counted_and_long_curves_are_thinned():
    long = (np.arange(2 * DENSE + 2) / 25, np.zeros((2 * DENSE + 2, 1)))
    short = (np.arange(3) / 25, np.zeros((3, 1)))
    drawn, left = panels("clip", ["a"], {**{n: short for n in range(9)}, 20: long}, "pixels")
    assert left == 2
    assert "clip, id 20 (every 3th frame)" not in drawn and "clip, id 20 (1 of 3 frames)" in drawn
    assert max(curves(drawn)) <= DENSE
    assert panels("clip", ["a"], {}, "pixels")[1] == 0
