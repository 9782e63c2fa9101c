"""Tables of the page on tracking; every number comes from the result file."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from figures import read_result, row


def tracking() -> Iterator[str]:
    """Identities on the pedestrian clip, detect-every-n, and the cost of the tracker; from `benchmarks.tracking`."""
    found = read_result("tracking")
    if not found:
        return
    labels = found["labels"]
    yield (
        f"Frames {labels['frames'][0]} to {labels['frames'][1]} of the clip: {labels['people']} people, "
        f"{labels['boxes']} boxes; `{found['model']}`. IoU is that with a labelled box from which on a person counts "
        "as found.\n"
    )
    yield from _identities(found["variants"])
    yield "\n**Detect-every-n**, the full clip of " + str(found["frames"]) + " frames on one thread:\n"
    heads = ("finder on every", "finder calls", "crops", "time")
    yield row(*heads)
    yield row(*("---" for _ in heads))
    for name, run in found["every"].items():
        yield row(_setting(name), str(run["finder_calls"]), str(run["crops"]), f"{run['time']:.2f}")
    yield "\nTime is relative to the first row, over all frames, all settings in turn on each frame.\n"
    yield from _starts(found["starts"])
    times = ", ".join(f"{cost['least_ms']:.1f} ms for {n} people" for n, cost in found["tracker"]["people"].items())
    yield f"The tracker alone takes, a frame: {times} (the fastest of its frames)."


def _setting(name: str) -> str:
    """A setting of detect-every-n in words."""
    every, _, more = name.partition(" ")
    return ("frame" if every == "1" else f"{every} frames") + (f", {more}" if more else "")


def _starts(starts: dict[str, Any]) -> Iterator[str]:
    """Identities of runs that begin with different frames: mean and range."""
    first = starts["first_frames"]
    yield (
        f"Identities on the labelled frames, IoU 0.5, of {len(first)} runs that begin with frames {first[0]} to "
        f"{first[-1]}: mean (smallest to largest).\n"
    )
    heads = ("finder on every", "IDF1", "HOTA", "MOTA", "identity switches")
    yield row(*heads)
    yield row(*("---" for _ in heads))
    for name, runs in starts["rows"].items():
        cells = [_range(runs[key], 3) for key in ("idf1", "hota", "mota")]
        yield row(_setting(name), *cells, _range(runs["id_switches"], 0))
    yield ""


def _range(values: list[float], digits: int) -> str:
    mean = f"{statistics.mean(values):.{max(digits, 1)}f}"
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


def _identities(variants: dict[str, Any]) -> Iterator[str]:
    """A table of the variants of the tracker, at each IoU."""
    heads = (
        "",
        "IoU",
        "MOTA",
        "IDF1",
        "HOTA",
        "identity switches",
        "fragmentations",
        "missed",
        "false",
        "ids a person",
    )
    yield row(*heads)
    yield row(*("---" for _ in heads))
    for name, run in variants.items():
        most = max(run["ids_of_each_person"].values())
        for key in (key for key in run if key.startswith("iou_")):
            at = run[key]
            yield row(
                name,
                key.removeprefix("iou_"),
                *(f"{at[figure]:.3f}" for figure in ("mota", "idf1", "hota")),
                *(f"{at[figure]:.0f}" for figure in ("id_switches", "fragmentations", "missed", "false")),
                "1" if most == 1 else f"up to {most}",
            )
