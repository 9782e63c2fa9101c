"""Tables of measured figures, from the result files and nothing else."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
SPEED = ("startup", "codecs", "loader", "step")
TITLES = {
    "mtfl5": "5 face points, 64x64, 19,270 images seen (MTFL without slipped labels; tested on AFLW)",
    "helen": "68 face points, 128x128, 72,420 images seen (300-W: HELEN and AFW; tested on HELEN)",
    "lspe": "14 body points, 128x128, 53,904 images seen (LSP extended, person crops)",
    "lspe_imagenet": "14 body points from ImageNet's weights, first stages frozen (LSP extended, 53,904 images seen)",
    "lspe_long": "The best of them for longer (LSP extended, 125,776 images seen)",
}
NETWORK = {"lspe_imagenet": "EfficientNet-Lite0", "lspe_long": "EfficientNet-Lite0"}
"""Where a ladder's network is another than the ResNet-18 of half width."""


def read_result(name: str) -> dict[str, Any] | None:
    """A result file; ``None`` where it was not measured."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def row(*cells: str) -> str:
    """A row of a table in Markdown."""
    return "| " + " | ".join(cells) + " |"


def ladder(data: str) -> Iterator[str]:
    """The representations side by side on one data set; nothing where it was not measured."""
    result = read_result(f"ladder_{data}")
    if result is None:
        return
    methods, repeats = result["methods"], result.get("repeats", {})
    costs = (read_result(f"latency_{data}") or {"methods": {}})["methods"]
    some = next(iter(methods.values()))
    main = some["main"]
    names = [main, *(n for n in ("nme_box", "median") if n != main)]
    seeds = "seed 0" if not repeats else "seed 0; +- is the spread over the seeds of the ladder"
    network = NETWORK.get(data, "ResNet-18 of half width")
    how = f"one network ({network}), {seeds}, the best epoch on the images measured"
    mirrored = all("flip_test" in run for run in methods.values())
    shared, own = options_of([run["command"] for run in methods.values()])
    # What the file's own command does not name is set by the ladder.
    named = [option for option in shared if option in result["command"]]
    named += [f"--only {next(iter(methods))}"] if len(methods) == 1 else []
    named += re.findall(r"--epochs \d+", result["command"])
    named += [f"--name ladder_{data}"] if data != result["data"] else []
    named += ["--flip-test"] if mirrored else []
    yield f"**{TITLES[data]}**, {how}; `python -m benchmarks.ladder {result['data']}{_said(named)}`:\n"
    more = (*(f"{name}, flip test" for name in names[:2] if mirrored), *(("head MACs", "ms an image") if costs else ()))
    yield row("", *names, *more)
    yield row(*("---" for _ in ("", *names, *more)))
    for method, values in methods.items():
        found = [values, *repeats.get(method, {}).values()]
        cost = costs.get(method)
        spent = (
            () if not costs else ("", "") if cost is None else (_macs(cost["head_macs"]), f"{cost['median_ms']:.1f}")
        )
        turned = [f"{values['flip_test'][n]:.3f}" for n in names[:2]] if mirrored else []
        yield row(f"`{method}-tiny`", *(_spread([run["figures"][n] for run in found]) for n in names), *turned, *spent)
        for words, figures in values.get("decoded", {}).items() if mirrored else ():
            read = [f"{figures[n]:.3f}" for n in names[:2]]
            yield row(f"the same, read with `{words}`", *("" for _ in names), *read, *("" for _ in spent))
    for baseline, figures in some["baselines"].items():
        yield row(f"*{baseline}*", *(f"{figures[n]:.3f}" for n in names), *("" for _ in more))
    yield ""
    if any(own):
        whose: dict[str, list[str]] = {}
        for method, words in zip(methods, own, strict=True):
            whose.setdefault(_said(words).strip(), []).append(f"`{method}-tiny`")
        yield "Options that not all of them share: " + "; ".join(
            f"{', '.join(sharing)} `{words}`" for words, sharing in whose.items() if words
        )
        yield ""


def options_of(commands: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Options of `posekit train` that all commands share, and those of each that not all do.

    What the ladder itself sets, data, size, epochs, seed and folder, is left out.
    """
    split = [_grouped(command) for command in commands]
    shared = [option for option in split[0] if all(option in options for options in split)]
    return shared, [[option for option in options if option not in shared] for options in split]


def _grouped(command: str) -> list[str]:
    """Each option with its values, behind those that the ladder sets."""
    _, _, extra = command.partition(" --resume ")
    return [f"--{option.strip()}" for option in f" {extra}".split(" --")[1:]]


def _said(options: Sequence[str]) -> str:
    return "".join(f" {option}" for option in options)


