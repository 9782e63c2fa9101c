"""A cascade trained on real faces: the share of unseen people's faces it finds, compared with the public weights.

    python -m benchmarks.faces [--out runs/faces] [--public WHEEL] [--name NAME] [WORDS OF `posekit train mtcnn`...]

MTFL's faces fill their images, so they are pasted, 30 to 150 pixels large, onto backgrounds cut from COCO images
beside the people, as are pieces of other backgrounds. Face boxes are placed around the points as the public networks
place theirs, in both sets. The weights must not be distributed: the faces are for research only.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.ladder import SETUPS, root
from benchmarks.record import write
from posekit.cli.main import main as posekit
from posekit.data.coco import write_coco
from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.readers import read
from posekit.evaluation.faces import measure_faces
from posekit.geometry.boxes import area
from posekit.geometry.keypoints import INSTANCE
from posekit.skeletons.face import FACE5
from posekit.zoo.mtcnn import load_mtcnn

Image = NDArray[np.uint8]

SIZE = (220, 290)
"""Height and width of a scene."""
SPREAD = np.array([3.5, 4.6])
"""Width and height of a box, as multiples of the RMS distance of the points from their mean."""
ABOVE = 0.4
"""Distance of the box centre above that mean, same unit; medians of the public networks' boxes on these faces."""


def face_box(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) box around five points."""
    middle = xy.mean(0)
    spread = np.sqrt(((xy - middle) ** 2).sum(1).mean())
    middle = middle - [0, ABOVE * spread]
    return np.concatenate([middle - SPREAD * spread / 2, middle + SPREAD * spread / 2])


def grounds(split: str) -> list[Image]:
    """The largest strip of each COCO image beside, above or below all of its people."""
    dataset = read([root() / "coco_mini_person" / "annotations" / f"person_keypoints_{split}.json"])
    strips = []
    for number, record in enumerate(dataset.images):
        boxes = dataset.boxes[dataset.rows_of_image(number)]
        image = record.read()
        if not len(boxes):
            continue
        low, high = boxes[:, :2].min(0).astype(int), np.ceil(boxes[:, 2:].max(0)).astype(int)
        sides = (image[:, : max(low[0], 0)], image[:, high[0] :], image[: max(low[1], 0)], image[high[1] :])
        strip = max(sides, key=lambda part: min(part.shape[:2]))
        if min(strip.shape[:2]) >= 90:
            strips.append(strip)
    return strips


def ground(strips: Sequence[Image], size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A piece of a strip, enlarged to a size if it is smaller."""
    strip = strips[int(rng.integers(len(strips)))]
    scale = max(size[0] / strip.shape[0], size[1] / strip.shape[1], rng.uniform(0.5, 1.5))
    strip = cv2.resize(strip, None, fx=scale * 1.01, fy=scale * 1.01, interpolation=cv2.INTER_LINEAR)
    y, x = (int(rng.integers(have - want + 1)) for have, want in zip(strip.shape[:2], size, strict=True))
    return strip[y : y + size[0], x : x + size[1]].copy()


