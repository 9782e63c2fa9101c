"""UDP's, Megvii's and 3-D codecs against MMPose 1.3.2; see `test_mmpose.py` for how both count.

Where we differ on purpose, the test says why and holds the difference to that place.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from parity_table import agrees, labels, remakes, stored

from posekit.codecs.megvii import Megvii, window_taps
from posekit.codecs.smoothing import blurred
from posekit.codecs.udp import Udp, UdpCombined, disc_left
from posekit.codecs.volume import Heatmap3d
from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid

STRIDE, SIGMA, RADIUS = 4, 8.0, 14.0
GRID, RATIO = Grid.of((72, 56), STRIDE), RatioGrid.of((72, 56), STRIDE)
ALIGNED = AlignedGrid(height=18, width=14, image_height=69, image_width=53)
BINS, DEPTH = 8, 80.0
# Rows of the stored points, see the script that made them.
MIDDLE, HIDDEN, BORDER, REACHES, FAR, LEFT, CORNER = range(7)
K = 7
# Rows of UDP's stored maps.
INSIDE, FIRST, SECOND, RING = [0, 1, 2, 3], 4, 5, 6


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return stored("mmpose_maps")


def cells_of(name: str, golden: dict[str, torch.Tensor]) -> torch.Tensor:
    """UDP's decoded points in cells: its decoder multiplies by the size, where its encoder divides by one less."""
    size = torch.tensor((53.0, 69.0), dtype=torch.float64)
    return golden[f"{name}_xy"][0] / size * torch.tensor((13.0, 17.0))


# Targets


def test_udp_target(golden):
    target = Udp(points=K, grid=ALIGNED, sigma=SIGMA).encode(labels(golden["xy"] + 0.5, golden["visible"]))
    ours, weight = target.maps["heatmap"][0], target.weight["heatmap"][0, :, 0, 0]
    same = [MIDDLE, HIDDEN, BORDER, FAR, LEFT, CORNER]
    agrees("udp target", (ours[same], golden["udp_target"][same]), (weight[same], golden["udp_weights"][0, same]))

    # Left of the map MMPose rounds toward zero, so its window ends one cell further right.
    agrees("udp target", (ours[REACHES, :, :5], golden["udp_target"][REACHES, :, :5]))
    assert not ours[REACHES, :, 5:].any() and 0 < float(golden["udp_target"][REACHES, :, 5].max()) < 0.011
    assert weight[REACHES] == golden["udp_weights"][0, REACHES] == 1


def test_disc_target(golden):
    target = UdpCombined(points=K, grid=ALIGNED, radius=RADIUS).encode(labels(golden["xy"] + 0.5, golden["visible"]))
    theirs = golden["disc_target"].reshape(K, 3, *ALIGNED.shape)
    offset = target.maps["offset"].reshape(K, 2, *ALIGNED.shape)
    # MMPose tells the way in every cell and leaves it to its loss to look within the disc only.
    agrees("disc target", (target.maps["disc"][0], theirs[:, 0]), (offset, theirs[:, 1:] * theirs[:, :1]))

    # MMPose weighs every labelled point, with an empty disc to learn where it lies far outside.
    weight = target.weight["disc"][0, :, 0, 0]
    assert golden["disc_weights"][0].tolist() == golden["visible"][0].tolist()
    assert weight.tolist() == [1, 0, 1, 1, 0, 1, 1] and float(theirs[FAR, 0].max()) == 0


