"""Identities on the pedestrian clip, and what detect-every-n saves: `python -m benchmarks.tracking`.

Identities are measured on the 60 frames of `benchmarks/data/vtest_60_frames.json`, whose boxes are labelled by hand.
Time is measured on all 200 frames of the clip, on one thread, all settings in turn on each frame, so that whatever else
the machine does falls on all of them; `benchmarks/results/tracking.json`. With `--only cost` or `--only starts`
that part is measured again, and the rest of the file is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from posekit.geometry.keypoints import Poses
from posekit.metrics.identity import Frame, identity_metrics
from posekit.pipelines.chain import Chain
from posekit.pipelines.propagate import Propagation
from posekit.postprocess.track import Tracking
from posekit.skeletons import SKELETONS
from posekit.zoo.load import load

LABELS = Path(__file__).parent / "data" / "vtest_60_frames.json"
CLIP, RATE = "videos/vtest_clip.mp4", 10
MODEL = "body-s+body-crop-s"
THRESHOLDS = (0.5, 0.3)
"""IoU with a labelled box from which on a person counts as found."""
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "boxes only": {"points": 0.0},
    "points only": {"points": 1.0},
    "one pass": {"low": 1.0},
    "flow": {"flow": True},
}
EVERY = ((1, False), (2, False), (3, False), (5, False), (10, False), (5, True), (10, True))
"""Finder on every n-th frame, with optical flow or without."""
FIRST_FRAMES = (70, 71, 72, 73, 74)
"""Frames with which a run begins: they decide on which frames the finder runs."""
SAME = 0.5
"""Another value of `Propagation`'s ``same``, to show what it changes."""
PEOPLE = (5, 20, 50, 200)
"""Numbers of people for which the tracker alone is timed."""


def labelled() -> dict[int, tuple[list[int], np.ndarray]]:
    """Ids and boxes of the people in each labelled frame, interpolated between those drawn."""
    content = json.loads(LABELS.read_text(encoding="utf-8"))
    first, last = content["frames"]
    frames: dict[int, tuple[list[int], list[list[float]]]] = {n: ([], []) for n in range(first, last + 1)}
    for person in content["people"]:
        drawn = {int(n): box for n, box in person["boxes"].items()}
        for n in range(min(drawn), max(drawn) + 1):
            columns = zip(*drawn.values(), strict=True)
            frames[n][0].append(person["id"])
            frames[n][1].append([float(np.interp(n, list(drawn), column)) for column in columns])
    return {n: (ids, np.array(boxes).reshape(-1, 4)) for n, (ids, boxes) in frames.items()}


def identities(found: Sequence[Poses]) -> dict[str, Any]:
    """Metrics over the labelled frames for each threshold, and how many ids each person got."""
    truth = labelled()
    frames = [Frame.of_boxes(*truth[n], found[n].ids, found[n].boxes) for n in truth]
    result: dict[str, Any] = {}
    for threshold in THRESHOLDS:
        figures = identity_metrics(frames, threshold)
        result[f"iou_{threshold}"] = {k: round(float(v), 4) for k, v in figures.items()}
    names: dict[int, set[int]] = {}
    for frame in frames:
        for column, row in enumerate(frame.similarity.argmax(0)):
            # Clear cases only: the box lies on one person and on nobody else.
            others = np.delete(frame.similarity[:, column], row)
            if frame.similarity[row, column] >= 0.5 and (others < 0.1).all():
                names.setdefault(int(frame.truth[row]), set()).add(int(frame.found[column]))
    result["ids_of_each_person"] = {str(person): len(ids) for person, ids in sorted(names.items())}
    return result


