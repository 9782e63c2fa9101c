"""Tables of measured figures; every number comes from the result files."""

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
    "lspe_movenet": "14 body points from MoveNet Lightning's weights, 128x128 (LSP extended, 26,952 images seen)",
    "coco_person": "17 body points from MoveNet Lightning's weights, 128x128 (`coco_person`, people in given boxes)",
    "lspe_long": "The best of these, trained longer (LSP extended, 125,776 images seen)",
}
NETWORK = {
    "lspe_imagenet": "EfficientNet-Lite0",
    "lspe_long": "EfficientNet-Lite0",
    "lspe_movenet": "MoveNet Lightning's backbone, and its pyramid where there is a neck",
    "coco_person": "MoveNet Lightning's backbone, and its pyramid where there is a neck",
}
"""Ladders whose network is not the ResNet-18 of half width."""


RENAMED = {"runs/scenes/trunk": "runs/scenes/backbone"}
"""Run folders whose names have changed since a result file was written."""


def read_result(name: str) -> dict[str, Any] | None:
    """A result file; ``None`` where it does not exist."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def row(*cells: str) -> str:
    """A row of a table in Markdown."""
    return "| " + " | ".join(cells) + " |"


def ladder(data: str) -> Iterator[str]:
    """The representations compared on one data set; nothing where there is no result file."""
    result = read_result(f"ladder_{data}")
    if result is None:
        return
    methods, repeats = result["methods"], result.get("repeats", {})
    costs = (read_result(f"latency_{data}") or {"methods": {}})["methods"]
    some = next(iter(methods.values()))
    main = some["main"]
    names = [main, *(n for n in ("nme_box", "median") if n != main)]
    seeds = "seed 0" if not repeats else "seed 0; +- is the standard deviation over seeds, where there are several"
    network = NETWORK.get(data, "ResNet-18 of half width")
    how = f"the same network for all ({network}), {seeds}, best epoch on the test images"
    mirrored = all("flip_test" in run for run in methods.values())
    shared, own = options_of([run["command"] for run in methods.values()])
    # Options that the file's own command does not contain are set by the ladder itself.
    named = [option for option in shared if option in result["command"]]
    named += [f"--only {next(iter(methods))}"] if len(methods) == 1 else []
    named += re.findall(r"--epochs \d+", result["command"])
    named += [f"--name ladder_{data}"] if data != result["data"] else []
    named += ["--flip-test"] if mirrored else []
    yield f"**{TITLES[data]}**, {how}; `python -m benchmarks.ladder {result['data']}{_joined(named)}`:\n"
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
            yield row(f"the same, decoded with `{words}`", *("" for _ in names), *read, *("" for _ in spent))
    for baseline, figures in some["baselines"].items():
        yield row(f"*{baseline}*", *(f"{figures[n]:.3f}" for n in names), *("" for _ in more))
    yield ""
    if any(own):
        whose: dict[str, list[str]] = {}
        for method, words in zip(methods, own, strict=True):
            whose.setdefault(_joined(words).strip(), []).append(f"`{method}-tiny`")
        yield "Options that differ between the runs: " + "; ".join(
            f"{', '.join(sharing)} `{words}`" for words, sharing in whose.items() if words
        )
        yield ""


def options_of(commands: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Options of `posekit train` that all commands have in common, and the remaining options of each.

    Options that the ladder itself sets (data, size, epochs, seed, folder) are left out.
    """
    split = [_grouped(command) for command in commands]
    shared = [option for option in split[0] if all(option in options for options in split)]
    return shared, [[option for option in options if option not in shared] for options in split]


def _grouped(command: str) -> list[str]:
    """Each option with its values, without those that the ladder sets."""
    _, _, extra = command.partition(" --resume ")
    return [f"--{option.strip()}" for option in f" {extra}".split(" --")[1:]]


def _joined(options: Sequence[str]) -> str:
    return "".join(f" {option}" for option in options)


