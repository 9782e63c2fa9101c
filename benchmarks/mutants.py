"""Mutation check of the core: small faults are put into a copy of the package, and its tests must notice each.

    python -m benchmarks.mutants [WORD...]

A word keeps the mutants whose file or texts hold it. Each mutant of `benchmarks.mutant_table` changes one place in one
file of a temporary copy; its tests then run against that copy, two mutants at a time. A mutant is killed where a test
fails or the time limit passes, and survives where all tests pass. Before that, all tests run on the unchanged copy;
mutants whose tests fail there are left out.

Exit status: 0; 1 where fewer than 95 % are killed; 2 where mutants are left out, or the table is out of date: a text
does not stand in its file exactly once, or tests are not there.
"""

from __future__ import annotations

import compileall
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from benchmarks.mutant_table import MUTANTS, Mutant

ROOT = Path(__file__).parents[1]
PARTS = ("posekit", "tests", "benchmarks", "pyproject.toml")
WORKERS = 2
LIMIT = 120.0
"""Seconds that the tests of one mutant may take."""
ALL = 1800.0
"""Seconds that all tests of the unchanged copy may take."""
LEAST = 0.95
"""Share of mutants that must be killed."""

PASSED, FAILED, INTERRUPTED, ELSEWHERE, LATE = 0, 1, 2, 90, -1
"""What pytest returns (an error at import interrupts it), and two of our own: tests that imported another package than
the copy, and the time limit."""

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["accelerate", "cv2", "hypothesis", "msgspec", "numpy", "pydantic.dataclasses", "pytest", "torch", "tyro", "yaml"]
)


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


def run_tests(root: Path, tests: Sequence[str], *options: str, limit: float = LIMIT) -> tuple[int, str]:
    """Run tests against a copy, in a process that has what takes longest to import.

    Args:
        root: of the copy.
        tests: paths under ``tests/``.
        options: of pytest.
        limit: seconds.

    Returns:
        The return code, `LATE` past the limit, and what was printed.
    """
    file = root / "printed.txt"
    words = ["-q", "-p", "no:cacheprovider", *options, *(f"tests/{test}" for test in tests)]
    run = FORKS.Process(target=_run, args=(root, words, file))
    run.start()
    run.join(limit)
    if run.exitcode is None and run.pid is not None:
        # The tests may have started processes of their own.
        os.killpg(run.pid, signal.SIGKILL)
        run.join()
        return LATE, f"not done after {limit:g} seconds"
    return run.exitcode or PASSED, file.read_text(encoding="utf-8", errors="replace")


def _run(root: Path, words: Sequence[str], file: Path) -> None:
    """In the new process: pytest with the copy before everything else on the path, then exit with its return code."""
    os.setsid()
    with file.open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.chdir(root)
    os.environ["PYTHONPATH"] = str(root)
    # Plugins cost time, and what they check of modules that are imported already fails.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # The bytecode of a mutant would be taken for that of the next one.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    sys.path[:] = [str(root), *(place for place in sys.path if Path(place or ROOT) != ROOT)]
    code = int(pytest.main(list(words)))
    sys.stdout.flush()
    package = sys.modules.get("posekit")
    if code == PASSED and (package is None or Path(str(package.__file__)).parent != root / "posekit"):
        code = ELSEWHERE
    # Threads and processes that tests left behind are not waited for.
    os._exit(code)


class Check:
    """Runs mutants, each in a copy that nobody else uses meanwhile.

    Args:
        copies: folders of `copy_of`.
    """

    def __init__(self, copies: Sequence[Path]) -> None:
        self.free: Queue[Path] = Queue()
        for copy in copies:
            # The tests write no bytecode.
            compileall.compile_dir(copy / "posekit", quiet=1)
            self.free.put(copy)
        self.workers = len(copies)

    def failing(self, tests: Sequence[str]) -> set[str]:
        """Those of some tests that fail in the unchanged copy: files under ``tests/``.

        Raises:
            TableError: some are not there.
        """
        if not tests:
            return set()
        root = self.free.get()
        try:
            code, printed = run_tests(root, tests, "--tb=no", limit=ALL)
        finally:
            self.free.put(root)
        if code not in (PASSED, FAILED, INTERRUPTED):
            raise TableError(f"the tests cannot be run: {_end(printed)}")
        lines = [line.split() for line in printed.splitlines() if line.startswith(("FAILED tests/", "ERROR tests/"))]
        return {words[1].partition("::")[0].removeprefix("tests/") for words in lines}

    def killed(self, mutant: Mutant) -> bool:
        """Whether the tests of a mutant notice it; a line about it is printed.

        Raises:
            TableError: its tests cannot be run.
        """
        root, start = self.free.get(), time.monotonic()
        try:
            with applied(mutant, root):
                code, printed = run_tests(root, mutant.tests.split(), "-x")
        finally:
            self.free.put(root)
        if code not in (PASSED, FAILED, INTERRUPTED, LATE):
            raise TableError(f"{mutant.tests} cannot be run against the copy, or do not import it: {_end(printed)}")
        word = "survived" if code == PASSED else "killed"
        print(f"{word:8} {time.monotonic() - start:5.1f} s  {mutant}", flush=True)
        return code != PASSED


def _end(printed: str) -> str:
    """The last lines of what pytest printed."""
    return " | ".join(line for line in printed.splitlines()[-4:] if line.strip())


def check(mutants: Sequence[Mutant]) -> tuple[int, int]:
    """How many mutants are killed, and of how many; those whose tests fail without them are left out.

    Raises:
        TableError: the table is out of date.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        first = copy_of(ROOT, Path(folder) / "0")
        copies = [first, *(copy_of(first, Path(folder) / str(number)) for number in range(1, WORKERS))]
        faults = [fault for mutant in mutants if (fault := fault_of(mutant, first))]
        if faults:
            raise TableError("\n".join(faults))
        runner = Check(copies)
        tests = sorted({test for mutant in mutants for test in mutant.tests.split()})
        with ThreadPoolExecutor(WORKERS) as pool:
            failing = set[str]().union(*pool.map(runner.failing, [tests[i::WORKERS] for i in range(WORKERS)]))
            sound = [m for m in mutants if failing.isdisjoint(t.partition("::")[0] for t in m.tests.split())]
            print(f"{len(mutants)} mutants; fail without one: {', '.join(sorted(failing)) or 'no tests'}", flush=True)
            found = list(pool.map(runner.killed, sound))
    for mutant, killed in zip(sound, found, strict=True):
        if not killed:
            print(f"survived: {mutant}\n  tests: {mutant.tests}")
    return sum(found), len(found)


def fault_of(mutant: Mutant, root: Path) -> str:
    """Why a mutant cannot be applied; empty where it can."""
    try:
        source(mutant, root)
    except TableError as error:
        return str(error)
    return ""


def main(words: Sequence[str]) -> int:
    """Run the mutants that hold one of the words, or all."""
    mutants = [m for m in MUTANTS if not words or any(w in f"{m.file} {m.old} {m.new}" for w in words)]
    if not mutants:
        print(f"no mutant holds {', '.join(words)}")
        return 2
    start = time.monotonic()
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        killed, count = check(mutants)
    except TableError as error:
        print(error)
        return 2
    share, minutes = killed / max(count, 1), (time.monotonic() - start) / 60
    print(f"{killed} of {count} mutants killed: {share:.1%}, in {minutes:.1f} minutes")
    if count < len(mutants):
        print(f"{len(mutants) - count} left out: their tests fail without them")
        return 2
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
