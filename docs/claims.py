"""Tables of what papers report and what the result files of this repository show, one claim a row."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from figures import options_of, read_result, row

from posekit.metrics.protocols import PROTOCOLS
from posekit.recipes import RECIPES
from posekit.recipes.techniques import TECHNIQUES
from posekit.skeletons import SKELETONS
from posekit.studies.ablate import TOGETHER

SETS = {
    "MTFL, NME": ("mtfl5",),
    "HELEN, NME": ("helen",),
    "LSP from scratch, PCK": ("lspe",),
    # The second has different options for some methods; a pair is compared only where the options are equal.
    "LSP from ImageNet, PCK": ("lspe_one_rate", "lspe_imagenet"),
    "LSP from MoveNet, PCK": ("lspe_movenet",),
    "COCO people from MoveNet, OKS": ("coco_person",),
}
"""Column of the table: the ladders whose figures it can show."""


@dataclass(frozen=True)
class Claim:
    """The claim that one representation is better than another.

    Args:
        better: recipe said to be better.
        worse: recipe it is compared with.
        reported: published figures and their source.
    """

    better: str
    worse: str
    reported: str


CLAIMS = (
    Claim("dark", "heatmap", "COCO AP 66.9 to 70.7, HRNet-W32 at 128x96 (DARK's authors)"),
    Claim("udp", "heatmap", "COCO AP 71.3 to 72.9, ResNet-50 (UDP's authors)"),
    Claim("udp-combined", "udp", "COCO AP 76.2 to 75.9, HRNet-W32 (MMPose): no gain"),
    Claim("megvii", "heatmap", "no pair of figures"),
    Claim("oks", "heatmap", "no pair of figures"),
    Claim("dark", "regression", "COCO AP 54.1 to 71.8, ResNet-50 (MMPose, plain maps)"),
    Claim("rle", "regression", "COCO AP 54.1 to 70.6, ResNet-50 (MMPose)"),
    Claim("simcc", "heatmap", "COCO AP 34.4 to 40.8 at 64x64, 60.3 to 62.6 at 128x128, ResNet-50 (SimCC's authors)"),
    Claim("simcc", "dark", "COCO AP 75.6 to 75.3, HRNet-W32 at 256x192 (their authors)"),
    Claim("simcc-smoothed", "simcc", "no pair of figures at one size"),
    Claim("integral", "heatmap", "COCO AP 71.8 to 63.3, ResNet-50 (MMPose): a loss"),
    Claim("dsnt", "integral", "COCO AP 63.3 to 67.4, ResNet-50 (MMPose)"),
    Claim("dfl", "simcc", "no pair of figures for points"),
)


def spreads() -> dict[str, float]:
    """Standard deviation over seeds on MTFL, relative to the mean, of every method measured there.

    A method that was trained once gets the largest value of its family (maps or coordinates).
    """
    result = read_result("ladder_mtfl5") or {"methods": {}}
    known, families = {}, {}
    for method in result["methods"]:
        values = _values(result, method)
        families[method] = RECIPES[f"{method}-tiny"](SKELETONS["face5"], size=(64, 64)).model.neck.kind == "none"
        if len(values) > 1:
            known[method] = statistics.stdev(values) / statistics.mean(values)
    largest = {kind: max((s for m, s in known.items() if families[m] == kind), default=0.0) for kind in (True, False)}
    return {method: known.get(method, largest[kind]) for method, kind in families.items()}


def _values(result: dict[str, Any], method: str) -> list[float]:
    """The main metric of all seeds."""
    runs = [result["methods"][method], *result.get("repeats", {}).get(method, {}).values()]
    return [run["figures"][run["main"]] for run in runs]


def representations() -> Iterator[str]:
    """The table of representations."""
    spread = spreads()
    yield (
        "Figures are means over seeds where there are several. A change is called a gain or a loss where it is larger "
        "than twice the combined standard deviation over seeds of the two methods on MTFL (relative to the mean; for a "
        "method that was trained once: the largest of its family, maps or coordinates).\n"
    )
    yield row("claim", "reported", *SETS, "here")
    yield row(*("---" for _ in range(len(SETS) + 3)))
    for claim in CLAIMS:
        gains, cells = [], []
        least = 2 * math.hypot(*(spread.get(f"topdown-{name}", 0.0) for name in (claim.better, claim.worse)))
        for files in SETS.values():
            found = next(filter(None, (_pair(claim, file) for file in files)), None)
            cells.append("" if found is None else f"{found[0]:.3f} to {found[1]:.3f}")
            gains += [] if found is None else [found[2]]
        if gains:
            yield row(f"`{claim.better}` over `{claim.worse}`", claim.reported, *cells, _verdict(gains, least))
    yield ""


def _pair(claim: Claim, file: str) -> tuple[float, float, float] | None:
    """Figures of both recipes and the relative gain; ``None`` where they were not trained with the same options."""
    result = read_result(f"ladder_{file}") or {"methods": {}}
    methods = result["methods"]
    better, worse = (f"topdown-{name}" for name in (claim.better, claim.worse))
    if better not in methods or worse not in methods:
        return None
    if any(options_of([methods[worse]["command"], methods[better]["command"]])[1]):
        return None
    before, after = (statistics.mean(_values(result, method)) for method in (worse, better))
    gain = (after - before) / before
    return before, after, gain if PROTOCOLS[methods[better]["main"]].higher else -gain


def _verdict(gains: list[float], least: float) -> str:
    """On how many of the data sets there is a gain or a loss."""
    up, down = sum(gain > least for gain in gains), sum(gain < -least for gain in gains)
    words = [f"gain on {up} of {len(gains)}"] if up else []
    words += [f"loss on {down} of {len(gains)}"] if down else []
    return ", ".join(words) or "no difference"


FIELD = {"regression": 54.1, "integral": 63.3, "dsnt": 67.4, "rle": 70.6, "dark": 71.8, "simcc": 72.1}
"""COCO AP of representations with ResNet-50 at 256x192, as MMPose's tables and the papers give them; for heatmaps
without DARK."""


def ladder_of_the_field() -> Iterator[str]:
    """The field's order of representations beside ours on people of COCO, after few and after more images."""
    short, long = read_result("ladder_coco_person"), read_result("ladder_coco_person_long")
    if short is None or long is None:
        return

    def told(result: dict[str, Any], name: str) -> str:
        run = result["methods"].get(f"topdown-{name}")
        return "" if run is None else f"{run['figures']['oks']:.3f}"

    seen = [int(next(iter(one["methods"].values()))["curve"][-1]["images"]) for one in (short, long)]
    yield (
        "**The field's order beside ours**: `coco_person`, given boxes, 128x128, from MoveNet Lightning's weights, "
        "mean OKS, one seed (`ladder_coco_person.json`, `ladder_coco_person_long.json`).\n"
    )
    yield row("representation", "COCO AP, ResNet-50", *(f"OKS after {count:,} images" for count in seen))
    yield row(*["---"] * 4)
    for name, reported in FIELD.items():
        yield row(f"`{name}`", f"{reported:.1f}", told(short, name), told(long, name))
    yield ""


