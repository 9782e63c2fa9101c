"""Whether a model can tell seen points from hidden ones: `python -m benchmarks.visibility`.

The recipe `topdown-dark-tiny` with `--visibility`, from `body-crop-s`, is trained on the people of `coco_person`
(`POSEKIT_DATA`) and measured on its validation people: the area under the ROC curve (AUC) over all points and for each,
beside that of each point's share of seen labels in training, which knows the point's name and nothing of the image. The
run lies in OUT, an interrupted one is resumed; ``visibility.json``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import posekit
from benchmarks.ladder import root
from benchmarks.record import RESULTS, write
from posekit.data.coco import read_coco
from posekit.evaluation.measure import SEEN, VISIBLE
from posekit.metrics.separation import roc_auc

TRAIN, VAL = (f"coco_person/annotations/person_keypoints_{split}.json" for split in ("train", "val"))
SIZE = 128


def main() -> None:
    """Train, measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/visibility"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    run = posekit.train(
        "topdown-dark-tiny",
        root() / TRAIN,
        val=root() / VAL,
        out=asked.out,
        resume=asked.out.exists(),
        device="cpu",
        options={"init": "body-crop-s", "train.epochs": asked.epochs, "train.lr": 1e-3, "train.precision": "bf16"},
        size=SIZE,
        visibility=True,
    )
    measured = run.evaluate(root() / VAL)
    learn, held = read_coco(root() / TRAIN), read_coco(root() / VAL)
    labelled, seen = (held.visibility[held.rows] > 0, held.visibility[held.rows] == SEEN)
    before = learn.visibility[learn.rows]
    share = (before == SEEN).sum(0) / np.maximum((before > 0).sum(0), 1)
    guess = np.broadcast_to(share, labelled.shape)
    by_name = roc_auc(guess.reshape(-1, 1), seen.reshape(-1, 1), labelled.reshape(-1, 1))[0]
    each = measured.per_point[VISIBLE]
    found = {
        "auc": round(float(measured.figures[VISIBLE]), 4),
        "auc of each point's share of seen labels": round(float(by_name), 4),
        "points": {name: round(float(each[i]), 4) for i, name in enumerate(held.skeleton.points)},
        "hidden": {name: int((labelled & ~seen)[:, i].sum()) for i, name in enumerate(held.skeleton.points)},
        "oks": round(float(measured.figures["oks"]), 4),
        "images seen": asked.epochs * len(learn),
    }
    write("visibility", found, data="coco_person val", size=(SIZE, SIZE), init="body-crop-s")
    print(found, f"in {RESULTS / 'visibility.json'}", flush=True)


if __name__ == "__main__":
    main()
