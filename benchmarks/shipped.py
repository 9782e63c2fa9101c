"""The shipped models, trained as they were: `python -m benchmarks.shipped body-crop-s --start FOLDER`.

FOLDER is what `posekit models convert movenet-lightning.json` wrote (thunder for `body-crop-m`); `sport-crop-m` starts
from `body-crop-m`, `face-s` from random weights. Each stage of a model's training goes into `runs/shipped/NAME-STAGE`;
an interrupted stage is resumed, and `--from-stage 3 --start FOLDER` begins with a later one. Data is in `POSEKIT_DATA`.
`body-crop-s`, `body-crop-m`, `hand-s` and the first stages of the sports models were trained before `initial_net`
balanced the weights of a start: a repetition starts from the same function, with other scales of its weights.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.ladder import root
from posekit.codecs.heatmap import PRIOR
from posekit.data.agreement import agreement, repaired
from posekit.data.coco import read_coco, to_results
from posekit.data.dataset import Dataset, merged
from posekit.data.predictions import read_predictions
from posekit.data.renaming import as_skeleton
from posekit.evaluation.measure import predicted
from posekit.evaluation.sets import Sets
from posekit.geometry.framing import Crop
from posekit.geometry.skeleton import Skeleton
from posekit.losses import LOSSES
from posekit.losses.distillation import Teacher
from posekit.models.backbones.movenet import MoveNet
from posekit.models.backbones.resnet import ResNet
from posekit.models.heads.maps import Maps
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.necks.upsample import Upsample
from posekit.recipe import Recipe, Train, save
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.run import train
from posekit.transforms.geometric import Geometry
from posekit.zoo.folder import find_model
from posekit.zoo.load import load
from posekit.zoo.weights import load_weights, save_weights

SURE = 0.3
"""Score threshold of the teacher's points."""


def labels(file: str, skeleton: str | None = None) -> Dataset:
    """A label file of `POSEKIT_DATA`; with the names and mirror pairs of a known skeleton, in the order of the file."""
    dataset = read_coco(root() / file)
    return dataset if skeleton is None else replace(dataset, skeleton=SKELETONS[skeleton])


def lsp() -> Dataset:
    """LSP extended with swapped sides corrected and outliers removed, by the teacher that comes with it."""
    dataset = labels("lspe/annotations/lspe_train.json")
    found = agreement(
        dataset, read_predictions(root() / "lspe/teacher_movenet_thunder.json", dataset), score_threshold=SURE
    )
    fixed = repaired(dataset, found)
    visibility = fixed.visibility.copy()
    visibility[fixed.rows] = np.where(found.outlier, 0, visibility[fixed.rows])
    return replace(fixed, visibility=visibility)


def coco_people(skeleton: Skeleton, points: int = 5, side: float = 40.0) -> list[Dataset]:
    """COCO's people with a minimum box side (longer side, pixels) and number of labelled points."""
    sets = []
    for name in ("coco_person", "coco_mini_person"):
        dataset = as_skeleton(labels(f"{name}/annotations/person_keypoints_train.json"), skeleton)
        boxes = dataset.boxes[dataset.rows]
        labelled = (dataset.visibility[dataset.rows] > 0).sum(1)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(1)
        sets.append(dataset.subset(np.flatnonzero((labelled >= points) & (sides >= side))))
    return sets


def faces() -> Sets:
    """68 points: HELEN and AFW; HELEN's test part to measure on."""
    folder = "face300w_helen_afw/annotations"
    train = merged([labels(f"{folder}/{name}.json", "face68") for name in ("helen_train", "afw")])
    return Sets(train, labels(f"{folder}/helen_test.json", "face68"), ())


def hands() -> Sets:
    """21 points, from COCO-WholeBody."""
    folder = "hand_coco_wholebody/annotations"
    return Sets(labels(f"{folder}/hand_train.json", "hand21"), labels(f"{folder}/hand_val.json", "hand21"), ())


def bodies() -> Sets:
    """17 points: COCO's people."""
    train = merged(coco_people(SKELETONS["coco17"]))
    return Sets(train, labels("coco_person/annotations/person_keypoints_val.json"), ())


def sport() -> Sets:
    """14 points: LSP extended, and COCO's people with LSP's point names."""
    dataset = lsp()
    return replace(athletes(), train=merged([dataset, *coco_people(dataset.skeleton)]))


def athletes() -> Sets:
    """14 points: LSP extended."""
    return Sets(lsp(), labels("lspe/annotations/lspe_val.json"), ())


@dataclass(frozen=True)
class Stage:
    """One training run of a model."""

    size: int
    epochs: int
    lr: float
    backbone: float = 0.3
    """Rate of the backbone over that of the rest."""
    precision: Literal["no", "bf16"] = "no"
    sets: Callable[[], Sets] | None = None
    """Instead of the plan's."""
    teacher: str | None = None
    """A model whose points, with flip test, are learned from beside the labels."""


@dataclass(frozen=True)
class Plan:
    """How a shipped model is trained."""

    sets: Callable[[], Sets]
    stages: tuple[Stage, ...]
    padding: float = 1.25
    rotation: float = 30.0
    scale: float = 0.2
    half_body: float = 0.0
    flip: float = 0.5
    """Share of mirrored crops; 0 for hands, which were trained before their mirror pairs were given."""
    neck: MoveNetFPN | Upsample = field(default_factory=MoveNetFPN)
    """The published one gives 24 channels: enough for a body, too few for the 21 points of a hand."""
    hidden: int = 96
    """Channels of the head's hidden layer; 0: none."""
    backbone: MoveNet | ResNet = field(default_factory=MoveNet)
    """MoveNet's starts from its weights, any other from random ones."""
    batch: int = 32
    logits: bool = False
    """Heatmaps as logits, trained with a focal loss: those that MoveNet's own heatmap head gives."""
    points: tuple[str, ...] = ()
    """Points of the start for points that it does not have, as `Recipe.init_points`."""


