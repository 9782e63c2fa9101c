"""What every result file says beside its figures: machine, versions, commit, command."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    answer = subprocess.run(asked, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return answer.stdout.strip() or "unknown"


def circumstances() -> dict[str, Any]:
    """Machine, versions, commit, date and the command that runs."""
    import torch

    return {
        "command": " ".join(["python", "-m", *_module(), *sys.argv[1:]]),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{_processor()}, {platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _module() -> list[str]:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return [spec.name if spec else Path(sys.argv[0]).name]


def write(name: str, result: dict[str, Any], **about: Any) -> Path:
    """Write ``benchmarks/results/NAME.json`` with the circumstances first."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps({**circumstances(), **about, **result}, indent=1) + "\n", encoding="utf-8")
    return file
