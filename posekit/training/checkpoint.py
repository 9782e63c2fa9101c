"""Training state on disk: written beside and renamed, so a kill in the middle leaves the old one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator

LAST, BESIDE, OLD = "last", "last.tmp", "last.old"


class CheckpointError(ValueError):
    """A checkpoint that cannot be resumed from."""


def save(engine: Accelerator, run: Path) -> None:
    """Write the state of all processes as ``run/last``."""
    beside = run / BESIDE
    if engine.is_main_process and beside.exists():
        shutil.rmtree(beside)
    engine.wait_for_everyone()
    engine.save_state(str(beside))
    engine.wait_for_everyone()
    if engine.is_main_process:
        last, old = run / LAST, run / OLD
        # Without `last`, a kill between the renames left `old` as the only whole one: it stays until the new one is.
        if last.exists():
            shutil.rmtree(old, ignore_errors=True)
            last.rename(old)
        beside.rename(last)
        shutil.rmtree(old, ignore_errors=True)
    engine.wait_for_everyone()


def find(run: Path) -> Path | None:
    """The newest whole checkpoint of a run, or ``None``."""
    # Between the two renames of `save` only the old one exists under its own name.
    for name in (LAST, OLD):
        if (run / name).is_dir():
            return run / name
    return None


def restore(engine: Accelerator, folder: Path) -> None:
    """Load what `save` wrote.

    Raises:
        CheckpointError: files are missing or damaged, or belong to another network.
    """
    try:
        engine.load_state(str(folder))
    except Exception as error:  # whatever a damaged file makes torch or safetensors raise
        first = " ".join(str(error).split())[:240]
        raise CheckpointError(
            f"{folder}: this checkpoint cannot be resumed ({type(error).__name__}: {first}); "
            "delete the folder to start the run again, its best/ stays usable"
        ) from error
