"""What a person sees of a run while it trains: a progress bar with images a second, and TensorBoard's curves."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from posekit.recipe import Train
from posekit.training.progress import Progress


class Watch:
    """Shows and logs; changes nothing.

    Args:
        run: folder of the run.
        options: whether TensorBoard is wanted.
        enabled: on the main process only.
    """

    def __init__(self, run: Path, options: Train, enabled: bool) -> None:
        self.enabled, self.run, self.options = enabled, run, options
        self.console = Console(file=sys.stderr, highlight=False)
        self.bar: Bar | None = None
        self.started, self.images = time.monotonic(), 0
        self.writer: Any = None
        self.rate = 0.0

    @contextmanager
    def following(self, steps: int, progress: Progress) -> Iterator[None]:
        """Show a run of so many steps while the block runs."""
        if not self.enabled:
            yield
            return
        if self.options.tensorboard:
            from tensorboardX import SummaryWriter

            self.writer = SummaryWriter(str(self.run / "tensorboard"), purge_step=progress.seen)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
        self.started, self.images = time.monotonic(), progress.seen
        try:
            with Bar(
                *columns,
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
                disable=not self.console.is_terminal,
            ) as self.bar:
                self.bar.add_task("training", total=steps, completed=self._done(steps, progress), told="")
                yield
        finally:
            if self.writer is not None:
                self.writer.close()

    def _done(self, steps: int, progress: Progress) -> int:
        per_epoch = steps // max(self.options.epochs, 1)
        return progress.epoch * per_epoch + progress.step

    def stepped(self, progress: Progress, values: Sequence[float]) -> None:
        """Move the bar by one step."""
        if self.bar is None:
            return
        self.rate = (progress.seen - self.images) / max(time.monotonic() - self.started, 1e-9)
        told = f"epoch {progress.epoch + 1}/{self.options.epochs}  loss {sum(values):.4g}  {self.rate:.0f} images/s"
        self.bar.update(self.bar.task_ids[0], advance=1, told=told)

    def epoch_closed(self, row: Mapping[str, float | int]) -> None:
        """Print the epoch's figures and log them."""
        told = "  ".join(f"{k.removeprefix('val/')} {v:.4g}" for k, v in row.items() if "/" in k)
        line = f"epoch {row['epoch']}/{self.options.epochs}  {told}  {self.rate:.0f} images/s"
        self.console.print(line, markup=False, soft_wrap=True)
        if self.writer is not None:
            for name, value in row.items():
                if name not in ("epoch", "images"):
                    self.writer.add_scalar(name, value, int(row["images"]))
            self.writer.flush()
