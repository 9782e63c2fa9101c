"""Successive halving within families: train to a rung, stop what is significantly worse than the family's best.

A method that learns slowly at first, such as heatmaps next to regression, would be lost to halving over all methods.
Methods are therefore compared within families only, one of each family always goes on, and a method is stopped only
where the errors of the same instances say so (Wilcoxon's signed-rank test) and by a margin, and only once the family
has learned something: before its best beats the mean pose, all of it guesses.

Source: Jamieson and Talwalkar 2016, arXiv:1502.07943, for halving. Differs: within families, and by a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.evaluation.measure import mean_pose
from posekit.evaluation.sets import Sets
from posekit.geometry.boxes import extent
from posekit.metrics.points import errors, nme_each
from posekit.metrics.signed_rank import signed_rank
from posekit.studies.compare.plan import Plan
from posekit.studies.compare.runners import Runner, Step
from posekit.studies.compare.worker import MEASURED, rung_file

Float = NDArray[np.floating]

LOG = "log.txt"
"""Output of a method's trainings, in its folder."""
ALPHA = 0.01
"""A method is stopped if its errors were this improbable for one as good as its family's best, for all tests of the
family together (Bonferroni)."""
MARGIN = 1.1
"""And only if its mean error is more than so many times that of its family's best: paired errors show differences that
do not matter."""


@dataclass(frozen=True)
class Stopped:
    """A method that was stopped.

    Args:
        epoch: after which.
        best: the method of its family that it is worse than.
        p: of the signed-rank test.
    """

    epoch: int
    best: str
    p: float


@dataclass(frozen=True, eq=False)
class Raced:
    """The end of the halving.

    Args:
        finalists: methods that were trained in full, in the order of the plan.
        stopped: the others.
        last: epoch that each method was trained to.
        curves: mean error of the instances, as a fraction of the box's longer side, by method and epoch.
    """

    finalists: tuple[str, ...]
    stopped: Mapping[str, Stopped]
    last: Mapping[str, int]
    curves: Mapping[str, Mapping[int, float]]


def race(made: Plan, out: Path, sets: Sets, runner: Runner, say: Callable[[str], None]) -> Raced:
    """Train all methods rung by rung; finished pieces in the folder are not repeated.

    Args:
        made: the plan.
        out: folder of the comparison; it holds the recipe of every method.
        sets: the data.
        runner: of the trainings.
        say: prints a line.

    Raises:
        RuntimeError: a training failed; the message names its log.
    """
    alive, stopped = list(made.methods), dict[str, Stopped]()
    val, guess = sets.val, mean_pose_error(sets)
    last, curves = dict[str, int](), {name: dict[int, float]() for name in made.methods}
    clock = Clock(made, say)
    for epoch in made.rungs:
        todo = [name for name in alive if not rung_file(folder_of(out, name), epoch).exists()]
        for name in set(alive) - set(todo):
            clock.skip(name, epoch)
        run_all(
            {name: ["train", str(folder_of(out, name)), "--until", str(epoch)] for name in todo},
            out,
            runner,
            made.device,
            partial(clock.finished, epoch),
        )
        measured = {name: instance_errors(out, name, epoch, val) for name in alive}
        for name, each in measured.items():
            last[name], curves[name][epoch] = epoch, float(np.nanmean(each))
        if epoch == made.rungs[-1]:
            break
        for members in made.families.values():
            found = worse({name: measured[name] for name in members if name in alive}, epoch, guess)
            for name, why in found.items():
                say(f"{name} stops after epoch {epoch} of {made.epochs}: worse than {why.best} (p = {why.p:.2g})")
            stopped |= found
            alive = [name for name in alive if name not in found]
        clock.alive = tuple(alive)
    return Raced(tuple(alive), stopped, last, curves)


