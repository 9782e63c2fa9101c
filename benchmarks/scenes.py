"""Systems for full images compared on real scenes: accuracy, size, and time by number of people.

    python -m benchmarks.scenes backbone [--init RUN] [--root DIR]
    python -m benchmarks.scenes train [--only NAME...] [--epochs N] [--init RUN] [--scales Z...] [--root DIR]
    python -m benchmarks.scenes latency [--only NAME...] [--rounds N]

Every run is one `posekit train` on COCO and synthetic scenes of 256x256, with people of LSP extended pasted in, in a
process of its own, on one thread, 600 images an epoch; an interrupted run is resumed. The backbone is
EfficientNet-Lite0 with ImageNet weights, or with `--init` that of another run, its first stages frozen. `backbone`
trains such a run: heatmaps on crops of 128x128 of the people of LSP extended and, three times an epoch, of COCO's;
its figures are those of poses in given boxes. `train` writes ``scenes.json`` after every run and does not repeat runs
that it contains; with `--scales 1 2` it evaluates each run once more at these sizes. `backbone` writes
``scenes_backbone.json``, `latency` ``scenes_latency.json``. All other options of both trainings are passed to
`posekit train`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ladder import evaluated, held, root, train
from benchmarks.people import people
from benchmarks.record import write
from posekit.data.synthetic import Synthetic
from posekit.engines.torch import read_out
from posekit.models.compress.count import measure
from posekit.recipe import Recipe
from posekit.recipes import RECIPES, SYSTEMS
from posekit.skeletons import SKELETONS
from posekit.studies.timing import interleaved, summary

SIZE = (256, 256)
EPOCHS = 33
DRAWN = 73
"""Synthetic scenes; with the 527 of COCO an epoch has 600 images."""
BACKBONE = ("--backbone", "efficientnet_lite", "--model.backbone.weights", "imagenet")
FROZEN = ("--train.freeze", "backbone.conv_stem", "backbone.bn1", *(f"backbone.blocks.{i}" for i in range(3)))
OPTIONS = (
    *("--train.lr", "2e-3", "--train.backbone-lr-mult", "0.33", "--train.batch", "4", "--train.eval-every", "8"),
    *FROZEN,
    # People of a small picture are small enough, and twenty thousand images too few to learn them upside down.
    *("--augment.scene.scale", "0.8", "2.2", "--augment.scene.rotate-probability", "0"),
    *("--augment.scene.mosaic", "0.1", "--augment.scene.paste", "0.8", "--augment.scene.pasted", "3"),
)
CROPS = (
    *("--size", "128", "128", "--train.epochs", "6", "--train.lr", "3e-3", "--train.backbone-lr-mult", "0.33"),
    *("--augment.geometry.rotation", "0", "--augment.geometry.scale", "0.25", "--augment.geometry.shift", "0.05"),
    *FROZEN,
)
"""Options of the run that trains a backbone."""
PEOPLE = (1, 4, 16, 64)
COCO = "coco_mini_person/annotations"
SKELETON = SKELETONS["coco17"]


def drawn_scenes(folder: Path) -> Path:
    """The label file of the synthetic scenes, written if it does not exist."""
    file = folder / "labels.json"
    return file if file.exists() else Synthetic(SKELETON, DRAWN, SIZE, seed=11, people=4).to_files(folder)


def command(system: str, folder: Path, run: Path, epochs: int, start: Path | None, extra: tuple[str, ...]) -> list[str]:
    """Arguments of one `posekit train`; synthetic scenes and pasted people are in ``folder``."""
    return [
        *("train", f"{system}-tiny", "--data.train", coco("train"), str(drawn_scenes(folder / "drawn"))),
        *("--data.val", coco("val"), "--data.people", str(people(folder / "people"))),
        *("--data.skeleton", "coco17", "--size", *map(str, SIZE), "--train.epochs", str(epochs)),
        *("--out", str(run), "--resume", *initial_net(start), *OPTIONS, *extra),
    ]


def backbone_command(folder: Path, run: Path, start: Path | None, extra: tuple[str, ...]) -> list[str]:
    """Arguments of the `posekit train` that trains a backbone."""
    return [
        *("train", "topdown-dark-tiny", "--data.train", str(people(folder / "people")), *[coco("train")] * 3),
        *("--data.val", coco("val"), "--data.skeleton", "coco17"),
        *("--out", str(run), "--resume", *initial_net(start), *CROPS, *extra),
    ]


def coco(split: str) -> str:
    """The label file of a split."""
    return str(root() / COCO / f"person_keypoints_{split}.json")


def initial_net(start: Path | None) -> tuple[str, ...]:
    """Options for the backbone and its initial weights."""
    return BACKBONE if start is None else (*BACKBONE[:2], "--init", str(start))


def trained(asked: argparse.Namespace, extra: tuple[str, ...]) -> None:
    """Train system after system."""
    methods, _ = held("scenes")
    for system in asked.only:
        run = asked.root / f"{system}-{asked.epochs}"
        words = command(system, asked.root, run, asked.epochs, asked.init, extra)
        if methods.get(system, {}).get("command") != said(words, asked.root):
            methods[system] = {**train(words, run), "command": said(words, asked.root)}
        if asked.scales:
            words = ["--data", coco("val"), "--scales", *asked.scales]
            methods[system].setdefault("scaled", {})[" ".join(asked.scales)] = evaluated(run, words)
        file = write("scenes", {"methods": methods}, size=SIZE)
        print(f"{system}: {methods[system]['figures']}; in {file}", flush=True)


def backbone_trained(asked: argparse.Namespace, extra: tuple[str, ...]) -> None:
    """Train a backbone for full images, and evaluate it in given boxes."""
    run = asked.root / "backbone"
    words = backbone_command(asked.root, run, asked.init, extra)
    found = {**train(words, run), "command": said(words, asked.root)}
    found["figures"] = evaluated(run, ["--data", coco("val")])
    print(f"{found['figures']}; in {write('scenes_backbone', {'methods': {'topdown-dark': found}})}", flush=True)


def said(words: list[str], folder: Path) -> str:
    """The command for the result file, without the paths of this machine."""
    return " ".join(["posekit", *words]).replace(str(root()), "$POSEKIT_DATA").replace(str(folder), "runs/scenes")


def network(recipe: Recipe) -> Callable[[], Any]:
    """A call of the network alone."""
    net, image = _net(recipe), _image(recipe)

    def call() -> Any:
        with torch.inference_mode():
            return net(image)

    return call


def whole(recipe: Recipe, people: int) -> Callable[[], Any]:
    """A call that finds a given number of people in one image, with NMS."""
    made = replace(recipe, codec=replace(recipe.codec, max_instances=people))
    net, image, choose = _net(made), _image(made), replace(made.nms, score_threshold=0.0)
    sigmas = made.skeleton.oks_sigmas

    def call() -> Any:
        with torch.inference_mode():
            poses = read_out(net, made.codec, image).each(lambda a: a[0].numpy())
        return choose(poses, sigmas)

    return call


def _net(recipe: Recipe) -> torch.nn.Module:
    torch.manual_seed(0)
    return recipe.build(weights=False).eval().to(memory_format=torch.channels_last)


def _image(recipe: Recipe) -> torch.Tensor:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 256, (1, 3, *recipe.size), dtype=np.uint8))
    return image.contiguous(memory_format=torch.channels_last)


def timed(asked: argparse.Namespace) -> None:
    """Time all systems, interleaved."""
    torch.set_num_threads(1)
    recipes = {name: RECIPES[f"{name}-tiny"](SKELETON, size=SIZE, backbone=BACKBONE[1]) for name in asked.only}
    calls: dict[str, Callable[[], Any]] = {}
    for name, recipe in recipes.items():
        calls[f"{name}, network"] = network(recipe)
        calls |= {f"{name}, {count} people": whole(recipe, count) for count in PEOPLE}
    times = summary(interleaved(calls, asked.rounds))
    costs = {}
    for name, recipe in recipes.items():
        parts = measure(recipe.build(weights=False), recipe.size)
        alone = times[f"{name}, network"]["median_ms"]
        people = {str(count): times[f"{name}, {count} people"]["median_ms"] for count in PEOPLE}
        costs[name] = {
            "network_ms": alone,
            "people_ms": people,
            "decoding_share_of_64": people["64"] / alone - 1,
            "head_macs": sum(parts[part].macs for part in ("neck", "head") if part in parts),
            "macs": parts["total"].macs,
            "parameters": parts["total"].parameters,
        }
    print(f"in {write('scenes_latency', {'methods': costs}, size=SIZE)}")


def main() -> None:
    """Train or time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("backbone", "train", "latency"))
    parser.add_argument("--only", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--init", type=Path, help="a trained run whose backbone is the start")
    parser.add_argument("--scales", nargs="+", default=[], help="evaluate again at these image scales")
    parser.add_argument("--root", type=Path, default=Path("runs/scenes"))
    parser.add_argument("--rounds", type=int, default=20)
    asked, extra = parser.parse_known_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if asked.what == "backbone":
        backbone_trained(asked, tuple(extra))
    elif asked.what == "train":
        trained(asked, tuple(extra))
    else:
        timed(asked)


if __name__ == "__main__":
    main()
