"""`posekit train mtcnn --data.train F --out DIR`: a cascade that finds faces and locations five points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from posekit.data.named import read_named
from posekit.recipe import RecipeError
from posekit.training.mtcnn.train import CascadeTraining, train_cascade


@dataclass(frozen=True)
class FaceData:
    """Where the labelled faces are."""

    train: tuple[Path, ...] = ()
    "label files of faces with five points: COCO JSON, YOLO data.yaml, or a pack; several are joined"
    val: tuple[Path, ...] = ()
    "label files to measure on; none: nothing is measured"
    images: Path | None = None
    "folder of the images, where the label file does not lead to it"
    category: str | None = None
    "which category's points, where the file has several"
    skeleton: str | None = None
    "face5, where the file names the five points differently and has them in its order"


@dataclass(frozen=True)
class Options:
    """Train the three networks of MTCNN in turn on your labelled faces.

    A finished network is written at once and taken as it is when the command is given again.
    """

    out: Path
    "folder of the weights, for `posekit predict --model mtcnn --weights`"
    data: FaceData = field(default_factory=FaceData)
    training: Annotated[CascadeTraining, tyro.conf.arg(name="")] = field(default_factory=CascadeTraining)
    device: str = "auto"
    "auto, cpu, cuda"


def run(argv: Sequence[str]) -> int:
    """Train a cascade; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit train mtcnn")
    data = options.data
    if not data.train:
        raise RecipeError("no training data: give --data.train FILE (COCO JSON, YOLO data.yaml, or a pack)")
    named = partial(read_named, images=data.images, category=data.category, skeleton=data.skeleton)
    train = named(data.train, split="train")
    val = named(data.val, split="val") if data.val else None
    for sentence in train.inferred:
        print(f"  {sentence}")
    train_cascade(train, options.out, options.training, val=val, device=options.device)
    print(f"the cascade is in {options.out}: posekit predict photo.jpg --model mtcnn --weights {options.out}")
    return 0
