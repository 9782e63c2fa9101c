"""Where the constants around the models come from: `python -m benchmarks.rules`, on data of `POSEKIT_DATA`.

- `face`: sides of the squares around faces of HELEN in distances of the points that `body-s` finds in the head;
- `head_top`: where LSP's head top lies from the shoulders to the ears, as MoveNet Thunder's predictions give those;
- `grid`: AP of MoveNet MultiPose at 256x256 with its positions read as cells' centres, and with the shift undone;
- `threshold`: precision and recall of the people that `body-s` finds, by score (OKS of at least 0.5).
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

import posekit
from benchmarks.ladder import root
from benchmarks.record import write
from posekit.api.convert import SHIFT
from posekit.data.coco import read_coco
from posekit.data.dataset import Dataset
from posekit.data.predictions import read_predictions
from posekit.data.renaming import as_skeleton
from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import measure
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import Poses
from posekit.metrics.similarity import oks
from posekit.pipelines.predictor import Predictor
from posekit.skeletons import SKELETONS
from posekit.zoo.weights import load_weights

COCO = SKELETONS["coco17"]
PEOPLE = "coco_person/annotations/person_keypoints_val.json"
FACES, MARGIN = 120, 160
"""Faces of HELEN, and pixels added around each, since `body-s` looks for people and not for faces alone."""
SURE = 0.4
"""Score from which Thunder's points are used."""
THRESHOLDS = (0.02, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)


def quartiles(values: NDArray[np.floating]) -> list[float]:
    """25 %, median, 75 %."""
    return np.nanpercentile(values, (25, 50, 75)).round(3).tolist()


