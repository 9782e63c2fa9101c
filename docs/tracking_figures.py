"""Tables of the page on tracking; every number comes from the result file."""

from __future__ import annotations

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
    heads = ("finder on every", "finder calls", "crops", "time", "IDF1", "HOTA", "identity switches", "missed", "false")
    yield row(*heads)
    yield row(*("---" for _ in heads))
    for name, run in found["every"].items():
        at = run["iou_0.5"]
        every, _, flow = name.partition(" ")
        frames = "frame" if every == "1" else f"{every} frames"
        yield row(
            f"{frames}{', flow' * bool(flow)}",
            str(run["finder_calls"]),
            str(run["crops"]),
            f"{run['time']:.2f}",
            f"{at['idf1']:.3f}",
            f"{at['hota']:.3f}",
            *(f"{at[key]:.0f}" for key in ("id_switches", "missed", "false")),
        )
    yield "\nTime is relative to the first row, over all frames, all settings in turn on each frame; IoU 0.5.\n"
    times = ", ".join(f"{cost['least_ms']:.1f} ms for {n} people" for n, cost in found["tracker"]["people"].items())
    yield f"The tracker alone takes, a frame: {times} (the fastest of its frames)."


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
