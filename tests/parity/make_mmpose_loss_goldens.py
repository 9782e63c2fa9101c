"""Run MMPose's losses and store inputs, values and gradients: `python make_mmpose_loss_goldens.py TARGET.npz`.

In the environment of `make_mmpose_goldens.py`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import mmpose
import numpy as np
import torch
from torch import Tensor

B, K, H, W = 3, 5, 6, 5
PARENTS = (0, 0, 0, 1, 2)
SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035)


def losses(name: str) -> ModuleType:
    """A file of mmpose.models.losses; the packages around it ask for more than is installed and stay unread."""
    for package in ("models", "models.losses", "models.utils", "datasets", "datasets.datasets"):
        bare = ModuleType(f"mmpose.{package}")
        bare.__path__ = [str(Path(mmpose.__file__).parent.joinpath(*package.split(".")))]
        sys.modules.setdefault(bare.__name__, bare)
    return importlib.import_module(f"mmpose.models.losses.{name}")


def wave(size: torch.Size, start: int) -> Tensor:
    """Numbers from -0.35 to 0.35 that look random and need no storing: `tests/parity/test_mmpose_losses.py` has it."""
    i = torch.arange(start, start + size.numel(), dtype=torch.float64)
    return (0.7 * (torch.frac(i * i * 0.6180339887498949) - 0.5)).float().reshape(size)


def value_and_gradient(loss: Callable[[Tensor], Tensor], output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A loss and its gradient."""
    at = torch.from_numpy(output).requires_grad_()
    value = loss(at)
    (slope,) = torch.autograd.grad(value, at)
    return value.detach().numpy(), slope.numpy()


def of_maps(rng: np.random.Generator, weight: Tensor) -> dict[str, np.ndarray]:
    """Losses of maps, with weights that multiply output and target."""
    output = rng.uniform(0.02, 0.98, (B, K, H, W)).astype(np.float32)
    target = rng.uniform(0, 1, output.shape).astype(np.float32) ** 3
    target[:, :, 3, 2] = 1
    truth, module = torch.from_numpy(target), losses("heatmap_loss")
    awing = module.AdaptiveWingLoss(use_target_weight=True)
    focal = module.FocalHeatmapLoss(use_target_weight=True)
    ohkm = module.KeypointOHKMMSELoss(use_target_weight=True, topk=2)
    mse = module.KeypointMSELoss(use_target_weight=True)
    made = {
        "mse": value_and_gradient(lambda at: mse(at, truth, weight), output),
        "awing": value_and_gradient(lambda at: awing(at, truth, weight), output),
        "focal": value_and_gradient(lambda at: focal(at, truth, weight), output),
        "ohkm": value_and_gradient(lambda at: ohkm(at, truth, weight), output),
    }
    discs = rng.uniform(0, 1, (B, K, 3, H, W)).astype(np.float32)
    wanted = rng.uniform(-1, 1, discs.shape).astype(np.float32)
    wanted[:, :, 0] = rng.uniform(0, 1, (B, K, H, W)) < 0.4
    both = torch.from_numpy(wanted).flatten(1, 2) * weight.repeat_interleave(3, 1)[..., None, None]
    combined = module.CombinedTargetMSELoss(use_target_weight=True)
    made["combined"] = value_and_gradient(lambda at: combined(at.flatten(1, 2), both, weight), discs)
    spread, aim = (x / x.sum((-2, -1), keepdims=True) for x in (output, target))
    js = losses("classification_loss").JSDiscretLoss(use_target_weight=True)
    made["js"] = value_and_gradient(lambda at: js(at, torch.from_numpy(aim), weight), spread)
    inputs = {"map_output": output, "map_target": target, "disc_output": discs, "disc_target": wanted}
    return inputs | {"js_output": spread, "js_target": aim} | flat(made)


def of_points(rng: np.random.Generator, weight: Tensor) -> dict[str, np.ndarray]:
    """Losses of locations in pixels; errors from far below to far above every threshold."""
    target = rng.uniform(0, 90, (B, K, 2)).astype(np.float32)
    apart = 10 ** rng.uniform(-1.5, 1.6, target.shape) * rng.choice((-1, 1), target.shape)
    output = (target + apart).astype(np.float32)
    truth, both = torch.from_numpy(target), weight[..., None].expand(B, K, 2)
    module, area = losses("regression_loss"), torch.tensor((900.0, 4000.0, 12000.0))
    made = {
        "wing": value_and_gradient(lambda at: module.WingLoss(use_target_weight=True)(at, truth, both), output),
        "soft_wing": value_and_gradient(
            lambda at: module.SoftWingLoss(use_target_weight=True)(at, truth, both), output
        ),
        "bone": value_and_gradient(lambda at: module.BoneLoss(list(PARENTS))(at, truth), output),
        "bone_weighted": value_and_gradient(lambda at: module.BoneLoss(list(PARENTS), True)(at, truth, weight), output),
        "l1": value_and_gradient(lambda at: module.L1Loss(use_target_weight=True)(at, truth, both), output),
        "l2": value_and_gradient(lambda at: module.MSELoss(use_target_weight=True)(at, truth, both), output),
    }
    soft = module.SoftWeightSmoothL1Loss(use_target_weight=True, supervise_empty=False, beta=2.0)
    made["smooth_l1"] = value_and_gradient(lambda at: soft(at, truth, both), output)
    near = (target + apart.clip(-9, 9)).astype(np.float32)
    for form in ("linear", "square", "log"):
        for name, normed in (("oks", True), ("oks_points", False)):
            loss = module.OKSLoss(mode=form, norm_target_weight=normed)
            loss.register_buffer("sigmas", torch.tensor(SIGMAS))
            made[f"{name}_{form}"] = value_and_gradient(lambda at, loss=loss: loss(at, truth, weight, area), near)
    inputs = {"point_output": output, "point_near": near, "point_target": target, "area": area.numpy()}
    return inputs | flat(made)


def of_spread(rng: np.random.Generator, weight: Tensor) -> dict[str, np.ndarray]:
    """Residual log-likelihood: coordinates and raw spreads after one another, through a flow with made weights."""
    output = rng.normal(0, (0.3, 0.3, 1.5, 1.5), (B, K, 4)).astype(np.float32)
    target = rng.uniform(-0.5, 0.5, (B, K, 2)).astype(np.float32)
    both, made = weight[..., None].expand(B, K, 2), {}
    for residual in ("laplace", "gaussian"):
        loss = losses("regression_loss").RLELoss(use_target_weight=True, q_distribution=residual)
        for part, start in (("s", 0), ("t", 1_000_000)):
            for value in getattr(loss.flow_model, part).parameters():
                value.data, start = wave(value.shape, start), start + value.numel()
        made[f"rle_{residual}"] = value_and_gradient(
            lambda at, loss=loss: loss(at[..., :2], at[..., 2:], torch.from_numpy(target), both), output
        )
    return {"rle_output": output, "rle_target": target} | flat(made)


def flat(made: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Values and slopes under their own names."""
    return {f"{name}_{what}": x for name, both in made.items() for what, x in zip(("loss", "slope"), both, strict=True)}


def main(target: str) -> None:
    """Run every loss and store inputs, values and gradients."""
    rng = np.random.default_rng(22)
    weight = torch.ones(B, K)
    weight[0, 1] = weight[2, 0] = weight[2, 4] = 0
    stored = {"version": np.array(mmpose.__version__), "weight": weight.numpy()}
    stored |= of_maps(rng, weight) | of_points(rng, weight) | of_spread(rng, weight)
    np.savez_compressed(target, **stored)
    print(f"mmpose {mmpose.__version__}: {', '.join(stored)} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