def techniques() -> Iterator[str]:
    """The tables of techniques for small networks."""
    for name in LIGHT:
        result = read_result(name)
        if result is None:
            continue
        metric, least = result["metric"], 2 * 2**0.5 * max(spreads()["topdown-dark"], _own_spread(result))
        better = PROTOCOLS[metric].higher
        start = "" if "--init" not in result["asked"][0] else ", from MoveNet Lightning's weights"
        yield f"**{result['data']}, {metric}, {result['images_seen']:,} images seen each{start}** (`{name}.json`):\n"
        yield row(
            "", metric, "here", "best epoch", "reported", "parameters", "MACs", "inference time", "training step time"
        )
        yield row(*("---" for _ in range(9)))
        base = result["variants"]["baseline"]
        for variant, found in result["variants"].items():
            spread = "" if found["spread"] is None else f" +- {found['spread']:.4f}"
            gain = found["change"] / base["mean"] * (1 if better else -1)
            known = TECHNIQUES.get(variant.partition("-")[0])
            yield row(
                variant,
                f"{found['mean']:.4f}{spread}",
                "" if variant == "baseline" else _word(gain, least) if was_active(result, found, variant) else LATE,
                ", ".join(str(epoch) for epoch in found.get("best_epochs", []) if epoch is not None),
                "" if known is None else known.claim,
                f"{found['parameters'] / 1e6:.2f} M",
                f"{found['macs'] / 1e6:.1f} M",
                f"x{found['ms_ratio']:.2f}",
                f"x{found['step_ms_ratio']:.2f}",
            )
        yield ""
        if TOGETHER in result["variants"]:
            yield f"Together: {_techniques_of(result)}.\n"


LIGHT = (
    *("light_mtfl5", "light_mtfl5_together", "light_mtfl5_best", "light_lspe", "light_lspe_movenet"),
    "light_lspe_movenet_bone",
)
"""Result files of techniques."""
LATE = "best epoch before it starts"


def _own_spread(result: dict[str, Any]) -> float:
    """Standard deviation of the plain recipe over seeds, relative to its mean; 0 for a single seed."""
    values = result["variants"]["baseline"]["values"]
    return statistics.stdev(values) / statistics.mean(values) if len(values) > 1 else 0.0


def was_active(result: dict[str, Any], found: dict[str, Any], variant: str) -> bool:
    """Whether a technique was already on in the best epoch; information dropping starts in the second half of a run."""
    if variant not in TECHNIQUES or not (
        best := [epoch for epoch in found.get("best_epochs", []) if epoch is not None]
    ):
        return True
    words = result["asked"][-1].split()
    plain = RECIPES[words[words.index("ablate") + 1]](SKELETONS["coco17"], size=(64, 64))
    drop = TECHNIQUES[variant].change(plain, "").augment.drop
    epochs = int(words[words.index("--train.epochs") + 1])
    return not drop.probability or any((epoch - 1) / epochs >= drop.start for epoch in best)


def _techniques_of(result: dict[str, Any]) -> str:
    """The techniques of the last run of a study, without the files that some of them take."""
    words = result["asked"][-1].split()
    techniques = words[words.index("--with") + 1 : words.index("--seeds")]
    return ", ".join(f"`{technique.partition(':')[0]}`" for technique in techniques)


def _word(gain: float, least: float) -> str:
    word = "gain" if gain > least else "loss" if gain < -least else "no difference"
    return f"{word} ({gain:+.1%})"
