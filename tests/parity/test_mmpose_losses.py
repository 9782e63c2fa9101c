"""Our losses and their gradients against MMPose 1.3.2.

MMPose multiplies output and target by the weights and then divides by all points; we divide by the known ones. So each
comparison has a factor, and the test says which. Gradients are compared relative to the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from parity_table import agrees, remakes, stored
from torch import Tensor

from posekit.codecs.base import Target
from posekit.losses.adaptive_wing import AdaptiveWing, AdaptiveWingLoss
from posekit.losses.bones import Bone, BoneLoss
from posekit.losses.combined import CombinedLoss
from posekit.losses.divergence import DivergenceLoss
from posekit.losses.focal import FocalLoss
from posekit.losses.heatmaps import MseLoss, OhkmLoss
from posekit.losses.oks import Oks, OksLoss
from posekit.losses.points import PointsLoss
from posekit.losses.rle import RleModule, RleNll

B, K = 3, 5
SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035)
EDGES = ((0, 1), (0, 2), (1, 3), (2, 4))


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return stored("mmpose_losses")


def value_and_gradient(loss: Callable[[Tensor], Mapping[str, Tensor]], output: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of a loss's terms, and its gradient."""
    at = output.clone().requires_grad_()
    value = torch.stack(list(loss(at).values())).sum()
    (slope,) = torch.autograd.grad(value, at)
    return value.detach(), slope


def compare(row: str, golden: dict[str, Tensor], name: str, ours: tuple[Tensor, Tensor], factor: float) -> None:
    """Value and gradient times a factor are those of MMPose."""
    for what, value in zip(("loss", "slope"), ours, strict=True):
        agrees(row, (factor * value, golden[f"{name}_{what}"]), relative=True)


def map_target(golden: dict[str, Tensor], name: str, truth: Tensor) -> Target:
    weight = golden["weight"]
    maps = {name: truth, "xy": torch.zeros(B, 1, K, 2)}
    return Target(maps=maps, weight={name: weight[..., None, None], "xy": weight[:, None, :, None]})


def share(golden: dict[str, Tensor]) -> float:
    """Known points among all."""
    return float(golden["weight"].mean())


def test_mse_and_its_gradient(golden):
    target = map_target(golden, "heatmap", golden["map_target"])
    ours = value_and_gradient(lambda at: MseLoss("mse", "heatmap", 1.0)({"heatmap": at}, target), golden["map_output"])
    compare("mse", golden, "mse", ours, share(golden))


def test_ohkm_and_its_gradient(golden):
    target = map_target(golden, "heatmap", golden["map_target"])
    ours = value_and_gradient(lambda at: OhkmLoss(1.0, 2)({"heatmap": at}, target), golden["map_output"])
    compare("ohkm", golden, "ohkm", ours, 1.0)


def test_adaptive_wing(golden):
    target = map_target(golden, "heatmap", golden["map_target"])
    # MMPose has no heavier weight beside peaks.
    module = AdaptiveWingLoss(AdaptiveWing(peak=0))
    ours = value_and_gradient(lambda at: module({"heatmap": at}, target), golden["map_output"])
    compare("adaptive_wing", golden, "awing", ours, share(golden))


def test_focal(golden):
    target = map_target(golden, "peaks", golden["map_target"])
    # MMPose takes probabilities.
    ours = value_and_gradient(lambda at: FocalLoss(1.0, 2.0, 4.0)({"peaks": at.logit()}, target), golden["map_output"])
    compare("focal", golden, "focal", ours, 1.0)


def test_combined(golden):
    wanted = golden["disc_target"]
    disc, weight = wanted[:, :, 0], golden["weight"]
    within = (disc * weight[..., None, None])[:, :, None].expand(-1, -1, 2, -1, -1)
    target = Target(
        maps={"disc": disc, "offset": wanted[:, :, 1:].flatten(1, 2), "xy": torch.zeros(B, 1, K, 2)},
        weight={
            "disc": weight[..., None, None],
            "offset": within.flatten(1, 2),
            "xy": weight[:, None, :, None],
        },
    )
    ours = value_and_gradient(
        lambda at: CombinedLoss(1.0, 1.0)({"disc": at[:, :, 0], "offset": at[:, :, 1:].flatten(1, 2)}, target),
        golden["disc_output"],
    )
    compare("combined", golden, "combined", ours, share(golden))


def test_discrete_js(golden):
    target = map_target(golden, "probability", golden["js_target"])
    ours = value_and_gradient(lambda at: DivergenceLoss(1.0, "js")({"probability": at}, target), golden["js_output"])
    # MMPose adds up the points of an image and divides by the images alone.
    known, factor = golden["weight"] > 0, K * share(golden)
    agrees("divergence js", (factor * ours[0], golden["js_loss"]), relative=True)
    agrees("divergence js", (factor * ours[1][known], golden["js_slope"][known]), relative=True)
    # Its gradient of a hidden point is not a number, which the weight of 0 before it in the chain does not undo.
    assert bool(golden["js_slope"][~known].isnan().all()) and not ours[1][~known].any()


# Places in pixels


def point_target(golden: dict[str, Tensor], area: bool = False) -> Target:
    weight = golden["weight"]
    maps, weights = {"xy": golden["point_target"][:, None]}, {"xy": weight[:, None, :, None]}
    if area:
        maps, weights = maps | {"area": golden["area"][:, None]}, weights | {"area": torch.ones(B, 1)}
    return Target(maps=maps, weight=weights)


