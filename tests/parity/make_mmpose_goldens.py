"""Run MMPose's codecs and losses on random inputs and store both: `python make_mmpose_goldens.py goldens_mmpose.npz`.

Runs in an environment of its own, where mmpose 1.3.2 is installed (its pins do not suit ours):

    pip install torch==2.13.0 numpy
    pip install --no-deps mmengine==0.10.7 mmcv-lite==2.2.0 mmpose==1.3.2
    pip install addict yapf termcolor rich matplotlib json_tricks munkres scipy opencv-python-headless six pyyaml

Points are MMPose's pixel indices (the first pixel's centre is 0), maps are in cells.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import mmpose
import numpy as np
import torch
from mmpose.codecs import IntegralRegressionLabel, MSRAHeatmap, RegressionLabel, SimCCLabel, UDPHeatmap

SIZE, CELLS, SIGMA = (56, 72), (14, 18), 2.0
# Beside random points: a window cut by two borders, one that is not visible, one in the last pixel, one outside whose
# window reaches in, two whose windows end just before the first cell, one far outside, one half way between cells.
ODD = (
    (0.4, 0.7),
    (33.3, 41.2),
    (55.0, 71.0),
    (-9.0, 44.0),
    (-26.0, 44.0),
    (-30.4, 44.0),
    (-70.0, 44.0),
    (30.0, 54.0),
)
HIDDEN, POINTS = 1, len(ODD) + 3


def points(rng: np.random.Generator) -> np.ndarray:
    """(1, K, 2) indices."""
    xy = rng.uniform((24, 24), (SIZE[0] - 13, SIZE[1] - 13), (1, POINTS, 2))
    xy[0, : len(ODD)] = ODD
    return xy.astype(np.float32)


def bumps(rng: np.random.Generator, cells: np.ndarray) -> np.ndarray:
    """(K, H, W) maps as a network gives them: a wide bump at each of (K, 2) cells, and noise."""
    columns, rows = np.arange(CELLS[0]), np.arange(CELLS[1])
    gx = np.exp(-(((columns - cells[:, :1]) / 2.2) ** 2) / 2)
    gy = np.exp(-(((rows - cells[:, 1:]) / 2.2) ** 2) / 2)
    noise = rng.uniform(0, 0.02, (len(cells), CELLS[1], CELLS[0]))
    return (0.9 * gy[:, :, None] * gx[:, None, :] + noise).astype(np.float32)


def decoded(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Heat maps: five peaks inside, four at the border, one ring in the middle, one map below zero."""
    inside = rng.uniform((4, 4), (CELLS[0] - 5, CELLS[1] - 5), (5, 2))
    border = np.array(((0.9, 10.2), (6.3, 0.2), (1.2, 1.1), (CELLS[0] - 1.8, 10.3)))
    maps = bumps(rng, np.concatenate((inside, border, ((7, 9), (7, 9)))))
    rows, columns = np.mgrid[: CELLS[1], : CELLS[0]]
    around = np.hypot(rows - 9, columns - 7)
    maps[9] = 0.9 * np.exp(-(((around - 4) / 1.5) ** 2) / 2) + rng.uniform(0, 0.02, maps[9].shape)
    maps[10] = -maps[10] - 0.1
    stored = {"maps": maps}
    quarter = MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA)
    dark = MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA, unbiased=True, blur_kernel_size=11)
    stored["quarter_xy"], stored["quarter_score"] = quarter.decode(maps.copy())
    stored["dark_xy"], stored["dark_score"] = dark.decode(maps.copy())
    return stored


