"""Whether a lower loss means a better point: maps made by hand, and small networks followed along their training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posekit.codecs.cells import bell, outer
from posekit.codecs.expectation import moments
from posekit.codecs.heatmap import Heatmap
from posekit.geometry.grid import Grid
from posekit.losses.adaptive_wing import adaptive_wing
from posekit.losses.divergence import js, kl
from posekit.losses.focal import peak_focal, quality_focal
from posekit.losses.heatmaps import map_squares
from posekit.studies.discs import Learner, anywhere, images, methods, train
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.study import Results
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import map_grid, sheet
from posekit.visualize.report import Table

CLAIM = "A heatmap with a lower squared error can give a worse point, because the loss is not on the point."

Float = NDArray[np.float64]

SIDE, SIGMA, CENTRE = 64, 2.0, 32.0
"""Size of the hand-made maps, and width and cell of their peak."""
MAPS = {
    "half height": (0.5, SIGMA, 0.0),
    "sigma 1.2": (1.0, 1.2, 0.0),
    "sigma 1": (1.0, 1.0, 0.0),
    "shift 1": (1.0, SIGMA, 1.0),
    "shift 2": (1.0, SIGMA, 2.0),
    "shift 3": (1.0, SIGMA, 3.0),
}
"""Height, sigma and shift of each map in cells; the target has height 1, sigma 2 and no shift."""
FOLLOWED = ("heatmap", "focal", "soft-argmax", "dsnt", "simcc", "rle", "fully connected")
HELD_OUT = 64
"""Images on which loss and error are compared."""


def critical_height(shift: float, sigma: float) -> float:
    """A map at the right cell that is lower has a larger squared error than one of full height ``shift`` cells off."""
    return 1 - math.sqrt(2 * (1 - math.exp(-(shift**2) / (4 * sigma**2))))


def peak_map(height: float, sigma: float, shift: float) -> Tensor:
    """(1, 1, 64, 64) float64 Gaussian peak, shifted along x."""
    at = torch.tensor([[CENTRE]], dtype=torch.float64)
    return height * outer(bell(at, SIDE, sigma), bell(at + shift, SIDE, sigma))


def losses_of(found: Tensor, truth: Tensor) -> dict[str, float]:
    """Losses of a map, lower is better; logits of focal losses come from the map's values."""
    logits = found.clamp(1e-4, 1 - 1e-4).logit()
    share, right = found / found.sum(), truth / truth.sum()
    distance = (moments(share)[0] - moments(right)[0]).norm() * 2 / SIDE
    values = {
        "mse": map_squares(found, truth, torch.ones(1, 1, 1, 1)),
        "adaptive wing": adaptive_wing((found - truth).abs(), truth, 2.1, 14.0, 1.0, 0.5).mean(),
        "focal": peak_focal(logits, truth, 2.0, 4.0).sum(),
        "quality focal": quality_focal(logits, truth, 2.0).sum() / truth.sum(),
        "kl": kl(share, right),
        "js": js(share, right),
        "dsnt, distance": distance,
        "dsnt, distance + js": distance + js(share, right),
    }
    return {name: float(value) for name, value in values.items()}


def by_hand() -> dict[str, Any]:
    """Losses and pixel error of each map, and the squared error summed over the cells."""
    codec = Heatmap(points=1, grid=Grid.of(image=(SIDE, SIDE), stride=1), sigma=SIGMA, refine="none")
    truth = peak_map(1.0, SIGMA, 0.0)
    made: dict[str, Any] = {}
    for name, form in MAPS.items():
        found = peak_map(*form)
        at = codec.decode({"heatmap": found}).xy[0, 0, 0]
        made[name] = {
            "losses": losses_of(found, truth),
            "sse": float((found - truth).square().sum()),
            "error": float((at - CENTRE - 0.5).norm()),
        }
    return made


def ranks(values: Float) -> Float:
    """Ranks from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts + 1) / 2)[inverse])


def rank_correlation(a: Float, b: Float) -> float:
    """Spearman's rank correlation; 0 where one of the two is constant."""
    x, y = ranks(a), ranks(b)
    spread = float(x.std() * y.std())
    return float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else 0.0


def disagreeing(loss: Float, error: Float) -> float:
    """Share of the pairs of checkpoints of which the one with the lower loss has the larger error."""
    first, second = np.triu_indices(len(loss), 1)
    agree = (loss[first] - loss[second]) * (error[first] - error[second])
    return float((agree < 0).mean())


