"""What mixed grids cost: maps drawn on one grid and decoded on another, and the flip of one pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from posekit.codecs.heatmap import Heatmap
from posekit.geometry.grid import GRIDS, Grid
from posekit.metrics.similarity import oks
from posekit.skeletons import SKELETONS
from posekit.studies.discs import labels
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "Mixing conventions of pixels and cells costs more accuracy than many published improvements bring."

IMAGE = (256, 192)
STRIDES = (2, 4, 8)
PERSON = 0.3 * (IMAGE[0] / 1.25) ** 2
"""Area of a person in a crop with the usual context, square pixels."""


def grid_of(kind: str, stride: int) -> Grid:
    """The grid of a kind over `IMAGE`."""
    height, width = IMAGE[0] // stride, IMAGE[1] // stride
    return GRIDS[kind](height=height, width=width, image_height=IMAGE[0], image_width=IMAGE[1])


def codec_on(kind: str, stride: int) -> Heatmap:
    """Heatmaps of one point on a grid of a kind, decoded by DARK without smoothing, which would disturb the border."""
    return Heatmap(points=1, grid=grid_of(kind, stride), sigma=2.0 * stride, blur=0.0)


def points(count: int, seed: int) -> torch.Tensor:
    """(count, 2) image pixels, in the middle 80 % of the image."""
    height, width = IMAGE
    random = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (0.1 + 0.8 * random) * torch.tensor((width, height), dtype=torch.float64)


def mixed(drawn: str, decoded: str, stride: int, xy: torch.Tensor) -> dict[str, float]:
    """Maps drawn on one grid and decoded on another.

    Returns:
        Mean signed error along x, and mean and largest distance, in pixels, and the mean OKS of such a person.
    """
    writer, reader = codec_on(drawn, stride), codec_on(decoded, stride)
    error = reader.decode(writer.perfect(writer.encode(labels(xy)))).xy[:, 0, 0] - xy
    distance = error.norm(dim=-1)
    return {
        "x": float(error[:, 0].mean()),
        "mean": float(distance.mean()),
        "worst": float(distance.max()),
        "oks": oks_of(error.numpy()),
    }


def oks_of(error: np.ndarray) -> float:
    """Mean OKS of people whose 17 points all have one of the errors (M, 2)."""
    sigmas = SKELETONS["coco17"].oks_sigmas
    found = np.repeat(error[:, None].astype(np.float64), len(sigmas), axis=1)
    known = np.ones(found.shape[:2], dtype=bool)
    return float(oks(found, np.zeros_like(found), known, np.full(len(found), PERSON), sigmas).mean())


def flipped(kind: str, stride: int, xy: torch.Tensor) -> dict[str, float]:
    """Error along x, in pixels, of a point found in the mirrored image.

    Returns:
        ``plain``: the map is only mirrored; ``codec``: with the correction of `Codec.flip`, which on HRNet's grid
        shifts by one cell; ``plain_average`` and ``codec_average``: the mean with the location in the image itself,
        as a flip test takes.
    """
    codec = codec_on(kind, stride)
    mirrored = xy * xy.new_tensor((-1.0, 1.0)) + xy.new_tensor((IMAGE[1], 0.0))
    maps = codec.perfect(codec.encode(labels(mirrored)))
    plain = codec.decode({"heatmap": maps["heatmap"].flip(-1)}).xy[:, 0, 0] - xy
    mended = codec.decode(codec.flip(maps, (0,))).xy[:, 0, 0] - xy
    own = codec.decode(codec.perfect(codec.encode(labels(xy)))).xy[:, 0, 0] - xy
    values = {"plain": plain, "codec": mended, "plain_average": (plain + own) / 2, "codec_average": (mended + own) / 2}
    return {name: float(value[:, 0].mean()) for name, value in values.items()}


def run(quick: bool, seed: int) -> Results:
    """All pairs of grids and all flips at three strides, on 256 (quick) or 2,048 points; nothing is trained."""
    xy = points(256 if quick else 2048, seed)
    return {
        "mixed": {
            str(stride): {f"{a}, read as {b}": mixed(a, b, stride, xy) for a in GRIDS for b in GRIDS}
            for stride in STRIDES
        },
        "flip": {str(stride): {kind: flipped(kind, stride, xy) for kind in GRIDS} for stride in STRIDES},
    }


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    at4, flip = results["mixed"]["4"], results["flip"]
    same = max(pair["worst"] for s in results["mixed"].values() for name, pair in s.items() if _same(name))
    ratio = at4["ratio, read as half_pixel"]
    aligned = at4["half_pixel, read as aligned"]
    straight = max(abs(f[kind]["plain"]) for f in flip.values() for kind in ("half_pixel", "aligned"))
    lost = {s: f["ratio"]["plain"] for s, f in flip.items()}
    mended = {s: f["ratio"]["codec"] for s, f in flip.items()}
    return [
        Finding(
            same < 0.05,
            "Every grid is exact when maps are drawn and decoded on it",
            f"largest error at any stride {same:.3f} px",
        ),
        Finding(
            all(
                abs(results["mixed"][s]["ratio, read as half_pixel"]["x"] - (int(s) - 1) / 2) < 0.05
                for s in results["mixed"]
            ),
            "Maps of HRNet's grid, decoded with half-pixel centres, are off by (stride - 1) / 2 pixels along each axis",
            ", ".join(f"{s}: {results['mixed'][s]['ratio, read as half_pixel']['x']:.2f} px" for s in results["mixed"]),
        ),
        Finding(
            ratio["oks"] < 0.995,
            "At stride 4 that costs a perfect model more than 0.005 of OKS",
            f"mean OKS {ratio['oks']:.3f}",
        ),
        Finding(
            aligned["mean"] < 0.1,
            "Confusing UDP's grid with half-pixel centres is harmless, as the two agree in the middle of the image",
            f"mean error {aligned['mean']:.2f} px, largest {aligned['worst']:.2f} px",
        ),
        Finding(
            all(abs(value + int(s) - 1) < 0.05 for s, value in lost.items()),
            "On HRNet's grid a mirrored map is off by stride - 1 pixels",
            ", ".join(f"stride {s}: {value:.2f} px" for s, value in lost.items()),
        ),
        Finding(
            all(abs(value) < 0.05 for value in mended.values()),
            "HRNet's shift by one cell removes that error",
            ", ".join(f"stride {s}: {value:+.2f} px left" for s, value in mended.items()),
        ),
        Finding(
            straight < 0.05,
            "With half-pixel centres and with UDP's grid a flip is exact without any shift",
            f"largest mean error {straight:.3f} px",
        ),
    ]


def _same(name: str) -> bool:
    first, second = name.split(", read as ")
    return first == second


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Errors of all pairs at stride 4, then of flips."""
    rows = [
        [
            name.replace("_", " "),
            f"{pair['x']:+.3f}",
            f"{pair['mean']:.3f}",
            f"{pair['worst']:.3f}",
            f"{pair['oks']:.4f}",
        ]
        for name, pair in results["mixed"]["4"].items()
    ]
    for kind, found in results["flip"]["4"].items():
        name = kind.replace("_", " ")
        rows.append([f"{name}, mirrored map", f"{found['plain']:+.3f}", "", "", ""])
        rows.append([f"{name}, mirrored by the codec", f"{found['codec']:+.3f}", "", "", ""])
    header = ("grid", "mean error along x, px", "mean distance, px", "largest, px", "mean OKS")
    return Table("Perfect maps at stride 4", header, rows)


def plot(results: Results, file: Path) -> None:
    """Distance of each mixed pair at stride 4, and flips against stride."""
    pairs = {
        name.replace("_", " "): {"mean": pair["mean"], "largest": pair["worst"]}
        for name, pair in results["mixed"]["4"].items()
        if not _same(name)
    }
    kinds = (("ratio", "plain"), ("ratio", "codec"), ("half_pixel", "plain"))
    curves = {
        f"{kind.replace('_', ' ')}{', shifted a cell' if what == 'codec' else ''}": [
            (int(s), abs(f[kind][what])) for s, f in results["flip"].items()
        ]
        for kind, what in kinds
    }
    chart = line_chart("Flip", curves, x_label="stride, pixels", y_label="error along x, pixels")
    bars = grouped_bars("Grids mixed, stride 4", pairs, "distance, pixels")
    file.write_text(sheet([bars, chart]), encoding="utf-8")
