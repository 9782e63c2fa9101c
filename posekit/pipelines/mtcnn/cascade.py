"""MTCNN: faces with five points. Windows of all sizes are scored, and the best are refined by two more networks.

Boxes and points are continuous pixels. Published code counts pixels from 1 and gives the first and the last pixel of a
box, so its x1, x2 are our x1 - 1, x2, and its widths "x2 - x1 + 1" are plain widths here.

Source: MTCNN, Zhang et al. 2016, arXiv:1604.02878, with the steps of facenet-pytorch 2.6.0. Differs: images of
different sizes may be given together; a window wholly outside the image is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass as plain
from dataclasses import replace
from typing import Annotated, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.images import Boxes, Image, image_of, images_of
from posekit.pipelines.mtcnn.area import Int, resized, summed
from posekit.pipelines.mtcnn.windows import Windows, moved, pixels_of, placed, squared
from posekit.pipelines.predictor import Images
from posekit.skeletons.face import FACE5

Share = Annotated[float, Field(gt=0, lt=1)]
Float = NDArray[np.float32]

CROPS = 512
"""Windows in a batch of a network."""

SIDES = {"proposal": 12, "refinement": 24, "output": 48}
"""Side of the windows of each network, pixels."""
STRIDE = 2
"""Stride of the windows of the first network, pixels."""

BETWEEN_CENTRES = 1.0
"""Width of a box minus the distance of its outer pixel centres, which the published code uses here."""


class MapsEngine(Protocol):
    """One network of a cascade on any runtime."""

    def __call__(self, images: NDArray[np.floating]) -> dict[str, Float]:
        """Named maps of images (B, H, W, 3), RGB in 0..255."""
        ...


@plain(frozen=True)
class Engines:
    """The three networks of a cascade, in the order in which they run.

    ``proposal`` gives ``face`` (B, 2, h, w) logits and ``box`` (B, 4, h, w) for every window of 12 pixels of an image;
    ``refinement`` and ``output`` give ``face`` (B, 2) and ``box`` (B, 4) of windows of 24 and 48 pixels, the last one
    ``points`` (B, 5, 2) as fractions of the window besides.
    """

    proposal: MapsEngine
    refinement: MapsEngine
    output: MapsEngine


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Cascade:
    """Sizes and thresholds of the cascade; the defaults are facenet-pytorch's."""

    smallest: float = Field(default=20, gt=0)
    "side of the smallest face that is searched, pixels; half of it costs four times as much"
    shrink: Share = 0.709
    "scale factor between successive sizes of the image"
    scores: tuple[Share, Share, Share] = (0.6, 0.7, 0.7)
    "score thresholds of the three networks"
    overlaps: tuple[Share, Share, Share, Share] = (0.5, 0.7, 0.7, 0.7)
    "NMS thresholds: within one size of the image, over all sizes, after the second and the third network"
    kind: Literal["mtcnn"] = "mtcnn"

    def scales(self, height: int, width: int) -> list[float]:
        """Factors by which an image is scaled, the largest first; none where no window would fit."""
        scale, scales = SIDES["proposal"] / self.smallest, list[float]()
        while min(height, width) * scale >= SIDES["proposal"]:
            scales.append(scale)
            scale *= self.shrink
        return scales


