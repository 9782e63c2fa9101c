"""The training loader compared with plain OpenCV: read the file and warp once.

    python -m benchmarks.loader

Both read the same files and make crops of the same size; rounds alternate, times are process CPU time on one thread.
The loader also transforms the points, keeps the inverse transform, checks the image and stacks the batch. Files are
made in a temporary folder: 640x480 JPEGs with the spectrum of photographs. With POSEKIT_DATA its `lspe` images are
measured too.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.record import write
from posekit.data.dataset import Dataset
from posekit.data.readers import read
from posekit.data.synthetic import Synthetic
from posekit.geometry.affine import index_matrix
from posekit.recipe import Recipe
from posekit.recipes import RECIPES
from posekit.skeletons.body import COCO17
from posekit.studies.timing import aim, interleaved, ratio
from posekit.training.loader import Crops, training_loader
from posekit.transforms.compose import Augment
from posekit.transforms.drop import Drop
from posekit.transforms.photometric import Photometric

COUNT, SIZE, CROP = 24, (480, 640), (256, 192)
GEOMETRY = Augment(colour=Photometric(brightness=0, contrast=0), drop=Drop(probability=0))
FULL = Augment(
    colour=Photometric(saturation=0.2, hue=10, grey=0.1, blur=0.1, noise=0.1, jpeg=0.1), drop=Drop(probability=0.5)
)


def photograph(rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 noise whose amplitude falls with frequency, as in photographs."""
    height, width = SIZE
    fy, fx = np.fft.fftfreq(height)[:, None, None], np.fft.rfftfreq(width)[None, :, None]
    amplitude = 1 / np.maximum(np.hypot(fx, fy), 1 / width)
    waves = amplitude * np.exp(2j * np.pi * rng.random((height, width // 2 + 1, 3)))
    image = np.fft.irfft2(waves, SIZE, axes=(0, 1))
    return np.clip(127 + 55 * image / image.std(), 0, 255).astype(np.uint8)


def made(folder: Path) -> Dataset:
    """Files of that kind, with the labels of synthetic people."""
    dataset = Synthetic(COCO17, COUNT, size=SIZE).dataset()
    records = []
    for i, record in enumerate(dataset.images):
        path = folder / f"{i:03d}.jpg"
        cv2.imwrite(str(path), photograph(np.random.default_rng(i)), [cv2.IMWRITE_JPEG_QUALITY, 90])
        records.append(replace(record, path=str(path), load=None))
    return replace(dataset, images=tuple(records))


def bare(dataset: Dataset, recipe: Recipe) -> Callable[[], None]:
    """`cv2.imread` and one `cv2.warpAffine` for every instance, with the loader's matrices."""
    height, width = CROP
    paths = [dataset.images[i].path for i in dataset.image_of_instance()]
    crops = Crops(dataset, replace(recipe, augment=GEOMETRY))
    matrices = [index_matrix(np.linalg.inv(crops[0, i].to_source))[:2] for i in range(len(dataset))]

    def call() -> None:
        for path, matrix in zip(paths, matrices, strict=True):
            cv2.warpAffine(cv2.imread(path), matrix, (width, height), flags=cv2.INTER_LINEAR)

    return call


def loading(dataset: Dataset, recipe: Recipe, augment: Augment) -> Callable[[], None]:
    """One epoch of the training loader, in this process."""
    crops = Crops(dataset, replace(recipe, augment=augment))

    def call() -> None:
        for _ in training_loader(crops, epoch=0):
            pass

    return call


def measured(dataset: Dataset, rounds: int) -> dict[str, Any]:
    """Images a second of each candidate, and the loader relative to bare OpenCV."""
    recipe = RECIPES["topdown-heatmap"](dataset.skeleton, size=CROP)
    candidates = {
        "bare": bare(dataset, recipe),
        "geometry": loading(dataset, recipe, GEOMETRY),
        "full": loading(dataset, recipe, FULL),
    }
    times = interleaved(candidates, rounds, warm=1)
    return {
        "images_per_s": {name: round(1000 * len(dataset) / statistics.median(t)) for name, t in times.items()},
        "relative": {name: round(ratio(times, "bare", name), 4) for name in ("geometry", "full")},
    }


def main(rounds: int = 40) -> dict[str, Any]:
    """Time and write `loader.json`."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    result: dict[str, Any] = {"crop": list(CROP), "sets": {}, "aims": {}}
    with tempfile.TemporaryDirectory() as folder:
        result["sets"]["made"] = measured(made(Path(folder)), rounds)
    given = Path(os.environ.get("POSEKIT_DATA", "")) / "lspe"
    if os.environ.get("POSEKIT_DATA") and given.is_dir():
        dataset = read(given / "annotations" / "lspe_val.json")
        result["sets"]["lspe"] = measured(dataset.subset(range(min(96, len(dataset)))), rounds)
    for name, figures in result["sets"].items():
        result["aims"][f"loader over bare OpenCV, {name}"] = aim(figures["relative"]["geometry"], least=0.85)
        print(name, figures)
    print(f"in {write('loader', result)}")
    return result


if __name__ == "__main__":
    main()
