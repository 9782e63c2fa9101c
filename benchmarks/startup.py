"""Extra time of `import posekit` and `posekit --help` over the interpreter alone: full processes, interleaved."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.record import write
from posekit.studies.timing import aim

COMMANDS = {
    "interpreter": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import posekit"],
    "help": [sys.executable, "-m", "posekit", "--help"],
}


def main(rounds: int = 15) -> dict[str, Any]:
    """Time and write `startup.json`."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 2):
        for name, words in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(words, check=True, capture_output=True)
            if number >= 2:
                times[name].append(time.perf_counter() - start)
    over = {
        name: statistics.median(a - b for a, b in zip(times[name], times["interpreter"], strict=True))
        for name in ("import", "help")
    }
    medians = {name: statistics.median(t) for name, t in times.items()}
    aims = {f"seconds of {name} over the interpreter": aim(seconds, most=0.2) for name, seconds in over.items()}
    result = {"median_s": medians, "over_interpreter_s": over, "aims": aims}
    file = write("startup", result)
    print(f"import posekit {over['import']:.3f} s, --help {over['help']:.3f} s over the interpreter; in {file}")
    return result


if __name__ == "__main__":
    main()
