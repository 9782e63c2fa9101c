"""Run MMPose's codecs on random inputs and store both: `python make_mmpose_goldens.py goldens_mmpose.npz`.

Runs in an environment of its own, where mmpose 1.3.2 is installed (its pins do not suit ours):

    pip install torch==2.13.0 numpy
    pip install --no-deps mmengine==0.10.7 mmcv-lite==2.2.0 mmpose==1.3.2
    pip install addict yapf termcolor rich matplotlib json_tricks munkres scipy opencv-python-headless six pyyaml

Points are MMPose's pixel indices (the first pixel's centre is 0), maps are in cells.
"""

from __future__ import annotations

import sys

import mmpose
import numpy as np
from mmpose.codecs import IntegralRegressionLabel, MSRAHeatmap, RegressionLabel, SimCCLabel

POINTS, SIZE, CELLS, SIGMA = 4, (72, 96), (18, 24), 1.5


def points(rng: np.random.Generator) -> np.ndarray:
    """(1, K, 2) indices: inside, on the border, and one whose window is cut."""
    xy = rng.uniform((4, 4), (SIZE[0] - 5, SIZE[1] - 5), (1, POINTS, 2))
    xy[0, 0] = (0.4, 0.7)
    return xy.astype(np.float32)


def bumps(rng: np.random.Generator, xy: np.ndarray) -> np.ndarray:
    """(K, H, W) maps as a network gives them: a wide bump at each point, and noise."""
    columns, rows = np.arange(CELLS[0]), np.arange(CELLS[1])
    gx = np.exp(-(((columns - xy[0, :, :1] / 4) / 2) ** 2) / 2)
    gy = np.exp(-(((rows - xy[0, :, 1:] / 4) / 2) ** 2) / 2)
    noise = rng.uniform(0, 0.02, (POINTS, CELLS[1], CELLS[0]))
    return (gy[:, :, None] * gx[:, None, :] + noise).astype(np.float32)


def main(target: str) -> None:
    """Encode and decode with every codec and store inputs with outputs."""
    rng = np.random.default_rng(20)
    xy, visible = points(rng), np.ones((1, POINTS), np.float32)
    visible[0, 2] = 0
    stored = {"version": np.array(mmpose.__version__), "xy": xy, "visible": visible}
    quantised = MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA)
    unbiased = MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA, unbiased=True, blur_kernel_size=7)
    for name, codec in (("quantised", quantised), ("unbiased", unbiased)):
        made = codec.encode(xy, visible)
        stored[f"{name}_heatmaps"], stored[f"{name}_weights"] = made["heatmaps"], made["keypoint_weights"]
    maps = stored["maps"] = bumps(rng, xy)
    stored["quarter_xy"], stored["quarter_score"] = quantised.decode(maps.copy())
    stored["dark_xy"], stored["dark_score"] = unbiased.decode(maps.copy())
    made = RegressionLabel(input_size=SIZE).encode(xy, visible)
    stored["regression_labels"], stored["regression_weights"] = made["keypoint_labels"], made["keypoint_weights"]
    integral = IntegralRegressionLabel(input_size=SIZE, heatmap_size=CELLS, sigma=SIGMA)
    stored["integral_labels"] = integral.encode(xy, visible)["keypoint_labels"]
    smoothed = SimCCLabel(
        input_size=SIZE, smoothing_type="standard", simcc_split_ratio=2.0, label_smooth_weight=0.1
    )
    gaussian = SimCCLabel(input_size=SIZE, smoothing_type="gaussian", sigma=4.0, simcc_split_ratio=2.0)
    for name, codec in (("smoothed", smoothed), ("gaussian", gaussian)):
        made = codec.encode(xy, visible)
        for axis in "xy":
            stored[f"simcc_{name}_{axis}"] = made[f"keypoint_{axis}_labels"].astype(np.float32)
        stored[f"simcc_{name}_weights"] = made["keypoint_weights"]
    logits = {axis: rng.normal(size=(1, POINTS, 2 * size)).astype(np.float32) for axis, size in zip("xy", SIZE)}
    stored |= {f"simcc_logits_{axis}": value for axis, value in logits.items()}
    stored["simcc_xy"], stored["simcc_score"] = gaussian.decode(logits["x"].copy(), logits["y"].copy())
    np.savez_compressed(target, **stored)
    print(f"mmpose {mmpose.__version__}: {', '.join(stored)} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
