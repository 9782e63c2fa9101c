"""How `body-crop-s` errs, for the study of smoothing: `python -m benchmarks.error_process`, on data of `POSEKIT_DATA`.

Its predictions in the labelled boxes of `coco_person` val and `lspe` val are compared with the labels; people whose box
is smaller than `LEAST` pixels are left out. Residuals are divided by the object's size, the mean of width and height of
the box. A pair is exchanged if its predictions lie nearer to each other's labels, by half and more, and its labels lie
at least `APART` sizes from each other; it is counted and left out of the residuals. Writes
`posekit/data/error_process.json`.
"""

import json

import numpy as np
from numpy.typing import NDArray

import posekit
from benchmarks.ladder import root
from benchmarks.record import circumstances
from posekit.data.error_process import FILE, described, kind_of
from posekit.data.readers import read
from posekit.evaluation.measure import predicted
from posekit.geometry.boxes import extent
from posekit.geometry.skeleton import Skeleton

MODEL = "body-crop-s"
SETS = ("coco_person/annotations/person_keypoints_val.json", "lspe/annotations/lspe_val.json")
LEAST, APART = 64.0, 0.08

Float = NDArray[np.floating]


def residuals(file: str) -> tuple[Skeleton, Float, Float, NDArray[np.bool_], NDArray[np.bool_]]:
    """The model's skeleton, (M, K) lengths in object sizes, scores, which are labelled, and which are exchanged."""
    dataset, model = read(root() / file), posekit.load(MODEL)
    skeleton, theirs = model.skeleton, dataset.skeleton
    shared = [k for k, name in enumerate(skeleton.points) if name in theirs.points]
    order = theirs.index([skeleton.points[k] for k in shared])
    poses = predicted(model, dataset)
    rows = dataset.rows
    size = extent(dataset.boxes[rows].astype(np.float64)).mean(-1)
    big = extent(dataset.boxes[rows]).max(-1) >= LEAST
    m, k = len(rows), len(skeleton.points)
    truth, labelled = np.zeros((m, k, 2)), np.zeros((m, k), bool)
    truth[:, shared], labelled[:, shared] = dataset.xy[rows][:, order], dataset.visibility[rows][:, order] > 0
    flip = np.array(skeleton.flip)
    off = np.linalg.norm(poses.xy - truth, axis=-1) / size[:, None]
    crossed = np.linalg.norm(poses.xy - truth[:, flip], axis=-1) / size[:, None]
    apart = np.linalg.norm(truth - truth[:, flip], axis=-1) / size[:, None]
    both = labelled & labelled[:, flip] & (flip != np.arange(k)) & (apart > APART)
    swapped = both & (crossed + crossed[:, flip] < 0.5 * (off + off[:, flip]))
    return skeleton, off[big], poses.score[big].astype(np.float64), labelled[big], swapped[big]


def main() -> None:
    """Measure and write the file."""
    lengths: dict[str, list[Float]] = {}
    scores: dict[str, list[Float]] = {}
    swaps: dict[str, list[Float]] = {}
    for file in SETS:
        skeleton, off, score, labelled, swapped = residuals(file)
        for k in range(len(skeleton.points)):
            kind, kept = kind_of(skeleton, k), labelled[:, k] & ~swapped[:, k]
            lengths.setdefault(kind, []).append(off[kept, k])
            scores.setdefault(kind, []).append(score[kept, k])
            swaps.setdefault(kind, []).append(swapped[labelled[:, k], k].astype(np.float64))
    joined = {kind: np.concatenate(parts) for kind, parts in lengths.items()}
    shares = {kind: float(np.concatenate(parts).mean()) for kind, parts in swaps.items()}
    result = described(MODEL, joined, {kind: np.concatenate(parts) for kind, parts in scores.items()}, shares)
    about = {key: value for key, value in circumstances().items() if key in ("command", "commit", "date")}
    FILE.write_text(json.dumps({**about, "sets": list(SETS), **result}) + "\n", encoding="utf-8")
    for kind, row in result["kinds"].items():
        print(
            f"{kind:10}{row['measured']:6} median {row['length'][6]:.4f} 95 % {row['length'][13]:.4f} {row['swapped']}"
        )


if __name__ == "__main__":
    main()
