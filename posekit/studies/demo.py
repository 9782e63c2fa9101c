"""`make demo`: people, faces and hands in real photos with the models of posekit; no training, no download.

Photos: those of ``examples/photos``, or the files and folders that are named.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from posekit.data.image import read_image
from posekit.data.image_files import image_files, output_names
from posekit.pipelines.chain import Chain
from posekit.visualize.draw import draw_poses
from posekit.zoo.catalogue import FINDER, POSE, folder_of
from posekit.zoo.load import load

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
OUT = Path("demo")
SHEETS = (OUT / "demo.jpg", *(OUT / f"demo_{number}.jpg" for number in range(1, 1000)))
"""Name of the sheet: the first that is neither a photo nor one of the pictures."""
PARTS = ("face-s", "hand-s")
"""Models that read parts of the bodies that were found."""
POINTS = 0.3
"""Score threshold of points that are drawn."""
HEIGHT = 512
"""Of the pictures in the sheet, pixels."""


def main(sources: Sequence[str] = ()) -> int:
    """Predict and draw; status 1 if nobody was found."""
    start = time.perf_counter()
    finder = load(FINDER)
    chains = [Chain(finder, load(name)) for name in (POSE, *PARTS) if folder_of(name) is not None]
    files = image_files(list(sources) or [str(PHOTOS)], skip=OUT)
    OUT.mkdir(exist_ok=True)
    drawn, people = [], 0
    targets = output_names(files, OUT, ".jpg")
    taken = {path.resolve() for path in (*files, *targets)}
    sheet = next(path for path in SHEETS if path.resolve() not in taken)
    for file, target in zip(files, targets, strict=True):
        image = read_image(file)
        picture = image
        counts = []
        for chain in chains:
            poses = chain(image)[0]
            poses = poses[poses.instance_score >= chain.instance_threshold]
            picture = draw_poses(picture, poses.xy, poses.score, chain.skeleton, threshold=POINTS)
            counts.append(f"{len(poses)} {chain.skeleton.name}")
            people += len(poses)
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 95])
        print(f"{file.name}: {', '.join(counts)}; drawn in {target}", flush=True)
        drawn.append(cv2.resize(picture, (max(round(HEIGHT * picture.shape[1] / picture.shape[0]), 1), HEIGHT)))
    cv2.imwrite(str(sheet), np.concatenate(drawn, 1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    print(f"all in {sheet}, {time.perf_counter() - start:.1f} s; your own: posekit predict PHOTO")
    return 0 if people else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
