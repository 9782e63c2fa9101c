"""Helpers of the parity tests: stored reference results, the table of `docs/parity.md`, and their regeneration."""

from __future__ import annotations

import math
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from posekit.geometry.keypoints import Instances, Keypoints

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "parity.md"
ROUNDING = 1e-6
"""Differences below are those of machines, and any of them may be 0."""


def stored(name: str) -> dict[str, Tensor]:
    """The floating arrays of a golden file."""
    with np.load(HERE / f"goldens_{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays if arrays[key].dtype.kind == "f"}


def labels(xy: Tensor, visible: Tensor, depth: Tensor | None = None, boxes: Tensor | None = None) -> Instances:
    """(B, K, 2) image pixels, (B, K) and (B, 4) to what our codecs take; a reference's pixel indices want 0.5 added."""
    B = len(xy)
    return Instances(
        keypoints=Keypoints(
            xy=xy[:, None],
            visibility=(2 * visible[:, None]).long(),
            depth=None if depth is None else depth[:, None],
        ),
        boxes=xy.new_zeros(B, 1, 4) if boxes is None else boxes[:, None],
        area=xy.new_ones(B, 1),
        category=torch.zeros(B, 1, dtype=torch.long),
        role=torch.ones(B, 1, dtype=torch.long),
    )


def limits() -> dict[str, float]:
    """What each row of the page's first table allows, by the row's name."""
    table = PAGE.read_text(encoding="utf-8").split("## Where we differ on purpose")[0]
    rows = re.findall(r"^\| `([^`]+)` \|.*\| (\S+) [a-z]+ \|$", table, flags=re.MULTILINE)
    assert len(rows) == len({name for name, _ in rows}), "a row is in the table twice"
    return {name: float(limit) for name, limit in rows}


def farthest(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference."""
    assert ours.shape == theirs.shape
    return float((ours.double() - theirs.double()).abs().max())


def agrees(row: str, *pairs: tuple[Tensor, Tensor], relative: bool = False) -> None:
    """Check the largest difference of a comparison against the table, and the table against the difference.

    Args:
        row: of the table.
        pairs: ours and theirs.
        relative: divide by the largest of theirs.
    """
    limit = limits()[row]
    each = [farthest(o, t) / (float(t.abs().max()) if relative else 1.0) for o, t in pairs]
    # Of numbers and one that is none the larger may be any.
    assert not any(math.isnan(value) for value in each), f"{row!r}: a difference is not a number"
    apart = max(each)
    assert apart <= limit, f"{row!r} differs by {apart:.2g}; docs/parity.md says {limit:g}"
    assert limit <= max(ROUNDING, 20 * apart), f"{row!r} differs by {apart:.2g} only; correct docs/parity.md"


def remakes(name: str, script: str, variable: str, folder: Path) -> None:
    """Run a reference again and compare with what is stored; skips where its environment is not named."""
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(f"{variable} does not name the interpreter of an environment for {script}")
    again = folder / "again.npz"
    made = subprocess.run([interpreter, str(HERE / script), str(again)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    with np.load(HERE / f"goldens_{name}.npz") as old, np.load(again) as fresh:
        assert set(old) == set(fresh)
        for key in old:
            if key == "version":
                assert str(old[key]) == str(fresh[key])
            else:
                np.testing.assert_allclose(fresh[key], old[key], rtol=1e-5, atol=1e-6, err_msg=key)
