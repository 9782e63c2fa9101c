"""Whole images to poses: fit or tile, run the network, decode, put back, and keep the best of each instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from posekit.geometry.affine import invert, transform
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.metrics.calibration import Calibration
from posekit.pipelines.topdown import calibrated, checked_images, decode_crops
from posekit.pipelines.views import Views
from posekit.postprocess.choose import merging
from posekit.postprocess.ranking import Ranking
from posekit.recipe import Recipe
from posekit.transforms.geometric import warp

Image = NDArray[np.uint8]


class OneStagePipeline:
    """Finds everyone in an image: call it with images, get one `Poses` an image.

    Args:
        net: trained network.
        recipe: it was trained with.
        device: where it runs.
        batch: views at once, over images.
        flip_test: average with the mirrored view; ``None`` does as the recipe says.
        calibration: of the scores; ``None`` gives them as the codec does.
        views: how an image is shown to the network: fitted, in several sizes, or in tiles.
        ranking: scores the chosen poses anew; ``None`` leaves their scores.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: Recipe,
        device: str | torch.device = "cpu",
        batch: int = 8,
        flip_test: bool | None = None,
        calibration: Calibration | None = None,
        views: Views | None = None,
        ranking: Ranking | None = None,
    ) -> None:
        self.net = net.to(device).eval()
        self.recipe, self.device, self.batch = recipe, torch.device(device), batch
        self.calibration, self.ranking = calibration, ranking
        self.views = views or Views()
        wanted = recipe.train.flip_test if flip_test is None else flip_test
        self.flip = recipe.skeleton.flip if wanted and recipe.skeleton.flippable else None

    @property
    def skeleton(self) -> Skeleton:
        """Whose points it finds."""
        return self.recipe.skeleton

    def __call__(self, images: Sequence[Image], boxes: Sequence[NDArray[np.floating]] | None = None) -> list[Poses]:
        """Find the points of everyone.

        Args:
            images: RGB uint8 (H, W, 3), any sizes.
            boxes: must be ``None``: this kind of model needs none.

        Returns:
            For each image `Poses` of NumPy arrays in its pixels, the best first.

        Raises:
            ValueError: an image is not what it should be, or there are boxes.
        """
        if boxes is not None:
            raise ValueError(f"{self.recipe.name} finds instances by itself: leave out the boxes")
        checked_images(images)
        made = [self.views.matrices((image.shape[0], image.shape[1]), self.recipe.size) for image in images]
        jobs = [(i, j) for i, per in enumerate(made) for j in range(len(per))]
        found: list[list[Poses]] = [[] for _ in images]
        for start in range(0, len(jobs), self.batch):
            part = jobs[start : start + self.batch]
            crops = np.stack([warp(images[i], made[i][j], self.recipe.size) for i, j in part])
            for (i, j), poses in zip(part, self._run(crops), strict=True):
                kept = self.views.own(poses, made[i], j, self.recipe.size)
                found[i].append(moved(self._above(kept), invert(made[i][j])))
        return [self._chosen(per) for per in found]

    @torch.inference_mode()
    def _run(self, crops: NDArray[np.uint8]) -> list[Poses]:
        """Poses of each view in its own pixels, NumPy."""
        image = torch.from_numpy(crops).permute(0, 3, 1, 2).to(self.device)
        poses = decode_crops(self.net, self.recipe.codec, image, self.flip).each(lambda a: a.float().cpu().numpy())
        return [poses.each(lambda a, n=n: a[n]) for n in range(len(crops))]

    def _above(self, poses: Poses) -> Poses:
        """Without the poses that nobody asks for, before anything is compared with anything."""
        keep = poses.instance_score >= self.recipe.choose.least
        return poses.each(lambda a: a[keep])

    def _chosen(self, parts: list[Poses]) -> Poses:
        choose = self.recipe.choose if len(parts) == 1 else merging(self.recipe.choose)
        chosen = choose(joined(parts), self.recipe.skeleton.oks_sigmas)
        if self.ranking is not None:
            chosen = self.ranking(chosen)
        if self.calibration is None:
            return chosen
        # What an instance's score says, that someone is there, is no matter of where the points are.
        return replace(calibrated(chosen, self.calibration), instance_score=chosen.instance_score)


def moved(poses: Poses, matrix: NDArray[np.floating]) -> Poses:
    """Poses (N, K) carried through a matrix (3, 3) that scales and shifts, boxes and spreads with them."""
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    boxes = poses.boxes
    if boxes is not None:
        boxes = transform(boxes.reshape(-1, 2, 2), matrix).reshape(-1, 4)
    spread = None if poses.spread is None else poses.spread * np.float32(zoom)
    return replace(poses, xy=transform(poses.xy, matrix), boxes=boxes, spread=spread)


def joined(parts: Sequence[Poses]) -> Poses:
    """Poses of several views of one image as one value."""
    first = parts[0]
    names = ("xy", "score", "instance_score", "visible", "boxes", "category", "ids", "spread", "depth")
    values = {
        name: None if getattr(first, name) is None else np.concatenate([getattr(part, name) for part in parts])
        for name in names
    }
    return Poses(**values)  # type: ignore[arg-type]
