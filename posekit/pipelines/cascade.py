"""Images to faces with five points: windows of every size are scored, and what is left is looked at twice again.

Boxes and points are continuous pixels throughout. Published code counts pixels from 1 and names the first and the last
of a box, so that its x1, x2 are our x1 - 1, x2, and its widths with "+ 1" are plain widths here.

Source: MTCNN, Zhang et al. 2016, arXiv:1604.02878, with the steps of facenet-pytorch 2.6.0. Differs: images of
different sizes may come together; a window wholly outside the image is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from posekit.geometry.keypoints import Poses
from posekit.models.mtcnn import Nets, OutputNet, ProposalNet, RefinementNet
from posekit.pipelines.area import resized, summed
from posekit.pipelines.windows import Windows, moved, pixels_of, placed, squared
from posekit.skeletons.face import FACE5

Image = NDArray[np.uint8]
Share = Annotated[float, Field(gt=0, lt=1)]

CROPS = 512
"""Windows that a network sees at once."""

BETWEEN_CENTRES = 1.0
"""What a box is shorter when measured from its first pixel's centre to its last's, as the published code does here."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Cascade:
    """What counts as a face; the defaults are facenet-pytorch's."""

    smallest: float = Field(default=20, gt=0)
    "side of the smallest face that is looked for, pixels; half of it costs four times as much"
    shrink: Share = 0.709
    "from one size of the image to the next"
    scores: tuple[Share, Share, Share] = (0.6, 0.7, 0.7)
    "least score after each of the three networks"
    overlaps: tuple[Share, Share, Share, Share] = (0.5, 0.7, 0.7, 0.7)
    "most overlap of two windows: in one size of the image, in all sizes, after the second and the third network"
    kind: Literal["mtcnn"] = "mtcnn"

    def scales(self, height: int, width: int) -> list[float]:
        """Factors by which an image is scaled, the largest first; none where no window would fit."""
        scale, scales = ProposalNet.side / self.smallest, list[float]()
        while min(height, width) * scale >= ProposalNet.side:
            scales.append(scale)
            scale *= self.shrink
        return scales


