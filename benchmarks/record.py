"""What every result file contains besides its figures: machine, versions, commit, command."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    """The measured commit; "-dirty" where code differs from it, not only files that benchmarks write."""

    def git(*words: str) -> str:
        asked = subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT, check=False)
        return asked.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results", ":!docs")
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("-dirty" if changed else "")


def circumstances() -> dict[str, Any]:
    """Machine, versions, commit, date and command."""
    import torch

    return {
        "command": " ".join(["python", "-m", *_module(), *map(_portable, sys.argv[1:])]),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{_processor()}, {platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _portable(word: str) -> str:
    """An argument without folders outside the checkout: absolute paths become relative to it, or their last part."""
    path = Path(word)
    if not path.is_absolute():
        return word
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _module() -> list[str]:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return [spec.name if spec else Path(sys.argv[0]).name]


def write(name: str, result: dict[str, Any], **about: Any) -> Path:
    """Write ``benchmarks/results/NAME.json``, starting with `circumstances`."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps({**circumstances(), **about, **result}, indent=1) + "\n", encoding="utf-8")
    return file