def paste(scene: Image, piece: Image, x: int, y: int) -> None:
    """Paste a piece into a scene with a blended border."""
    height, width = piece.shape[:2]
    rim = max(min(height, width) // 12, 1)
    mask = np.zeros((height, width, 1), np.float32)
    mask[rim:-rim, rim:-rim] = 1
    mask = cv2.blur(mask, (2 * rim + 1, 2 * rim + 1))[..., None]
    part = scene[y : y + height, x : x + width]
    part[:] = (mask * piece + (1 - mask) * part).round()


def patch(image: Image, xy: NDArray[np.float64], rng: np.random.Generator) -> tuple[Image, NDArray[np.float64]]:
    """A face with its surroundings at a random size, and its points."""
    box = face_box(xy)
    side = box[2:] - box[:2]
    margin = rng.uniform(0.02, 0.5, 4) * np.tile(side, 2)
    low = np.maximum(np.floor(box[:2] - margin[:2]), 0).astype(int)
    high = np.minimum(np.ceil(box[2:] + margin[2:]), (image.shape[1], image.shape[0])).astype(int)
    scale = 30 * 5 ** rng.random() / side[1]
    piece = image[low[1] : high[1], low[0] : high[0]]
    large = cv2.resize(piece, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    scale = np.array(large.shape[1::-1]) / piece.shape[1::-1]
    return large, (xy - low) * scale


def scenes(faces: Dataset, strips: Sequence[Image], folder: Path, seed: int) -> Path:
    """Write scenes of two faces each, and their COCO file."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    records, points, boxes, image_of = [], [], [], []
    for number, pair in enumerate(np.arange(len(faces) // 2 * 2).reshape(-1, 2)):
        rng = np.random.default_rng([seed, number])
        scene = ground(strips, SIZE, rng)
        for _ in range(2):
            other = ground(strips, (int(rng.integers(24, 120)), int(rng.integers(24, 120))), rng)
            y, x = (int(rng.integers(have - want + 1)) for have, want in zip(SIZE, other.shape[:2], strict=True))
            paste(scene, other, x, y)
        for half, index in enumerate(pair):
            sample = faces.instance(int(index))
            piece, xy = patch(sample.image, sample.instances.keypoints.xy[0].astype(np.float64), rng)
            room = (SIZE[0], SIZE[1] // 2)
            fit = min(1.0, *(have / want for have, want in zip(room, piece.shape[:2], strict=True)))
            if fit < 1:
                shape = (int(piece.shape[1] * fit), int(piece.shape[0] * fit))
                xy = xy * shape / piece.shape[1::-1]
                piece = cv2.resize(piece, shape, interpolation=cv2.INTER_AREA)
            y, x = (int(rng.integers(have - want + 1)) for have, want in zip(room, piece.shape[:2], strict=True))
            x += half * room[1]
            paste(scene, piece, x, y)
            points.append(xy + np.array([x, y]))
            boxes.append(face_box(points[-1]))
            image_of.append(number)
        file = folder / "images" / f"{number:05d}.png"
        cv2.imwrite(str(file), cv2.cvtColor(scene, cv2.COLOR_RGB2BGR))
        records.append(ImageRecord(str(file), SIZE[1], SIZE[0], number + 1))
    rows = len(points)
    made = replace(
        faces,
        skeleton=FACE5,
        images=tuple(records),
        xy=np.array(points),
        visibility=np.full((rows, 5), 2, np.int8),
        boxes=np.array(boxes),
        area=area(np.array(boxes)),
        category=np.zeros(rows, np.int64),
        role=np.full(rows, INSTANCE, np.int8),
        image=np.array(image_of),
        annotation_id=np.arange(1, rows + 1),
        is_crowd=None,
        depth=None,
        depth_known=None,
    )
    return write_coco(made, folder / "faces.json")


def chosen(split: str, count: int, least_y: float = 0.0) -> Dataset:
    """A random choice of faces, without those whose points are too high in the image."""
    faces = read([root() / "mtfl5_80px" / "annotations" / f"mtfl5_{split}.json"])
    good = np.flatnonzero(faces.xy[faces.rows][..., 1].mean(1) / 80 >= least_y)
    return faces.subset(np.sort(np.random.default_rng(0).permutation(good)[:count]))


def main() -> None:
    """Make the scenes, train, measure, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/faces"))
    parser.add_argument("--public", type=Path, help="facenet-pytorch's wheel, to compare with")
    parser.add_argument("--faces", type=int, default=1600)
    parser.add_argument("--name", default="cascade_faces")
    asked, extra = parser.parse_known_args()
    train = scenes(chosen("train", asked.faces, SETUPS["mtfl5"].least_y), grounds("train"), asked.out / "train", 0)
    test = scenes(chosen("test", 200), grounds("val"), asked.out / "test", 1)
    began = time.process_time()
    words = ["train", "mtcnn", "--data.train", str(train), "--out", str(asked.out / "mtcnn"), *extra]
    if posekit(words):
        raise SystemExit(1)
    seconds = time.process_time() - began
    dataset = replace(read([test]), skeleton=FACE5)
    result: dict[str, Any] = {
        "trained": measure_faces(load_mtcnn(asked.out / "mtcnn"), dataset),
        "cpu_seconds": seconds,
    }
    if asked.public:
        result["public"] = measure_faces(load_mtcnn(asked.public), dataset)
    print(result)
    print("written to", write(asked.name, result, training=" ".join(["posekit", *words]), training_faces=asked.faces))


if __name__ == "__main__":
    main()
