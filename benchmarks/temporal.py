"""A temporal network against the tuned filters: `python -m benchmarks.temporal FOLDER` writes `results/temporal.json`.

FOLDER is what `posekit train temporal --out FOLDER` wrote; without it the shipped network is measured. The people,
their errors and the figures of the other filters are those of `results/smoothing.json` (`python -m
benchmarks.smoothing`); that they are the same people is checked by the raw tracks. The network has seen none of them,
but others that move and err alike. ``--lift`` also trains three small networks, with depths of all, of half of the
tracks, and with that half alone; ``--only-lift`` measures nothing else.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.record import RESULTS, circumstances, write
from posekit.data.labelled_tracks import LabelledTrack, synthetic_tracks, with_errors
from posekit.data.moving_people import turning_person
from posekit.engines.temporal import OnnxTemporal
from posekit.geometry.boxes import around, extent
from posekit.geometry.keypoints import Poses
from posekit.geometry.root import root_of
from posekit.geometry.tracks import Track
from posekit.models.temporal import Temporal as Sizes
from posekit.models.temporal import TemporalNet
from posekit.postprocess.smooth.clip import smooth_clip
from posekit.postprocess.smooth.temporal import Temporal, TemporalOffline
from posekit.skeletons import SKELETONS
from posekit.studies.smoothing import CONDITIONS, LAGS, PEOPLE, SECONDS, measured, noisy_people, summary
from posekit.training.temporal import TemporalTraining, train_temporal
from posekit.zoo.temporal import load_temporal

Float = NDArray[np.floating]

SKELETON = SKELETONS["coco17"]
ROOT = list(root_of(SKELETON.points))
OTHERS = ("raw", "kalman", "one-euro", "rts")
"""Filters whose figures are taken from `results/smoothing.json`."""
KEPT = ("method", "lag", "error", "jitter", "late", "cut", "of_raw")
LIFT_FPS, LIFT_CORRELATION = 25.0, 0.04
SMALL = Sizes(channels=24, ahead=(12,))
TRACKS, STEPS = 400, 250
"""Of the networks that are trained to compare lifting."""
LIFTED = 10
"""People on whom lifting is measured."""


class Remembered:
    """A network that is not run again on what it was run on before, as filters that differ in their lag do."""

    def __init__(self, network: OnnxTemporal) -> None:
        self.window, self.ahead, self.points, self.lifts = (
            network.window,
            network.ahead,
            network.points,
            network.lifts,
        )
        self._network = network
        self._known: dict[int, Float] = {}

    def __call__(self, points: Float, score: Float, step: Float) -> Float:
        """Run the network, or look up what it gave."""
        key = hash((points.tobytes(), score.tobytes(), step.tobytes()))
        if key not in self._known:
            self._known[key] = self._network(points, score, step)
        return self._known[key]


class InMemory:
    """A network that was just trained, as a filter takes it."""

    lifts, points = True, len(SKELETON.points)

    def __init__(self, net: TemporalNet) -> None:
        self.net, self.window, self.ahead = net, net.config.window, net.config.ahead

    def __call__(self, points: Float, score: Float, step: Float) -> Float:
        """Run the network."""
        given = [torch.from_numpy(np.asarray(array, np.float32)) for array in (points, score, step)]
        with torch.inference_mode():
            return np.asarray(self.net(*given).numpy(), np.float64)


def smoothing(network: OnnxTemporal, people: int) -> list[dict[str, Any]]:
    """The network and the other filters in each condition of the study of smoothing."""
    before = json.loads((RESULTS / "smoothing.json").read_bytes())["synthetic"]
    found = []
    for (fps, correlation), other in zip(CONDITIONS, before, strict=True):
        truths, tracks = noisy_people(fps, correlation, people, SECONDS, 0)
        raw = _all(tracks, truths)
        rows = [{name: row[name] for name in KEPT} for row in other["rows"] if row["method"] in OTHERS]
        assert (other["fps"], other["correlation"]) == (fps, correlation)
        if people == PEOPLE:
            assert abs(summary(raw, raw, fps)["error"]["mean"] - rows[0]["error"]["mean"]) < 2e-4, "other people"
        once: Any = Remembered(network)
        for lag in (*LAGS, None):
            late = TemporalOffline(network=once) if lag is None else Temporal(network=once, delay=lag * 1e3 / fps)
            done = smooth_clip(late, tracks)
            name = "temporal-offline" if lag is None else "temporal"
            row = {"method": name, "lag": lag, **summary(_all(done, truths), raw, fps)}
            rows.append(row)
            print(f"{fps:g} fps, {correlation * 1000:g} ms: {name} {lag}: {_told(row)}", flush=True)
        found.append({"fps": fps, "correlation": correlation, "rows": rows})
    return found


def _all(tracks: Sequence[Track], truths: Sequence[Float]) -> Float:
    return np.array([measured(track, truth) for track, truth in zip(tracks, truths, strict=True)])


def _told(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {row[name]['mean']:.3f}" for name in ("error", "jitter", "late"))


def turning_people(people: int) -> list[LabelledTrack]:
    """People who turn, with depths and errors; nobody of whom a network has seen."""
    found = []
    for seed in range(people):
        times, true, depth = turning_person(SKELETON, SECONDS, LIFT_FPS, seed)
        rng = np.random.default_rng(1000 + seed)
        found.append(with_errors(times, true, SKELETON, LIFT_CORRELATION, rng, depth=depth))
    return found


def lift(found: OnnxTemporal, people: int, steps: int) -> dict[str, Any]:
    """Errors of the depth: of the network, of three that are trained here, and of two that see one frame only."""
    held_out, network = turning_people(people), Remembered(found)
    # That of the package was trained on depths, and does not offer them because of what is measured here.
    network.lifts = True
    smooth = [_smoothed(network, track) for track in held_out]
    rows = {"the network": _errors(held_out, smooth, [poses.depth for poses in smooth])}
    learn = synthetic_tracks(SKELETON, TRACKS, 7, turning=1.0)
    half = [track.without_depth() if number % 2 else track for number, track in enumerate(learn)]
    mean, linear = _mean_depth(learn), _linear(learn)
    rows["mean depth of each point"] = _errors(held_out, smooth, [mean * track.size[:, None] for track in held_out])
    rows["linear, frame by frame"] = _errors(held_out, smooth, [linear(track) for track in held_out])
    training = TemporalTraining(steps=steps)
    for name, tracks in (("all", learn), ("half", half), ("that half alone", half[::2])):
        small = InMemory(train_temporal(tracks, SKELETON, SMALL, training))
        done = [_smoothed(small, track) for track in held_out]
        rows[f"small network, depths of {name}"] = _errors(held_out, done, [poses.depth for poses in done])
        print(name, rows[f"small network, depths of {name}"], flush=True)
    made = {name: circumstances()[name] for name in ("command", "commit")}
    about = {"people": people, "fps": LIFT_FPS, "correlation": LIFT_CORRELATION, "tracks": TRACKS, "steps": steps}
    return {**made, **about, "rows": rows}


def _smoothed(network: Any, track: LabelledTrack) -> Poses:
    boxes = around(track.true, np.ones(track.true.shape[:2], bool))
    poses = Poses(track.xy, track.score, track.score.mean(-1), boxes=boxes)
    whole = Track(0, np.arange(len(track)), track.times, poses)
    return TemporalOffline(network=network, lift=True).track(whole).poses


def _errors(tracks: Sequence[LabelledTrack], smooth: Sequence[Poses], depths: Sequence[Float]) -> dict[str, float]:
    """Mean over people, in percent of the object's size: MPJPE about the root, its part in the image, and in depth."""
    found = []
    for track, poses, depth in zip(tracks, smooth, depths, strict=True):
        size = np.median(extent(around(track.true, track.known)).mean(-1))
        flat = (_rooted(poses.xy) - _rooted(track.true)) / size
        deep = ((depth - depth[:, ROOT].mean(1, keepdims=True)) - track.depth)[..., None] / size
        parts = (np.concatenate([flat, deep], -1), flat, deep)
        found.append([float(np.linalg.norm(part, axis=-1).mean()) for part in parts])
    names = ("mpjpe", "in the image", "in depth")
    return dict(zip(names, (100 * np.mean(found, 0)).round(2).tolist(), strict=True))