class CascadePipeline:
    """Finds faces: call it with images, get one `Poses` of `face5` an image.

    Args:
        nets: the three networks.
        config: what counts as a face.
        device: where they run.
        batch: images of one size at once.
    """

    skeleton = FACE5

    def __init__(
        self, nets: Nets, config: Cascade | None = None, device: str | torch.device = "cpu", batch: int = 16
    ) -> None:
        self.nets, self.config = nets.to(device), config or Cascade()
        self.device, self.batch = torch.device(device), batch

    def __call__(self, images: Sequence[Image]) -> list[Poses]:
        """Find the faces of every image.

        Args:
            images: RGB uint8 (H, W, 3), any sizes; those of one size run together.

        Returns:
            For each image `Poses` (N, 5) of NumPy arrays in its pixels, the best face first, with ``boxes`` set. A
            face is scored as a whole: each of its points has the face's score.

        Raises:
            ValueError: an image is not what it should be; the message names its number.
        """
        sizes: dict[tuple[int, int], list[int]] = {}
        for number, image in enumerate(images):
            sizes.setdefault(_size(number, image), []).append(number)
        found: dict[int, Poses] = {}
        for numbers in sizes.values():
            for start in range(0, len(numbers), self.batch):
                chunk = numbers[start : start + self.batch]
                stack = torch.from_numpy(np.stack([images[number] for number in chunk]))
                faces = self._find(stack.to(self.device))
                found |= {number: _poses(faces[faces.image == place]) for place, number in enumerate(chunk)}
        return [found[number] for number in range(len(images))]

    @torch.inference_mode()
    def _find(self, images: Tensor) -> Windows:
        """Faces in images (B, H, W, 3) of one size, their points in image pixels."""
        sums = summed(images)
        windows = self._look(self.nets.output, sums, self.refined(sums), self.config.scores[2])
        xy = placed(windows.points, windows.boxes)
        windows = replace(windows, boxes=moved(windows.boxes, windows.moves), points=xy)
        return windows.thinned(self.config.overlaps[3], "smaller")

    @torch.inference_mode()
    def proposed(self, sums: Tensor) -> Windows:
        """Squares that the first network takes for faces, for the second to look at; ``sums`` as `summed` gives."""
        height, width = sums.shape[1] - 1, sums.shape[2] - 1
        every = torch.arange(len(sums), device=sums.device)
        whole = sums.new_tensor([[0, 0, width, height]]).expand(len(sums), 4)
        levels = [Windows.none(sums.device)]
        for scale in self.config.scales(height, width):
            maps = self.nets.proposal(resized(sums, every, whole, (int(height * scale + 1), int(width * scale + 1))))
            found = proposals(maps["face"], maps["box"], scale, self.config.scores[0])
            levels.append(found.thinned(self.config.overlaps[0], inset=BETWEEN_CENTRES))
        windows = Windows.joined(levels).thinned(self.config.overlaps[1], inset=BETWEEN_CENTRES)
        return replace(windows, boxes=squared(moved(windows.boxes, windows.moves, shorter=BETWEEN_CENTRES)))

    @torch.inference_mode()
    def refined(self, sums: Tensor) -> Windows:
        """Squares that the second network takes for faces, for the third to look at; ``sums`` as `summed` gives."""
        windows = self._look(self.nets.refinement, sums, self.proposed(sums), self.config.scores[1])
        windows = windows.thinned(self.config.overlaps[2], inset=BETWEEN_CENTRES)
        return replace(windows, boxes=squared(moved(windows.boxes, windows.moves)))

    def _look(self, net: RefinementNet | OutputNet, sums: Tensor, windows: Windows, least: float) -> Windows:
        """The windows that a network takes for faces, with all that it says of them."""
        parts = pixels_of(windows.boxes, sums.shape[1] - 1, sums.shape[2] - 1)
        inside = (parts[:, 2:] > parts[:, :2]).all(1)
        windows, parts = windows[inside], parts[inside]
        said = [
            net(resized(sums, image, part, (net.side, net.side)))
            for image, part in zip(windows.image.split(CROPS), parts.split(CROPS), strict=True)
        ]
        maps = {name: torch.cat([part[name] for part in said]) for name in said[0]}
        score = maps["face"].softmax(1)[:, 1]
        told = Windows(windows.boxes, score, windows.image, maps["box"], maps.get("points", windows.points))
        return told[score > least]


def proposals(face: Tensor, box: Tensor, scale: float, least: float) -> Windows:
    """The windows of one size of the images that may hold a face.

    A window of 12 pixels at 2 i of the scaled image is, in the image, from floor((2 i + 1) / scale) - 1 on to
    floor((2 i + 12) / scale): for small scales its left lies up to 1 / scale - 1 pixels too far right. The published
    code does so, and the later networks put it right.

    Args:
        face: (B, 2, h, w) logits.
        box: (B, 4, h, w) moves.
        scale: of the images that the network saw.
        least: score.
    """
    score = face.softmax(1)[:, 1]
    image, row, column = (score >= least).nonzero(as_tuple=True)
    start = ProposalNet.stride * torch.stack([column, row], 1).to(score.dtype)
    boxes = torch.cat([((start + 1) / scale).floor() - 1, ((start + ProposalNet.side) / scale).floor()], 1)
    moves = box[image, :, row, column]
    return Windows(boxes, score[image, row, column], image, moves, moves.unflatten(1, (2, 2))[:, :0])


def _poses(faces: Windows) -> Poses:
    """Faces of one image, as NumPy."""
    score = faces.score[:, None].expand(len(faces.score), len(FACE5.points)).contiguous()
    poses = Poses(xy=faces.points, score=score, instance_score=faces.score, boxes=faces.boxes)
    return poses.each(lambda array: array.cpu().numpy())


def _size(number: int, image: Image) -> tuple[int, int]:
    """Height and width of an image."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}".strip()
        raise ValueError(f"image {number}: expected RGB uint8 (H, W, 3), got {what}; repeat a grey one three times")
    if not image.size:
        raise ValueError(f"image {number}: expected at least one pixel, got shape {image.shape}")
    return image.shape[0], image.shape[1]
