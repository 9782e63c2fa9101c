"""People of LSP extended with COCO's points: a teacher's where it agrees with the labels, otherwise the labels.

LSP has 14 points, none of the face, and many labels are wrong. The predictions of MoveNet Thunder that come with the
set have COCO's 17 points, with COCO's definition of hip and ankle.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.ladder import root
from posekit.data.agreement import agreement, repaired
from posekit.data.coco import read_coco, write_coco
from posekit.data.predictions import read_predictions
from posekit.data.renaming import as_skeleton
from posekit.skeletons import SKELETONS

LABELS, TEACHER = "lspe/annotations/lspe_train.json", "lspe/teacher_movenet_thunder.json"
SURE = 0.3
"""Score threshold of the teacher's points."""


def people(folder: Path) -> Path:
    """The label file, written where it is not there yet."""
    file = folder / "people.json"
    if file.exists():
        return file
    dataset = as_skeleton(read_coco(root() / LABELS), SKELETONS["coco17"])
    said = read_predictions(root() / TEACHER, dataset)
    found = agreement(dataset, said, score_threshold=SURE)
    dataset = repaired(dataset, found)
    rows = dataset.rows
    believed = (said.score >= SURE) & ~found.opposed[:, None]
    xy, visibility = dataset.xy.copy(), dataset.visibility.copy()
    xy[rows] = np.where(believed[..., None], said.xy, xy[rows])
    visibility[rows] = np.where(believed, 2, visibility[rows])
    print(f"{believed.any(1).sum()} of {len(rows)} people have points of the teacher's, in {file}", flush=True)
    return write_coco(replace(dataset, xy=xy, visibility=visibility), file)
