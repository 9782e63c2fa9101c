"""MMPose's encode and decode, timed on demand: runs in its own interpreter, one line in, one line out.

A line names a row; the answer is the process CPU time in milliseconds of one batch. `benchmarks.codecs` asks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import cv2
import mmpose
import numpy as np
import torch
from mmpose.codecs import MSRAHeatmap, SimCCLabel

B, K, SIZE, CELLS = 64, 17, (192, 256), (48, 64)


def rows() -> dict[str, Callable[[], object]]:
    """Every row on the same kind of data as ours: random points, Gaussians with noise."""
    rng = np.random.default_rng(0)
    xy = rng.uniform((0, 0), SIZE, (B, 1, K, 2)).astype(np.float32)
    visible = np.ones((1, K), np.float32)
    plain = MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=2.0)
    dark = MSRAHeatmap(input_size=SIZE, heatmap_size=CELLS, sigma=2.0, unbiased=True, blur_kernel_size=11)
    bins = SimCCLabel(input_size=SIZE, smoothing_type="gaussian", sigma=6.0)
    maps = np.stack([dark.encode(one, visible)["heatmaps"] for one in xy])
    maps += rng.uniform(0, 0.02, maps.shape).astype(np.float32)
    return {
        "quantised encode": lambda: [plain.encode(one, visible) for one in xy],
        "unbiased encode": lambda: [dark.encode(one, visible) for one in xy],
        "quarter decode": lambda: [plain.decode(one) for one in maps],
        "dark decode": lambda: [dark.decode(one) for one in maps],
        "simcc encode": lambda: [bins.encode(one, visible) for one in xy],
    }


def main() -> None:
    """Answer until the input ends."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    known = rows()
    print(f"mmpose {mmpose.__version__}", ", ".join(known), sep=": ", flush=True)
    for line in sys.stdin:
        call = known[line.strip()]
        start = time.process_time_ns()
        call()
        print((time.process_time_ns() - start) / 1e6, flush=True)


if __name__ == "__main__":
    main()
