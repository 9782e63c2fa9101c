import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from posekit.visualize.report import LARGEST, Section, Table, embedded, write_report


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of turn."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in ("meta", "img", "rect", "path", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page(tmp_path, **parts):
    path = write_report(tmp_path / "deep" / "report.html", title="a <run> & more", **parts)
    return path.read_text(encoding="utf-8")


def test_a_full_report_is_one_file_that_fetches_and_runs_nothing(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    text = page(
        tmp_path,
        facts={"best": "PCK 0.9"},
        notes=["guessed <that>"],
        curves={"loss": {"mse": [(0, 100.0), (5, 0.1)], "bone": [(0, 3.0), (5, 1.0)]}, "PCK": {"PCK": [(0, 0.5)]}},
        tables=[Table("Points", ["point", "PCK"], [["nose", "0.91"], ["tail", "nan"]])],
        pictures=[Section("Best", [("a.jpg: 0.01", image)]), Section("Nothing", [])],
    )
    parser = Balanced()
    parser.feed(text)
    assert not parser.open
    assert parser.seen.count("svg") == 2 and parser.seen.count("img") == 1 and "script" not in parser.seen
    fetched = re.findall(r'(?:src|href)="(?!data:)[^"]*"|url\(|@import', text)
    assert not fetched
    for said in ("a &lt;run&gt; &amp; more", "guessed &lt;that&gt;", "PCK 0.9", "nose", "log scale", "a.jpg: 0.01"):
        assert said in text
    assert '<td class="number">0.91</td>' in text and "<td>nose</td>" in text
    assert "Nothing" not in text


def test_an_empty_report_has_its_title_and_no_empty_parts(tmp_path):
    text = page(tmp_path)
    assert "<h1>a &lt;run&gt; &amp; more</h1>" in text and "<h2>" not in text


def test_steep_curves_alone_get_a_logarithmic_axis(tmp_path):
    assert "log scale" not in page(tmp_path, curves={"x": {"x": [(0, 1.0), (1, 0.1)]}})
    assert "log scale" not in page(tmp_path, curves={"x": {"x": [(0, 100.0), (1, -0.1)]}})


@pytest.mark.parametrize("size", [(20, 30), (900, 700)])
def test_pictures_come_back_as_they_were_but_no_larger_than_needed(size):
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0], image[..., 1] = 200, 60
    data = np.frombuffer(base64.b64decode(embedded(image).partition(",")[2]), np.uint8)
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    assert max(back.shape) == min(max(size), LARGEST)
    assert np.abs(back.reshape(-1, 3).mean(0) - [200, 60, 0]).max() < 4


def test_messages():
    with pytest.raises(ValueError, match="table 'T': row 1 has 1 cells, header 2"):
        Table("T", ["a", "b"], [["1", "2"], ["3"]])
    with pytest.raises(ValueError, match=r"a picture wants \(H, W, 3\) uint8 RGB; got \(3, 4\) float64"):
        embedded(np.zeros((3, 4)))


def test_pictures_have_a_legend_and_can_be_made_large(tmp_path):
    image = np.zeros((30, 20, 3), np.uint8)
    section = Section("Best", [("a.jpg: 0.01", image)], "White ring: <label>.", [("nose & co", (255, 0, 4))])
    table = Table("Measured", ["metric", "value", "what it means"], [["auc", "0.5", "area " * 20]])
    text = page(tmp_path, tables=[table], pictures=[section], curves={"c": {"c": [(0, 1.0)]}}, notes=["guessed"])
    for said in ("White ring: &lt;label&gt;.", "nose &amp; co", "background: rgb(255, 0, 4)", 'type="checkbox"'):
        assert said in text
    assert '<td class="text">area' in text and '<td class="number">0.5</td>' in text
    heads = [text.index(f"<h2>{name}</h2>") for name in ("Measured", "Best", "Curves", "Notes")]
    assert heads == sorted(heads)
