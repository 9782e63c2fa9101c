"""Time of a training step: network, backward, optimiser, and everything else (overhead).

    python -m benchmarks.step

One epoch of the real `Loop` (loader, targets, losses, averaging, progress) on synthetic people held in memory, on one
thread, with timers around its parts; figures are medians over steps of process CPU time. Everything but the network's
forward, backward and the optimiser's step counts as overhead, loading included.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.record import write
from posekit.data.dataset import Dataset
from posekit.data.synthetic import Synthetic
from posekit.models.backbones.resnet import ResNet
from posekit.recipe import Recipe
from posekit.recipes import RECIPES
from posekit.skeletons.body import COCO17
from posekit.studies.timing import aim
from posekit.training.loop import Loop
from posekit.training.task import Task

WARM = 3


class Clock:
    """Sums process CPU time by name, step by step."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = defaultdict(list)
        self.open: dict[str, float] = defaultdict(float)
        self.last = time.process_time()

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return call(*arguments, **named)
            finally:
                self.open[name] += time.process_time() - start

        return timed

    def close_step(self) -> None:
        """End a step."""
        now = time.process_time()
        self.open["whole"], self.last = now - self.last, now
        for name, spent in self.open.items():
            self.parts[name].append(1000 * spent)
        self.open = defaultdict(float)


def in_memory(count: int, size: tuple[int, int]) -> Dataset:
    """Synthetic people as JPEG bytes in memory, so that a step decodes them as it does files."""
    dataset = Synthetic(COCO17, count, size=size).dataset()
    records = []
    for record in dataset.images:
        data = cv2.imencode(".jpg", record.read()[..., ::-1])[1]
        records.append(replace(record, load=partial(cv2.imdecode, data, cv2.IMREAD_COLOR_RGB)))
    return replace(dataset, images=tuple(records))


@contextmanager
def clocked(loop: Loop, clock: Clock) -> Iterator[None]:
    """Timers around the parts of a loop."""
    net, optimizer, engine = loop.net, loop.optimizer, loop.engine
    net.forward = clock.around("forward", net.forward)  # type: ignore[method-assign]
    engine.backward = clock.around("backward", engine.backward)  # type: ignore[method-assign]
    optimizer.step = clock.around("optimiser", optimizer.step)
    task = engine.unwrap_model(loop.task)
    assert isinstance(task, Task)
    task.forward = clock.around("task", task.forward)  # type: ignore[method-assign]
    for loss in task.losses.values():
        loss.forward = clock.around("losses", loss.forward)
    if loop.ema is not None:
        loop.ema.update_parameters = clock.around("averaging", loop.ema.update_parameters)  # type: ignore[method-assign]
    step = loop._step

    def whole(batch: Any) -> None:
        # What lies between two steps is loading.
        clock.open["loading"] = time.process_time() - clock.last
        step(batch)
        clock.close_step()

    loop._step = whole  # type: ignore[method-assign]
    yield


def measured(recipe: Recipe, dataset: Dataset, steps: int) -> dict[str, Any]:
    """Median milliseconds of each part, and the share of the overhead."""
    options = replace(recipe.train, epochs=1, eval_every=1, tensorboard=False)
    recipe = replace(recipe, train=options)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        repeat = -(-(steps + WARM) * options.batch // len(dataset))
        loop = Loop(recipe, Path(folder), dataset, dataset, device="cpu", repeat=repeat, say=lambda line: None)
        loop._close_epoch = lambda: None  # type: ignore[method-assign]
        with clocked(loop, clock):
            clock.last = time.process_time()
            loop._epoch()
    parts = {name: np.array(values[WARM:]) for name, values in clock.parts.items()}
    network = parts["forward"] + parts["backward"] + parts["optimiser"]
    parts["targets"] = parts.pop("task") - parts["forward"] - parts["losses"]
    outside = parts["whole"] - network
    parts["bookkeeping"] = outside - sum(parts[n] for n in ("loading", "targets", "losses", "averaging") if n in parts)
    return {
        "batch": options.batch,
        "steps": len(outside),
        "median_ms": {name: round(float(np.median(values)), 3) for name, values in parts.items()},
        "overhead": round(float(np.median(outside / parts["whole"])), 4),
        "overhead_without_loading": round(float(np.median((outside - parts["loading"]) / parts["whole"])), 4),
    }


def cases() -> dict[str, tuple[Recipe, tuple[int, int], int, float]]:
    """Name to recipe, image size, number of steps and target of the overhead."""
    plain = RECIPES["topdown-dark"](COCO17, size=(256, 192))
    plain = replace(
        plain,
        model=replace(plain.model, backbone=ResNet(depth=18)),
        train=replace(plain.train, batch=8),
    )
    tiny = RECIPES["topdown-dark-tiny"](COCO17, size=(128, 96))
    return {
        "resnet-18, 256x192": (plain, (480, 640), 10, 0.08),
        "tiny, 128x96": (tiny, (240, 320), 25, 0.25),
    }


def main() -> dict[str, Any]:
    """Time and write `step.json`."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    result: dict[str, Any] = {"cases": {}, "aims": {}}
    for name, (recipe, size, steps, most) in cases().items():
        figures = result["cases"][name] = measured(recipe, in_memory(32, size), steps)
        result["aims"][f"overhead of a step, {name}"] = aim(figures["overhead"], most=most)
        print(name, figures)
    print(f"in {write('step', result)}")
    return result


if __name__ == "__main__":
    main()