class MTCNN:
    """Face detector: call it with images, get one `Poses` of `face5` for each.

    Args:
        engines: the three networks.
        config: sizes and thresholds.
    """

    def __init__(self, engines: Engines, config: Cascade | None = None) -> None:
        self.engines, self.config = engines, config or Cascade()

    @property
    def name(self) -> str:
        """Name of the method."""
        return "mtcnn"

    @property
    def skeleton(self) -> Skeleton:
        """Five points of a face."""
        return FACE5

    @property
    def needs_boxes(self) -> bool:
        """False: it finds faces itself."""
        return False

    @property
    def instance_threshold(self) -> float:
        """0: its own thresholds have been applied."""
        return 0.0

    def __repr__(self) -> str:
        return f"MTCNN(faces from {self.config.smallest:g} pixels on, five points, {self.engines.output!r})"

    def __call__(self, images: Images, boxes: Sequence[Boxes] | Boxes | None = None) -> list[Poses]:
        """Find the faces of every image.

        Args:
            images: RGB uint8 (H, W, 3) of any size, an image file, or a list of these.
            boxes: must be ``None``.

        Returns:
            For each image `Poses` (N, 5) of NumPy arrays in its pixels, the best face first, with ``boxes`` set. All
            points of a face have the score of the face.

        Raises:
            ValueError: an image is invalid, or boxes are given.
            DataError: a file cannot be read.
        """
        if boxes is not None:
            raise ValueError("mtcnn finds faces itself: leave out the boxes")
        many, _ = images_of(images, None)
        return list(self.stream(image_of(image, number) for number, image in enumerate(many)))

    def stream(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[Poses]:
        """Like a call, for a stream of images."""
        return (_poses(self.find(summed(image[None]))) for image in images)

    def find(self, sums: Int) -> Windows:
        """Faces of images of one size, their points in image pixels; ``sums`` as `summed` gives."""
        windows = self._look(self.engines.output, "output", sums, self.refined(sums), self.config.scores[2])
        xy = placed(windows.points, windows.boxes)
        windows = replace(windows, boxes=moved(windows.boxes, windows.moves), points=xy)
        return windows.suppressed(self.config.overlaps[3], "smaller")

    def proposed(self, sums: Int) -> Windows:
        """Squares that the first network classifies as faces, input of the second; ``sums`` as `summed` gives."""
        height, width = sums.shape[1] - 1, sums.shape[2] - 1
        every = np.arange(len(sums))
        full = np.tile(np.array([[0, 0, width, height]]), (len(sums), 1))
        levels = [Windows.none()]
        for scale in self.config.scales(height, width):
            size = int(height * scale + 1), int(width * scale + 1)
            maps = self.engines.proposal(resized(sums, every, full, size))
            found = proposals(maps["face"], maps["box"], scale, self.config.scores[0])
            levels.append(found.suppressed(self.config.overlaps[0], inset=BETWEEN_CENTRES))
        windows = Windows.joined(levels).suppressed(self.config.overlaps[1], inset=BETWEEN_CENTRES)
        return replace(windows, boxes=squared(moved(windows.boxes, windows.moves, shorter=BETWEEN_CENTRES)))

    def refined(self, sums: Int) -> Windows:
        """Squares that the second network classifies as faces, input of the third; ``sums`` as `summed` gives."""
        windows = self._look(self.engines.refinement, "refinement", sums, self.proposed(sums), self.config.scores[1])
        windows = windows.suppressed(self.config.overlaps[2], inset=BETWEEN_CENTRES)
        return replace(windows, boxes=squared(moved(windows.boxes, windows.moves)))

    def _look(self, engine: MapsEngine, stage: str, sums: Int, windows: Windows, threshold: float) -> Windows:
        """The windows that a network classifies as faces, with all its outputs."""
        parts = pixels_of(windows.boxes, sums.shape[1] - 1, sums.shape[2] - 1)
        inside: NDArray[np.bool_] = np.all(parts[:, 2:] > parts[:, :2], 1)
        windows, parts = windows[inside], parts[inside]
        size = (SIDES[stage], SIDES[stage])
        # At least one call, so that names and shapes of the outputs are known even without windows.
        starts = range(0, max(len(parts), 1), CROPS)
        found = [engine(resized(sums, windows.image[i : i + CROPS], parts[i : i + CROPS], size)) for i in starts]
        maps = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        score = _softmax(maps["face"])[:, 1]
        scored = Windows(windows.boxes, score, windows.image, maps["box"], maps.get("points", windows.points))
        return scored[score > threshold]


def proposals(face: Float, box: Float, scale: float, threshold: float) -> Windows:
    """The windows of one size of the images that may hold a face.

    A window of 12 pixels at 2 i of the scaled image is, in the image, from floor((2 i + 1) / scale) - 1 on to
    floor((2 i + 12) / scale): for small scales its left lies up to 1 / scale - 1 pixels too far right. The published
    code does so, and the later networks put it right.

    Args:
        face: (B, 2, h, w) logits.
        box: (B, 4, h, w) offsets.
        scale: of the images that the network saw.
        threshold: score threshold.
    """
    score = _softmax(face)[:, 1]
    image, row, column = (score >= threshold).nonzero()
    start = (STRIDE * np.stack([column, row], 1)).astype(score.dtype)
    low = np.floor((start + 1) / score.dtype.type(scale)) - 1
    high = np.floor((start + SIDES["proposal"]) / score.dtype.type(scale))
    moves = box[image, :, row, column]
    return Windows(
        np.concatenate([low, high], 1),
        score[image, row, column],
        image.astype(np.int64),
        moves,
        np.zeros((len(moves), 0, 2), np.float32),
    )


def _softmax(logits: Float) -> Float:
    """Over axis 1, which has two classes."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


def _poses(faces: Windows) -> Poses:
    """Faces of one image."""
    if not len(faces):
        return replace(Poses.empty(len(FACE5.points)), boxes=np.zeros((0, 4), np.float32))
    score = np.repeat(faces.score[:, None], len(FACE5.points), 1)
    return Poses(xy=faces.points, score=score, instance_score=faces.score, boxes=faces.boxes)
