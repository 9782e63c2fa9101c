"""One point's surroundings hidden, and the background removed: what networks know of a point from the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from posekit.studies.context_networks import CLOSE, TRAINED, TRAININGS, guesses, measured
from posekit.studies.context_photos import KINDS, SIZES, measured_on_photos
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.people import people
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "A hidden point is found from the others, by regression better than by heatmaps, which look at each location."

COMPARED = {"dark": "heatmap", "dsnt": "dsnt", "simcc": "simcc", "rle": "rle", "regression": "regression"}
USUAL, LARGE = "0.2", "0.4"
"""Sizes of the square that findings speak of."""
LEARNED = 0.6
"""A network has learned when its error is below this share of the error of the mean pose."""
MARGIN = 0.95
"""A smaller error is below this share of the others: two trainings differ by a few per cent."""
CHANGE = 0.03
"""Share of points found that counts as a change."""


def run(quick: bool, seed: int) -> Results:
    """Five representations, trained with and without hidden points for 100 (quick) or 400 steps, with 1 or 2 seeds.

    The full form also measures a shipped heatmap model on photographs, where these are there.
    """
    steps, held, seeds = (100, 64, 1) if quick else (400, 96, 2)
    runs = {
        training: {
            label: [measured(name, training, steps, held, seed + i) for i in range(seeds)]
            for name, label in COMPARED.items()
        }
        for training in TRAININGS
    }
    poses = [(people(TRAINED, seed + i)[1], people(held, seed + i + 1000)[1]) for i in range(seeds)]
    return {
        "runs": runs,
        "guesses": [guesses(known, xy) for known, xy in poses],
        "photos": None if quick else measured_on_photos(seed),
    }


def mean(results: Results, training: str, name: str, *path: str) -> float:
    """Mean of a figure over seeds."""
    values = []
    for found in results["runs"][training][name]:
        for key in path:
            found = found[key]
        values.append(found)
    return float(np.mean(values))


def guess(results: Results, rule: str, kind: str = "all") -> float:
    """Mean error of a rule without an image."""
    return float(np.mean([found[rule][kind] for found in results["guesses"]]))


def rise(results: Results, training: str, name: str, kind: str = "all", size: str = USUAL) -> float:
    """Pixels that a square over the point costs more than one elsewhere."""
    own, other = (mean(results, training, name, "squares", size, where, kind) for where in ("own", "elsewhere"))
    return own - other


def learned(results: Results, training: str) -> list[str]:
    """Representations whose error on images as they are is below `LEARNED` of the error of the mean pose."""
    bound = LEARNED * guess(results, "mean pose")
    return [n for n in results["runs"][training] if mean(results, training, n, "plain", "all") < bound]


def findings(results: Results) -> list[Finding]:
    """What the numbers say; of networks that learned too little to tell, nothing holds."""
    plain, hiding = TRAININGS
    names = {training: learned(results, training) for training in TRAININGS}
    both = [name for name in names[plain] if name in names[hiding]]

    def told(value: Callable[[str], str], chosen: list[str]) -> str:
        return ", ".join(f"{name} {value(name)}" for name in chosen) or "none of the networks learned"

    def own(training: str, name: str, size: str = USUAL) -> float:
        return mean(results, training, name, "squares", size, "own", "all")

    def pair(training: str) -> Callable[[str], str]:
        return lambda n: (
            f"{mean(results, training, n, 'squares', USUAL, 'elsewhere', 'all'):.1f} and {own(training, n):.1f}"
        )

    def found(name: str, background: str) -> float:
        return mean(results, plain, name, "background", background)

    rest = [name for name in names[plain] if name != "heatmap"]
    direct = [name for name in ("regression", "rle") if name in names[plain]]
    linear = guess(results, "linear")
    square = f"a square of {USUAL} of the box"
    return [
        Finding(
            all(len(names[training]) == len(results["runs"][training]) for training in TRAININGS),
            "Every representation learns the people, with and without hidden points",
            f"error below {LEARNED:g} of the mean pose's {guess(results, 'mean pose'):.1f} px: "
            + "; ".join(f"{training} {', '.join(names[training]) or 'none'}" for training in TRAININGS)
            + "; the other statements are about these",
        ),
        Finding(
            bool(names[plain]) and all(rise(results, plain, n) > 0.1 * own(plain, n) for n in names[plain]),
            f"With {square} over it a point is found less well than with the square elsewhere, in every representation",
            f"px elsewhere and over it: {told(pair(plain), names[plain])}",
        ),
        Finding(
            "heatmap" in names[plain]
            and bool(rest)
            and all(rise(results, plain, "heatmap") > rise(results, plain, name) for name in rest),
            "Heatmaps lose the most by hiding the point itself",
            f"px more than elsewhere: {told(lambda n: f'{rise(results, plain, n):.1f}', names[plain])}",
        ),
        Finding(
            "heatmap" in names[plain]
            and bool(rest)
            and all(own(plain, "heatmap") < MARGIN * own(plain, n) for n in rest),
            f"With {square} over it, heatmaps still have the smallest error on the point, by more than 5 %",
            f"px: {told(lambda n: f'{own(plain, n):.1f}', names[plain])}",
        ),
        Finding(
            "heatmap" in names[plain]
            and bool(direct)
            and all(own(plain, n, LARGE) < MARGIN * own(plain, "heatmap", LARGE) for n in direct),
            f"Under a square of {LARGE} of the box, regression and RLE have a smaller error than heatmaps",
            f"px: {told(lambda n: f'{own(plain, n, LARGE):.1f}', names[plain])}",
        ),
        Finding(
            bool(both) and all(own(hiding, n) < own(plain, n) for n in both),
            "Trained with hidden points, every representation finds them better",
            f"px before and after: {told(lambda n: f'{own(plain, n):.1f} and {own(hiding, n):.1f}', both)}",
        ),
        Finding(
            any(own(hiding, n) < linear for n in names[hiding]),
            "The best network finds a hidden point better than a linear rule that is given all others exactly",
            f"{linear:.1f} px of the rule; {told(lambda n: f'{own(hiding, n):.1f}', names[hiding])}",
        ),
        Finding(
            bool(both)
            and all(rise(results, t, n, "distal") > rise(results, t, n, "proximal") for t in TRAININGS for n in both),
            "Wrists and ankles lose more by hiding the point itself than shoulders and hips do",
            "px more than elsewhere: "
            + told(
                lambda n: f"{rise(results, plain, n, 'distal'):.1f} and {rise(results, plain, n, 'proximal'):.1f}", both
            ),
        ),
        Finding(
            bool(names[plain]) and all(found(n, "grey") < found(n, "as it is") - CHANGE for n in names[plain]),
            "With the background painted grey, fewer points are found in every representation",
            f"points within {CLOSE:.0f} px with the background as it is, grey, and of another image: "
            + told(
                lambda n: " / ".join(f"{100 * found(n, b):.0f}" for b in ("as it is", "grey", "of another image")),
                names[plain],
            )
            + " %",
        ),
        Finding(
            bool(names[plain])
            and all(found(n, "of another image") < found(n, "as it is") - CHANGE for n in names[plain]),
            "On the background of another image every representation finds fewer points, by more than "
            f"{100 * CHANGE:.0f} in a hundred",
            told(lambda n: f"{100 * (found(n, 'as it is') - found(n, 'of another image')):.1f}", names[plain]) + " %",
        ),
        *photo_findings(results["photos"]),
    ]


def photo_findings(photos: dict[str, Any] | None) -> list[Finding]:
    """What photographs say; nothing where none were measured."""
    if photos is None:
        return []
    sizes = list(photos["squares"])
    usual, largest = photos["squares"][USUAL], photos["squares"][sizes[-1]]

    def interval(found: dict[str, Any]) -> str:
        return f"{found['rise']:.1f} [{found['low']:.1f}, {found['high']:.1f}]"

    people_told = f"{photos['people']} people"
    return [
        Finding(
            all(found["all"]["low"] > 0 for found in photos["squares"].values()),
            f"On photographs {photos['model']} loses by hiding the point itself, at every size",
            f"% of the box more than elsewhere, with 95 % intervals, {people_told}: "
            + ", ".join(f"size {size} {interval(photos['squares'][size]['all'])}" for size in sizes),
        ),
        Finding(
            usual["distal"]["low"] > usual["proximal"]["high"],
            "On photographs, wrists and ankles lose more by it than shoulders and hips do",
            f"size {USUAL}: {interval(usual['distal'])} and {interval(usual['proximal'])}",
        ),
        Finding(
            largest["proximal"]["own"] < 2 * largest["proximal"]["elsewhere"],
            f"On photographs, shoulders and hips under a square of {sizes[-1]} are found to within twice the error",
            f"{largest['proximal']['own']:.1f} against {largest['proximal']['elsewhere']:.1f} % of the box",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Errors by size of the square and kind of point, and points found by background."""
    rows = []
    for training, runs in results["runs"].items():
        for name in runs:
            cells = [f"{mean(results, training, name, 'plain', 'all'):.1f}"]
            for size in map("{:g}".format, SIZES):
                pair = (mean(results, training, name, "squares", size, w, "all") for w in ("elsewhere", "own"))
                cells.append(" / ".join(f"{value:.1f}" for value in pair))
            kinds = [f"{mean(results, training, name, 'squares', USUAL, 'own', kind):.1f}" for kind in KINDS]
            rows.append([name, training, *cells, " / ".join(kinds)])
    rows += [
        [
            rule,
            "no image",
            f"{guess(results, rule):.1f}",
            "",
            "",
            "",
            " / ".join(f"{guess(results, rule, k):.1f}" for k in KINDS),
        ]
        for rule in results["guesses"][0]
    ]
    photos = results["photos"]
    if photos:
        squares = photos["squares"].values()
        cells = [f"{s['all']['elsewhere']:.1f} / {s['all']['own']:.1f}" for s in squares]
        own = " / ".join(f"{photos['squares'][USUAL][kind]['own']:.1f}" for kind in KINDS)
        rows.append([photos["model"], "photographs, % of the box", f"{photos['plain']['all']:.1f}", *cells, own])
    header = (
        "found by",
        "training",
        "no square",
        *(f"{s:g}: elsewhere / over it" for s in SIZES),
        f"{USUAL} over it: {' / '.join(KINDS)}",
    )
    return Table("Mean error in pixels of 64, by size of the square over the box", header, rows)


