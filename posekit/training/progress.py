"""Progress and metrics of a run, saved in each checkpoint, so that a resumed run can rewrite its files."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Progress:
    """The state of the loop besides tensors.

    ``rows`` are the rows of metrics.csv. They hold no times, so a resumed run writes the same file.
    """

    epoch: int = 0
    step: int = 0
    updates: int = 0
    seen: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    best: float | None = None
    best_tie: float = float("nan")
    waited: int = 0
    stopped: bool = False
    rows: list[dict[str, float | int]] = field(default_factory=list)

    def add(self, terms: Mapping[str, float], images: int) -> None:
        """Count one step."""
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * images
        self.counted += images
        self.seen += images
        self.step += 1

    def mean(self) -> dict[str, float]:
        """Mean of every loss term over the images of this epoch so far."""
        return {name: value / max(self.counted, 1) for name, value in self.sums.items()}

    def close_epoch(self, row: dict[str, float | int]) -> None:
        """Start the next epoch."""
        self.rows.append(row)
        self.epoch, self.step, self.sums, self.counted = self.epoch + 1, 0, {}, 0

    def state_dict(self) -> dict[str, Any]:
        """All fields, for a checkpoint."""
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore all fields from a checkpoint."""
        for name, value in state.items():
            setattr(self, name, value)

    def write_csv(self, path: Path) -> None:
        """Write all rows; the file is replaced atomically, so that readers never see a part of it."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.9g}" if isinstance(v, float) else v for k, v in row.items()} for row in self.rows)
        beside = path.with_suffix(".tmp")
        beside.write_text(text.getvalue(), encoding="utf-8")
        beside.replace(path)