SPORT = ("neck=left_shoulder", "head_top=nose")

PLANS = {
    "face-s": Plan(
        faces,
        (Stage(128, 60, 2e-3, 1.0, "bf16"), Stage(192, 60, 1e-3, 1.0, "bf16")),
        scale=0.25,
        neck=Upsample(64),
        hidden=0,
        backbone=ResNet(18, 0.5),
        batch=16,
    ),
    "hand-s": Plan(hands, (Stage(128, 30, 2e-3),), rotation=90.0, scale=0.25, neck=Upsample(64), hidden=0, flip=0.0),
    "body-crop-s": Plan(bodies, (Stage(192, 3, 5e-4, 0.5), Stage(256, 1, 3e-4, 0.5)), logits=True),
    "body-crop-m": Plan(bodies, (Stage(256, 1, 2e-4, 0.5),), logits=True, backbone=MoveNet("thunder")),
    "sport-crop-s": Plan(
        sport,
        (
            Stage(128, 7, 1e-3),
            Stage(192, 7, 6e-4, 0.5),
            Stage(256, 3, 4e-4, 0.5, "bf16", athletes, "sport-crop-m"),
        ),
        hidden=0,
    ),
    "sport-crop-m": Plan(athletes, (Stage(256, 2, 3e-4, 0.5),), logits=True, points=SPORT, backbone=MoveNet("thunder")),
}


def taught(dataset: Dataset, teacher: str, file: Path) -> str:
    """Points that a model finds in a set, with flip test, as a file of COCO results; kept where it is there."""
    if not file.exists():
        poses = predicted(load(find_model(teacher), flip_test=True, half=True), dataset, progress=True)
        numbers = [dataset.images[i].id for i in dataset.image_of_instance()]
        results = [entry for row, number in enumerate(numbers) for entry in to_results(poses[row : row + 1], number)]
        file.write_text(json.dumps(results), encoding="utf-8")
    return str(file)


def recipe(skeleton: Skeleton, plan: Plan, stage: Stage, init: str | None) -> Recipe:
    """Heatmaps with DARK, from the weights of ``init``."""
    base = RECIPES["topdown-dark"](skeleton, size=(stage.size, stage.size))
    geometry = Geometry(
        scale=plan.scale,
        rotation=plan.rotation,
        rotate_probability=0.7,
        shift=0.05,
        half_body=plan.half_body,
        flip=plan.flip,
    )
    if plan.logits:
        base = replace(base, codec=replace(base.codec, activation="sigmoid"), losses={"qfl": LOSSES["qfl"]()})
    return replace(
        base,
        model=replace(base.model, backbone=plan.backbone, neck=plan.neck, head=Maps(channels=plan.hidden)),
        framing=Crop(padding=plan.padding),
        train=Train(
            epochs=stage.epochs,
            batch=plan.batch,
            lr=stage.lr,
            backbone_lr_mult=stage.backbone,
            precision=stage.precision,
            tensorboard=False,
        ),
        augment=replace(base.augment, geometry=geometry),
        init=init,
        init_points=plan.points,
    )


def as_heatmaps(source: Path, made: Recipe, folder: Path) -> Path:
    """Backbone, pyramid and heatmap head of a converted MoveNet as a start for a recipe of heatmaps."""
    theirs, net = load_weights(source).net.state_dict(), made.build()
    state = {}
    for name in net.state_dict():
        there = name.replace("head.maps.heatmap", "head.branches.peaks").replace("neck.", "neck.neck.", 1)
        state[name] = theirs[there].clone()
    # The codec adds the prior itself.
    state["head.maps.heatmap.3.bias"] -= PRIOR
    net.load_state_dict(state)
    save_weights(folder, net, replace(made, init=None), {})
    return folder


def main() -> None:
    """Train the named models, one stage after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", choices=PLANS)
    parser.add_argument("--start", help="weights folder of the start; `face-s` needs none")
    parser.add_argument("--out", default="runs/shipped", type=Path, help="folder of the runs")
    parser.add_argument("--from-stage", type=int, default=1, help="leave out earlier ones: FOLDER is their result")
    args = parser.parse_args()
    for name in args.models:
        plan = PLANS[name]
        needed = isinstance(plan.backbone, MoveNet) or args.from_stage > 1
        init = args.start if needed else None
        if needed and init is None:
            parser.error(f"{name} starts from a model: --start FOLDER is missing")
        for number, stage in enumerate(plan.stages, 1):
            if number < args.from_stage:
                continue
            sets = (stage.sets or plan.sets)()
            folder = args.out / f"{name}-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            made = recipe(sets.train.skeleton, plan, stage, init)
            if number > 1:
                made = replace(made, init_points=())
            if number == 1 and plan.logits and load_weights(init).recipe.codec.kind == "movenet":
                init = str(as_heatmaps(Path(args.start), made, args.out / f"{name}-start"))
                made = replace(made, init=init)
            if stage.teacher:
                file = taught(sets.train, stage.teacher, args.out / f"{name}-{number}-teacher.json")
                made = replace(made, distill=Teacher(file, outliers=0.0))
            save(made, folder / "recipe.json")
            train(made, folder, sets, device="cpu", resume=True)
            init = str(folder)


if __name__ == "__main__":
    main()