def encoded(xy: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    """Targets of every codec."""
    stored = {}
    maps = {
        "quantised": MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA),
        "fraction": MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=1.5),
        "unbiased": MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA, unbiased=True),
        "udp": UDPHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA),
    }
    for name, codec in maps.items():
        made = codec.encode(xy, visible)
        stored[f"{name}_heatmaps"], stored[f"{name}_weights"] = made["heatmaps"], made["keypoint_weights"]
    made = RegressionLabel(input_size=SIZE).encode(xy, visible)
    stored["regression_labels"], stored["regression_weights"] = made["keypoint_labels"], made["keypoint_weights"]
    integral = IntegralRegressionLabel(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA, unbiased=True)
    made = integral.encode(xy, visible)
    stored["integral_labels"], stored["integral_weights"] = made["keypoint_labels"], made["keypoint_weights"]
    lines = {
        "smoothed": SimCCLabel(input_size=SIZE, smoothing_type="standard", label_smooth_weight=0.1),
        "gaussian": SimCCLabel(input_size=SIZE, smoothing_type="gaussian", sigma=4.0),
    }
    for name, codec in lines.items():
        made = codec.encode(xy, visible)
        for axis in "xy":
            stored[f"simcc_{name}_{axis}"] = made[f"keypoint_{axis}_labels"].astype(np.float32)
        stored[f"simcc_{name}_weights"] = made["keypoint_weights"]
    return stored


def other_answers(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What networks of the other codecs say, and the points that this means."""
    stored = {}
    answer = rng.uniform(0.05, 0.95, (1, POINTS, 4)).astype(np.float32)
    stored["rle_raw"] = answer
    stored["rle_xy"], stored["rle_score"] = RegressionLabel(input_size=SIZE).decode(answer.copy())
    for axis, size in zip("xy", SIZE, strict=True):
        bins, at = np.arange(2 * size), rng.uniform(12, 2 * size - 13, (POINTS, 1))
        line = np.exp(-(((bins - at) / 4) ** 2) / 2) * rng.uniform(0.95, 1.05, (POINTS, 2 * size)) + 1e-4
        stored[f"simcc_lines_{axis}"] = (line / line.sum(-1, keepdims=True))[None].astype(np.float32)
    for name, dark in (("simcc", False), ("simcc_dark", True)):
        codec = SimCCLabel(input_size=SIZE, smoothing_type="gaussian", sigma=4.0, use_dark=dark)
        lines = (stored[f"simcc_lines_{axis}"].copy() for axis in "xy")
        stored[f"{name}_xy"], stored[f"{name}_score"] = codec.decode(*lines)
    return stored


def source(name: str) -> ModuleType:
    """A file of mmpose.models.losses; the package around it asks for more than is installed."""
    path = Path(mmpose.__file__).parent / "models" / "losses" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def losses(rng: np.random.Generator, stored: dict[str, np.ndarray], visible: np.ndarray) -> dict[str, np.ndarray]:
    """Three losses of random output against the stored targets."""
    output = rng.uniform(0, 1, (2, POINTS, 6, 5)).astype(np.float32)
    target = rng.uniform(0, 1, output.shape).astype(np.float32)
    weight = np.concatenate((visible, visible[:, ::-1])).astype(np.float32)
    three = [torch.from_numpy(value) for value in (output, target, weight)]
    heatmap, bins = source("heatmap_loss"), source("classification_loss")
    ohkm = heatmap.KeypointOHKMMSELoss(use_target_weight=True, topk=4)
    kl = bins.KLDiscretLoss(use_target_weight=True, beta=1.0, label_softmax=False)
    logits = [40 * stored[f"simcc_lines_{axis}"] for axis in "xy"]
    labels = [stored[f"simcc_gaussian_{axis}"] for axis in "xy"]
    shown = torch.from_numpy(stored["simcc_gaussian_weights"])
    divergence = kl([torch.from_numpy(x) for x in logits], [torch.from_numpy(x) for x in labels], shown)
    return {
        "loss_output": output,
        "loss_target": target,
        "loss_weight": weight,
        "loss_mse": heatmap.KeypointMSELoss(use_target_weight=True)(*three).numpy(),
        "loss_ohkm": ohkm(*three).numpy(),
        "loss_kl": divergence.numpy(),
    }


def main(target: str) -> None:
    """Encode and decode with every codec and store inputs with outputs."""
    rng = np.random.default_rng(20)
    xy, visible = points(rng), np.ones((1, POINTS), np.float32)
    visible[0, HIDDEN] = 0
    stored = {"version": np.array(mmpose.__version__), "xy": xy, "visible": visible, **encoded(xy, visible)}
    stored |= decoded(rng) | other_answers(rng)
    stored |= losses(rng, stored, visible)
    np.savez_compressed(target, **stored)
    print(f"mmpose {mmpose.__version__}: {', '.join(stored)} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
