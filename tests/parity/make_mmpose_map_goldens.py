"""Run MMPose's UDP, Megvii and 3-D codecs and store inputs and outputs: `python make_mmpose_map_goldens.py TARGET.npz`.

In the environment of `make_mmpose_goldens.py`; points and maps are counted as there.
"""

from __future__ import annotations

import sys

import mmpose
import numpy as np
from make_mmpose_goldens import CELLS, SIGMA, SIZE, bumps
from mmpose.codecs import MegviiHeatmap, UDPHeatmap
from mmpose.codecs.hand_3d_heatmap import Hand3DHeatmap

# Inside, hidden, near two borders, outside on the left so that the disc or the window still shows, far outside, half a
# cell left of the map, and one whose map folds over a border.
POINTS = (
    (24.3, 40.2),
    (33.3, 41.2),
    (3.2, 66.9),
    (-9.0, 44.0),
    (-70.0, 44.0),
    (-2.0, 44.0),
    (54.0, 5.7),
)
HIDDEN = 1
# UDP's cells are square in images of that size: 52/13 and 68/17 pixels.
SQUARE = (53, 69)
KERNELS = (15, 11, 9, 7, 5)
RADIUS, BLUR = 3.5, 5
BINS, DEPTH = 8, 80.0
# Depths about the root: in the middle, hidden, before the first and behind the last layer, just inside both ends.
DEPTHS = (3.0, 0.0, -41.0, 10.0, 10.0, -39.0, 36.0)


def discs(xy: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Discs with offsets, and points decoded from noisy discs."""
    # Smoothing as wide as the default would fold all of so small a map.
    codec = UDPHeatmap(SQUARE, CELLS, heatmap_type="combined", radius_factor=RADIUS / max(CELLS), blur_kernel_size=BLUR)
    made = codec.encode(xy, visible)
    target = made["heatmaps"]
    inside = codec.encode(
        rng.uniform((20, 20), (SQUARE[0] - 21, SQUARE[1] - 21), (1, 4, 2)), np.ones((1, 4), np.float32)
    )
    maps = inside["heatmaps"].copy()
    # The disc as a network gives it: soft, noisy, and wrong far away from the point.
    maps[::3] = 0.9 * maps[::3] + rng.uniform(0, 0.05, maps[::3].shape)
    maps[1::3] += rng.normal(0, 0.05, maps[1::3].shape)
    maps[2::3] += rng.normal(0, 0.05, maps[2::3].shape)
    maps = maps.astype(np.float32)
    place, score = codec.decode(maps.copy())
    return {
        "disc_target": target,
        "disc_weights": made["keypoint_weights"],
        "disc_maps": maps,
        "disc_xy": place,
        "disc_score": score,
    }


def udp(xy: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Gaussians, and their refinement: four peaks inside, one before the first column's middle, one after, one ring."""
    inside = rng.uniform((5, 5), (CELLS[0] - 6, CELLS[1] - 6), (4, 2))
    maps = bumps(rng, np.concatenate((inside, ((0.3, 9.2), (1.2, 9.2), (7, 9)))))
    rows, columns = np.mgrid[: CELLS[1], : CELLS[0]]
    around = np.hypot(rows - 9, columns - 7)
    maps[6] = 0.9 * np.exp(-(((around - 4) / 1.5) ** 2) / 2) + rng.uniform(0, 0.02, maps[6].shape)
    codec = UDPHeatmap(SQUARE, CELLS, sigma=SIGMA)
    made = codec.encode(xy, visible)
    place, score = codec.decode(maps.copy())
    return {
        "udp_target": made["heatmaps"],
        "udp_weights": made["keypoint_weights"],
        "udp_maps": maps,
        "udp_xy": place,
        "udp_score": score,
    }


def megvii(xy: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Gaussians of five widths, and points decoded from maps."""
    stored = {}
    for kernel in KERNELS:
        made = MegviiHeatmap(input_size=SIZE, heatmap_size=CELLS, kernel_size=kernel).encode(xy, visible)
        stored[f"megvii_{kernel}"], stored["megvii_weights"] = made["heatmaps"], made["keypoint_weights"]
    inside = rng.uniform((4, 4), (CELLS[0] - 5, CELLS[1] - 5), (4, 2))
    maps = 255 * bumps(rng, np.concatenate((inside, ((0.9, 10.2), (6.3, 0.2)))))
    codec = MegviiHeatmap(input_size=SIZE, heatmap_size=CELLS, kernel_size=11)
    stored["megvii_maps"] = maps
    stored["megvii_xy"], stored["megvii_score"] = codec.decode(maps.copy())
    return stored


def volumes(xy: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Gaussians with depth, and what is read from noise."""
    codec = Hand3DHeatmap(
        image_size=SIZE, heatmap_size=(*CELLS, BINS), heatmap3d_depth_bound=DEPTH, depth_size=BINS, sigma=1
    )
    depth = np.array(DEPTHS, np.float32)[None, :, None]
    nothing = np.zeros(1, np.float32)
    made = codec.encode(np.concatenate((xy, depth), -1), visible, None, nothing, nothing, nothing, nothing, None, None)
    maps = rng.integers(0, 2**8, (2, BINS, *CELLS[::-1])).astype(np.float32) / 2**8
    place, score, _, _ = codec.decode(maps.copy(), nothing, nothing)
    return {
        "volume_depth": depth[..., 0],
        "volume_target": made["heatmaps"],
        "volume_weights": made["keypoint_weights"],
        "volume_maps": maps,
        "volume_xyz": place,
        "volume_score": score,
    }


def main(target: str) -> None:
    """Encode and decode with every codec and store inputs with outputs."""
    rng = np.random.default_rng(21)
    xy = np.array(POINTS, np.float32)[None]
    visible = np.ones((1, len(POINTS)), np.float32)
    visible[0, HIDDEN] = 0
    stored = {"version": np.array(mmpose.__version__), "xy": xy, "visible": visible}
    stored |= discs(xy, visible, rng) | udp(xy, visible, rng) | megvii(xy, visible, rng) | volumes(xy, visible, rng)
    np.savez_compressed(target, **stored)
    print(f"mmpose {mmpose.__version__}: {', '.join(stored)} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