def _spread(values: list[float]) -> str:
    """A figure, or the mean of several and their standard deviation."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.4f} +- {statistics.stdev(values):.4f}"


def _macs(count: int) -> str:
    """Multiply-accumulates in the unit that suits them."""
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def systems() -> Iterator[str]:
    """The light systems for full images side by side: on real scenes, and what they cost; `benchmarks.scenes`."""
    trained = (read_result("scenes") or {"methods": {}})["methods"]
    costs = (read_result("scenes_latency") or {"methods": {}})["methods"]
    if not costs:
        return
    people = list(next(iter(costs.values()))["people_ms"])
    figures = ("AP", "AP50", "AR", "pck@0.2")
    scales = next((scales for run in trained.values() for scales in run.get("scaled", {})), "")
    larger = [f"{figure}, `--scales {scales}`" for figure in figures[:2]] if scales else []
    heads = (
        *larger,
        "parameters",
        "MACs behind the backbone",
        "network, ms",
        *(f"{count} people, ms" for count in people),
    )
    yield row("", *figures, *heads)
    yield row(*("---" for _ in (0, *figures, *heads)))
    for name, cost in costs.items():
        run = trained.get(name, {})
        again = run.get("scaled", {}).get(scales, {})
        times = (cost["network_ms"], *cost["people_ms"].values())
        yield row(
            f"`{name}-tiny`",
            *_cells(run.get("figures", {}), figures),
            *_cells(again, figures[: len(larger)]),
            f"{cost['parameters'] / 1e6:.2f} M",
            _macs(cost["head_macs"]),
            *(f"{time:.0f}" for time in times),
        )
    for name, values in next(iter(trained.values()), {}).get("baselines", {}).items():
        yield row(f"*{name}*", *_cells(values, figures), *("" for _ in heads))
    for name, run in (read_result("scenes_backbone") or {"methods": {}})["methods"].items():
        yield row(f"*`{name}-tiny` in given boxes*", *_cells(run["figures"], figures), *("" for _ in heads))
    yield ""
    if trained:
        seen = ", ".join(sorted({f"{run['images_seen']:,}" for run in trained.values()}))
        yield f"Trained with {seen} images each; best epoch on the images measured, one seed. Options:\n"
        shared, own = options_of([run["command"] for run in trained.values()])
        yield f"- all: `{_said(shared).strip()}`"
        yield from (
            f"- `{name}-tiny`: `{_said(words).strip()}`" for name, words in zip(trained, own, strict=True) if words
        )
        yield ""


def ceiling() -> Iterator[str]:
    """AP of maps without any mistake, light form and plain one side by side; `benchmarks.ceiling`."""
    found = read_result("ceiling")
    if not found:
        return
    figures = ("AP", "AP50", "AP75", "AR")
    forms = {
        suffix: [name for name in found["systems"] if name.endswith("-tiny") == bool(suffix)]
        for suffix in ("-tiny", "")
    }
    size = {suffix: "x".join(map(str, found["systems"][names[0]]["size"])) for suffix, names in forms.items()}
    heads = [f"{figure}, {size[suffix]}" for suffix in forms for figure in figures]
    yield row("maps without any mistake", *heads)
    yield row(*("---" for _ in ("", *heads)))
    for name in forms[""]:
        values = [_cells(found["systems"][name + suffix], figures) for suffix in forms]
        yield row(f"`{name}`", *(value for part in values for value in part))
    yield f"\nOf {found['people']} people with points in {found['images']} images.\n"


def _cells(values: dict[str, float], names: Sequence[str]) -> list[str]:
    return [f"{values[name]:.3f}" if name in values else "" for name in names]


def speed() -> Iterator[str]:
    """Aims and what was measured."""
    results = [(name, result) for name in SPEED if (result := read_result(name)) is not None]
    if not results:
        return
    first = results[0][1]
    yield f"**Speed**, one thread, {first['machine']}; `make bench`:\n"
    yield row("", "measured", "aim", "")
    yield row("---", "---", "---", "---")
    for _, result in results:
        for what, aim in result.get("aims", {}).items():
            bound = f"at least {aim['at_least']}" if "at_least" in aim else f"at most {aim['at_most']}"
            # A figure that could not be measured again stays, with the commit that it is from.
            when = f" (at {aim['commit']})" if "commit" in aim else ""
            yield row(what + when, f"{aim['figure']:.3g}", bound, "met" if aim["met"] else "missed")
    yield ""


def page() -> str:
    """All tables, as they stand in README."""
    lines = [*(line for data in TITLES for line in ladder(data)), *speed()]
    return "\n".join(lines).rstrip() + "\n"


def settings(data: str, first: str) -> str:
    """Methods of one ladder beside themselves with other options: what the options are worth."""
    result, before = read_result(f"ladder_{data}"), read_result(f"ladder_{first}")
    if result is None or before is None:
        return ""
    some = next(iter(result["methods"].values()))
    names = [some["main"], "nme_box", "median"]
    lines = [
        f"**{TITLES[data]}**, seed 0 (`benchmarks/results/ladder_{first}.json`, `ladder_{data}.json`):\n",
        row("", "options", *names),
        row(*("---" for _ in range(5))),
    ]
    for method, run in result["methods"].items():
        old = before["methods"].get(method)
        if old is None or old["command"] == run["command"]:
            continue
        _, own = options_of([old["command"], run["command"]])
        for words, which in zip(own, (old, run), strict=True):
            lines.append(
                row(f"`{method}-tiny`", f"`{_said(words).strip()}`", *(f"{which['figures'][n]:.3f}" for n in names))
            )
    return "\n".join(lines) + "\n"
