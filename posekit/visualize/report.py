"""A report as one HTML file: figures, curves, tables and pictures, with nothing to fetch and nothing to run."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.visualize.charts import line_chart
from posekit.visualize.palette import Colour

Image = NDArray[np.uint8]
Curves = Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]

LARGEST = 640
"""Longer side of a picture in the file, pixels; larger ones are made smaller."""

_LONG = 40
"""Cells with more characters may take several lines."""

_STEEP = 50.0
"""A chart whose largest value is so many times its smallest gets a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a header; columns that hold numbers are aligned to the right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(f"table {self.title!r}: row {number} has {len(row)} cells, header {len(self.header)}")


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Pictures with captions: (caption, (H, W, 3) uint8 RGB).

    Args:
        title: above the pictures.
        pictures: with their captions.
        about: a sentence on how to read them.
        legend: names and colours of what is drawn.
    """

    title: str
    pictures: Sequence[tuple[str, Image]]
    about: str = ""
    legend: Sequence[tuple[str, Colour]] = ()


def write_report(
    path: Path,
    *,
    title: str,
    lead: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
    charts: Sequence[str] = (),
    notes: Sequence[str] = (),
    curves: Curves | None = None,
    tables: Sequence[Table] = (),
    pictures: Sequence[Section] = (),
) -> Path:
    """Write everything into one self-contained HTML file, for light and dark, wide and narrow screens.

    Args:
        path: of the file; its folder is made.
        title: of the page.
        lead: sentences of the result, shown first, each a paragraph.
        facts: short figures by name, above the rest.
        charts: ``<svg>`` elements, below the facts.
        notes: sentences, at the end.
        curves: by chart, then by name: points (x, y); x is images seen. Below the pictures.
        tables: below the facts.
        pictures: below the tables, embedded as JPEG; a click shows one large.

    Returns:
        ``path``.
    """
    parts = [
        _lead(lead),
        _facts(facts or {}),
        _pair(charts),
        *(_table(table) for table in tables),
        *(_section(section) for section in pictures),
        _charts(curves or {}),
        _notes(notes),
    ]
    page = _PAGE.replace("{title}", escape(title)).replace("{style}", _STYLE).replace("{body}", "\n".join(parts))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _lead(sentences: Sequence[str]) -> str:
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return f'<div class="card lead">{told}</div>' if told else ""


def _pair(charts: Sequence[str]) -> str:
    cards = "".join(f'<div class="card">{chart}</div>' for chart in charts)
    return f'<div class="charts large">{cards}</div>' if cards else ""


def _facts(facts: Mapping[str, str]) -> str:
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    return f'<dl class="facts">{cells}</dl>' if cells else ""


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<h2>Notes</h2>\n<ul class="card notes">{items}</ul>' if items else ""


def _charts(curves: Curves) -> str:
    charts = []
    for name, series in curves.items():
        values = [y for points in series.values() for _, y in points if np.isfinite(y)]
        steep = bool(values) and min(values) > 0 and max(values) / min(values) > _STEEP
        chart = line_chart(name, series, x_label="images seen", y_label="log scale" if steep else "", log=steep)
        charts.append(f'<div class="card">{chart}</div>')
    return f'<h2>Curves</h2>\n<div class="charts">{"".join(charts)}</div>' if charts else ""


def _table(table: Table) -> str:
    kinds = [_kind([row[i] for row in table.rows]) for i in range(len(table.header))]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(table.header, kinds, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(text)}</td>" for text, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in table.rows
    )
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="card wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _kind(cells: Sequence[str]) -> str:
    """The class of a column: numbers are aligned to the right, long texts may take several lines."""
    if any(map(_numeric, cells)):
        return ' class="number"'
    return ' class="text"' if any(len(cell) > _LONG for cell in cells) else ""


def _numeric(text: str) -> bool:
    try:
        float(text.replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True


def _section(section: Section) -> str:
    """Pictures; a checkbox for each, without a script, makes it large."""
    figures = "".join(
        f'<figure class="card"><label><input type="checkbox" aria-label="large"/>'
        f'<img src="{embedded(image)}" alt="{escape(caption)}" loading="lazy"></label>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, image in section.pictures
    )
    if not figures:
        return ""
    about = f'<p class="about">{escape(section.about)}</p>' if section.about else ""
    names = "".join(
        f'<span><i style="background: rgb{colour}"></i>{escape(name)}</span>' for name, colour in section.legend
    )
    legend = f'<p class="legend">{names}</p>' if names else ""
    return f'<h2>{escape(section.title)}</h2>\n{about}{legend}<div class="pictures">{figures}</div>'


def embedded(image: Image) -> str:
    """An image as the text of a ``data:`` address: JPEG with full colour resolution, so that thin lines keep theirs.

    Args:
        image: (H, W, 3) uint8 RGB; made smaller where its longer side exceeds `LARGEST`.

    Raises:
        ValueError: the image is not (H, W, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"a picture wants (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}")
    scale = LARGEST / max(image.shape[:2])
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, 88, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert written
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

_STYLE = """
:root { --page: #f5f6f8; --card: #fff; --text: #16181d; --soft: #626b7a; --line: #e3e6eb; --accent: #2563eb; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0f1115; --card: #181b21; --text: #e8eaee; --soft: #98a1b0; --line: #2a2f38; --accent: #7aa7ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Noto Sans", sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 20px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 36px 0 12px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px 14px; }
.facts div:first-child { border-color: var(--accent); }
dt { color: var(--soft); font-size: 0.82rem; }
dd { margin: 2px 0 0; font-size: 1.05rem; font-weight: 600; overflow-wrap: anywhere; }
.lead { margin: 0 0 12px; border-color: var(--accent); overflow-wrap: anywhere; }
.lead p { margin: 0 0 6px; }
.lead p:first-child { font-size: 1.15rem; font-weight: 600; }
.notes { margin: 0; padding-left: 32px; color: var(--soft); overflow-wrap: anywhere; }
.notes li + li { margin-top: 4px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); gap: 12px; }
.charts.large { grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); margin-top: 12px; }
.charts svg { display: block; width: 100%; height: auto; }
.charts.large svg { max-width: 640px; margin: 0 auto; }
.wide { overflow-x: auto; max-width: 100%; padding: 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
th, td { padding: 8px 14px; text-align: left; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: 0.82rem; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
th.text, td.text { white-space: normal; min-width: 16em; }
tbody tr:hover { background: color-mix(in srgb, var(--accent) 8%, transparent); }
.about, .legend { margin: 0 0 10px; color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; }
.legend i { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 50%; margin-right: 0.4em; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(160px, 45%), 1fr)); gap: 12px; }
figure { margin: 0; padding: 8px; display: flex; flex-direction: column; }
figure input { position: absolute; opacity: 0; }
figure img { width: 100%; border-radius: 6px; display: block; cursor: pointer; }
figure input:focus-visible + img { outline: 2px solid var(--accent); }
figure input:checked + img { position: fixed; inset: 0; z-index: 1; width: 100vw; height: 100vh; border-radius: 0;
  object-fit: contain; background: rgb(0 0 0 / 85%); cursor: pointer; }
figcaption { color: var(--soft); font-size: 0.82rem; margin-top: 6px; overflow-wrap: anywhere; }
"""
