"""What a study is, how it is run, and the files it writes."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from posekit.studies.parts import parts_in
from posekit.visualize.report import Table

Results = dict[str, Any]
"""Numbers of a study, as JSON holds them: text keys, lists, numbers."""


class Study(Protocol):
    """A claim about representations as an experiment: a module of `posekit.studies` with these names.

    Every statement of ``verdict`` is computed from the results, so other numbers give another verdict.
    """

    CLAIM: str

    def run(self, quick: bool, seed: int) -> Results:
        """Measure.

        Args:
            quick: the small form, seconds to about two minutes.
            seed: of everything drawn at random.
        """

    def plot(self, results: Results, file: Path) -> None:
        """Draw the results as an SVG file."""

    def table(self, results: Results) -> Table:
        """The results as a table."""

    def verdict(self, results: Results) -> str:
        """Two paragraphs: what holds and what does not."""


def carry_out(
    name: str,
    study: Study,
    out: Path,
    *,
    quick: bool,
    seed: int,
    more: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> tuple[dict[str, Any], list[Path]]:
    """Run a study with one torch thread and write its files; parts that an interrupted run finished are kept.

    Args:
        name: key of `STUDIES`.
        study: its module.
        out: folder for ``NAME.json``, ``NAME.svg`` and ``NAME.md``.
        quick: the small form.
        seed: of everything drawn at random.
        more: other options of the command, to be kept with the results.
        say: prints a line when a part is finished.

    Returns:
        What the JSON file holds, and the files.
    """
    import torch

    of = {"study": name, "quick": quick, "seed": seed, "more": list(more)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = time.monotonic()
    try:
        with parts_in(out / f"{name}.part.jsonl", {**of, "commit": commit()}, say):
            results = study.run(quick, seed)
    finally:
        torch.set_num_threads(threads)
    told = {
        "study": name,
        "command": " ".join(["posekit", "study", name, *(["--quick"] if quick else []), "--seed", str(seed), *more]),
        **circumstances(),
        "seconds": round(time.monotonic() - start, 1),
        "quick": quick,
        "seed": seed,
        "results": results,
        "verdict": study.verdict(results),
    }
    return told, write(told, study, out)


def write(told: dict[str, Any], study: Study, out: Path) -> list[Path]:
    """Write the numbers, the picture and the page of a study; returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    name = told["study"]
    files = [out / f"{name}.{ending}" for ending in ("json", "svg", "md")]
    files[0].write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    study.plot(told["results"], files[1])
    files[2].write_text(page(told, study), encoding="utf-8")
    return files


def page(told: dict[str, Any], study: Study) -> str:
    """The page of a study in Markdown: claim, picture, verdict, table, and how it was measured."""
    name, table = told["study"], study.table(told["results"])
    form = "quick form" if told["quick"] else "full form"
    return "\n".join(
        (
            f"# `{name}`",
            "",
            study.CLAIM,
            "",
            f"![{study.CLAIM}]({name}.svg)",
            "",
            study.verdict(told["results"]),
            "",
            f"## {table.title}",
            "",
            *markdown_rows(table.header, table.rows),
            "",
            f"Measured by `{told['command']}` ({form}, {told['seconds']:.0f} s) at commit `{told['commit']}` on "
            f"{told['machine']}, {told['date']}.",
            "",
        )
    )


def markdown_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    cells = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(row)} |" for row in cells]


def circumstances() -> dict[str, Any]:
    """Commit, date, machine and versions of a measurement."""
    import torch

    return {
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {platform.system()}, 1 thread",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def commit() -> str:
    """The commit of the checkout that the package is run from, or the package's version where it is installed."""
    from posekit import __version__

    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return f"posekit {__version__}"
    words = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        asked = subprocess.run(words, capture_output=True, text=True, cwd=root, check=False)
    except OSError:
        return f"posekit {__version__}"
    return asked.stdout.strip() or f"posekit {__version__}"
