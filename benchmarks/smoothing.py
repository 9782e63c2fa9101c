"""Filters over time at equal lag: `python -m benchmarks.smoothing [--quick]` writes `results/smoothing.json`, a chart.

Synthetic people move with known truth; `posekit.studies.error_process` adds the errors of a shipped model. See
`posekit.studies.smoothing`. ``--quick`` takes three people and one condition, and writes nothing.
"""

import argparse

from benchmarks.record import RESULTS, write
from posekit.studies.smoothing import CONDITIONS, MAIN, plot, run, verdict


def main() -> None:
    """Measure all and write the file and the chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    result = run(people=3, seconds=4, conditions=CONDITIONS[MAIN : MAIN + 1], say=print) if quick else run(say=print)
    print(verdict(result))
    if not quick:
        write("smoothing", result)
        plot(result, RESULTS / "smoothing.svg")


if __name__ == "__main__":
    main()