def heads(dataset: Dataset, rows: NDArray[np.int64]) -> Iterator[tuple[Poses, NDArray[np.floating]]]:
    """The person of `body-s` whose eyes lie in each face's box, and the box; faces that are not found are left out."""
    find = posekit.load("body-s")
    for row in rows.tolist():
        image = dataset.instance(row).image
        box = dataset.boxes[dataset.rows[row]]
        found = find(np.pad(image, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge"))[0]
        eyes = found.xy[:, 1:3].mean(1) - MARGIN
        inside = ((eyes > box[:2]) & (eyes < box[2:])).all(-1) & (found.score[:, :3].min(-1) > 0.2)
        if inside.any():
            yield found[inside][:1], box


def face() -> dict[str, object]:
    """Sides in distances of eyes and ears, and how far below eyes and nose the middle is."""
    dataset = read_coco(root() / "face300w_helen_afw/annotations/helen_train.json")
    pairs = list(heads(dataset, np.linspace(0, len(dataset) - 1, FACES).astype(np.int64)))
    xy = np.concatenate([poses.xy for poses, _ in pairs])[:, :5] - MARGIN
    score = np.concatenate([poses.score for poses, _ in pairs])
    boxes = np.stack([box for _, box in pairs])
    side = (boxes[:, 2:] - boxes[:, :2]).max(1)
    eyes, nose = xy[:, 1:3].mean(1), xy[:, 0]
    ears = np.where((score[:, 3:5] > 0.2).all(1), np.linalg.norm(xy[:, 3] - xy[:, 4], axis=1), np.nan)
    between = np.linalg.norm(xy[:, 1] - xy[:, 2], axis=1)
    down = (nose - eyes) / np.linalg.norm(nose - eyes, axis=1, keepdims=True)
    below = (((boxes[:, :2] + boxes[:, 2:]) / 2 - (eyes + nose) / 2) * down).sum(1)
    return {
        "faces": len(pairs),
        "side in distances of the eyes": quartiles(side / between),
        "side in distances of the ears": quartiles(side / ears),
        "middle below eyes and nose, in sides": quartiles(below / side),
    }


def head_top() -> dict[str, object]:
    """The factor of the way from the shoulders to the ears, by least absolute deviations, and the error."""
    labels = read_coco(root() / "lspe/annotations/lspe_train.json")
    thunder = read_predictions(root() / "lspe/teacher_movenet_thunder.json", as_skeleton(labels, COCO))
    name = labels.skeleton.points.index
    top, neck = (labels.xy[labels.rows, name(point)] for point in ("head_top", "neck"))
    known = (labels.visibility[labels.rows][:, [name("head_top"), name("neck")]] > 0).all(1)
    known &= (thunder.score[:, [0, 3, 4, 5, 6]] > SURE).all(1)
    shoulders, ears = thunder.xy[:, 5:7].mean(1), thunder.xy[:, 3:5].mean(1)
    way, wanted, neck_to_top = (ears - shoulders)[known], (top - shoulders)[known], (top - neck)[known]
    weight, factor = np.ones(len(way)), 0.0
    for _ in range(20):
        factor = float((weight * (way * wanted).sum(1)).sum() / (weight * (way**2).sum(1)).sum())
        weight = 1 / np.maximum(np.linalg.norm(wanted - factor * way, axis=1), 1.0)
    error = np.linalg.norm(wanted - factor * way, axis=1) / np.maximum(np.linalg.norm(neck_to_top, axis=1), 1.0)
    return {"people": int(known.sum()), "factor": round(factor, 3), "error in heads": quartiles(error)}


def grid() -> dict[str, float]:
    """AP with the published positions taken for centres of cells, and as converted."""
    source, dataset = load_weights("body-s"), read_coco(root() / PEOPLE)
    size = (256, 256)
    codec = replace(source.recipe.codec, grid=Grid.of(size, 4))
    spec = replace(source.spec, size=size)
    found = {}
    for name, cells in (("shift undone", 0.0), ("positions as centres of cells", -SHIFT)):
        _shift(source.net, cells)
        found[name] = round(measure(Predictor(TorchEngine(source.net, codec, spec)), dataset).figures["AP"], 4)
    return found


def _shift(net: torch.nn.Module, cells: float) -> None:
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name in ("head.branches.offset.3.bias", "head.branches.centre_offset.3.bias"):
                value += cells


def threshold() -> dict[str, object]:
    """Precision, recall and F1 of the instances at and above each score."""
    dataset, find = read_coco(root() / PEOPLE), posekit.load("body-s")
    scores, hits, people = [], [], 0
    for number in range(dataset.scenes):
        scene = dataset.scene(number)
        points = scene.instances.keypoints
        labelled = (points.visibility > 0).any(-1)
        people += int(labelled.sum())
        found = find(scene.image)[0]
        count, truth = len(found), int(labelled.sum())
        similar = oks(
            np.repeat(found.xy, truth, 0),
            np.tile(points.xy[labelled], (count, 1, 1)),
            np.tile(points.visibility[labelled] > 0, (count, 1)),
            np.tile(scene.instances.area[labelled], count),
            COCO.oks_sigmas,
        ).reshape(count, truth)
        free = np.ones(truth, bool)
        for score, row in zip(found.instance_score, similar, strict=True):
            best = int(np.argmax(np.where(free, row, -1.0))) if free.any() else -1
            hit = best >= 0 and row[best] >= 0.5
            scores.append(float(score))
            hits.append(hit)
            free[best] &= not hit
    score, hit = np.array(scores), np.array(hits)
    rows = {}
    for value in THRESHOLDS:
        right, kept = int(hit[score >= value].sum()), int((score >= value).sum())
        precision, recall = right / max(kept, 1), right / people
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        rows[str(value)] = {"precision": round(precision, 3), "recall": round(recall, 3), "F1": round(f1, 3)}
    return {"people": people, "by score": rows}


def main() -> None:
    """Measure all and write ``rules.json``."""
    torch.set_num_threads(1)
    result = {}
    for name, rule in (("face", face), ("head_top", head_top), ("grid", grid), ("threshold", threshold)):
        result[name] = rule()
        print(name, result[name], flush=True)
    write("rules", result)


if __name__ == "__main__":
    main()
