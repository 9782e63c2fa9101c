"""Images and boxes to poses: crop, run the network, decode, and put the points back into the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posekit.codecs.base import Codec
from posekit.geometry.affine import crop_matrix, invert
from posekit.geometry.keypoints import Poses
from posekit.metrics.calibration import Calibration
from posekit.pipelines.decoding import read_out
from posekit.recipe import Recipe
from posekit.transforms.geometric import warp

Image = NDArray[np.uint8]


def decode_crops(net: nn.Module, codec: Codec, image: Tensor, flip: tuple[int, ...] | None = None) -> Poses:
    """Poses of a batch of crops, in crop pixels.

    Args:
        net: in evaluation mode.
        codec: that the network was built for.
        image: (B, 3, H, W) uint8.
        flip: order of the mirrored points to average with the mirrored crops; ``None`` runs once.

    Returns:
        Poses with leading (B, 1), on the device of the image.
    """
    return read_out(net, codec, image, flip)


def to_source(poses: Poses, matrix: Tensor) -> Poses:
    """Crop pixels to the pixels of the file.

    Args:
        poses: leading (B, N).
        matrix: (B, 3, 3), crop to file.
    """
    turn = matrix[:, None, None, :2, :2].to(poses.xy.dtype)
    xy = (turn @ poses.xy[..., None])[..., 0] + matrix[:, None, None, :2, 2].to(poses.xy.dtype)
    spread = poses.spread
    if spread is not None:
        spread = spread * torch.linalg.det(turn).abs().sqrt()[..., None]
    return Poses(xy=xy, score=poses.score, instance_score=poses.instance_score, visible=poses.visible, spread=spread)


def calibrated(poses: Poses, calibration: Calibration | None) -> Poses:
    """The same points with calibrated scores; an instance's score is the mean of its points', as in every codec.

    Args:
        poses: NumPy arrays.
        calibration: ``None`` changes nothing.
    """
    if calibration is None:
        return poses
    score = calibration.apply(poses.score)
    return replace(poses, score=score, instance_score=score.mean(-1))


class TopDownPipeline:
    """One instance a box: call it with images, get one `Poses` an image.

    Args:
        net: trained network.
        recipe: it was trained with.
        device: where it runs.
        batch: crops at once, over images.
        flip_test: average with the mirrored crop; ``None`` does as the recipe says.
        calibration: of the scores; ``None`` gives them as the codec does.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: Recipe,
        device: str | torch.device = "cpu",
        batch: int = 32,
        flip_test: bool | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.net = net.to(device).eval()
        self.recipe, self.device, self.batch = recipe, torch.device(device), batch
        self.calibration = calibration
        wanted = recipe.train.flip_test if flip_test is None else flip_test
        self.flip = recipe.skeleton.flip if wanted and recipe.skeleton.flippable else None

    def __call__(self, images: Sequence[Image], boxes: Sequence[NDArray[np.floating]] | None = None) -> list[Poses]:
        """Find the points of every box.

        Args:
            images: RGB uint8 (H, W, 3), any sizes.
            boxes: for each image (N, 4) x0 y0 x1 y1 in its pixels; ``None`` takes the whole image as one box.

        Returns:
            For each image `Poses` of NumPy arrays in its pixels, one instance a box, with ``boxes`` set.

        Raises:
            ValueError: an image or a box is not what it should be; the message names its number.
        """
        boxes = _checked(images, boxes)
        made = [self._matrices(number, per) for number, per in enumerate(boxes)]
        jobs = [(i, j) for i, per in enumerate(boxes) for j in range(len(per))]
        parts = [self._run(images, made, jobs[k : k + self.batch]) for k in range(0, len(jobs), self.batch)]
        return list(self._gather(parts, boxes))

    def _matrices(self, number: int, boxes: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """Image ``number`` to each of its crops."""
        try:
            return [crop_matrix(box, self.recipe.size, padding=self.recipe.padding) for box in boxes]
        except ValueError as error:
            raise ValueError(f"boxes of image {number}: {error}") from None

    @torch.inference_mode()
    def _run(
        self, images: Sequence[Image], made: list[list[NDArray[np.floating]]], jobs: list[tuple[int, int]]
    ) -> Poses:
        """Poses of some crops in image pixels, as NumPy with the single instance's axis dropped."""
        crops = np.stack([warp(images[i], made[i][j], self.recipe.size) for i, j in jobs])
        back = torch.from_numpy(np.stack([invert(made[i][j]) for i, j in jobs])).float().to(self.device)
        image = torch.from_numpy(crops).permute(0, 3, 1, 2).to(self.device)
        poses = to_source(decode_crops(self.net, self.recipe.codec, image, self.flip), back)
        return calibrated(poses.each(lambda a: a[:, 0].cpu().numpy()), self.calibration)

    def _gather(self, parts: list[Poses], boxes: Sequence[NDArray[np.floating]]) -> Iterator[Poses]:
        points = len(self.recipe.skeleton.points)

        def joined(name: str) -> NDArray[np.float32] | None:
            if not parts or getattr(parts[0], name) is None:
                return None
            return np.concatenate([getattr(part, name) for part in parts])

        values = {name: joined(name) for name in ("xy", "score", "instance_score", "visible", "spread")}
        nothing = np.zeros((0, points, 2), np.float32), np.zeros((0, points), np.float32), np.zeros(0, np.float32)
        start = 0
        for per in boxes:
            here = slice(start, start + len(per))
            start += len(per)
            if values["xy"] is None:
                yield Poses(*nothing, boxes=np.asarray(per))
                continue
            yield Poses(**{k: None if v is None else v[here] for k, v in values.items()}, boxes=np.asarray(per))  # type: ignore[arg-type]


def checked_images(images: Sequence[Image]) -> None:
    """Refuse what is no image.

    Raises:
        ValueError: the message names its number.
    """
    for number, image in enumerate(images):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            what = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}"
            raise ValueError(f"image {number}: expected RGB uint8 (H, W, 3), got {what}")
        if not image.size:
            raise ValueError(f"image {number}: expected at least one pixel, got shape {image.shape}")


def _checked(images: Sequence[Image], boxes: Sequence[NDArray[np.floating]] | None) -> list[NDArray[np.floating]]:
    checked_images(images)
    if boxes is None:
        return [np.array([[0.0, 0.0, image.shape[1], image.shape[0]]]) for image in images]
    if len(boxes) != len(images):
        raise ValueError(f"{len(images)} images but boxes for {len(boxes)}; give one (N, 4) array an image")
    per_image = [
        np.asarray(b, dtype=np.float64).reshape(-1, 4) if np.size(b) == 0 else np.asarray(b, dtype=np.float64)
        for b in boxes
    ]
    for number, per in enumerate(per_image):
        if per.ndim != 2 or per.shape[1] != 4:
            raise ValueError(f"boxes of image {number}: expected (N, 4) x0 y0 x1 y1, got shape {per.shape}")
    return per_image
