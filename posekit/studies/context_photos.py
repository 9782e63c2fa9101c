"""Points of people in photographs, each hidden in turn: what a shipped model still finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posekit.data.dataset import Dataset
from posekit.geometry.boxes import extent
from posekit.geometry.keypoints import SEEN
from posekit.pipelines.predictor import Predictor
from posekit.studies.paired import contrast
from posekit.studies.parts import part
from posekit.studies.real_sets import real_set
from posekit.studies.squares import elsewhere, filled, longer_side
from posekit.transforms.geometric import still_crop
from posekit.zoo.load import load

Float = NDArray[np.floating]

MODEL = "body-crop-s"
SET = "coco_person/annotations/person_keypoints_val.json"
COUNT = 150
"""People, of those whose box has at least `LEAST` pixels and at least `POINTS` seen points of the kinds."""
LEAST, POINTS = 96.0, 6
SIZES = (0.1, 0.2, 0.4)
"""Sides of the squares over the longer side of the box."""
KINDS = {"distal": ("wrist", "ankle"), "middle": ("elbow", "knee"), "proximal": ("shoulder", "hip")}


@part
def measured_on_photos(seed: int, count: int = COUNT) -> dict[str, Any] | None:
    """Errors of the model with a square over a point and with one elsewhere in the box.

    Args:
        seed: of the people and of the locations elsewhere.
        count: people.

    Returns:
        ``model``, ``people``, ``plain`` (error by kind, in percent of the box's longer side), and ``squares``: for each
        size and kind the errors ``own`` and ``elsewhere``, and ``rise``, their difference, with the ends ``low`` and
        ``high`` of its 95 % interval over people; None where the data is absent.
    """
    dataset = real_set(SET)
    if dataset is None:
        return None
    model = load(MODEL, runtime="onnx", threads=1)
    assert isinstance(model, Predictor)
    parts = [_person(model, dataset, row, seed) for row in chosen(dataset, count, seed)]
    kinds = np.concatenate([part["kind"] for part in parts])
    person = np.repeat(np.arange(len(parts)), [len(part["kind"]) for part in parts])
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0] if key != "kind"}
    names = (*KINDS, "all")
    return {
        "model": MODEL,
        "people": len(parts),
        "plain": {name: float(joined["plain"][_of(kinds, name)].mean()) for name in names},
        "squares": {
            f"{share:g}": {
                name: contrast(
                    joined[f"own {share:g}"][_of(kinds, name)],
                    joined[f"elsewhere {share:g}"][_of(kinds, name)],
                    person[_of(kinds, name)],
                    len(parts),
                    ("own", "elsewhere"),
                )
                for name in names
            }
            for share in SIZES
        },
    }


def _of(kinds: NDArray[np.int64], name: str) -> NDArray[np.bool_]:
    if name == "all":
        return np.ones(len(kinds), bool)
    return np.asarray(kinds == list(KINDS).index(name))


def kind_of(points: tuple[str, ...]) -> NDArray[np.int64]:
    """(K,) index in `KINDS` of each point by its name, -1 for points of the head."""
    last = [name.split("_")[-1] for name in points]
    return np.array([next((i for i, names in enumerate(KINDS.values()) if n in names), -1) for n in last])


def chosen(dataset: Dataset, count: int, seed: int) -> list[int]:
    """Random people that are large enough and have enough points seen."""
    kinds = kind_of(dataset.skeleton.points)
    rows = dataset.rows
    seen = (dataset.visibility[rows] == SEEN)[:, kinds >= 0].sum(-1)
    fit = np.flatnonzero((extent(dataset.boxes[rows]).max(-1) >= LEAST) & (seen >= POINTS))
    found: list[int] = np.sort(np.random.default_rng(seed).permutation(fit)[:count]).tolist()
    return found


def _person(model: Predictor, dataset: Dataset, row: int, seed: int) -> dict[str, Any]:
    """Errors of one person's seen points in percent of the box's longer side, and their kinds."""
    own = still_crop(dataset[row], model.spec.size, model.spec.framing.padding)  # type: ignore[union-attr]
    order = list(dataset.skeleton.index(model.skeleton.points))
    kinds = kind_of(model.skeleton.points)
    xy = torch.from_numpy(own.instances.keypoints.xy[0, order]).float()
    seen = (own.instances.keypoints.visibility[0, order] == SEEN) & (kinds >= 0)
    points = np.flatnonzero(seen)
    boxes = torch.from_numpy(own.instances.boxes[:1]).float().expand(len(points), 4)
    image = torch.from_numpy(own.image).permute(2, 0, 1)[None].float()
    side = longer_side(boxes)
    truth = xy[points]
    generator = torch.Generator().manual_seed(seed + row)
    told: dict[str, Any] = {"kind": kinds[points]}
    found = _found(model, image)[0, points]
    told["plain"] = _errors(found, truth, side)
    for share in SIZES:
        centres = {"own": truth, "elsewhere": elsewhere(truth, boxes, share * side, generator)}
        for where, centre in centres.items():
            changed = filled(image.expand(len(points), -1, -1, -1), centre, share * side)
            told[f"{where} {share:g}"] = _errors(_found(model, changed)[range(len(points)), points], truth, side)
    return told


def _errors(found: Tensor, truth: Tensor, side: Tensor) -> Float:
    return np.asarray((100 * (found - truth).norm(dim=-1) / side).numpy())


def _found(model: Predictor, images: Tensor) -> Tensor:
    """(B, K, 2) points in crop pixels."""
    crops = images.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return torch.from_numpy(np.asarray(model.engine(crops).xy[:, 0], np.float32))
