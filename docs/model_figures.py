"""The tables of the shipped models, and stick figures of what they get wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from figures import read_result, row

from posekit.geometry.skeleton import Skeleton
from posekit.metrics.diagnosis import KINDS
from posekit.zoo.catalogue import catalogue, folder_of
from posekit.zoo.folder import read_spec
from posekit.zoo.layout import PICTURE

ROOT = Path(__file__).parents[1]
SIDE, GAP, TOP = 168, 12, 22
"""Pixels of a stick figure, between two, and of the words above it."""
MARGIN = 12
"""Room around the points, pixels."""
LABEL, PREDICTED, WRONG = "#8a8f98", "#0b7fab", "#d1495b"


def models() -> Iterator[str]:
    """The table of the models of posekit, from ``models.json`` and the catalogue."""
    results = (read_result("models") or {"models": {}})["models"]
    header = ("model", "finds", "input", "parameters", "metric", "value", "with flip test", "MB", "commercial use")
    yield row(*header)
    yield row(*["---"] * len(header))
    for name, entry in catalogue().items():
        result, folder = results[name], folder_of(name)
        if folder is None:
            continue
        spec = read_spec(folder)
        metric, value = next(iter(spec.figures.items()))
        flipped = result["figures"].get("flip test", {}).get(metric)
        yield row(
            f"`{name}`",
            entry.about,
            f"{spec.size[0]}x{spec.size[1]}",
            f"{result['parameters'] / 1e6:.1f} M",
            f"{metric} on `{result['data'].split('/')[0]}`",
            f"{value:.3f}",
            "" if flipped is None else f"{flipped:.3f}",
            f"{entry.size / 1e6:.1f}",
            entry.commercial,
        )
    yield "\nOn full images of `coco_person` (`python -m benchmarks.chains`):\n"
    yield row("two in a row", "AP", "AP50")
    yield row("---", "---", "---")
    for name, result in sorted((read_result("chains") or {"chains": {}})["chains"].items()):
        yield row(f"`{name}`", f"{result['figures']['AP']:.3f}", f"{result['figures']['AP50']:.3f}")
    yield ""


def errors() -> Iterator[str]:
    """Shares of the kinds of errors, and links to the pictures."""
    found = (read_result("errors") or {"models": {}})["models"]
    yield "### What goes wrong\n"
    yield (
        "Share of the labelled points (`python -m benchmarks.errors`; `posekit eval --errors` tells it of any model). "
        + " ".join(f"*{kind}*: {about}." for kind, about in KINDS.items())
        + "\n"
    )
    yield row("model", *KINDS, "OKS lost")
    yield row(*["---"] * (len(KINDS) + 2))
    for name, one in found.items():
        if one["sigmas_fit"]:
            lost = sum(one["oks_lost"].values())
            yield row(f"`{name}`", *(f"{one['share'][kind]:.1%}" for kind in KINDS), f"{lost:.3f}")
    for name in (name for name, one in found.items() if not one["sigmas_fit"]):
        yield f"\n`{name}` is left out: its OKS sigmas are meant for the area of a person, so nearly all is a miss."
    yield ""
    yield (
        "The worst instances of each kind, without the photos. Grey: label. Blue: prediction. Red: points of that "
        "kind, with a line to their label.\n"
    )
    for name in found:
        folder = folder_of(name)
        if folder is not None:
            place = f"../{folder.resolve().relative_to(ROOT).as_posix()}/{PICTURE}"
            yield f"`{name}`\n\n![Stick figures of the worst errors of {name}]({place})\n"


def pictures() -> dict[Path, str]:
    """The stick figures of every model as SVG."""
    found = (read_result("errors") or {"models": {}})["models"]
    made = {}
    for name, one in found.items():
        folder = folder_of(name)
        if folder is not None:
            made[folder / PICTURE] = stick_figures(read_spec(folder).skeleton, one["worst"])
    return made


def stick_figures(skeleton: Skeleton, worst: Sequence[dict[str, Any]]) -> str:
    """One ``<svg>`` with a panel for each instance."""
    width = len(worst) * (SIDE + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {SIDE + TOP + GAP}" width="{width}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, one in enumerate(worst):
        x = GAP + number * (SIDE + GAP)
        parts.append(
            f'<svg x="{x}" y="0" width="{SIDE}" height="{SIDE + TOP}"><text x="2" y="15">{escape(one["kind"])}</text>'
        )
        parts.append(f'<rect y="{TOP}" width="{SIDE}" height="{SIDE}" fill="#f4f5f7"/>')
        parts.extend(_panel(skeleton, one))
        parts.append("</svg>")
    return "\n".join((*parts, "</svg>", ""))


def _panel(skeleton: Skeleton, one: dict[str, Any]) -> Iterator[str]:
    """Label, prediction, and the wrong points with lines to their labels."""
    there = one["labelled"]
    shown = [
        xy for xys in (one["label"], one["predicted"]) for xy, labelled in zip(xys, there, strict=True) if labelled
    ]
    low, high = [min(xs) for xs in zip(*shown, strict=True)], [max(xs) for xs in zip(*shown, strict=True)]
    scale = (SIDE - 2 * MARGIN) / max(high[0] - low[0], high[1] - low[1])

    def at(xy: Sequence[float]) -> tuple[float, float]:
        """Pixel of a place given in widths of the box; the points fill the panel."""
        x, y = (SIDE / 2 + (xy[axis] - (low[axis] + high[axis]) / 2) * scale for axis in (0, 1))
        return round(x, 1), round(y + TOP, 1)

    label, predicted = [at(xy) for xy in one["label"]], [at(xy) for xy in one["predicted"]]
    for points, colour in ((label, LABEL), (predicted, PREDICTED)):
        for a, b in skeleton.edges:
            if there[a] and there[b]:
                yield _line(points[a], points[b], colour, 2.0)
        for (x, y), labelled in zip(points, there, strict=True):
            if labelled:
                yield f'<circle cx="{x}" cy="{y}" r="2" fill="{colour}"/>'
    for own, wrong, is_wrong in zip(label, predicted, one["wrong"], strict=True):
        if is_wrong:
            yield _line(own, wrong, WRONG, 0.8)
            yield f'<circle cx="{wrong[0]}" cy="{wrong[1]}" r="3.5" fill="none" stroke="{WRONG}" stroke-width="1.6"/>'


def _line(a: tuple[float, float], b: tuple[float, float], colour: str, width: float) -> str:
    return f'<path d="M{a[0]} {a[1]}L{b[0]} {b[1]}" stroke="{colour}" stroke-width="{width}" fill="none"/>'
