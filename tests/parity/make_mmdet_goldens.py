"""Run MMDetection's focal losses and CenterNet gaussians and store both: `python make_mmdet_goldens.py TARGET.npz`.

Runs in the environment of `make_mmpose_goldens.py` with `pip install --no-deps mmdet==3.3.0`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import distribution, version
from types import ModuleType

import numpy as np
import torch

SHAPE, B, K = (18, 14), 2, 3


def part(name: str) -> ModuleType:
    """A file of mmdet; the packages around it ask for operations that are not installed and stay unread."""
    for package in ("mmdet", "mmdet.models", "mmdet.models.losses", "mmdet.models.utils"):
        bare = ModuleType(package)
        bare.__path__ = [str(distribution("mmdet").locate_file(package.replace(".", "/")))]
        sys.modules.setdefault(package, bare)
    return importlib.import_module(f"mmdet.models.{name}")


def gaussians(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Radii of boxes, in cells, and the gaussians that they give; one in a corner, one in the last column."""
    draw = part("utils.gaussian_target")
    sizes = np.concatenate((((100, 100), (64, 48), (40, 20), (10, 10)), rng.uniform(1, 90, (60, 2))))
    radii = [[draw.gaussian_radius(tuple(size), iou) for iou in (0.3, 0.7)] for size in sizes]
    cells = ((5, 7), (0, 1), (13, 9), (8, 17))
    boxes = ((30, 40), (20, 20), (60, 30), (3, 4))
    maps = torch.zeros(len(cells), *SHAPE)
    for map_, cell, (width, height) in zip(maps, cells, boxes, strict=True):
        draw.gen_gaussian_target(map_, cell, max(0, int(draw.gaussian_radius((height, width), 0.7))))
    return {
        "radius_sizes": sizes,
        "radius": np.array(radii),
        "gaussian_cells": np.array(cells, np.float32),
        "gaussian_boxes": np.array(boxes, np.float32),
        "gaussians": maps.numpy(),
    }


def losses(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Cell by cell: the focal loss of CornerNet, that of soft labels, and that of distributions."""
    logits = torch.from_numpy(rng.normal(0, 3, (B, K, 6, 5)).astype(np.float32))
    target = torch.from_numpy(rng.uniform(0, 1, logits.shape).astype(np.float32))
    target[:, :, 2, 3], target[:, :, 0] = 1, 0
    bins = torch.from_numpy(rng.normal(0, 2, (B * K, 9)).astype(np.float32))
    label = torch.from_numpy(rng.uniform(0, 7.9, B * K).astype(np.float32))
    label[0], label[1] = 3.0, 0.0
    focal, quality = part("losses.gaussian_focal_loss"), part("losses.gfocal_loss")
    column = logits.reshape(-1, 1)
    soft = quality.quality_focal_loss_tensor_target(column, target.reshape(-1, 1), reduction="none")
    values = {
        "logits": logits,
        "target": target,
        "focal": focal.gaussian_focal_loss(logits.sigmoid(), target, reduction="none"),
        "quality": soft.reshape(logits.shape),
        "bins": bins,
        "label": label,
        "distribution": quality.distribution_focal_loss(bins, label, reduction="none"),
    }
    return {name: value.numpy() for name, value in values.items()}


def main(target: str) -> None:
    """Run all and store inputs with outputs."""
    rng = np.random.default_rng(24)
    stored = {"version": np.array(version("mmdet")), **gaussians(rng), **losses(rng)}
    np.savez_compressed(target, **stored)
    print(f"mmdet {version('mmdet')}: {', '.join(stored)} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
