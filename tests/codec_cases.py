"""Codecs to test, labels to test them on, and the raw maps of an untrained network."""

from __future__ import annotations

import torch
from sizes import B, K

from posekit.codecs.base import Codec
from posekit.codecs.centers import CenterNet, Ttfnet
from posekit.codecs.dfl import Dfl
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.ellipse import Ellipse
from posekit.codecs.grid import GridRegression
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.megvii import Megvii
from posekit.codecs.openpose import OpenPose
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import Udp, UdpCombined
from posekit.codecs.volume import Heatmap3d, Integral3d
from posekit.geometry.grid import AlignedGrid, Grid
from posekit.geometry.keypoints import Instances, Keypoints
from posekit.geometry.skeleton import Skeleton

IMAGE = (128, 96)
GRID = Grid.of(IMAGE, 4)
ALIGNED = AlignedGrid.of(IMAGE, 4)
COARSE = Grid.of(IMAGE, 32)
DEPTH = 80.0

FIVE = Skeleton(
    name="five",
    points=("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    mirror=(("left_eye", "right_eye"), ("left_ear", "right_ear")),
    bones=(("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear")),
)
SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035)
PARENTS = (-1, 0, 0, 1, 2)

CASES: dict[str, Codec] = {
    "heatmap": Heatmap(points=K, grid=GRID),
    "heatmap sharp": Heatmap(points=K, grid=GRID, blur=0),
    "heatmap aligned": Heatmap(points=K, grid=ALIGNED, blur=0),
    "heatmap parabola": Heatmap(points=K, grid=GRID, refine="parabola", sigma=6),
    "heatmap quarter": Heatmap(points=K, grid=GRID, refine="quarter"),
    "heatmap quantised": Heatmap(points=K, grid=GRID, target="quantised", refine="none"),
    "heatmap logits": Heatmap(points=K, grid=GRID, target="quantised", activation="sigmoid", refine="second"),
    "udp": Udp(points=K, grid=ALIGNED, blur=0),
    "udp half pixel": Udp(points=K, grid=GRID),
    "udp_combined": UdpCombined(points=K, grid=ALIGNED, radius=14),
    "udp_combined votes": UdpCombined(points=K, grid=GRID, radius=14, merge="votes"),
    "openpose": OpenPose(points=K, bones=FIVE.edges, grid=GRID),
    "openpose code": OpenPose(points=K, bones=FIVE.edges, grid=GRID, form="code", refine="quarter"),
    "centernet": CenterNet(points=K, grid=GRID),
    "ttfnet": Ttfnet(points=K, grid=GRID),
    "ellipse": Ellipse(points=K, grid=GRID, parents=PARENTS, sigmas=SIGMAS, blur=0),
    "ellipse box": Ellipse(points=K, grid=GRID, parents=PARENTS, sigmas=SIGMAS, shape="box"),
    "ellipse point": Ellipse(points=K, grid=GRID, parents=PARENTS, sigmas=SIGMAS, shape="point", refine="parabola"),
    "ellipse oks": Ellipse(points=K, grid=GRID, parents=PARENTS, sigmas=SIGMAS, shape="oks", refine="parabola"),
    "megvii": Megvii(points=K, grid=GRID, kernels=(9, 7, 5)),
    "megvii one": Megvii(points=K, grid=GRID, kernels=(7,), refine="none"),
    "heatmap3d": Heatmap3d(points=K, grid=GRID, depth=DEPTH, bins=8, sigma=6),
    "integral3d": Integral3d(points=K, grid=GRID, depth=DEPTH, bins=8),
    "integral": Integral(points=K, grid=GRID, beta=10, bias="corrected"),
    "integral window": Integral(points=K, grid=ALIGNED, beta=10, bias="corrected", window=12),
    "dsnt": Dsnt(points=K, grid=GRID),
    "regression": Regression(points=K, size=IMAGE),
    "regression ratio": Regression(points=K, size=IMAGE, compat="ratio"),
    "regression unit": Regression(points=K, size=IMAGE, normalise="unit"),
    "regression signed": Regression(points=K, size=IMAGE, normalise="signed", depth=DEPTH),
    "grid": GridRegression(points=K, grid=COARSE),
    "grid ssd": GridRegression(points=K, grid=COARSE, style="ssd"),
    "rle deep": Rle(points=K, size=IMAGE, depth=DEPTH),
    "rle": Rle(points=K, size=IMAGE),
    "simcc": SimCC(points=K, size=IMAGE),
    "simcc dark": SimCC(points=K, size=IMAGE, refine="dark"),
    "simcc mean": SimCC(points=K, size=IMAGE, refine="expectation"),
    "simcc smoothed": SimCC(points=K, size=IMAGE, target="smoothed", split=3),
    "simcc deep": SimCC(points=K, size=IMAGE, depth=DEPTH, depth_bins=64),
    "dfl": Dfl(points=K, size=IMAGE),
    "dfl deep": Dfl(points=K, size=IMAGE, bins=9, depth=DEPTH),
}


def instances(xy: torch.Tensor, visibility: torch.Tensor | int = 2, role: int = 1, deep: bool = True) -> Instances:
    """Labels of one slot an image (or of whatever N ``xy`` has), in a box of 60x80 pixels, with depths up to 30."""
    lead = xy.shape[:2]
    shown = torch.as_tensor(visibility).expand(xy.shape[:-1]).clone()
    depth = torch.nan_to_num((xy[..., 0] * 7 + xy[..., 1] * 3) % 60 - 30, 0.0, 0.0, 0.0)
    box = xy.new_tensor((18.0, 24.0, 78.0, 104.0))
    return Instances(
        keypoints=Keypoints(xy=xy, visibility=shown, depth=depth if deep else None),
        boxes=box.expand(*lead, 4).clone(),
        area=xy.new_full(lead, 4800.0),
        category=torch.zeros(lead, dtype=torch.long),
        role=torch.full(lead, role),
    )


def of_points(codec: Codec, name: str, value: torch.Tensor) -> torch.Tensor | None:
    """What a named map or its weight says of each point: (B, K, rest), or nothing where it is shared by all."""
    B, channels = value.shape[0], value.shape[1]
    if name == "xy":
        return value.reshape(B, K, -1)
    if name == "paf" or (name == "offset" and channels == 2):
        return None
    if name == "coarse":
        return value.reshape(B, -1, K, *value.shape[2:]).transpose(1, 2).reshape(B, K, -1)
    if channels == K + 1:
        value = value[:, :K]
    return value.reshape(B, K, -1)


def scattered(margin: float = 0.0, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """(B, 1, K, 2) locations in the image, at least ``margin`` pixels from its border."""
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