def plot(results: Results, file: Path) -> None:
    """Errors by size of the square and by kind of point, and points found by background; photographs where measured."""
    plain = TRAININGS[0]
    panels = []
    for training in TRAININGS:
        curves = {
            name: [(0.0, mean(results, training, name, "plain", "all"))]
            + [(s, mean(results, training, name, "squares", f"{s:g}", "own", "all")) for s in SIZES]
            for name in results["runs"][training]
        }
        curves["linear rule"] = [(s, guess(results, "linear")) for s in (0.0, SIZES[-1])]
        panels.append(
            line_chart(f"Hidden point, trained {training}", curves, x_label="square over the box", y_label="px")
        )
    kinds = {n: {kind: max(rise(results, plain, n, kind), 0.0) for kind in KINDS} for n in results["runs"][plain]}
    panels.append(grouped_bars(f"Hidden point against a square elsewhere ({USUAL})", kinds, "pixels more"))
    found = {
        n: {b: 100 * mean(results, plain, n, "background", b) for b in results["runs"][plain][n][0]["background"]}
        for n in results["runs"][plain]
    }
    panels.append(grouped_bars(f"Points within {CLOSE:.0f} px, by background", found, "percent"))
    if results["photos"]:
        squares = results["photos"]["squares"]
        bars = {
            f"{kind}, {size}": {w: squares[size][kind][w] for w in ("elsewhere", "own")}
            for kind in KINDS
            for size in squares
        }
        panels.append(grouped_bars(f"Photographs, {results['photos']['model']}", bars, "mean error, % of the box"))
    file.write_text(sheet(panels), encoding="utf-8")
