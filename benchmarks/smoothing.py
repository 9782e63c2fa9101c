"""Filters over time at equal lag: `python -m benchmarks.smoothing [--quick]` writes `results/smoothing.json`, a chart.

Synthetic people move with known truth; `posekit.data.error_process` adds the errors of a shipped model. See
`posekit.studies.smoothing`. ``--quick`` takes three people and one condition, and writes nothing.
"""

import argparse

from benchmarks.record import RESULTS, write
from posekit.studies.smoothing import CONDITIONS, MAIN, measure, plot, verdict


def main() -> None:
    """Measure all and write the file and the chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    main = CONDITIONS[MAIN : MAIN + 1]
    result = measure(people=3, seconds=4, conditions=main, say=print) if quick else measure(say=print)
    print(verdict(result))
    if not quick:
        write("smoothing", result)
        plot(result, RESULTS / "smoothing.svg")


if __name__ == "__main__":
    main()
