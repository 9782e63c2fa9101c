"""The pages and pictures of the representations: complete, small, and the same whenever they are made."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from posekit.geometry.grid import Grid
from posekit.recipes.representations import REPRESENTATIONS

DOCS = Path(__file__).parents[1] / "docs"
MOST = 40_000
"""Bytes of a picture."""


@pytest.fixture
def docs(monkeypatch):
    """The modules that make the pages, found as `docs/build.py` finds them."""
    monkeypatch.syspath_prepend(str(DOCS))
    import codec_pages
    import codec_pictures

    yield codec_pages, codec_pictures
    for name in [n for n in sys.modules if n.startswith("codec_p") or n == "codec_fields"]:
        sys.modules.pop(name)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_every_representation_has_a_page_and_a_small_picture(name):
    assert f"\n# {name}\n" in "\n" + (DOCS / "codecs" / f"{name}.md").read_text(encoding="utf-8")
    file = DOCS / "codecs" / f"{name}.png"
    assert 0 < file.stat().st_size <= MOST
    picture = cv2.imread(str(file))
    assert picture.shape[0] > 300
    assert picture.shape[1] > 400
    # More than the grey figure is drawn: some pixels have a colour.
    assert int(np.ptp(picture.astype(int), axis=2).max()) > 100


def test_the_index_links_every_page_once():
    text = (DOCS / "codecs" / "README.md").read_text(encoding="utf-8")
    assert all(text.count(f"]({name}.md)") == 1 for name in REPRESENTATIONS)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_every_field_on_a_page_is_explained(name, docs):
    fields = list(docs[0].shown_fields(docs[0].codec_of(name)))
    assert all(field.about and field.values for field in fields)
    text = (DOCS / "codecs" / f"{name}.md").read_text(encoding="utf-8")
    assert all(f"`--codec.{field.name.replace('_', '-')}`" in text for field in fields)


def test_what_a_field_takes(docs):
    fields = {field.name: field for field in docs[0].shown_fields(docs[0].codec_of("heatmap"))}
    assert fields["sigma"].values == "float > 0"
    assert fields["blur"].values == "float >= 0, or unset"
    assert fields["target"].values == "`unbiased`, `quantised`"
    assert fields["target"].default == "`quantised` (`unbiased` in the class)"


def test_a_picture_is_the_same_every_time(docs):
    once, again = docs[1].picture("simcc"), docs[1].picture("simcc")
    assert np.array_equal(once, again)
    assert once.dtype == np.uint8


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 14.0), (-0.5, 4.0)])
def test_arrows_start_where_they_lead_to_the_point_from(docs, shift, scale):
    import codec_fields

    grid, point = Grid.of((256, 192), 4), np.array([61.0, 46.5])
    cells = np.array([[14.0, 10.0], [15.0, 11.0], [14.0, 12.0]])
    starts = grid.pixels(cells + shift)
    found, length = codec_fields.leading(cells, (point - starts) / scale, point, grid)
    assert length == pytest.approx(scale)
    assert np.array_equal(found, starts)


def test_a_page_that_belongs_to_nothing_is_found(docs, tmp_path, monkeypatch):
    monkeypatch.setattr(docs[0], "FOLDER", tmp_path)
    (tmp_path / "gone.md").write_text("old", encoding="utf-8")
    assert docs[0].stray({}) == [tmp_path / "gone.md"]
