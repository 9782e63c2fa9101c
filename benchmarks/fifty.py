"""Whether a system for full images learns fifty real images: `python -m benchmarks.fifty --systems centernet`.

No augmentation, 256x256, batches of 8, at most 2,000 steps from `body-s`; measured on the same images, and stopped
at AP 0.8. `--changes` repeats the run with one thing changed at a time (`CHANGES`), to see what matters; `as_is` is the
recipe of `benchmarks.onestage`. ``fifty.json`` keeps every run. Data is in `POSEKIT_DATA`.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.onestage import SYSTEMS, labels, started
from benchmarks.record import RESULTS, circumstances, write
from posekit.data.batch import Batch, collate
from posekit.data.coco import read_coco
from posekit.data.dataset import Dataset
from posekit.data.sample import Sample
from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import measure
from posekit.models.base import PoseNet
from posekit.models.heads.one_stage.branches import Branches
from posekit.models.necks.upsample import Upsample
from posekit.pipelines.predictor import Predictor
from posekit.recipe import Recipe, changed
from posekit.training.allocator import keep_freed_memory
from posekit.training.averaging import averaged
from posekit.training.engine import optimizer_for, set_rate
from posekit.training.initial import initial_net
from posekit.training.schedule import rate
from posekit.training.task import Task
from posekit.transforms.compose import Augment

COUNT, STEPS, EVERY, BATCH = 50, 2000, 100, 8
ENOUGH = 0.8
"""AP at which a run is stopped."""


def _fields(**fields: Any) -> Callable[[Recipe], Recipe]:
    """A change of fields; ``__`` stands for a dot."""
    return lambda recipe: changed(recipe, {name.replace("__", "."): value for name, value in fields.items()})


def _own_neck(recipe: Recipe) -> Recipe:
    """The neck and heads that the tiny form has on other backbones."""
    return replace(recipe, model=replace(recipe.model, neck=Upsample(), head=Branches(separable=True)))


CHANGES: dict[str, Callable[[Recipe], Recipe]] = {
    "as_is": lambda recipe: recipe,
    "unbalanced": lambda recipe: recipe,
    "fresh_heads": lambda recipe: recipe,
    "fresh_neck_and_heads": _own_neck,
    "lr_1e-4": _fields(train__lr=1e-4),
    "lr_3e-4": _fields(train__lr=3e-4),
    "lr_1e-3": _fields(train__lr=1e-3),
    "lr_3e-3": _fields(train__lr=3e-3),
    "backbone_x1": _fields(train__backbone_lr_mult=1.0),
    "backbone_x0.3": _fields(train__backbone_lr_mult=0.3),
    "backbone_x0.1": _fields(train__backbone_lr_mult=0.1),
    "backbone_frozen": _fields(train__freeze=("backbone",)),
    "unit_of_a_cell": _fields(codec__unit=None),
    "no_average": _fields(train__ema=0.0),
    "no_decay": _fields(train__weight_decay=0.0),
    "no_clipping": _fields(train__clip=0.0),
    "batch_2": _fields(train__batch=2),
    "batch_32": _fields(train__batch=32),
    "constant_rate": _fields(train__schedule="constant"),
}
"""Changes of a run; `unbalanced` takes the published weights at their own scales, `fresh_heads` random heads."""


def fifty() -> Dataset:
    """The first images of `coco_person`'s training part; each has somebody with a labelled point."""
    whole = read_coco(labels("coco_person", "train"))
    images = whole.image_of_instance()
    return whole.subset(np.flatnonzero(np.isin(images, np.unique(images)[:COUNT])))


def views_of(recipe: Recipe, dataset: Dataset) -> list[Sample]:
    """The unaugmented scenes as the network sees them."""
    still = Augment.none()
    return [still.still_scene(dataset.scene(i), size=recipe.size) for i in range(dataset.scenes)]


def batches(recipe: Recipe, count: int, steps: int) -> Iterator[list[int]]:
    """Numbers of the views in each batch, shuffled anew for every pass."""
    order: list[int] = []
    rng, size = np.random.default_rng(recipe.seed), min(recipe.train.batch, count)
    for _ in range(steps):
        while len(order) < size:
            order += rng.permutation(count).tolist()
        yield order[:size]
        order = order[size:]


def initial(recipe: Recipe, changes: Sequence[str]) -> nn.Module:
    """The network of a run before its first step."""
    torch.manual_seed(recipe.seed)
    net = initial_net(recipe, lambda line: None, balanced="unbalanced" not in changes)
    if "fresh_heads" in changes:
        net.head = recipe.build(weights=False).head
    return net