def worse(each: Mapping[str, Float], epoch: int, guess: float = np.inf) -> dict[str, Stopped]:
    """Methods of a family that are clearly worse than its best; at most half of them, the worst first.

    Args:
        each: errors (M,) of the same instances by method.
        epoch: of the rung.
        guess: mean error of the mean pose; before the best is below it nothing is stopped.
    """
    mean = {name: float(np.nanmean(own)) for name, own in each.items()}
    best = min(mean, key=lambda name: mean[name])
    if len(each) < 2 or not mean[best] < guess:
        return {}
    p = {name: signed_rank(own - each[best], "greater") for name, own in each.items() if name != best}
    sure = [name for name, value in p.items() if value < ALPHA / len(p) and mean[name] > MARGIN * mean[best]]
    found = sorted(sure, key=lambda name: -mean[name])
    return {name: Stopped(epoch, best, p[name]) for name in found[: len(each) // 2]}


def mean_pose_error(sets: Sets) -> float:
    """Mean error of the mean pose of the training set, placed into each box: what is reached without any image."""
    return float(np.nanmean(errors_of(mean_pose(sets.train, sets.val), sets.val)))


def instance_errors(out: Path, method: str, epoch: int, val: Dataset) -> Float:
    """(M,) mean error of each validation instance at a rung; see `errors_of`."""
    return errors_of(np.load(rung_file(folder_of(out, method), epoch))["xy"], val)


def errors_of(xy: Float, val: Dataset) -> Float:
    """(M,) mean error of each instance, as a fraction of its box's longer side, for points (M, K, 2)."""
    rows = val.rows
    side = extent(val.boxes[rows]).max(-1)
    return nme_each(errors(xy, val.xy[rows]), val.visibility[rows] > 0, side)


def measure_all(methods: Sequence[str], made: Plan, out: Path, runner: Runner, say: Callable[[str], None]) -> None:
    """Export and measure the finished methods.

    Raises:
        RuntimeError: one failed; the message names its log.
    """
    todo = [name for name in methods if not (folder_of(out, name) / MEASURED).exists()]
    steps = {name: ["measure", str(folder_of(out, name))] for name in todo}
    run_all(steps, out, runner, made.device, lambda name: say(f"{name}: exported and measured"))


def folder_of(out: Path, method: str) -> Path:
    """Folder of a method's training."""
    return out / "runs" / method


def run_all(
    steps: Mapping[str, Sequence[str]], out: Path, runner: Runner, device: str, done: Callable[[str], None]
) -> None:
    """Run steps of `posekit.studies.compare.worker`, each in a process of its own.

    Raises:
        RuntimeError: some failed; the others are finished first.
    """
    todo = {
        name: Step((*words, "--device", device), (folder_of(out, name) / LOG).resolve(), Path.cwd())
        for name, words in steps.items()
    }
    failed = []
    for name in runner.run(todo, done):
        log = folder_of(out, name) / LOG
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        failed.append(f"{name} failed ({lines[-1] if lines else 'no output'}), see {log}")
    if failed:
        raise RuntimeError(f"{'; '.join(failed)}; the same command goes on from what is finished")


class Clock:
    """Says what is finished and how long the rest takes if no further method is stopped."""

    def __init__(self, made: Plan, say: Callable[[str], None]) -> None:
        self.made, self.say = made, say
        self.started, self.alive = time.monotonic(), made.methods
        self.at = dict.fromkeys(made.methods, 0)
        self.trained = 0

    def skip(self, name: str, epoch: int) -> None:
        """A rung that was finished before this call."""
        self.at[name] = epoch

    def finished(self, epoch: int, name: str) -> None:
        """A rung that is finished now."""
        self.trained += epoch - self.at[name]
        self.at[name] = epoch
        each = (time.monotonic() - self.started) / max(self.trained, 1)
        left = each * sum(self.made.epochs - self.at[method] for method in self.alive)
        rest = f", at most {max(1, round(left / 60))} more minutes" if left else ""
        self.say(f"{name}: epoch {epoch} of {self.made.epochs}{rest}")