def _spread(values: list[float]) -> str:
    """A figure, or mean and standard deviation of several."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.4f} +- {statistics.stdev(values):.4f}"


def _macs(count: int) -> str:
    """Multiply-accumulates in thousands or millions."""
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def systems() -> Iterator[str]:
    """The light systems for full images: accuracy on real scenes and cost; from `benchmarks.scenes`."""
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
        "MACs after the backbone",
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
        yield f"Each trained on {seen} images; best epoch on the test images, one seed. Options:\n"
        shared, own = options_of([run["command"] for run in trained.values()])
        yield f"- all: `{_joined(shared).strip()}`"
        yield from (
            f"- `{name}-tiny`: `{_renamed(_joined(words).strip())}`"
            for name, words in zip(trained, own, strict=True)
            if words
        )
        yield ""


def _renamed(words: str) -> str:
    """A recorded command with the present names of folders."""
    for old, new in RENAMED.items():
        words = words.replace(old, new)
    return words


def ceiling() -> Iterator[str]:
    """AP of perfect maps, light and plain recipes; from `benchmarks.ceiling`."""
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
    yield row("perfect maps", *heads)
    yield row(*("---" for _ in ("", *heads)))
    for name in forms[""]:
        values = [_cells(found["systems"][name + suffix], figures) for suffix in forms]
        yield row(f"`{name}`", *(value for part in values for value in part))
    yield f"\n{found['people']} people with points in {found['images']} images.\n"


def _cells(values: dict[str, float], names: Sequence[str]) -> list[str]:
    return [f"{values[name]:.3f}" if name in values else "" for name in names]


def speed() -> Iterator[str]:
    """Speed: measured values and targets."""
    results = [(name, result) for name in SPEED if (result := read_result(name)) is not None]
    if not results:
        return
    first = results[0][1]
    yield f"**Speed**, one thread, {first['machine']}; `make bench`:\n"
    yield row("", "measured", "target", "")
    yield row("---", "---", "---", "---")
    for _, result in results:
        for what, aim in result.get("aims", {}).items():
            bound = f"at least {aim['at_least']}" if "at_least" in aim else f"at most {aim['at_most']}"
            # A figure that could not be measured again is kept, with the commit at which it was measured.
            when = f" (at {aim['commit']})" if "commit" in aim else ""
            yield row(what + when, f"{aim['figure']:.3g}", bound, "met" if aim["met"] else "missed")
    yield ""


def page() -> str:
    """All tables of `docs/benchmarks.md`."""
    lines = [*(line for data in TITLES for line in ladder(data)), *speed()]
    return "\n".join(lines).rstrip() + "\n"


def settings(data: str, first: str) -> str:
    """The same methods trained with two sets of options, from two ladders."""
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
                row(f"`{method}-tiny`", f"`{_joined(words).strip()}`", *(f"{which['figures'][n]:.3f}" for n in names))
            )
    return "\n".join(lines) + "\n"


def starts() -> str:
    """Errors on small sets by what the backbone starts from, from `benchmarks.starts`."""
    result = read_result("starts")
    if result is None:
        return ""
    seeds = list(next(iter(next(iter(result["sets"].values())).values())))
    lines = [
        f"**Small sets, by start, {result['images seen']:,} images seen, error as a part of the box** "
        "(`benchmarks/results/starts.json`, `python -m benchmarks.starts`):\n",
        row("", "start", *(f"seed {seed}" for seed in seeds)),
        row(*("---" for _ in range(2 + len(seeds)))),
    ]
    for data, runs in result["sets"].items():
        lines += [row(f"`{data}`", start, *(f"{runs[start][seed]['last']:.4f}" for seed in seeds)) for start in runs]
    return "\n".join(lines) + "\n"


def onestage() -> list[str]:
    """AP of systems that start from `body-s`, before and after training, from `benchmarks.onestage`."""
    result = read_result("onestage")
    if result is None:
        return []
    lines = [
        "\n**From the weights of `body-s`**, measured on the validation scenes of `coco_person` "
        "(`python -m benchmarks.onestage`):\n",
        row("", "images seen", "AP untrained", "AP", "AP50", "AP, input 320x320", "AP, input 384x384"),
        row(*("---" for _ in range(7))),
    ]
    for name, run in result["systems"].items():
        larger = [run.get("AP_at", {}).get(size) for size in ("320", "384")]
        before = f"{run['untrained']['AP']:.3f}" if "untrained" in run else ""
        lines.append(
            row(
                f"`{name}-tiny`",
                f"{run['images_seen']:,}",
                before,
                f"{run['AP']:.3f}",
                f"{run['AP50']:.3f}",
                *("" if ap is None else f"{ap:.3f}" for ap in larger),
            )
        )
        if scores := run.get("AP_rescored"):
            known = (scores.get(size) for size in (str(run["size"]), "", "320", "384"))
            cells = ("" if ap is None else f"{ap:.3f}" for ap in known)
            lines.append(row(f"`{name}-tiny` with its scoring network", f"{run['images_seen']:,}", "", *cells))
    return lines


def front() -> list[str]:
    """The table of accuracy and time of exported models, from ``front.json``."""
    result = read_result("front")
    if result is None:
        return []
    ratio = next(key for key in next(iter(result["models"].values())) if key.startswith("times "))
    header = ("model", "runtime", "AP", "PCK@0.05", "CPU ms", f"`{ratio.removeprefix('times ')}` = 1")
    lines = [row(*header), row(*["---"] * len(header))]
    for name, figures in result["models"].items():
        model, runtime = name.split(", ")
        numbers = (
            f"{figures['AP']:.3f}",
            f"{figures['pck@0.05']:.3f}",
            f"{figures['cpu_ms']:.1f}",
            f"{figures[ratio]:.2f}",
        )
        lines.append(row(f"`{model}`", runtime, *numbers))
    return lines


def peers() -> list[str]:
    """Models of posekit and published ones in given boxes, from ``peers.json``."""
    result = read_result("peers")
    if result is None:
        return []
    lines = []
    for title, keys in (("people", ("AP", "pck@0.05", "pck@0.2")), ("hands", ("pck@0.2", "pck@0.05", "nme_box"))):
        rows = result[title]
        ratio = next(key for row_ in rows.values() for key in row_ if key.startswith("times "))
        header = (title, *keys, "CPU ms", f"`{ratio.removeprefix('times ')}` = 1")
        lines += ["", row(*header), row(*["---"] * len(header))]
        for name, one in rows.items():
            times = (f"{one['cpu_ms']:.1f}", f"{one[ratio]:.2f}") if "cpu_ms" in one else ("", "")
            lines.append(row(name, *_cells(one, keys), *times))
    return lines


def video() -> list[str]:
    """Time of each stage of a video, and memory over a long one."""
    found = read_result("video")
    if found is None:
        return ["Not measured yet."]
    stages, memory = found["stages"], found["memory"]
    lines = ["| stage | ms a frame | share of the time |", "| --- | --- | --- |"]
    for stage, value in stages["ms_a_frame"].items():
        lines.append(f"| {stage} | {value:.1f} | {stages['share_of_end_to_end'][stage]:.1%} |")
    (first, second) = [f"{min(values):.0f} to {max(values):.0f} MB" for values in memory["resident_mb"].values()]
    return [
        *lines,
        "",
        f"Over {memory['frames']:,} frames, with stored poses instead of the network, the process has {first} while "
        f"poses are found, and {second} while they are drawn.",
    ]