class Steps:
    """Loss terms of batches; what a frozen backbone gives is computed once, since the views never change."""

    def __init__(self, task: Task, views: Sequence[Sample], recipe: Recipe) -> None:
        self.task, self.views, self.net = task, views, cast(PoseNet, task.net)
        self.kept: list[Tensor] | None = None
        if "backbone" in recipe.train.freeze:
            with torch.no_grad():
                found = [self._backbone(collate([view])) for view in views]
            self.kept = [torch.cat(maps) for maps in zip(*found, strict=True)]

    def __call__(self, part: list[int]) -> dict[str, Tensor]:
        """Loss terms of the views with these numbers."""
        batch = collate([self.views[i] for i in part])
        maps = self._backbone(batch) if self.kept is None else [kept[part] for kept in self.kept]
        output = self.net.head(self.net.neck(maps))
        return self.task.weighed(self.task.terms(output, self.task.codec.encode(batch.instances)))

    def _backbone(self, batch: Batch) -> list[Tensor]:
        image = batch.image.contiguous(memory_format=torch.channels_last)
        maps: list[Tensor] = self.net.backbone(self.net.normalize(image))
        return maps


def average_precision(net: nn.Module, recipe: Recipe, dataset: Dataset) -> float:
    """AP on the images themselves, rounded."""
    return round(measure(Predictor(TorchEngine(net, recipe.codec, recipe.spec())), dataset).figures["AP"], 4)


def run(base: Recipe, changes: str, dataset: Dataset, steps: int) -> dict[str, Any]:
    """Train on the images with some changes, and return the curve of AP and loss terms."""
    names = changes.split("+")
    recipe = reduce(lambda made, name: CHANGES[name](made), names, base)
    net, options = initial(recipe, names), recipe.train
    task = Task(recipe, net).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_for(task, options)
    ema = averaged(net, options.ema) if options.ema else None
    curve: list[dict[str, float]] = [{"step": 0, "AP": average_precision(net, recipe, dataset)}]
    task.train()
    terms_of = Steps(task, views_of(recipe, dataset), recipe)
    began, terms, seconds = time.process_time(), [], 0.0
    for step, part in enumerate(batches(recipe, dataset.scenes, steps), 1):
        set_rate(optimizer, rate(options, step - 1, steps))
        found = terms_of(part)
        torch.stack(list(found.values())).sum().backward()
        if options.clip:
            nn.utils.clip_grad_norm_(task.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad()
        if ema is not None:
            ema.update_parameters(net)
        terms.append({name: float(value.detach()) for name, value in found.items()})
        if step % EVERY and step != steps:
            continue
        seconds += time.process_time() - began
        means = {name: round(float(np.mean([term[name] for term in terms])), 3) for name in terms[0]}
        ap = average_precision(net if ema is None else ema.module, recipe, dataset)
        curve.append({"step": step, "AP": ap, **means})
        print(f"  {changes}: {curve[-1]}", flush=True)
        if ap >= ENOUGH:
            break
        began, terms = time.process_time(), []
        task.train()
    images = curve[-1]["step"] * min(options.batch, dataset.scenes)
    return {"steps": steps, "curve": curve, "images_per_cpu_second": round(images / seconds, 2)}


def main() -> None:
    """Run every change of every system, and write each result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", default=["centernet"], choices=SYSTEMS)
    parser.add_argument("--changes", nargs="+", default=["as_is"], help="names, or several joined by +")
    parser.add_argument("--steps", type=int, default=STEPS, help="length of a run; the rate falls to 0 over it")
    asked = parser.parse_args()
    unknown = {name for change in asked.changes for name in change.split("+")} - set(CHANGES)
    if unknown:
        parser.error(f"unknown changes {sorted(unknown)}; there are {', '.join(CHANGES)}")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    dataset = fifty()
    for system in asked.systems:
        base = changed(started(system, dataset.skeleton), {"train.batch": BATCH})
        for change in asked.changes:
            found = run(base, change, dataset, asked.steps)
            about = {key: circumstances()[key] for key in ("command", "commit", "date")}
            file = RESULTS / "fifty.json"
            systems = json.loads(file.read_text(encoding="utf-8"))["systems"] if file.is_file() else {}
            systems.setdefault(system, {})[f"{change}, {asked.steps} steps"] = {**found, **about}
            write("fifty", {"systems": systems}, images=dataset.scenes, people=len(dataset))
            last = found["curve"][-1]
            print(f"{system}, {change}: AP {last['AP']:.4f} at step {last['step']}", flush=True)


if __name__ == "__main__":
    main()
