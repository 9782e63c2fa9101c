"""Cut the training windows of one network of a cascade from the images of a data set.

For the first network windows are random; for the later ones, negatives and part of the others are detections of the
earlier networks. Images are read one by one, so memory holds the windows and one image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as config
from torch import Tensor

from posekit.data import face_windows as fw
from posekit.data.dataset import Dataset
from posekit.losses.cascade import Wanted
from posekit.models.mtcnn import ProposalNet
from posekit.pipelines.mtcnn.area import Int, resized, summed
from posekit.pipelines.mtcnn.cascade import BETWEEN_CENTRES, MTCNN
from posekit.pipelines.mtcnn.windows import Windows, pixels_of

Finder = Callable[[Int], Windows]
"""From the integral image to the squares that the networks trained so far detect as faces, best first."""


@config(frozen=True, config=ConfigDict(extra="forbid"))
class Drawing:
    """Number of windows, and the faces they are cut from."""

    smallest: float = Field(default=20, ge=ProposalNet.side)
    "longer side of the smallest face, in pixels; smaller faces are ignored in training and in use"
    around: int = Field(default=20, ge=1)
    "random windows around each face for classification and box, and as many again for the points"
    negatives: int = Field(default=30, ge=1)
    "windows without a face from each image"
    max_windows: int = Field(default=100_000, ge=1)
    "largest number of windows for each network; they stay in memory, 150,000 of the last network's take 1 GB"
    passes: int = Field(default=2, ge=1)
    "passes over the images to cut windows; every second pass is mirrored"


@dataclass(frozen=True, eq=False)
class TrainingWindows:
    """Windows as pixels, and their targets.

    Args:
        pixels: (N, 3, side, side) uint8.
        kind: (N,), see `posekit.data.face_windows`.
        box: (N, 4) float32.
        points: (N, K, 2) float32.
        labelled: (N, K).
    """

    pixels: NDArray[np.uint8]
    kind: NDArray[np.int8]
    box: NDArray[np.float32]
    points: NDArray[np.float32]
    labelled: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def joined(cls, parts: list[TrainingWindows]) -> TrainingWindows:
        """All windows of all parts."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def batch(self, chosen: NDArray[np.int64], device: torch.device) -> tuple[Tensor, Wanted]:
        """Windows and their targets, on the device."""
        kind = torch.from_numpy(self.kind[chosen]).to(device)
        box, points, labelled = (
            torch.from_numpy(array[chosen]).to(device) for array in (self.box, self.points, self.labelled)
        )
        face, part = kind == fw.POSITIVE, kind == fw.PART
        wanted = Wanted(
            face=face.float(),
            face_known=(face | (kind == fw.NEGATIVE)).float(),
            box=box,
            box_known=(face | part).float(),
            points=points,
            points_known=((kind == fw.POINTS)[:, None] & labelled).float(),
        )
        return torch.from_numpy(self.pixels[chosen]).to(device).float(), wanted


def finder_of(pipeline: MTCNN, stage: str) -> Finder | None:
    """Detector of the windows for a network, or ``None`` for the first, whose windows are random."""
    return {"proposal": None, "refinement": pipeline.proposed, "output": pipeline.refined}[stage]


def visits(dataset: Dataset, seed: Sequence[int], passes: int) -> Iterator[tuple[int, int]]:
    """Pairs of pass and image index, with a different order of images in each pass."""
    for turn in range(passes):
        for image in np.random.default_rng([*seed, turn]).permutation(dataset.scenes):
            yield turn, int(image)


