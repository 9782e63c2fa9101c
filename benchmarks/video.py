"""A video from end to end: time of each stage, and memory over a long one: `python -m benchmarks.video`.

The default model, exported to ONNX, runs on the first frames of the pedestrian clip of `POSEKIT_DATA`, several times on
one thread: tracked, smoothed, drawn and written. Then the clip is joined to itself up to `--long` frames, and in a
fresh process, with the poses of one pass instead of a network, the resident memory is read at regular frames;
`benchmarks/results/video.json`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.record import circumstances, write
from posekit.data.video import Frame, Image, Mark, Video, VideoFile
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.over_time import OverTime
from posekit.pipelines.predictor import PosePredictor
from posekit.pipelines.unfinished import Unfinished
from posekit.pipelines.video import Finished, VideoTask, run_video
from posekit.postprocess.smooth.tune import tuned
from posekit.postprocess.track import Tracking
from posekit.visualize.tracks import draw_tracked
from posekit.zoo.load import load

CLIP = "videos/vtest_clip.mp4"
MODEL = "body-s+body-crop-s"
FRAMES, ROUNDS, LONG, EVERY = 48, 3, 10_000, 500

Seen = Callable[[str, int, int], None]


class First:
    """The first frames of a video."""

    repeatable, live, faults = True, False, ()

    def __init__(self, video: VideoFile, first: int) -> None:
        self.video, self.source = video, video.source
        self.info = replace(video.info, frames=first)

    def frames(self, start: Mark | None = None) -> Iterator[Frame]:
        """The frames."""
        return islice(self.video.frames(start), self.info.frames)


def joined(clip: Path, file: Path, total: int) -> Path:
    """A file with the packets of a clip over and over, so that it has at least so many frames."""
    with av.open(str(file), "w") as out:
        stream: Any = None
        shift, count = 0, 0
        while count < total:
            with av.open(str(clip)) as opened:
                source = opened.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(source)
                    stream.time_base = source.time_base
                for packet in opened.demux(source):
                    if packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        out.mux(packet)
                        count += 1
                shift += source.duration or 0
    return file


class Known:
    """Poses of a pass before, in place of a network."""

    needs_boxes = False

    def __init__(self, skeleton: Skeleton, threshold: float, poses: list[Poses]) -> None:
        self.name, self.skeleton, self.instance_threshold = "known", skeleton, threshold
        self.poses, self.at = poses, 0

    def __call__(self, images: object, boxes: object = None) -> list[Poses]:
        """Not used for videos."""
        raise NotImplementedError

    def stream(self, images: Iterable[Image], boxes: object = None) -> Iterator[Poses]:
        """The stored poses in turn."""
        for _ in images:
            yield self.poses[self.at % len(self.poses)]
            self.at += 1


def resident() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(
    video: Video, model: PosePredictor, folder: Path, seen: Seen = lambda *about: None
) -> tuple[Finished, Iterator[Poses]]:
    """One run with everything, and the poses that were found, before the next run."""
    over = OverTime(
        partial(Tracking(score_threshold=model.instance_threshold).start, model.skeleton),
        lambda tracks: tuned("one-euro", tracks, 40.0),
    )
    draw = partial(draw_tracked, skeleton=model.skeleton)
    shutil.rmtree(folder / "part", ignore_errors=True)
    work = Unfinished(folder / "part", {}, len(model.skeleton.points), resume=False)
    done = run_video(video, VideoTask(model, over, draw, seen), work, folder / "out.mp4")
    return done, (raw.poses for raw in work.raw)


def throughput(clip: Path, model: PosePredictor, folder: Path) -> tuple[dict[str, object], list[Poses]]:
    """Milliseconds of each stage, the median of the rounds, and the poses of the last."""
    rows: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        done, poses = run(First(VideoFile(clip), FRAMES), model, folder)
        per = {stage: 1000 * done.seconds[stage] / max(done.counts[stage], 1) for stage in done.seconds}
        rows.append({**per, "end to end": 1000 * done.wall / done.frames})
    median = {stage: round(statistics.median(row[stage] for row in rows), 2) for stage in rows[0]}
    share = {stage: round(value / median["end to end"], 3) for stage, value in median.items()}
    many = round(done.instances / done.frames, 2)
    return {"ms_a_frame": median, "share_of_end_to_end": share, "instances_a_frame": many}, list(poses)


def memory(file: Path, known: Known, folder: Path) -> dict[str, object]:
    """Resident memory at regular frames, for the passes over the video."""
    seen: dict[str, list[float]] = {}

    def told(stage: str, done: int, all_frames: int) -> None:
        if done % EVERY == 0:
            seen.setdefault(stage, []).append(round(resident(), 1))

    done, _ = run(VideoFile(file), known, folder, told)
    later = [value for values in seen.values() for value in values[len(values) // 10 :]]
    slope = {stage: float(np.polyfit(np.arange(len(v)) * EVERY / 1000, v, 1)[0]) for stage, v in seen.items()}
    return {
        "frames": done.frames,
        "every": EVERY,
        "resident_mb": seen,
        "least_and_most_mb": [min(later), max(later)],
        "mb_per_1000_frames": {stage: round(value, 3) for stage, value in slope.items()},
        "seconds": round(done.wall, 1),
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", default=CLIP, help="below POSEKIT_DATA")
    parser.add_argument("--long", type=int, default=LONG, help="frames of the long video")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    from benchmarks.ladder import root
    from posekit.api.export import export

    about = circumstances()
    clip = root() / args.clip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = [export(part, "onnx", out=folder / f"{part}.onnx").file for part in MODEL.split("+")]
        model = load("+".join(map(str, parts)), threads=1)
        stages, poses = throughput(clip, model, folder)
        print(stages, flush=True)
        known = Known(model.skeleton, model.instance_threshold, poses)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            long = pool.submit(memory, joined(clip, folder / "long.mp4", args.long), known, folder).result()
    result = {"clip": args.clip, "model": MODEL, "frames": FRAMES, "rounds": ROUNDS, "stages": stages, "memory": long}
    write("video", {**result, **about})
    print(long)


if __name__ == "__main__":
    main()
