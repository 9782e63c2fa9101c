"""`posekit train mtcnn --data.train F --out DIR`: a cascade for faces and their five points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from posekit.cli.kinds import Files, OneFile, Text
from posekit.data.named import read_named
from posekit.recipe import RecipeError
from posekit.training.mtcnn.train import CascadeTraining, train_cascade


@dataclass(frozen=True)
class FaceData:
    """Where the labelled faces are."""

    train: Files = ()
    "label files of faces with five points: COCO JSON, YOLO data.yaml, or a pack; several are joined"
    val: Files = ()
    "label files for evaluation; none: no evaluation"
    images: OneFile = None
    "folder of the images, if they are not where the label file says"
    category: Text = None
    "category to use, if a file has several"
    skeleton: Text = None
    "face5, if the file has the five points in face5's order under other names"


@dataclass(frozen=True)
class Options:
    """Train the three networks of MTCNN in turn on your labelled faces.

    Each network is written when it is finished; if the command is run again, finished networks are kept.
    """

    out: Path
    "folder for the weights, for `posekit predict --model mtcnn --weights`"
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
