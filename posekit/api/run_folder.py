"""The folder of a run: never that of another run, and removed if the run fails at the start."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posekit.data.errors import listed
from posekit.recipe import Recipe, RecipeError, dump, load, save
from posekit.training.distributed import main_process, world

RUNS = Path("runs")
LONGEST = 80
"""Largest number of characters of a value in a message."""


@contextmanager
def run_folder(
    recipe: Recipe, sentences: Sequence[str], out: Path | None, *, resume: bool, say: Callable[[str], None]
) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A folder with ``recipe.json`` and ``inferred.txt`` in it while the block trains.

    Args:
        recipe: of the run.
        sentences: notes on what was inferred from the data.
        out: the folder; ``None``: ``runs/RECIPE-N``.
        resume: continue a run in this folder.
        say: prints a line.

    Yields:
        The folder, and a function that prints a line on the main process only. If the block fails before the first
        checkpoint, a folder made here is removed again.

    Raises:
        RecipeError: the folder holds another run.
    """
    folder = _chosen(recipe, out, resume)
    _check_same(recipe, folder, resume)
    tell = say if main_process() else _silent
    made = not folder.exists()
    if main_process():
        folder.mkdir(parents=True, exist_ok=True)
        save(recipe, folder / "recipe.json")
        (folder / "inferred.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    for sentence in sentences:
        tell(f"  {sentence}")
    try:
        yield folder, tell
    except KeyboardInterrupt:
        if (folder / "last").exists():
            tell(f"stopped; resume with: {resume_command(recipe, folder)}")
        raise
    except BaseException:
        if made and main_process() and not _begun(folder):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def resume_command(recipe: Recipe, folder: Path) -> str:
    """The command that resumes a run."""
    if recipe.data.train:
        return f"posekit train {shlex.quote(str(folder / 'recipe.json'))} --out {shlex.quote(str(folder))} --resume"
    return f"posekit.train(recipe, data, out={str(folder)!r}, resume=True)"


def _begun(folder: Path) -> bool:
    """Whether the folder holds results of training."""
    return any((folder / name).exists() for name in ("last", "last.old", "best", "metrics.csv", "log.txt")) or any(
        folder.glob("nan_batch_*")
    )


def _silent(_: str) -> None:
    """Do nothing: only the main process prints."""


def _chosen(recipe: Recipe, out: Path | None, resume: bool) -> Path:
    if out is not None:
        if (out / "recipe.json").exists() and not resume and (out / "metrics.csv").exists():
            raise RecipeError(f"{out} already holds a run; continue it with --resume, or choose another --out")
        return out
    if resume:
        raise RecipeError("--resume needs --out DIR, the folder of the run to continue")
    if world() > 1:
        # Every process must write to the same place without asking the others.
        raise RecipeError("several processes need --out DIR, so that all write to the same folder")
    number = 1
    while (RUNS / f"{recipe.name}-{number}").exists():
        number += 1
    return RUNS / f"{recipe.name}-{number}"


def _check_same(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Refuse to resume a run with another recipe."""
    file = folder / "recipe.json"
    if not (resume and file.exists()):
        return
    before = load(file)
    changed = list(_differences(json.loads(dump(before)), json.loads(dump(recipe))))
    if changed:
        raise RecipeError(
            f"{folder} was started with other values: {listed(changed)}. To resume it as it was: posekit train "
            f"{file} --out {folder} --resume; to train its weights on with other values: --init {folder} --out NEW"
        )


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """The fields that differ, by dotted name, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif before != now:
        yield f"{name} {_short(before)} -> {_short(now)}"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) or "none" if isinstance(value, list) else "none" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