def folded(cell: int, size: int, kernel: int) -> torch.Tensor:
    """(size,) a Gaussian and its reflection at a border, with a peak of 1."""
    taps, line = window_taps(kernel), torch.zeros(size)
    for image in {cell, -cell, 2 * (size - 1) - cell}:
        for i in range(size):
            if abs(i - image) <= kernel // 2:
                line[i] += taps[i - image + kernel // 2]
    return line / line[cell]


@pytest.mark.parametrize("kernel", [15, 11, 9, 7, 5])
def test_megvii_target(golden, kernel):
    # MMPose cuts the coordinate, so its numbers run from the edge of the first pixel as ours do: nothing is added.
    target = Megvii(points=K, grid=GRID, kernels=(kernel,)).encode(labels(golden["xy"], golden["visible"]))
    ours, theirs = target.maps["heatmap"][0], golden[f"megvii_{kernel}"] / 255
    same = [MIDDLE, HIDDEN, REACHES, FAR] if kernel < 14 else [HIDDEN, REACHES, FAR]
    agrees("megvii target", (ours[same], theirs[same]))

    # At a border OpenCV folds the part of the window that lies outside back in; ours is cut.
    for point in (MIDDLE, BORDER, CORNER):
        x, y = (golden["xy"][0, point] / STRIDE).long().tolist()
        agrees("megvii target", (folded(y, 18, kernel)[:, None] * folded(x, 14, kernel), theirs[point]))
        assert point == MIDDLE or float((ours[point] - theirs[point]).abs().max()) > 0.05
    # What is less than a cell left of the map is cut to the first cell, and counts there; not for us.
    weight = target.weight["heatmap"][0, :, 0, 0]
    assert golden["megvii_weights"][0].tolist() == [1, 0, 1, 0, 0, 1, 1]
    assert weight.tolist() == [1, 0, 1, 0, 0, 0, 1]


def test_volume_target(golden):
    codec = Heatmap3d(points=K, grid=RATIO, depth=DEPTH, bins=BINS, sigma=4.0)
    # MMPose's layers are counted like its pixels: the first one lies at the front, not half a layer behind it.
    depth = golden["volume_depth"] + 0.5 * DEPTH / BINS
    target = codec.encode(labels(golden["xy"] + 0.5, golden["visible"], depth))
    ours = target.maps["volume"][0].reshape(K, BINS, *RATIO.shape)
    theirs = golden["volume_target"].reshape(ours.shape)
    weight = target.weight["volume"][0].reshape(K, BINS)[:, 0]
    inside = [MIDDLE, BORDER, REACHES, LEFT]
    drawn = theirs[inside] > 0
    agrees("volume target", (ours[inside][drawn], theirs[inside][drawn]))
    assert drawn.sum() > 500
    same = inside[:-1]
    drawn = theirs[same] > 0
    # Theirs is cut to a window of 3 sigma around a rounded place, so at least 2.5 away from the point.
    assert float(ours[same][~drawn].max()) < np.exp(-(2.5**2) / 2)

    # Half way between two columns MMPose rounds half of its window to the even one and leaves the other empty.
    column = theirs[LEFT].amax((0, 1))
    assert column[[0, 2]].all() and not column[[1, 3]].any() and float(ours[LEFT].amax((0, 1))[1]) > 0.3

    # For us a layer reaches half a layer to both sides of its middle; MMPose wants at least the first one's middle.
    assert weight.tolist() == [1, 0, 1, 1, 0, 1, 0]
    # It also weighs a point far outside the map, and draws what is hidden.
    assert golden["volume_weights"][0].tolist() == [1, 0, 0, 1, 1, 1, 1]
    assert float(theirs[HIDDEN].max()) > 0.5 and not theirs[FAR].any() and not ours[[HIDDEN, FAR, CORNER]].any()


# Points from maps


def test_dark_udp(golden):
    maps = golden["udp_maps"][None]
    codec = Udp(points=len(maps[0]), grid=ALIGNED, sigma=SIGMA)
    assert codec.window == 11
    poses = codec.decode({"heatmap": maps})
    ours, theirs = ALIGNED.cells(poses.xy[0, 0]), cells_of("udp", golden)
    agrees("udp decode, cells", (ours[INSIDE].double(), theirs[INSIDE]))
    agrees("udp decode, score", (poses.score[0], golden["udp_score"]))
    # The true locations are 0.3 and 1.2 columns: doubled border cells and an empty half of the window mislead MMPose.
    true = torch.tensor((0.3, 1.2))
    assert float((ours[[FIRST, SECOND], 0] - true).abs().max()) < 0.1
    assert float((theirs[[FIRST, SECOND], 0] - true).abs().min()) > 0.1
    # On the inner side of a ring the smoothed map has no maximum: MMPose's step is unbounded, ours is one cell at most.
    peak = torch.tensor(divmod(int(maps[0, RING].argmax()), 14)).flip(0)
    assert float((ours[RING] - peak).abs().max()) <= 1


def test_disc_decode(golden):
    maps = golden["disc_maps"].reshape(1, 4, 3, *ALIGNED.shape)
    raw = {"disc": maps[:, :, 0], "offset": maps[:, :, 1:].flatten(1, 2)}
    blur = 11 * ALIGNED.scale[0]
    codec = UdpCombined(points=4, grid=ALIGNED, radius=RADIUS, merge="peak", blur=blur, offset_blur=0)
    poses = codec.decode(raw)
    agrees("disc decode, cells", (ALIGNED.cells(poses.xy[0, 0]).double(), cells_of("disc", golden)))
    # MMPose's score falls with the smoothing; ours is over what smoothing leaves of a perfect disc.
    agrees("disc decode, score", (poses.score[0], golden["disc_score"] / disc_left(3.5, 11)))


def test_megvii_decode(golden):
    # MMPose smooths before it looks for the highest cell, and steps by the sign of the slope.
    maps = golden["megvii_maps"][None] / 255
    smooth = blurred(maps, 11)
    smooth = smooth * (maps.amax((2, 3), keepdim=True) / smooth.amax((2, 3), keepdim=True))
    poses = Megvii(points=6, grid=GRID, kernels=(11,), refine="quarter").decode({"heatmap": smooth})
    # Half a cell, here the middle of one, is part of what MMPose adds where it steps; at a border it adds nothing.
    agrees("megvii decode, pixels", (poses.xy[0, :, :4], golden["megvii_xy"][:, :4]))
    assert float((poses.xy[0, 0, 4:] - golden["megvii_xy"][0, 4:]).abs().max()) > 1.9
    # Its scores run from 0.5 up.
    agrees("megvii decode, score", (poses.score[0] + 0.5, golden["megvii_score"]))


def test_volume_decode(golden):
    volume = golden["volume_maps"].flatten(0, 1)[None]
    poses = Heatmap3d(points=2, grid=RATIO, depth=DEPTH, bins=BINS, refine="none").decode({"volume": volume})
    xyz = torch.cat((poses.xy[0] - 0.5, poses.depth[0][..., None] - 0.5 * DEPTH / BINS), -1)
    # The maps hold few values, so the highest is there more than once, and the first must win.
    assert int((volume == volume.amax()).sum()) > 2
    agrees("volume decode, pixels and depth", (xyz, golden["volume_xyz"]))
    agrees("volume decode, score", (poses.score[0], golden["volume_score"]))


@pytest.mark.parity
def test_map_goldens_are_what_mmpose_says(tmp_path):
    remakes("mmpose_maps", "make_mmpose_map_goldens.py", "POSEKIT_MMPOSE_PYTHON", tmp_path)