def interleaved(images: list[np.ndarray], chain: Chain) -> dict[str, Any]:
    """Every setting of detect-every-n: calls, time relative to the first, and identities."""
    clock = [n / RATE for n in range(len(images))]
    runs = {
        f"{every}{' flow' * flow}": Propagation(
            chain, Tracking(score_threshold=chain.instance_threshold, flow=flow), every=every
        )
        for every, flow in EVERY
    }
    streams = {name: run.stream(iter(images), iter(clock)) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    found: dict[str, list[Poses]] = {name: [] for name in runs}
    for number in range(len(images)):
        names = list(runs)
        # Each frame begins with another setting.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.perf_counter()
            found[name].append(next(streams[name]))
            seconds[name].append(time.perf_counter() - start)
    first = sum(seconds[next(iter(runs))])
    return {
        name: {
            "finder_calls": run.finder_calls,
            "crops": run.crops,
            "time": round(sum(seconds[name]) / first, 3),
            "median_ms": round(1000 * statistics.median(seconds[name]), 1),
            "mean_ms": round(1000 * statistics.mean(seconds[name]), 1),
            **identities(found[name]),
        }
        for name, run in runs.items()
    }


def from_several_frames(images: list[np.ndarray], chain: Chain) -> dict[str, Any]:
    """Identities of detect-every-n in runs that begin with different frames: what one event more or less changes."""
    every = {f"{n}{' flow' * flow}": {"every": n, "flow": flow} for n, flow in EVERY}
    other = {f"{n} same {SAME}": {"every": n, "flow": False, "same": SAME} for n in (5, 10)}
    rows: dict[str, Any] = {}
    for name, options in (every | other).items():
        settings = dict(options)
        tracking = Tracking(score_threshold=chain.instance_threshold, flow=settings.pop("flow"))
        runs = []
        for first in FIRST_FRAMES:
            run = Propagation(chain, tracking, **settings)
            numbers = range(first, max(labelled()) + 1)
            found = list(run.stream((images[n] for n in numbers), (n / RATE for n in numbers)))
            runs.append(identities([Poses.empty(len(chain.skeleton.points))] * first + found)["iou_0.5"])
        rows[name] = {key: [run[key] for run in runs] for key in ("idf1", "hota", "mota", "id_switches")}
        print(name, rows[name], flush=True)
    return {"first_frames": list(FIRST_FRAMES), "rows": rows}


def walkers(people: int, frames: int) -> Iterator[Poses]:
    """People in rows who walk to and fro, with noise."""
    rng = np.random.default_rng(0)
    body = rng.uniform(0, 1, (17, 2)) * (30, 80)
    corner = np.stack((np.arange(people) % 20 * 60.0, np.arange(people) // 20 * 110.0), -1)
    speed = rng.normal(0, 3, corner.shape)
    for number in range(frames):
        xy = corner[:, None] + speed[:, None] * number + body + rng.normal(0, 1, (people, 17, 2))
        boxes = np.concatenate([xy.min(1), xy.max(1)], -1)
        yield Poses(xy=xy, score=np.full(xy.shape[:2], 0.7), instance_score=np.full(people, 0.8), boxes=boxes)


def cost(people: int, frames: int = 60) -> dict[str, float]:
    """Milliseconds of the tracker for a frame: the median, and the least, which others on the machine disturb less."""
    tracker, spent = Tracking().start(SKELETONS["coco17"]), []
    for number, poses in enumerate(walkers(people, frames)):
        start = time.perf_counter()
        tracker(poses, number / RATE)
        spent.append(time.perf_counter() - start)
    # In the first frame there is nothing to compare with.
    spent = spent[1:]
    return {"median_ms": round(1000 * statistics.median(spent), 2), "least_ms": round(1000 * min(spent), 2)}


def images_of(clip: Path) -> list[np.ndarray]:
    """All frames of a clip, RGB."""
    reader, images = cv2.VideoCapture(str(clip)), []
    while (read := reader.read())[0]:
        images.append(np.ascontiguousarray(read[1][..., ::-1]))
    reader.release()
    return images


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("cost", "starts"), help="measure this part again")
    only = parser.parse_args().only
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    result = json.loads((RESULTS / "tracking.json").read_text(encoding="utf-8")) if only else {}
    if only != "cost":
        images = images_of(root() / CLIP)
        chain = load(MODEL, threads=1)
        assert isinstance(chain, Chain)
        result |= {} if only else {**circumstances(), **on_the_clip(images, chain)}
        result["starts"] = {**circumstances(), **from_several_frames(images, chain)}
    if only != "starts":
        result["tracker"] = {**circumstances(), "people": {str(people): cost(people) for people in PEOPLE}}
    write("tracking", result)


def on_the_clip(images: list[np.ndarray], chain: Chain) -> dict[str, Any]:
    """Variants of the tracker, and detect-every-n on the full clip."""
    detected = list(chain.stream(images))
    variants = {}
    for name, options in VARIANTS.items():
        tracker = Tracking(score_threshold=chain.instance_threshold, **options).start(chain.skeleton)
        tracked = [tracker(poses, n / RATE, images[n]) for n, poses in enumerate(detected)]
        variants[name] = {"options": options, **identities(tracked)}
    truth = labelled()
    return {
        "clip": CLIP,
        "frames": len(images),
        "model": MODEL,
        "threads": 1,
        "labels": {
            "frames": [min(truth), max(truth)],
            "people": len({i for ids, _ in truth.values() for i in ids}),
            "boxes": sum(len(ids) for ids, _ in truth.values()),
        },
        "variants": variants,
        "every": interleaved(images, chain),
    }


if __name__ == "__main__":
    main()
