"""What a representation loses before any network: the distance between a point and its decoded perfect maps.

Closed forms for points that lie anywhere within a cell, the same measured with the codecs of the package, and what the
error costs in OKS.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from posekit.codecs.base import Codec
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import Udp, UdpCombined
from posekit.geometry.grid import AlignedGrid, Grid
from posekit.geometry.keypoints import INSTANCE, SEEN, Instances, Keypoints
from posekit.skeletons import SKELETONS
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.study import Results
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "A heatmap cannot be more accurate than its cells: at stride 4 the error is up to 3 pixels."

Float = NDArray[np.float64]

IMAGE = (256, 192)
STRIDES = (2, 4, 8)
SQUARE = (math.sqrt(2) + math.log(1 + math.sqrt(2))) / 3
"""Mean distance of a uniform point in the unit square from a corner: 0.765."""
WIDEST = {"floor": 1.0, "round": 0.5, "quarter": 0.25}
"""Largest error along an axis, in cells; the error is uniform from 0 to it."""
PERSON = 0.3 * (IMAGE[0] / 1.25) ** 2
"""Area of a person in a crop with the usual context, square pixels."""
SHARE = 0.03
"""A simulated mean agrees with the closed form when it differs by no more than this share."""


def closed_form(scheme: str, stride: int) -> dict[str, float]:
    """Errors in image pixels of a decoding rule, for points uniform within a cell.

    Args:
        scheme: ``floor`` (decoded at the origin of the cell), ``round`` (at the nearest cell), or ``quarter`` (a
            quarter of a cell towards the true side from there).
        stride: image pixels for each cell.

    Returns:
        Mean, root mean square and largest error along an axis, and mean and root mean square of the distance.
    """
    widest = WIDEST[scheme] * stride
    return {
        "mean": widest / 2,
        "rms": widest / math.sqrt(3),
        "worst": widest,
        "mean_2d": SQUARE * widest,
        "rms_2d": widest * math.sqrt(2 / 3),
    }


def whole_pixels(scheme: str, stride: int) -> dict[str, float]:
    """Mean and largest error along an axis for whole pixel indices, where cell = index / stride, as in HRNet's code."""
    cells = np.arange(stride) / stride
    if scheme == "floor":
        decoded = np.floor(cells)
    else:
        decoded = np.floor(cells + 0.5)
        if scheme == "quarter":
            decoded = decoded + 0.25 * np.sign(cells - decoded)
    errors = np.abs(decoded - cells) * stride
    return {"mean": float(errors.mean()), "worst": float(errors.max())}


def oks_after(scheme: str, stride: int, points: int = 200) -> float:
    """Mean OKS of a person whose 17 points all have the error of a decoding rule, by numerical integration."""
    offsets = (np.arange(points) + 0.5) / points * WIDEST[scheme] * stride
    squared = offsets[:, None] ** 2 + offsets[None, :] ** 2
    sigmas = np.asarray(SKELETONS["coco17"].oks_sigmas)
    return float(np.mean([np.exp(-squared / (2 * PERSON * (2 * sigma) ** 2)).mean() for sigma in sigmas]))


def representations(stride: int, points: int) -> dict[str, Codec]:
    """The codecs that are measured, for maps of a stride; SimCC has none."""
    grid = Grid.of(image=IMAGE, stride=stride)
    aligned = AlignedGrid(height=grid.height, width=grid.width, image_height=IMAGE[0], image_width=IMAGE[1])
    sigma = 2.0 * stride
    combined = UdpCombined(
        points=points, grid=aligned, radius=3.5 * stride, blur=15.0 * stride, offset_blur=7.0 * stride
    )
    return {
        "nearest cell": Heatmap(points=points, grid=grid, sigma=sigma, target="quantised", refine="none"),
        "quarter step": Heatmap(points=points, grid=grid, sigma=sigma, refine="quarter"),
        "quarter step, quantised label": Heatmap(
            points=points, grid=grid, sigma=sigma, target="quantised", refine="quarter"
        ),
        "DARK": Heatmap(points=points, grid=grid, sigma=sigma, refine="dark"),
        "UDP": Udp(points=points, grid=aligned, sigma=sigma),
        "UDP, discs and offsets": combined,
        "soft-argmax": Integral(points=points, grid=grid),
        "SimCC, 1 bin a pixel": SimCC(points=points, size=IMAGE, split=1.0),
        "SimCC, 2 bins a pixel": SimCC(points=points, size=IMAGE, split=2.0),
    }


def measured(codec: Codec, images: int, seed: int) -> dict[str, float]:
    """Errors in image pixels of points decoded from their perfect maps; points lie in the middle half of the image."""
    height, width = codec.image
    random = torch.rand(images, 1, codec.points, 2, generator=torch.Generator().manual_seed(seed))
    xy = (0.25 + 0.5 * random) * torch.tensor((width, height), dtype=torch.float32)
    labels = Instances(
        keypoints=Keypoints(xy=xy, visibility=torch.full(xy.shape[:-1], SEEN)),
        boxes=torch.tensor((0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height)).expand(images, 1, 4),
        area=torch.full((images, 1), PERSON),
        category=torch.zeros(images, 1, dtype=torch.long),
        role=torch.full((images, 1), INSTANCE),
    )
    error = codec.decode(codec.perfect(codec.encode(labels))).xy - xy
    along, distance = error.abs(), error.norm(dim=-1)
    return {"mean": float(along.mean()), "worst": float(along.max()), "mean_2d": float(distance.mean())}


