"""The training loop, on Hugging Face's accelerate.

All random numbers are functions of (seed, epoch, sample) or (seed, epoch, step, process) and not of earlier ones, so a
resumed run equals an uninterrupted one byte for byte.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from posekit.data.batch import Batch
from posekit.data.dataset import Dataset
from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import Measured, measure
from posekit.pipelines.predictor import Predictor
from posekit.recipe import Recipe
from posekit.training import checkpoint
from posekit.training.allocator import keep_freed_memory
from posekit.training.averaging import averaged
from posekit.training.display import Display
from posekit.training.engine import TrainingError, engine_for, optimizer_for, set_rate
from posekit.training.initial import initial_net
from posekit.training.loader import steps_per_epoch, training_loader, training_view
from posekit.training.progress import Progress
from posekit.training.schedule import rate
from posekit.training.stopping import Stop
from posekit.training.task import Task
from posekit.training.wrap import wrap_task
from posekit.zoo.weights import save_weights

ZEROS = 20
"""Number of consecutive steps with a loss of exactly 0 after which a run is stopped with an error."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Result of a finished run.

    Args:
        run: folder of the run.
        best: evaluation of the best weights, if they were found since the run was started or resumed.
        progress: final state and curves.
    """

    run: Path
    best: Measured | None
    progress: Progress


class Loop:
    """One run over a training set.

    Args:
        recipe: model, data options and training options.
        run: output folder.
        train: training set.
        val: validation set.
        device: "auto", "cpu", "cuda", ...
        repeat: passes over the training set in an epoch; use more than 1 for very small sets.
        people: images of one person each to paste into full images.
        enough: whether an evaluation is good enough to stop.
        say: prints a line on the main process.
    """

    def __init__(
        self,
        recipe: Recipe,
        run: Path,
        train: Dataset,
        val: Dataset,
        *,
        device: str = "auto",
        repeat: int = 1,
        people: Dataset | None = None,
        enough: Callable[[Measured], bool] = lambda measured: False,
        say: Callable[[str], None] = print,
    ) -> None:
        self.recipe, self.run, self.val, self.say, self.enough = recipe, run, val, say, enough
        self.options = recipe.train
        self.engine = engine_for(self.options, device)
        torch.manual_seed(recipe.seed)
        self.crops = training_view(train, recipe, repeat, people)
        self.per_epoch = steps_per_epoch(len(self.crops), self.options.batch, self.engine.num_processes)
        self.updates_per_epoch = -(-self.per_epoch // self.options.accumulate)
        plain = Task(recipe, initial_net(recipe, say))
        task = wrap_task(plain, recipe, train, self.options.epochs * self.per_epoch)
        if self.options.channels_last:
            _lay_channels_last(cast(nn.Module, task.net))
        optimizer = optimizer_for(task, self.options)
        self.task, self.optimizer = self.engine.prepare(task, optimizer)
        self.net: nn.Module = self.engine.unwrap_model(self.task).net
        self.progress = Progress()
        self.engine.register_for_checkpointing(self.progress)
        self.ema = averaged(self.net, self.options.ema) if self.options.ema else None
        if self.ema is not None:
            self.engine.register_for_checkpointing(self.ema)
        self.display = Display(run, self.options, enabled=self.engine.is_main_process)
        self.best: Measured | None = None
        self.zeros = 0

    def resume(self) -> bool:
        """Resume from the newest checkpoint of the run; returns whether there was one."""
        folder = checkpoint.find(self.run)
        if folder is None:
            return False
        checkpoint.restore(self.engine, folder)
        done, epochs = self.progress.epoch, self.options.epochs
        if done >= epochs or self.progress.stopped:
            early = " by early stopping" if done < epochs else ""
            self.say(f"already finished{early}, after epoch {done} of {epochs}")
        else:
            self.say(f"resumed from {folder} at epoch {done + 1}, step {self.progress.step}")
        return True

    def train(self, until: int | None = None) -> Outcome:
        """Train to the last epoch or until early stopping.

        Args:
            until: pause after this epoch, with the schedule of the full run; `resume` and another call continue it.
        """
        last = self.options.epochs if until is None else min(until, self.options.epochs)
        steps = self.options.epochs * self.per_epoch
        if self.options.keep_memory and self.engine.device.type == "cpu":
            keep_freed_memory()
        with _without_denormals(), Stop() as self.stop, self.display.following(steps, self.progress):
            while self.progress.epoch < last and not self.progress.stopped:
                self._epoch()
        self.engine.wait_for_everyone()
        return Outcome(self.run, self.best, self.progress)

    def _epoch(self) -> None:
        progress, engine = self.progress, self.engine
        self.task.train()
        loader = training_loader(
            self.crops,
            epoch=progress.epoch,
            start=progress.step,
            rank=engine.process_index,
            world=engine.num_processes,
            pinned=engine.device.type == "cuda",
        )
        saved = time.monotonic()
        for batch in loader:
            self._step(batch.to(engine.device, non_blocking=True))
            if self.stop.asked or self._checkpoint_due(saved):
                checkpoint.save(engine, self.run)
                saved = time.monotonic()
            self.stop.raise_if_asked()
        # Save first: evaluation may fail, such as on an unreadable image, and the epoch would be lost.
        checkpoint.save(engine, self.run)
        self._close_epoch()
        checkpoint.save(engine, self.run)

    def _checkpoint_due(self, saved: float) -> bool:
        """Whether to save within an epoch; all processes must agree, so the main process decides by its clock."""
        if self.progress.step == self.per_epoch:
            return False
        if self.options.checkpoint_steps:
            return self.progress.step % self.options.checkpoint_steps == 0
        due = time.monotonic() - saved > 60 * self.options.checkpoint_minutes > 0
        if self.engine.num_processes == 1:
            return due
        if self.progress.step % 20:
            return False
        flag = torch.tensor([float(due and self.engine.is_main_process)], device=self.engine.device)
        return bool(self.engine.reduce(flag, "sum").item() > 0)

    def _step(self, batch: Batch) -> None:
        progress, options = self.progress, self.options
        torch.manual_seed(_draw(self.recipe.seed, progress.epoch, progress.step, self.engine.process_index))
        self._advance()
        layout = torch.channels_last if options.channels_last else torch.contiguous_format
        batch = replace(batch, image=batch.image.contiguous(memory_format=layout))
        last = progress.step + 1 == self.per_epoch
        update = last or (progress.step + 1) % options.accumulate == 0
        with nullcontext() if update else self.engine.no_sync(self.task):
            terms = self.task(batch)
            loss = torch.stack(list(terms.values())).sum()
            values = torch.stack([t.detach() for t in terms.values()]).tolist()
            if not np.isfinite(values).all():
                self._stop_on_nan(batch, dict(zip(terms, values, strict=True)))
            self._stop_on_zero(values)
            self.engine.backward(loss / self._group())
        if update:
            self._update()
        progress.add(dict(zip(terms, values, strict=True)), self._images())
        self.display.stepped(progress, values)

    def _advance(self) -> None:
        """Update scheduled values besides weights: temperatures, pruning, quantisation."""
        done = (self.progress.epoch * self.per_epoch + self.progress.step) / (self.options.epochs * self.per_epoch)
        for net in (self.net, *([] if self.ema is None else [self.ema.module])):
            self.recipe.override.advance(net, done)
        self.recipe.prune.advance(self.net, done)
        self.recipe.quantise.advance(self.net, done)

    def _images(self) -> int:
        """Number of images of this step over all processes; steps may differ by one image."""
        share, rest = divmod(len(self.crops), self.per_epoch)
        return share + (self.progress.step < rest)

    def _group(self) -> int:
        """Number of accumulated batches in this update; the last update of an epoch may have fewer."""
        before = self.progress.step - self.progress.step % self.options.accumulate
        return min(self.options.accumulate, self.per_epoch - before)

    def _update(self) -> None:
        options = self.options
        total = options.epochs * self.updates_per_epoch
        now = rate(options, self.progress.updates, total)
        set_rate(self.optimizer, now, backbone=self.progress.updates >= options.head_first * total)
        if options.clip:
            self.engine.clip_grad_norm_(self.task.parameters(), options.clip)
        with self.recipe.prune.holding(self.net):
            self.optimizer.step()
        self.optimizer.zero_grad()
        self.progress.updates += 1
        if self.ema is not None:
            self.ema.update_parameters(self.net)
            self.recipe.prune.follow(self.ema.module, self.net)

    def _stop_on_nan(self, batch: Batch, terms: Mapping[str, float]) -> None:
        file = self.run / f"nan_batch_{self.engine.process_index}.npz"
        np.savez(
            file,
            index=batch.index.cpu().numpy(),
            image=batch.image.cpu().numpy(),
            xy=batch.instances.keypoints.xy.cpu().numpy(),
            visibility=batch.instances.keypoints.visibility.cpu().numpy(),
        )
        told = ", ".join(f"{name} {value:g}" for name, value in terms.items())
        raise TrainingError(
            f"the loss is not finite at epoch {self.progress.epoch + 1}, step {self.progress.step + 1} ({told}); "
            f"the batch is saved in {file}. Try a lower --train.lr, or --train.precision no; "
            "the last checkpoint is intact"
        )

    def _stop_on_zero(self, values: Sequence[float]) -> None:
        """Stop a run in which nothing can be learnt, since no labelled point lies in the crops or images."""
        self.zeros = 0 if any(values) else self.zeros + 1
        if self.zeros == min(ZEROS, self.per_epoch):
            raise TrainingError(
                f"the loss was exactly 0 in each of the first {self.zeros} steps: no labelled point lies in the images "
                "or crops. Are boxes x y width height in pixels and around the points, and do the labels belong to "
                "these images? `posekit data check` draws them"
            )

    def _close_epoch(self) -> None:
        """Evaluate, write metrics, and keep the best weights."""
        progress, options = self.progress, self.options
        row: dict[str, float | int] = {"epoch": progress.epoch + 1, "images": progress.seen}
        row["lr"] = float(self.optimizer.param_groups[0]["lr"])
        row |= {f"loss/{name}": value for name, value in self._mean_terms().items()}
        final = progress.epoch + 1 == options.epochs
        if final or (progress.epoch + 1) % options.eval_every == 0:
            row |= self._measure()
        progress.close_epoch(row)
        if self.engine.is_main_process:
            progress.write_csv(self.run / "metrics.csv")
            self.display.epoch_closed(row)

    def _mean_terms(self) -> dict[str, float]:
        means = self.progress.mean()
        if self.engine.num_processes == 1 or not means:
            return means
        gathered = self.engine.reduce(torch.tensor(list(means.values()), device=self.engine.device), "mean").tolist()
        return dict(zip(means, gathered, strict=True))

    def _measure(self) -> dict[str, float | int]:
        """Metrics on the validation set; the main process evaluates and shares whether they are the best."""
        progress, engine = self.progress, self.engine
        net = self.ema.module if self.ema is not None else self.net
        row: dict[str, float | int] = {}
        verdict = torch.zeros(4, dtype=torch.float64, device="cpu")
        if engine.is_main_process:
            measured = measure(self.predictor(net), self.val)
            row = {f"val/{name}": value for name, value in measured.figures.items()}
            # The first value may be NaN; the next one replaces it.
            best = progress.best
            better = (
                best is None or math.isnan(best) or self._sparser() or measured.better_than(best, progress.best_tie)
            )
            verdict = torch.tensor([better, self.enough(measured), measured.value, measured.tie], dtype=torch.float64)
            if better:
                self.best = measured
                save_weights(self.run / "best", net, self.recipe, {**measured.figures, "epoch": progress.epoch + 1})
        better_now, enough, value, tie = _shared(verdict, engine)
        if better_now:
            progress.best, progress.best_tie, progress.waited = value, tie, 0
        else:
            progress.waited += 1
            progress.stopped = 0 < self.options.patience <= progress.waited
        progress.stopped = progress.stopped or bool(enough)
        return row

    def predictor(self, net: nn.Module | None = None) -> Predictor:
        """A predictor with a network of this run.

        Args:
            net: ``None``: the network in training.
        """
        engine = TorchEngine(net or self.net, self.recipe.full_codec, self.recipe.spec(), self.engine.device)
        return Predictor(engine, max(self.options.batch, 32))

    def _sparser(self) -> bool:
        """Whether weights were pruned since the last evaluation, so that earlier metrics are not comparable."""
        closed, every, total = self.progress.epoch + 1, self.options.eval_every, self.options.epochs * self.per_epoch
        now, before = ((epochs * self.per_epoch - 1) / total for epochs in (closed, closed - every))
        return self.recipe.prune.at(now) > self.recipe.prune.at(before)


def _lay_channels_last(net: nn.Module) -> None:
    """Set the channels-last layout of 4-D tensors; `nn.Module.to` fails on mixed kernels, which have five axes."""
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)


@contextmanager
def _without_denormals() -> Iterator[None]:
    """Flush denormal numbers to zero, which slow a CPU down many times; a setting of the whole process."""
    before = (torch.tensor(1e-310, dtype=torch.float64) * 0.5).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _shared(values: Tensor, engine: Accelerator) -> list[float]:
    """Values of the main process, on all processes."""
    if engine.num_processes > 1:
        from torch.distributed import broadcast

        values = values.to(engine.device)
        broadcast(values, 0)
    return values.tolist()


def _draw(seed: int, *where: int) -> int:
    """A seed that depends only on the arguments."""
    return int(np.random.SeedSequence([seed, *where]).generate_state(1, np.uint64)[0] >> np.uint64(1))