def _draw(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    xy = anywhere(generator, count)
    return images(xy, generator, noise=25.0, clutter=4), xy


def follow(name: str, steps: int, every: int, seed: int) -> dict[str, Any]:
    """Train one representation and compare loss and pixel error on held-out images along the run."""
    learner = Learner(methods()[name], seed)
    held, truth = _draw(torch.Generator().manual_seed(seed + 1000), HELD_OUT)
    losses: list[Float] = []
    errors: list[Float] = []

    def watch(step: int) -> None:
        if step % every:
            return
        learner.eval()
        with torch.no_grad():
            maps = learner.net(held)
            each = [
                float(learner.loss_of({k: v[i : i + 1] for k, v in maps.items()}, truth[i : i + 1]))
                for i in range(HELD_OUT)
            ]
        losses.append(np.asarray(each))
        errors.append(learner.errors(held, truth).double().numpy())
        learner.train()

    train(learner, _draw, steps, seed, watch=watch)
    loss, error = np.stack(losses), np.stack(errors)
    return {
        "steps": [every * i for i in range(len(loss))],
        "loss": loss.mean(1).round(6).tolist(),
        "error": error.mean(1).round(4).tolist(),
        "images": rank_correlation(loss[-1], error[-1]),
        "disagreeing": disagreeing(loss.mean(1), error.mean(1)),
    }


def run(quick: bool, seed: int) -> Results:
    """The maps by hand; 120 (quick) or 300 steps of training for each representation, with 1 or 2 seeds."""
    steps, every, seeds = (120, 10, 1) if quick else (300, 15, 2)
    return {
        "heights": {f"{sigma:g}/{shift:g}": critical_height(shift, sigma) for sigma, shift in ((2, 1), (2, 2), (3, 1))},
        "maps": by_hand(),
        "runs": {name: [follow(name, steps, every, seed + i) for i in range(seeds)] for name in FOLLOWED},
    }


def misranked(maps: dict[str, Any], loss: str) -> int:
    """How many pairs of a map at the right cell and a shifted one a loss puts in the wrong order."""
    right = [m["losses"][loss] for m in maps.values() if m["error"] == 0]
    wrong = [m["losses"][loss] for m in maps.values() if m["error"] > 0]
    return sum(a > b for a in right for b in wrong)


def _mean(results: Results, name: str, key: str) -> float:
    return float(np.mean([run[key] for run in results["runs"][name]]))


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    maps = results["maps"]
    low, moved = maps["half height"], maps["shift 1"]
    counts = {loss: misranked(maps, loss) for loss in low["losses"]}
    shapes = [loss for loss in ("mse", "adaptive wing", "focal", "quality focal", "kl", "js") if counts[loss]]
    on_point = ("soft-argmax", "fully connected")
    of_map = {name: _mean(results, name, "images") for name in ("heatmap", "focal", "simcc")}
    of_point = {name: _mean(results, name, "images") for name in on_point}
    often = {name: _mean(results, name, "disagreeing") for name in results["runs"]}
    lead = max(often, key=lambda name: often[name])
    return [
        Finding(
            moved["losses"]["mse"] < low["losses"]["mse"] and moved["error"] > low["error"],
            "A map one cell off has a lower squared error than one at the right cell with half the height",
            f"{moved['sse']:.3f} against {low['sse']:.3f} summed over cells; {moved['error']:.0f} px against "
            f"{low['error']:.0f} px",
        ),
        Finding(
            len(shapes) > 1,
            "Squared error is not alone: other losses on the shape of the map misrank such pairs too",
            ", ".join(f"{loss} {counts[loss]} of 9" for loss in counts),
        ),
        Finding(
            counts["dsnt, distance"] == 0 and counts["dsnt, distance + js"] == 0,
            "DSNT's distance ranks all pairs rightly, with and without its regulariser",
            f"{counts['dsnt, distance']} and {counts['dsnt, distance + js']} of 9 misranked",
        ),
        Finding(
            min(of_point.values()) > max(of_map.values()),
            "At the end of a run, the loss of an image tells its pixel error better where the loss is on the point",
            "rank correlation over images: "
            + ", ".join(f"{name} {value:.2f}" for name, value in {**of_point, **of_map}.items()),
        ),
        Finding(
            often[lead] > 0.1,
            "Along a run, a lower mean loss often comes with a larger mean error",
            f"most often with {lead}: {100 * often[lead]:.0f} % of the pairs of checkpoints; heatmap "
            f"{100 * often['heatmap']:.0f} %",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Each representation along its run."""
    rows = [
        [
            name,
            f"{np.mean([run['error'][-1] for run in runs]):.2f}",
            f"{_mean(results, name, 'images'):.2f}",
            f"{100 * _mean(results, name, 'disagreeing'):.0f} %",
        ]
        for name, runs in results["runs"].items()
    ]
    header = ("trained with", "error at the end, px", "rank correlation over images", "pairs that disagree")
    return Table("Loss and pixel error on held-out images", header, rows)


def plot(results: Results, file: Path) -> None:
    """The hand-made maps, and loss against error along the runs."""
    around = slice(int(CENTRE) - 10, int(CENTRE) + 11)
    rows = {}
    for name in ("half height", "shift 1"):
        found, truth = peak_map(*MAPS[name])[0, 0], peak_map(1.0, SIGMA, 0.0)[0, 0]
        cut = {"target": truth, "map": found, "squared difference": (found - truth).square()}
        label = f"{name}: {results['maps'][name]['sse']:.2f}"
        rows[label] = {key: value[around, around].numpy() for key, value in cut.items()}
    drawn = map_grid("Summed squared error of two maps", rows, dict.fromkeys(rows, (0.5, 0.5)), top=1.0)
    runs = {name: found[0] for name, found in results["runs"].items()}
    curves = {name: list(zip(r["loss_rank"], r["error"], strict=True)) for name, r in _ranked(runs).items()}
    chart = line_chart(
        "Checkpoints by loss", curves, log=True, x_label="rank of the mean loss, lowest first", y_label="error, pixels"
    )
    file.write_text(sheet([drawn, chart]), encoding="utf-8")


def _ranked(runs: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Checkpoints in the order of their loss, so that a curve that falls anywhere shows a disagreement."""
    made = {}
    for name, found in runs.items():
        order = np.argsort(found["loss"])
        made[name] = {
            "loss_rank": [float(i) for i in range(len(order))],
            "error": [found["error"][i] for i in order],
        }
    return made
