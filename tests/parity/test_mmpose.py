"""Our codecs and losses against MMPose 1.3.2: stored results by default, the package itself with ``-m parity``.

MMPose counts pixels from the centre of the first, so its ``x`` is our ``p - 0.5``; its maps are a `RatioGrid` (UDP's
an `AlignedGrid`), its sigmas cells where ours are image pixels. Where we differ on purpose, the test says why and holds
the difference to that place.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from parity_table import agrees, farthest, labels, remakes, stored

from posekit.codecs.base import Target
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.geometry.grid import AlignedGrid, RatioGrid
from posekit.losses.divergence import kl_bins
from posekit.losses.heatmaps import MseLoss, OhkmLoss

IMAGE, STRIDE, SIGMA = (72, 56), 4, 8.0
GRID, ALIGNED = RatioGrid.of(IMAGE, STRIDE), AlignedGrid.of(IMAGE, STRIDE)
# Rows of the stored points, see the script that made them.
CUT, HIDDEN, LAST, REACHES, BEFORE, SOON, FAR, HALF = range(8)
# Rows of the stored maps.
LEFT, TOP, CORNER, RIGHT, RING, NEGATIVE = range(5, 11)
INSIDE = [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return stored("mmpose")


def encode(codec: Heatmap | Integral | Regression | SimCC, golden: dict[str, torch.Tensor]) -> Target:
    return codec.encode(labels(golden["xy"] + 0.5, golden["visible"]))


def rows(golden: dict[str, torch.Tensor], *but: int) -> list[int]:
    """Every stored point except some."""
    return [k for k in range(golden["xy"].shape[1]) if k not in but]


# Targets


def test_quantised_maps(golden):
    K = golden["xy"].shape[1]
    target = encode(Heatmap(points=K, grid=GRID, sigma=SIGMA, target="quantised"), golden)
    ours, weight = target.maps["heatmap"][0], target.weight["heatmap"][0, :, 0, 0]
    same = rows(golden, REACHES, SOON)
    agrees("quantised target", (ours[same], golden["quantised_heatmaps"][same]))
    agrees("quantised target", (weight[same], golden["quantised_weights"][0, same]))

    # Left of the map MMPose rounds toward zero, so the Gaussian lies one cell too far right: -2.25 becomes -1.
    assert farthest(ours[REACHES, :, :-1], golden["quantised_heatmaps"][REACHES, :, 1:]) < 1e-6
    # A window that ends before the first cell counts for MMPose, with a map of zeros to learn; not for us.
    assert float(golden["quantised_heatmaps"][SOON].max()) == 0 and golden["quantised_weights"][0, SOON] == 1
    assert float(ours[SOON].max()) == 0 and weight[SOON] == 0


def test_quantised_window_of_broken_width(golden):
    """With 3 sigma = 4.5 cells MMPose's window loses its right column, and below 4.5 its centre moves by a cell."""
    K = golden["xy"].shape[1]
    target = encode(Heatmap(points=K, grid=GRID, sigma=6.0, target="quantised"), golden)
    ours, theirs = target.maps["heatmap"][0], golden["fraction_heatmaps"]
    middle = rows(golden, *range(HALF))
    shared = theirs[middle] > 0
    assert farthest(ours[middle][shared], theirs[middle][shared]) < 1e-6
    rim = float(torch.exp(torch.tensor(-((5 / 1.5) ** 2) / 2)))
    assert float(ours[middle][~shared].max()) <= rim + 1e-6


def test_unbiased_maps(golden):
    K = golden["xy"].shape[1]
    target = encode(Heatmap(points=K, grid=GRID, sigma=SIGMA), golden)
    ours, weight = target.maps["heatmap"][0], target.weight["heatmap"][0, :, 0, 0]
    same = rows(golden, BEFORE)
    agrees("unbiased target", (ours[same], golden["unbiased_heatmaps"][same]))
    agrees("unbiased target", (weight[same], golden["unbiased_weights"][0, same]))

    # Between 6 and 7 cells left of the map, 3 sigma reach no cell; MMPose's window is one cell longer on the right.
    assert golden["unbiased_weights"][0, BEFORE] == 1 and weight[BEFORE] == 0
    assert float(golden["unbiased_heatmaps"][BEFORE].max()) < np.exp(-(3**2) / 2)


def test_udp_maps(golden):
    K = golden["xy"].shape[1]
    target = encode(Heatmap(points=K, grid=ALIGNED, sigma=SIGMA * ALIGNED.scale[0] / 4), golden)
    ours, theirs = target.maps["heatmap"][0], golden["udp_heatmaps"]
    # Theirs is cut to the window of 3 sigma; what is left of ours there is below exp(-4.5).
    # Left of the map it is decided and placed by the truncated cell, as above.
    same = rows(golden, REACHES, BEFORE, SOON)
    drawn = theirs[same] > 0
    # sigma is one number of image pixels for us, and UDP's cells are not quite square: 55/13 wide, 71/17 high.
    assert farthest(ours[same][drawn], theirs[same][drawn]) < 0.02
    assert float(ours[same][~drawn].max()) < np.exp(-(3**2) / 2)
    assert farthest(target.weight["heatmap"][0, same, 0, 0], golden["udp_weights"][0, same]) == 0