def training_windows(
    dataset: Dataset,
    side: int,
    finder: Finder | None,
    drawing: Drawing,
    seed: Sequence[int],
    seen: Callable[[], None] = lambda: None,
) -> TrainingWindows:
    """Cut the windows for one network.

    Args:
        dataset: faces.
        side: side of the network's windows in pixels.
        finder: see `finder_of`.
        drawing: options.
        seed: random seed; random numbers of an image depend only on it, the pass and the image.
        seen: called after each image.

    Raises:
        ValueError: no window shows a face.
    """
    parts: list[TrainingWindows] = []
    total = 0
    for turn, image in visits(dataset, seed, drawing.passes):
        if total >= drawing.max_windows:
            break
        parts.append(_of_image(dataset, image, turn, side, finder, drawing, seed))
        total += len(parts[-1])
        seen()
    made = TrainingWindows.joined(parts)
    if not (made.kind == fw.POSITIVE).any():
        raise ValueError(
            f"no window shows one of the {len(dataset)} labelled faces: are their boxes at least {drawing.smallest:g} "
            "pixels wide or high (--smallest), and do they lie in the images?"
        )
    return made


def _of_image(
    dataset: Dataset,
    image: int,
    turn: int,
    side: int,
    finder: Finder | None,
    drawing: Drawing,
    seed: Sequence[int],
) -> TrainingWindows:
    """Windows of one image, mirrored in odd passes."""
    sample = dataset.scene(image)
    faces, pixels = fw.Faces.of(sample, drawing.smallest), sample.image
    if turn % 2:
        faces, pixels = faces.mirrored(pixels.shape[1], dataset.skeleton), pixels[:, ::-1].copy()
    rng = np.random.default_rng([*seed, turn, image])
    sums = summed(pixels[None])
    size = (pixels.shape[0], pixels.shape[1])
    windows = _chosen(faces, size, sums, finder, drawing, rng)
    return _cut(windows, sums, size, side, first=finder is None)


def _chosen(
    faces: fw.Faces,
    size: tuple[int, int],
    sums: Int,
    finder: Finder | None,
    drawing: Drawing,
    rng: np.random.Generator,
) -> fw.FaceWindows:
    """Windows around the faces and windows without a face: first detections, then random ones."""
    about, again = (fw.near(faces.boxes, drawing.around, rng) for _ in range(2))
    beside = fw.near(faces.boxes, 5, rng, shift=1.0)
    drawn = np.concatenate([beside, fw.anywhere(size, drawing.negatives, drawing.smallest, rng)])
    if finder is None:
        about, again, others = (fw.whole(boxes, size) for boxes in (about, again, drawn))
    else:
        found = finder(sums).boxes.astype(np.float64)
        others = np.concatenate([found[: 20 * drawing.negatives], drawn])
    told = fw.sorted_out(np.concatenate([others, about]), faces)
    enough = drawing.around * max(len(faces.boxes), 1)
    parts = [told.first(fw.NEGATIVE, drawing.negatives)]
    parts += [told.first(kind, enough) for kind in (fw.PART, fw.POSITIVE)]
    return fw.FaceWindows.joined([*parts, fw.sorted_out(again, faces).for_points()])


def _cut(windows: fw.FaceWindows, sums: Int, size: tuple[int, int], side: int, first: bool) -> TrainingWindows:
    """Cut and resize the windows as in inference, with their targets."""
    cut = pixels_of(windows.boxes, *size)
    inside: NDArray[np.bool_] = np.all(cut[:, 2:] > cut[:, :2], 1)
    windows, cut = windows[inside], cut[inside]
    seen = resized(sums, np.zeros(len(cut), np.int64), cut, (side, side))
    if first:
        box = fw.moves_to(windows.face, fw.named_by_first(windows.boxes, ProposalNet.side), BETWEEN_CENTRES)
    else:
        box = fw.moves_to(windows.face, windows.boxes)
    return TrainingWindows(
        pixels=np.ascontiguousarray(seen.round().astype(np.uint8).transpose(0, 3, 1, 2)),
        kind=windows.kind,
        box=box.astype(np.float32),
        points=fw.shares_of(windows.xy, windows.boxes).astype(np.float32),
        labelled=windows.labelled,
    )