def run(quick: bool, seed: int) -> Results:
    """Closed forms, and 1,088 (quick) or 8,704 points for each codec and stride."""
    images = 64 if quick else 512
    simulated = {
        str(stride): {name: measured(codec, images, seed) for name, codec in representations(stride, 17).items()}
        for stride in STRIDES
    }
    return {
        "closed": {s: {str(stride): closed_form(s, stride) for stride in STRIDES} for s in WIDEST},
        "whole_pixels": {s: {str(stride): whole_pixels(s, stride) for stride in STRIDES} for s in WIDEST},
        "oks": {s: oks_after(s, 4) for s in WIDEST},
        "simulated": simulated,
    }


def findings(results: Results) -> list[Finding]:
    """What the numbers say; errors at stride 4 unless said otherwise."""
    closed, whole, found = results["closed"], results["whole_pixels"], results["simulated"]
    floor = whole["floor"]["4"]["worst"]
    maps = {name: errors for name, errors in found["4"].items() if "SimCC" not in name}
    best = min(maps, key=lambda name: maps[name]["worst"])
    pairs = [
        (found[s][name]["mean"], closed[scheme][s]["mean"])
        for s in found
        for name, scheme in (("nearest cell", "round"), ("quarter step", "quarter"))
    ]
    furthest = max(abs(a / b - 1) for a, b in pairs)
    refined = max(found[s][name]["worst"] / int(s) for s in found for name in ("DARK", "UDP", "soft-argmax"))
    label = found["4"]["quarter step, quantised label"]["mean"] / found["4"]["quarter step"]["mean"]
    bins = [found[s]["SimCC, 2 bins a pixel"]["mean"] for s in found]
    oks = results["oks"]
    return [
        Finding(
            floor >= 3,
            "Decoding at the origin of the cell loses up to stride - 1 pixels along an axis, the 3 pixels of the claim",
            f"{floor:.2f} px for whole pixels, {closed['floor']['4']['mean']:.2f} px on average over all points",
        ),
        Finding(
            maps[best]["worst"] >= 3,
            "3 pixels are a lower bound for every way of decoding heatmaps",
            f"the best, {best}: at most {maps[best]['worst']:.3f} px",
        ),
        Finding(
            furthest < SHARE,
            "The nearest cell loses a quarter of a cell on average, a quarter step an eighth, as the closed forms say",
            f"simulation and closed form differ by at most {100 * furthest:.1f} %",
        ),
        Finding(
            refined < 0.05,
            "DARK, UDP and soft-argmax remove the quantisation of perfect maps",
            f"at most {100 * refined:.2f} % of a cell at every stride",
        ),
        Finding(
            label < 1.5,
            "The quarter step works with labels that are rounded to a cell",
            f"its mean error is {label:.1f} times that with unrounded labels",
        ),
        Finding(
            max(bins) < 1.1 / 8 and min(bins) > 0.9 / 8,
            "SimCC with 2 bins for each pixel loses an eighth of a pixel, whatever the stride of the features",
            f"{min(bins):.3f} to {max(bins):.3f} px",
        ),
        Finding(
            oks["round"] < 0.95,
            "Quantisation to the nearest cell at stride 4 costs more than 0.05 of OKS",
            f"mean OKS {oks['floor']:.3f} with the origin of the cell, {oks['round']:.3f} with the nearest cell, "
            f"{oks['quarter']:.3f} with quarter steps",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Mean distance of each representation by stride, beside the closed forms."""
    strides = list(results["simulated"])
    rows = [
        [f"{scheme} (closed form)", *(f"{closed[s]['mean_2d']:.3f} ({closed[s]['worst']:.2f})" for s in strides)]
        for scheme, closed in results["closed"].items()
    ]
    names = results["simulated"][strides[0]]
    for name in names:
        found = [results["simulated"][s][name] for s in strides]
        rows.append([name, *(f"{f['mean_2d']:.3f} ({f['worst']:.2f})" for f in found)])
    title = "Mean distance in pixels (largest error along an axis)"
    return Table(title, ("decoding", *(f"stride {s}" for s in strides)), rows)


def plot(results: Results, file: Path) -> None:
    """Error against stride: closed forms, and the codecs."""
    closed = {
        name: [(int(s), errors["mean_2d"]) for s, errors in strides.items()]
        for name, strides in results["closed"].items()
    }
    names = list(next(iter(results["simulated"].values())))
    simulated = {
        name: [(int(s), max(errors[name]["mean_2d"], 1e-4)) for s, errors in results["simulated"].items()]
        for name in names
        if "quantised" not in name and "discs" not in name
    }
    x_label, y_label = "stride, pixels", "mean distance, pixels"
    panels = [
        line_chart("Closed forms", closed, x_label=x_label, y_label=y_label),
        line_chart("Codecs, perfect maps", simulated, log=True, x_label=x_label, y_label=y_label),
    ]
    file.write_text(sheet(panels), encoding="utf-8")