@pytest.mark.parametrize(
    ("name", "rule", "settings", "a_point"),
    [
        ("wing", "wing", (10.0, 2.0), 2 * K),
        ("soft_wing", "soft_wing", (2.0, 20.0, 0.5), 2 * K),
        ("l1", "l1", (), 1),
        ("l2", "l2", (), 1),
    ],
)
def test_points(golden, name, rule, settings, a_point):
    module, target = PointsLoss(name, 1.0, rule, *settings), point_target(golden)
    ours = value_and_gradient(lambda at: module({"xy": at[:, None]}, target), golden["point_output"])
    # The wing losses of MMPose add up the points and axes of an image.
    compare(name, golden, name, ours, a_point * share(golden))


def test_smooth_l1(golden):
    module, target = PointsLoss("smooth_l1", 1.0, "smooth_l1", 2.0), point_target(golden)
    ours = value_and_gradient(lambda at: module({"xy": at[:, None]}, target), golden["point_output"])
    # Of MMPose's two this is SoftWeightSmoothL1Loss, which divides by what is known when asked to.
    value, slope = golden["smooth_l1_loss"], golden["smooth_l1_slope"]
    agrees("smooth_l1", (ours[0], value), relative=True)
    agrees("smooth_l1", (ours[1], slope), relative=True)


def test_bone_of_the_batch(golden):
    module = BoneLoss(Bone(variant="batch_mean"), EDGES)
    known = Target(maps={"xy": golden["point_target"][:, None]}, weight={"xy": torch.ones(B, 1, K, 1)})
    ours = value_and_gradient(lambda at: module({"xy": at[:, None]}, known), golden["point_output"])
    compare("bone batch_mean", golden, "bone", ours, 1.0)

    # A hidden end counts for MMPose as a bone of no length, in a mean over all images, and only the lower end is asked.
    ours = value_and_gradient(lambda at: module({"xy": at[:, None]}, point_target(golden)), golden["point_output"])
    theirs = golden["bone_weighted_slope"]
    hidden, lower = (2, 0), (2, 2)
    assert golden["weight"][hidden] == 0 and theirs[hidden].any() and theirs[lower].any()
    assert not ours[1][hidden].any() and not ours[1][lower].any()


@pytest.mark.parametrize("form", ["linear", "square", "log"])
def test_oks(golden, form):
    module, target = OksLoss(Oks(form=form), SIGMAS), point_target(golden, area=True)
    ours = value_and_gradient(lambda at: module({"xy": at[:, None]}, target), golden["point_near"])
    compare(f"oks {form}", golden, f"oks_{form}", ours, 1.0)


def test_oks_of_few_points(golden):
    """By default MMPose divides by all points, so that hidden ones count as missed; we never do."""
    shares = golden["weight"].mean(-1)
    linear, log = golden["oks_points_linear_loss"], golden["oks_points_log_loss"]
    each = oks_value(golden)
    agrees("oks of all points", ((1 - shares * each).mean(), linear), relative=True)
    agrees("oks of all points", (-(shares * each).log().mean(), log), relative=True)


def oks_value(golden: dict[str, Tensor]) -> Tensor:
    """(B,) our similarity of each image."""
    values = []
    for i in range(B):
        one = {key: golden[key][i : i + 1] for key in ("weight", "point_target", "area")}
        target = Target(
            maps={"xy": one["point_target"][:, None], "area": one["area"][:, None]},
            weight={"xy": one["weight"][:, None, :, None], "area": torch.ones(1, 1)},
        )
        values.append(1 - OksLoss(Oks(), SIGMAS)({"xy": golden["point_near"][i : i + 1, None]}, target)["oks"])
    return torch.stack(values)


# Places with a spread


def wave(size: torch.Size, start: int) -> Tensor:
    """The weights that `make_mmpose_loss_goldens.py` gives the flow."""
    i = torch.arange(start, start + size.numel(), dtype=torch.float64)
    return (0.7 * (torch.frac(i * i * 0.6180339887498949) - 0.5)).float().reshape(size)


@pytest.mark.parametrize("residual", ["laplace", "gaussian"])
def test_rle(golden, residual):
    module = RleModule(RleNll(residual=residual))
    for part, start in ((module.flow.scales, 0), (module.flow.shifts, 1_000_000)):
        for value in part.parameters():
            value.data, start = wave(value.shape, start), start + value.numel()
    weight = golden["weight"][..., None]
    target = Target(
        maps={"coords": golden["rle_target"], "xy": torch.zeros(B, 1, K, 2)},
        weight={"coords": weight, "xy": weight[:, None]},
    )
    ours = value_and_gradient(
        lambda at: module({"coords": at[..., :2], "sigma": at[..., 2:]}, target), golden["rle_output"]
    )
    # MMPose adds up the points of an image.
    compare("rle", golden, f"rle_{residual}", ours, K * share(golden))


@pytest.mark.parity
def test_loss_goldens_are_what_mmpose_says(tmp_path):
    remakes("mmpose_losses", "make_mmpose_loss_goldens.py", "POSEKIT_MMPOSE_PYTHON", tmp_path)
