"""Mutation check of the core: small faults are put into a copy of the package, and its tests must notice each.

    python -m benchmarks.mutants [WORD...]

A word keeps the mutants whose file or texts hold it. Each mutant of `benchmarks.mutant_table` changes one place in one
file of a temporary copy; its tests then run against that copy, two mutants at a time. A mutant is killed where a test
fails or the time limit passes, and survives where all tests pass. Before that, the tests run on the unchanged copy.

Exit status: 0; 1 where fewer than 95 % are killed; 2 where the table is out of date (a text that does not stand in its
file exactly once, tests that are not there) or tests fail without a mutant.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from benchmarks.mutant_table import MUTANTS, Mutant

ROOT = Path(__file__).parents[1]
PARTS = ("posekit", "tests", "benchmarks", "pyproject.toml")
WORKERS = 2
LIMIT = 120.0
"""Seconds that the tests of one mutant may take."""
LEAST = 0.95
"""Share of mutants that must be killed."""

PASSED, FAILED, INTERRUPTED, LATE = 0, 1, 2, -1
"""What pytest returns (an error at import interrupts it), and our own number for the time limit."""


class TableError(ValueError):
    """The table of mutants does not fit the package or its tests."""


def source(mutant: Mutant, root: Path) -> tuple[Path, str]:
    """The file that a mutant changes, and its text.

    Raises:
        TableError: the file is not there, the old text does not stand in it exactly once, or nothing is changed.
    """
    file = root / "posekit" / mutant.file
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    count = text.count(mutant.old)
    if count != 1 or mutant.old == mutant.new:
        raise TableError(f"{mutant.file} should hold once, and the mutant change, {mutant.old!r}; found {count} times")
    return file, text


@contextmanager
def applied(mutant: Mutant, root: Path) -> Iterator[None]:
    """The package under a root with the mutant in it; afterwards as it was, the time of the file included."""
    file, text = source(mutant, root)
    before = file.stat()
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def copy_of(root: Path, folder: Path) -> Path:
    """Copy what the tests need, without bytecode."""
    for part in PARTS:
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "results"))
        else:
            shutil.copy2(root / part, folder / part)
    return folder


def python(root: Path, words: Sequence[str], *, keep_bytecode: bool = False) -> tuple[int, str]:
    """Run Python in a copy, which comes first on its path.

    Args:
        root: of the copy.
        words: of the command.
        keep_bytecode: off for a mutant, whose bytecode would be taken for that of the next one.

    Returns:
        The return code, `LATE` past the limit, and what was printed.
    """
    env = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    env |= {} if keep_bytecode else {"PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=root,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            printed, _ = run.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            # The tests may have started processes of their own.
            os.killpg(run.pid, signal.SIGKILL)
            return LATE, f"not done after {LIMIT:g} seconds"
    return run.returncode, printed


def tested(root: Path, tests: str, *, keep_bytecode: bool = False) -> tuple[int, str]:
    """Run tests, given as paths under ``tests/`` with spaces between them, against a copy."""
    paths = [f"tests/{test}" for test in tests.split()]
    return python(root, ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *paths], keep_bytecode=keep_bytecode)


def refuse_another_package(root: Path) -> None:
    """Stop where a copy is not what its tests import.

    Raises:
        TableError: the package is imported from elsewhere.
    """
    _, printed = python(root, ["-c", "import posekit; print(posekit.__file__)"])
    if Path(printed.strip()) != root / "posekit" / "__init__.py":
        raise TableError(f"tests of the copy in {root} would import {printed.strip()}")


class Check:
    """Runs mutants, each in a copy that nobody else uses meanwhile.

    Args:
        copies: folders of `copy_of`.
    """

    def __init__(self, copies: Sequence[Path]) -> None:
        self.free: Queue[Path] = Queue()
        for copy in copies:
            refuse_another_package(copy)
            self.free.put(copy)
        self.workers = len(copies)

    def sound(self, tests: str) -> str:
        """What is wrong with tests of the unchanged copy; nothing where they pass."""
        root = self.free.get()
        try:
            code, printed = tested(root, tests, keep_bytecode=True)
        finally:
            self.free.put(root)
        return "" if code == PASSED else f"without a mutant, {tests}: {_end(printed)}"

    def killed(self, mutant: Mutant) -> bool:
        """Whether the tests of a mutant notice it; a line about it is printed.

        Raises:
            TableError: its tests cannot be run.
        """
        root, start = self.free.get(), time.monotonic()
        try:
            with applied(mutant, root):
                code, printed = tested(root, mutant.tests)
        finally:
            self.free.put(root)
        if code not in (PASSED, FAILED, INTERRUPTED, LATE):
            raise TableError(f"{mutant.tests} cannot be run: {_end(printed)}")
        word = "survived" if code == PASSED else "killed"
        print(f"{word:8} {time.monotonic() - start:5.1f} s  {mutant}", flush=True)
        return code != PASSED


def _end(printed: str) -> str:
    """The last lines of what pytest printed."""
    return " | ".join(line for line in printed.splitlines()[-4:] if line.strip())


def check(mutants: Sequence[Mutant]) -> float:
    """The share of mutants that are killed.

    Raises:
        TableError: the table is out of date, or tests fail without a mutant.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        first = copy_of(ROOT, Path(folder) / "0")
        copies = [first, *(copy_of(first, Path(folder) / str(number)) for number in range(1, WORKERS))]
        faults = []
        for mutant in mutants:
            try:
                source(mutant, first)
            except TableError as error:
                faults.append(str(error))
        runner = Check(copies)
        with ThreadPoolExecutor(WORKERS) as pool:
            if not faults:
                faults = [fault for fault in pool.map(runner.sound, sorted({m.tests for m in mutants})) if fault]
            if faults:
                raise TableError("\n".join(faults))
            found = list(pool.map(runner.killed, mutants))
    for mutant in (mutant for mutant, killed in zip(mutants, found, strict=True) if not killed):
        print(f"survived: {mutant}\n  tests: {mutant.tests}")
    return sum(found) / len(found)


def main(words: Sequence[str]) -> int:
    """Run the mutants that hold one of the words, or all."""
    mutants = [m for m in MUTANTS if not words or any(w in f"{m.file} {m.old} {m.new}" for w in words)]
    if not mutants:
        print(f"no mutant holds {', '.join(words)}")
        return 2
    start = time.monotonic()
    try:
        share = check(mutants)
    except TableError as error:
        print(error)
        return 2
    minutes = (time.monotonic() - start) / 60
    print(f"{round(share * len(mutants))} of {len(mutants)} mutants killed: {share:.1%}, in {minutes:.1f} minutes")
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
