"""Progress display of a run: a progress line from the first step on, and TensorBoard logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from posekit.recipe import Train
from posekit.training.progress import Progress

EVERY = 30.0
"""Seconds between two lines if the output is not a terminal."""


class Display:
    """Progress bar, log lines and TensorBoard.

    Args:
        run: folder of the run.
        options: of the run; `tensorboard` turns TensorBoard on.
        enabled: True on the main process only.
    """

    def __init__(self, run: Path, options: Train, enabled: bool) -> None:
        self.enabled, self.run, self.options = enabled, run, options
        self.console = Console(file=sys.stderr, highlight=False)
        self.bar: Bar | None = None
        self.steps = self.images = self.total = 0
        self.started = self.told = time.monotonic()
        self.writer: Any = None

    @contextmanager
    def following(self, steps: int, progress: Progress) -> Iterator[None]:
        """Show the progress of ``steps`` steps while the block runs."""
        if not self.enabled:
            yield
            return
        if self.options.tensorboard:
            from tensorboardX import SummaryWriter

            self.writer = SummaryWriter(str(self.run / "tensorboard"), purge_step=progress.seen)
        self.total, self.steps, self.images = steps, self._done(progress), progress.seen
        self.started = self.told = time.monotonic()
        try:
            columns = (BarColumn(), TextColumn("{task.fields[line]}"))
            with Bar(*columns, console=self.console, disable=not self.console.is_terminal) as self.bar:
                self.bar.add_task("training", total=steps, completed=self.steps, line="starting")
                yield
        finally:
            if self.writer is not None:
                self.writer.close()

    @property
    def _per_epoch(self) -> int:
        return max(self.total // max(self.options.epochs, 1), 1)

    def _done(self, progress: Progress) -> int:
        return progress.epoch * self._per_epoch + progress.step

    def stepped(self, progress: Progress, values: Sequence[float]) -> None:
        """Show the last step; without a terminal, print a line every `EVERY` seconds."""
        if self.bar is None:
            return
        now = time.monotonic()
        if self.console.is_terminal:
            self.bar.update(self.bar.task_ids[0], completed=self._done(progress), line=self.line(progress, values, now))
        elif self._done(progress) == self.steps + 1 or now - self.told >= EVERY:
            self.told = now
            self.console.print(self.line(progress, values, now), markup=False, soft_wrap=True)

    def line(self, progress: Progress, values: Sequence[float], now: float) -> str:
        """Position in the run, loss, speed, and remaining time of epoch and run."""
        seconds = max(now - self.started, 1e-9)
        done = self._done(progress)
        rate = (progress.seen - self.images) / seconds
        each = seconds / max(done - self.steps, 1)
        left_of_epoch = self._per_epoch - progress.step
        return (
            f"epoch {progress.epoch + 1}/{self.options.epochs}  step {progress.step}/{self._per_epoch}  "
            f"loss {sum(values):.4g}  {rate:.0f} images/s  "
            f"{duration(each * left_of_epoch)} to the end of the epoch, "
            f"{duration(each * (self.total - done))} of the run"
        )

    def epoch_closed(self, row: Mapping[str, float | int]) -> None:
        """Print the metrics of the epoch and log them; NaN is not logged."""
        if not self.enabled:
            return
        figures = "  ".join(f"{k.removeprefix('val/')} {v:.4g}" for k, v in row.items() if "/" in k)
        # An epoch that was resumed after its last step has no speed.
        rate = (int(row["images"]) - self.images) / max(time.monotonic() - self.started, 1e-9)
        speed = f"  {rate:.0f} images/s" if rate > 0 else ""
        line = f"epoch {row['epoch']}/{self.options.epochs}  {figures}{speed}"
        self.console.print(line, markup=False, soft_wrap=True)
        if self.writer is not None:
            for name, value in row.items():
                if name not in ("epoch", "images") and value == value:
                    self.writer.add_scalar(name, value, int(row["images"]))
            self.writer.flush()


def duration(seconds: float) -> str:
    """A time span in readable form.

    >>> duration(42.3), duration(130), duration(3 * 3600 + 95)
    ('42 s', '2:10 min', '3:02 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    minutes = round(whole / 60)
    return f"{minutes // 60}:{minutes % 60:02} h"
