"""Checkpoints: written to a temporary folder and renamed, so that a killed process leaves the old one intact."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator

LAST, BESIDE, OLD = "last", "last.tmp", "last.old"


class CheckpointError(ValueError):
    """A checkpoint that cannot be resumed."""


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
        # If `last` is missing, a kill between the renames left only `old`: keep it until the new one is in place.
        if last.exists():
            shutil.rmtree(old, ignore_errors=True)
            last.rename(old)
        beside.rename(last)
        shutil.rmtree(old, ignore_errors=True)
    engine.wait_for_everyone()


def find(run: Path) -> Path | None:
    """The newest complete checkpoint of a run, or ``None``."""
    # Between the two renames of `save` only `old` exists.
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
    except Exception as error:  # torch and safetensors raise many kinds of errors
        first = " ".join(str(error).split())[:240]
        raise CheckpointError(
            f"{folder}: this checkpoint cannot be resumed ({type(error).__name__}: {first}); "
            "delete the folder to start the run again, its best/ stays usable"
        ) from error
