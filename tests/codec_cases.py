"""Codecs to test, labels to test them on, and the raw maps of an untrained network."""

from __future__ import annotations

import torch
from sizes import B, K

from posekit.codecs.base import Codec
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.geometry.grid import AlignedGrid, Grid
from posekit.geometry.keypoints import Instances, Keypoints
from posekit.geometry.skeleton import Skeleton

IMAGE = (128, 96)
GRID = Grid.of(IMAGE, 4)
ALIGNED = AlignedGrid.of(IMAGE, 4)

FIVE = Skeleton(
    name="five",
    points=("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    mirror=(("left_eye", "right_eye"), ("left_ear", "right_ear")),
)

CASES: dict[str, Codec] = {
    "heatmap": Heatmap(points=K, grid=GRID),
    "heatmap sharp": Heatmap(points=K, grid=GRID, blur=0),
    "heatmap aligned": Heatmap(points=K, grid=ALIGNED, blur=0),
    "heatmap parabola": Heatmap(points=K, grid=GRID, refine="parabola", sigma=6),
    "heatmap quarter": Heatmap(points=K, grid=GRID, refine="quarter"),
    "heatmap quantised": Heatmap(points=K, grid=GRID, target="quantised", refine="none"),
    "integral": Integral(points=K, grid=GRID, beta=10, bias="corrected"),
    "integral window": Integral(points=K, grid=ALIGNED, beta=10, bias="corrected", window=12),
    "dsnt": Dsnt(points=K, grid=GRID),
    "regression": Regression(points=K, size=IMAGE),
    "regression ratio": Regression(points=K, size=IMAGE, compat="ratio"),
    "rle": Rle(points=K, size=IMAGE),
    "simcc": SimCC(points=K, size=IMAGE),
    "simcc dark": SimCC(points=K, size=IMAGE, refine="dark"),
    "simcc mean": SimCC(points=K, size=IMAGE, refine="expectation"),
    "simcc smoothed": SimCC(points=K, size=IMAGE, target="smoothed", split=3),
}


def instances(xy: torch.Tensor, visibility: torch.Tensor | int = 2, role: int = 1) -> Instances:
    """Labels of one slot an image (or of whatever N ``xy`` has)."""
    lead = xy.shape[:2]
    shown = torch.as_tensor(visibility).expand(xy.shape[:-1]).clone()
    return Instances(
        keypoints=Keypoints(xy=xy, visibility=shown),
        boxes=xy.new_zeros(*lead, 4),
        area=xy.new_ones(lead),
        category=torch.zeros(lead, dtype=torch.long),
        role=torch.full(lead, role),
    )


def scattered(margin: float = 0.0, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """(B, 1, K, 2) places in the image, at least ``margin`` pixels from its border."""
    height, width = IMAGE
    low, size = torch.tensor([margin, margin]), torch.tensor([width - 2 * margin, height - 2 * margin])
    random = torch.rand(B, 1, K, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (low + random * size).to(dtype)


def random_maps(
    codec: Codec, batch: int = B, seed: int = 1, dtype: torch.dtype = torch.float32
) -> dict[str, torch.Tensor]:
    """Raw maps of an untrained network."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(batch, *shape, generator=generator).to(dtype) for name, shape in codec.shapes.items()}
