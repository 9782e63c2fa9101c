"""Charts of comparisons: the front, labels that do not overlap, and intervals."""

import itertools
import math
import re

import pytest

from posekit.visualize.estimates import estimate_chart
from posekit.visualize.report import write_report
from posekit.visualize.trade_off import HEIGHT, WIDTH, Mark, front, trade_off_chart

MARKS = [
    Mark("a", 1.0, 0.5, 0.4, 0.6),
    Mark("b", 2.0, 0.7),
    Mark("c", 3.0, 0.6),
    Mark("d", 2.0, 0.65),
    Mark("e", 8, 0.7),
]


def test_the_front_holds_what_nothing_beats():
    assert front(MARKS, higher=True) == ["a", "b"]
    assert front(MARKS, higher=False) == ["a"]
    assert front([Mark("x", 1, 0.5), Mark("y", 1, 0.5)], higher=True) == ["x"]
    assert front([], higher=True) == []


def test_a_trade_off_is_drawn_inside_its_frame():
    svg = trade_off_chart("t", [*MARKS, Mark("lost", math.nan, 0.4)], True, "ms", "pck", chosen="b")
    assert svg.count('r="5"') == 5 and svg.count('r="9"') == 1 and "lost" not in svg
    assert svg.count('stroke-width="2" opacity="0.55"') == 1  # one method has an interval
    for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg):
        assert 0 < float(x) < WIDTH and 0 < float(y) < HEIGHT
    heights = sorted(float(y) for y in re.findall(r'<text x="\d+" y="([\d.]+)"(?: font-weight="600")?>[abcde]<', svg))
    assert len(heights) == 5 and min(b - a for a, b in itertools.pairwise(heights)) >= 14.9
    assert "no data" in trade_off_chart("t", [Mark("lost", math.nan, 0.4)], True, "ms", "pck")


def test_estimates_have_their_intervals():
    svg = estimate_chart("t <1>", {"best": (0.9, 0.8, 0.95), "few": (0.5, math.nan, math.nan), "none": (math.nan,) * 3})
    assert "t &lt;1&gt;" in svg and svg.count("<circle") == 2 and svg.count('stroke-width="3"') == 1
    assert ">none<" in svg and ">0.5<" in svg
    with pytest.raises(ValueError, match="at least one row; got none"):
        estimate_chart("t", {})


def test_a_report_begins_with_its_result(tmp_path):
    page = write_report(tmp_path / "a.html", title="T", lead=["Take <a>.", "Why."], charts=["<svg></svg>"]).read_text()
    assert '<div class="card lead"><p>Take &lt;a&gt;.</p><p>Why.</p></div>' in page
    assert page.index("Take") < page.index("<svg>")
    assert "lead" not in write_report(tmp_path / "b.html", title="T").read_text().split("</style>")[1]