def test_regression_labels(golden):
    K = golden["xy"].shape[1]
    target = encode(Regression(points=K, size=IMAGE, compat="ratio"), golden)
    # MMPose counts 0 to 1 over the image, we count -0.5 to 0.5.
    agrees("regression target", (target.maps["coords"] + 0.5, golden["regression_labels"]))
    agrees("regression target", (target.weight["coords"][..., 0], golden["regression_weights"]))


def test_integral_targets(golden):
    K = golden["xy"].shape[1]
    codec = Integral(points=K, grid=GRID, sigma=SIGMA, outside="ignore")
    target = encode(codec, golden)
    width, height = IMAGE[::-1]
    fractions = (target.maps["xy"][0] - 0.5) / torch.tensor([width, height])
    agrees("integral target", (fractions, golden["integral_labels"]))
    # Its maps are those of MSRAHeatmap.
    drawn = encode(Heatmap(points=K, grid=GRID, sigma=SIGMA, outside="ignore"), golden).maps["heatmap"]
    assert farthest(target.maps["heatmap"], drawn) == 0

    # MMPose weighs what lies in the image; we weigh what a mean of cells can be, which leaves out the last pixels.
    strict = Integral(points=K, grid=GRID, sigma=SIGMA).encode(labels(golden["xy"] + 0.5, golden["visible"]))
    weight = strict.weight["xy"][0, 0, :, 0]
    same = rows(golden, LAST)
    assert farthest(weight[same], golden["integral_weights"][0, same]) == 0
    assert golden["integral_weights"][0, LAST] == 1 and weight[LAST] == 0


def test_simcc_smoothed(golden):
    K = golden["xy"].shape[1]
    target = encode(SimCC(points=K, size=IMAGE, target="smoothed", compat="ratio"), golden)
    for axis in "xy":
        agrees("simcc smoothed target", (target.maps[axis], golden[f"simcc_smoothed_{axis}"]))
        agrees("simcc smoothed target", (target.weight[axis][..., 0], golden["simcc_smoothed_weights"]))


def test_simcc_gaussian(golden):
    K = golden["xy"].shape[1]
    codec = SimCC(points=K, size=IMAGE, sigma=2.0, compat="ratio")
    # MMPose rounds the centre to a bin. Given rounded points, all the rest is the same, its factor included.
    rounded = codec.encode(labels((2 * golden["xy"]).round() / 2 + 0.5, golden["visible"]))
    exact = encode(codec, golden)
    for axis in "xy":
        theirs = golden[f"simcc_gaussian_{axis}"]
        agrees("simcc gaussian target", (rounded.maps[axis], theirs))
        agrees("simcc gaussian target", (rounded.weight[axis][..., 0], golden["simcc_gaussian_weights"]))
        # Half a bin on the steepest slope of the Gaussian is the most that rounding may cost.
        steepest = np.exp(-0.5) / (4 * 4 * np.sqrt(2 * np.pi))
        assert 1e-4 < farthest(exact.maps[axis], theirs) < 0.51 * steepest


# Points from maps


