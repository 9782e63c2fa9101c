"""Measure drawn sequences with TrackEval and with Roboflow's trackers: `python make_trackeval_vectors.py TARGET.json`.

Needs `pip install trackeval==1.3.0 trackers==2.6.1`. Sequences are boxes that wander, are missed, found twice, and
change their ids; similarities are rounded to three decimals.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from trackers.eval.clear import compute_clear_metrics
from trackers.eval.hota import compute_hota_metrics
from trackers.eval.identity import compute_identity_metrics
from trackeval.metrics import CLEAR, HOTA, Identity

SEQUENCES = {
    "easy": {"people": 3, "frames": 8, "miss": 0.0, "swap": 0.0, "false": 0.0, "noise": 1.0},
    "missed": {"people": 4, "frames": 12, "miss": 0.3, "swap": 0.0, "false": 0.3, "noise": 3.0},
    "swapped": {"people": 5, "frames": 14, "miss": 0.1, "swap": 0.3, "false": 0.2, "noise": 3.0},
    "near": {"people": 6, "frames": 12, "miss": 0.1, "swap": 0.2, "false": 0.3, "noise": 6.0, "room": 40.0},
    "empty": {"people": 2, "frames": 20, "miss": 0.7, "swap": 0.1, "false": 0.2, "noise": 3.0},
}


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.maximum(high - low, 0).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b))
    return np.round(inner / (area_a[:, None] + area_b[None] - inner), 3)


def sequence(seed: int, people: int, frames: int, miss: float, swap: float, false: float, noise: float, room=200.0):
    """Frames of true ids, found ids and similarities; only the sequence of two people has frames without any."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, room, (people, 2)), rng.uniform(20, 40, (people, 2))
    ids, fresh, made = np.arange(people), people, []
    for _ in range(frames):
        corner = corner + rng.normal(0, 4, corner.shape)
        if rng.uniform() < swap:
            one, other = rng.permutation(people)[:2]
            ids[[one, other]] = ids[[other, one]]
        if rng.uniform() < swap:
            ids[rng.integers(people)], fresh = fresh, fresh + 1
        true, seen = rng.uniform(size=(2, people)) >= np.array([[0.6 * miss], [miss]])
        if people > 2:
            true[0] = seen[0] = True
        boxes = np.concatenate([corner, corner + size], -1)
        found = boxes[seen] + rng.normal(0, noise, (int(seen.sum()), 4))
        names = ids[seen].tolist()
        if rng.uniform() < false:
            found = np.concatenate([found, boxes[:1] + rng.normal(0, 3 * noise, (1, 4))])
            names, fresh = [*names, fresh], fresh + 1
        made.append((np.flatnonzero(true).tolist(), names, iou(boxes[true], found).tolist()))
    return made


def dense(frames: list) -> dict:
    """A sequence as TrackEval takes it: ids from 0 without gaps."""
    true, found = (sorted({i for frame in frames for i in frame[which]}) for which in (0, 1))
    return {
        "gt_ids": [np.array([true.index(i) for i in frame[0]], int) for frame in frames],
        "tracker_ids": [np.array([found.index(i) for i in frame[1]], int) for frame in frames],
        "similarity_scores": [np.array(f[2], float).reshape(len(f[0]), len(f[1])) for f in frames],
        "num_gt_dets": sum(len(f[0]) for f in frames),
        "num_tracker_dets": sum(len(f[1]) for f in frames),
        "num_gt_ids": len(true),
        "num_tracker_ids": len(found),
        "num_timesteps": len(frames),
    }


def named(clear: dict, identity: dict, hota: dict) -> dict[str, float]:
    """Our names of their figures."""
    figures = {
        "mota": clear["MOTA"],
        "motp": clear["MOTP"],
        "id_switches": clear["IDSW"],
        "fragmentations": clear["Frag"],
        "found": clear["CLR_TP"],
        "missed": clear["CLR_FN"],
        "false": clear["CLR_FP"],
        "idf1": identity["IDF1"],
        "id_precision": identity["IDP"],
        "id_recall": identity["IDR"],
        "hota": np.mean(hota["HOTA"]),
        "det_accuracy": np.mean(hota["DetA"]),
        "ass_accuracy": np.mean(hota["AssA"]),
        "loc_accuracy": np.mean(hota["LocA"]),
    }
    return {name: round(float(value), 9) for name, value in figures.items()}


def measured(frames: list) -> dict[str, dict[str, float]]:
    data = dense(frames)
    parts = [data[name] for name in ("gt_ids", "tracker_ids", "similarity_scores")]
    quiet = {"PRINT_CONFIG": False}
    return {
        "trackeval": named(*(m.eval_sequence(data) for m in (CLEAR(quiet), Identity(quiet), HOTA()))),
        "trackers": named(
            compute_clear_metrics(*parts), compute_identity_metrics(*parts), compute_hota_metrics(*parts)
        ),
    }


if __name__ == "__main__":
    made = {name: sequence(seed, **how) for seed, (name, how) in enumerate(SEQUENCES.items())}
    result = {
        "versions": {name: version(name) for name in ("trackeval", "trackers")},
        "sequences": {name: {"frames": frames, **measured(frames)} for name, frames in made.items()},
    }
    Path(sys.argv[1]).write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")