def _rooted(xy: Float) -> Float:
    return np.asarray(xy - xy[:, ROOT].mean(1, keepdims=True))


def _mean_depth(tracks: Sequence[LabelledTrack]) -> Float:
    """(K,) mean depth of each point, object sizes."""
    return np.asarray(np.concatenate([track.depth / track.size[:, None] for track in tracks]).mean(0))


def _linear(tracks: Sequence[LabelledTrack]) -> Any:
    """Least squares from the measured points of a frame to their depths."""

    def features(track: LabelledTrack) -> Float:
        flat = (_rooted(track.xy) / track.size[:, None, None]).reshape(len(track), -1)
        return np.concatenate([flat, np.ones((len(track), 1))], -1)

    x = np.concatenate([features(track) for track in tracks])
    y = np.concatenate([track.depth / track.size[:, None] for track in tracks])
    weights = np.linalg.solve(x.T @ x + 1e-3 * np.eye(x.shape[1]), x.T @ y)
    return lambda track: features(track) @ weights * track.size[:, None]


def main() -> None:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("--lift", action="store_true")
    parser.add_argument("--only-lift", action="store_true", help="keep what the file says of smoothing")
    parser.add_argument("--quick", action="store_true", help="three people, 20 steps; writes nothing")
    words = parser.parse_args()
    torch.set_num_threads(1)
    network, people = load_temporal(words.folder), 3 if words.quick else PEOPLE
    if words.only_lift:
        result = json.loads((RESULTS / "temporal.json").read_bytes())
    else:
        result = {"people": people, "seconds": SECONDS, "synthetic": smoothing(network, people)}
    if words.lift or words.only_lift:
        result["lift"] = lift(network, 3 if words.quick else LIFTED, 20 if words.quick else STEPS)
        print(json.dumps(result["lift"]["rows"], indent=1))
    if not words.quick:
        write("temporal", result)


if __name__ == "__main__":
    main()
