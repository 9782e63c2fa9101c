"""A clip from end to end, frame by frame: `python -m benchmarks.clip --models body-s+body-crop-s ...`.

Time of each stage, interleaved over the models on one thread, on frames of the pedestrian clip of `POSEKIT_DATA`,
which are stored as JPEG files first; `benchmarks/results/clip.json`. A model may be any file that was exported.
"""

import argparse
import os
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.ladder import root
from benchmarks.record import circumstances, write
from posekit.exporting.images import spread
from posekit.studies.bench import candidate, cold_start, run, summary

CLIP = "videos/vtest_clip.mp4"
FRAMES, ROUNDS = 24, 5


def frames(clip: Path, folder: Path, count: int) -> list[Path]:
    """Frames of a clip, evenly spread, as JPEG files."""
    reader = cv2.VideoCapture(str(clip))
    total = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    files = []

    for number in spread(np.arange(total), count).tolist():
        reader.set(cv2.CAP_PROP_POS_FRAMES, number)
        there, image = reader.read()
        if there:
            files.append(folder / f"{number:06d}.jpg")
            cv2.imwrite(str(files[-1]), image)
    reader.release()
    return files


def main() -> None:
    """Time and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["body-s+body-crop-s"])
    parser.add_argument("--clip", default=CLIP, help="below POSEKIT_DATA")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        files = frames(root() / args.clip, Path(folder), FRAMES)
        candidates = [candidate(model, "auto", 1) for model in args.models]
        run(candidates, files, None, ROUNDS, 1)
    rows = {
        "+".join(Path(part).name for part in one.name.split("+")): {
            **summary(one),
            "cold_start": cold_start(model, "auto", 1),
        }
        for one, model in zip(candidates, args.models, strict=True)
    }
    write("clip", {"clip": args.clip, "frames": len(files), "rounds": ROUNDS, "models": rows, **circumstances()})
    for name, row in rows.items():
        print(name, row["median_ms"], f"network {row['network_share']:.0%} without drawing")


if __name__ == "__main__":
    main()