def in_cells(golden: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """MMPose's decoded points in cells."""
    return golden[name][0] / STRIDE


def test_quarter(golden):
    maps = golden["maps"][None]
    poses = Heatmap(points=maps.shape[1], grid=GRID, refine="quarter").decode({"heatmap": maps})
    ours, theirs = GRID.cells(poses.xy[0, 0]), in_cells(golden, "quarter_xy")
    same = [*INSIDE, RIGHT, RING]
    agrees("quarter decode, cells", (ours[same], theirs[same]))
    agrees("quarter decode, score", (poses.score[0, 0, :NEGATIVE], golden["quarter_score"][0, :NEGATIVE]))

    # MMPose refines neither axis of a peak in the first row or column, and not that axis in the second; we refine
    # every axis that has both neighbours.
    step = (ours - theirs).abs()
    assert step[LEFT].tolist() == pytest.approx([0.25, 0.0], abs=1e-5)
    assert step[TOP].tolist() == pytest.approx([0.25, 0.0], abs=1e-5)
    assert step[CORNER].tolist() == pytest.approx([0.25, 0.25], abs=1e-5)


def test_dark(golden):
    maps = golden["maps"][None]
    codec = Heatmap(points=maps.shape[1], grid=GRID, sigma=SIGMA)
    assert codec.window == 11
    poses = codec.decode({"heatmap": maps})
    ours, theirs = GRID.cells(poses.xy[0, 0]), in_cells(golden, "dark_xy")
    # Peaks within two cells of the border stay where they are, there as here.
    same = [*INSIDE, LEFT, TOP, CORNER, RIGHT]
    agrees("dark decode, cells", (ours[same], theirs[same]))
    agrees("dark decode, score", (poses.score[0, 0, :NEGATIVE], golden["dark_score"][0, :NEGATIVE]))

    # On the inner side of a ring the smoothed map has no maximum. MMPose steps toward the saddle all the same, and how
    # far nothing bounds; we step only towards a maximum, and at most one cell.
    cell = torch.tensor(divmod(int(maps[0, RING].argmax()), GRID.width)).flip(0)
    assert float((ours[RING] - cell).abs().max()) <= 1


def test_map_below_zero(golden):
    """MMPose puts such a point at (-1, -1) cells; ours is somewhere on the map, with score 0."""
    maps = golden["maps"][None]
    poses = Heatmap(points=maps.shape[1], grid=GRID, refine="quarter").decode({"heatmap": maps})
    assert golden["quarter_score"][0, NEGATIVE] < 0 and float(in_cells(golden, "quarter_xy")[NEGATIVE].max()) <= -0.75
    assert poses.score[0, 0, NEGATIVE] == 0
    assert bool((GRID.cells(poses.xy[0, 0, NEGATIVE]) > -1e-4).all())


def test_simcc_decode(golden):
    lines = {axis: golden[f"simcc_lines_{axis}"].log() for axis in "xy"}
    K = lines["x"].shape[1]
    codec = SimCC(points=K, size=IMAGE, sigma=2.0, compat="ratio")
    poses = codec.decode(lines)
    agrees("simcc decode, pixels", (poses.xy[0] - 0.5, golden["simcc_xy"]))
    # MMPose's score is the lower raw maximum of the two axes; ours takes it relative to that of a perfect answer.
    perfect = 1 / (4 * np.sqrt(2 * np.pi))
    agrees("simcc decode, score", (poses.score[0], (golden["simcc_score"] / perfect).clamp(max=1)))


def test_simcc_dark(golden):
    lines = {axis: golden[f"simcc_lines_{axis}"].log() for axis in "xy"}
    codec = SimCC(points=lines["x"].shape[1], size=IMAGE, sigma=2.0, compat="ratio", refine="dark")
    ours, theirs = codec.decode(lines).xy[0, 0] - 0.5, golden["simcc_dark_xy"][0]
    peaks = torch.stack([lines[axis][0].argmax(-1) for axis in "xy"], dim=-1) / 2
    near = (theirs - peaks).abs() <= 0.5
    agrees("simcc dark decode, pixels", (ours[near], theirs[near]))
    # Noise may put the highest bin more than one bin off; we go one bin at most.
    assert 0 < int((~near).sum()) < near.numel() / 4
    assert farthest((ours - peaks)[~near], 0.5 * (theirs - peaks)[~near].sign()) < 1e-4


def test_rle_decode(golden):
    raw = golden["rle_raw"]
    maps = {"coords": raw[..., :2] - 0.5, "sigma": raw[..., 2:].logit()}
    poses = Rle(points=raw.shape[1], size=IMAGE, compat="ratio").decode(maps)
    agrees("rle decode, pixels", (poses.xy[0] - 0.5, golden["rle_xy"]))
    agrees("rle decode, score", (poses.score[0], golden["rle_score"]))


# Losses


def pair(golden: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], Target]:
    weight = golden["loss_weight"]
    maps = {"heatmap": golden["loss_target"], "xy": torch.zeros(*weight.shape, 2)[:, None]}
    weights = {"heatmap": weight[..., None, None], "xy": weight[:, None, :, None]}
    return {"heatmap": golden["loss_output"]}, Target(maps=maps, weight=weights)


def test_mse(golden):
    # MMPose divides by all points, we divide by those that are known.
    known = golden["loss_weight"].mean()
    ours = MseLoss("mse", "heatmap", 1.0)(*pair(golden))["mse"]
    agrees("mse", (ours * known, golden["loss_mse"]), relative=True)


def test_ohkm(golden):
    agrees("ohkm", (OhkmLoss(1.0, 4)(*pair(golden))["ohkm"], golden["loss_ohkm"]), relative=True)


def test_divergence_of_bins(golden):
    # MMPose takes the mean over bins where we sum, and divides the sum over the points by K.
    total = torch.zeros(())
    for axis in "xy":
        target = golden[f"simcc_gaussian_{axis}"]
        each = kl_bins(40 * golden[f"simcc_lines_{axis}"], target) / target.shape[-1]
        total = total + (each * golden["simcc_gaussian_weights"]).sum() / target.shape[1]
    agrees("simcc kl", (total, golden["loss_kl"]), relative=True)


@pytest.mark.parity
def test_goldens_are_what_mmpose_says(tmp_path):
    remakes("mmpose", "make_mmpose_goldens.py", "POSEKIT_MMPOSE_PYTHON", tmp_path)
