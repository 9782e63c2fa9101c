"""The end of a comparison: statistics of all that was measured, the recommendation, and the report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.engines.spec import InferenceSpec
from posekit.evaluation.contrast import Contrast, Trust, contrast, trust, unsaturated
from posekit.evaluation.contrast_tables import csv_rows, metrics_of, write_csv, write_json
from posekit.evaluation.measure import compared
from posekit.evaluation.sets import Sets
from posekit.evaluation.verdict import Verdict, gaps_of, listed, verdict
from posekit.metrics.resampling import Estimate, difference
from posekit.recipe import Train, load, save
from posekit.studies.compare.latency import latencies
from posekit.studies.compare.page import write_page
from posekit.studies.compare.plan import Plan, family_of
from posekit.studies.compare.race import Raced, folder_of
from posekit.studies.compare.spoil import SPOILS
from posekit.studies.compare.worker import MEASURED, rung_file

Float = NDArray[np.floating]

STILL = 0.1
"""A mean error that fell by more than this share in the second half of the training was still falling."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that was found.

    Args:
        made: the plan.
        raced: the halving.
        spec: of one of the methods: size and framing, which are equal for all.
        result: finalists compared.
        spoiled: finalists on spoiled crops, by the kind of spoiling.
        scores: how far scores can be trusted, by method.
        crop_error: median error in pixels of the crop, by method.
        cost: what `worker.measure` found, by method, with ``ms``.
        verdict: the recommendation.
        command: that trains the recommended method in full.
        notes: sentences on what the numbers do not say.
    """

    made: Plan
    raced: Raced
    spec: InferenceSpec
    result: Contrast
    spoiled: Mapping[str, Contrast]
    scores: Mapping[str, Trust]
    crop_error: Mapping[str, float]
    cost: Mapping[str, Mapping[str, Any]]
    verdict: Verdict
    command: str
    notes: tuple[str, ...]

    def drop(self, method: str, how: str) -> tuple[float, float, float]:
        """How much worse the main metric gets on spoiled crops, positive: worse, with its interval."""
        main, sign = self.result.main, 1 if self.result.higher else -1
        pair = self.result.estimates[method][main], self.spoiled[how].estimates[method][main]
        both: Estimate = difference(*(pair if sign > 0 else pair[::-1]), self.result.images)
        return float(both.value[0]), float(both.low[0]), float(both.high[0])

    def ms(self, method: str) -> float:
        """Milliseconds of a crop with the exported file; NaN where there is none."""
        return float(self.cost[method].get("ms", math.nan))


def conclude(
    made: Plan, raced: Raced, sets: Sets, out: Path, say: Callable[[str], None], pictures: bool = True
) -> list[Path]:
    """Compute the statistics, recommend, and write ``compare.json``, ``compare.csv`` and ``compare.html``.

    Args:
        made: the plan.
        raced: the finished trainings.
        sets: the data.
        out: folder of the comparison.
        say: prints a line.
        pictures: draw the hard images into the page; without, it holds no image of the data.
    """
    found = outcome(made, raced, sets, out)
    files = [
        write_json(out / "compare.json", document(found, sets)),
        write_csv(out / "compare.csv", table_rows(found)),
        write_page(found, sets, out, pictures),
    ]
    for sentence in (*found.verdict.sentences, *found.notes):
        say(sentence)
    say(f"in {', '.join(map(str, files))}")
    say(f"next: {found.command}")
    return files


def outcome(made: Plan, raced: Raced, sets: Sets, out: Path) -> Outcome:
    """All statistics of the finished trainings in a folder."""
    recipe = load(folder_of(out, raced.finalists[0]) / "recipe.json")
    finished = {name: _arrays(rung_file(folder_of(out, name), raced.last[name])) for name in raced.finalists}
    val = sets.val
    result = contrast({name: xy for name, (xy, _) in finished.items()}, val, recipe.metric, seed=made.seed)
    usual = result.main
    if not made.metric:
        result = unsaturated(result)
    spoiled = {
        how: contrast(
            {name: _arrays(folder_of(out, name) / f"{how}.npz")[0] for name in finished},
            val,
            result.main,
            seed=made.seed,
        )
        for how in SPOILS
    }
    cost = {name: json.loads((folder_of(out, name) / MEASURED).read_text(encoding="utf-8")) for name in finished}
    for name, ms in latencies(out, cost, val, recipe.spec(), made.device).items():
        cost[name] |= ms
    best, gaps = gaps_of(result, raced.finalists)
    found = verdict(
        best,
        gaps,
        result.main,
        result.images,
        values={name: float(result.estimates[name][result.main].value[0]) for name in finished},
        ms={name: float(own.get("ms", math.nan)) for name, own in cost.items()},
    )
    return Outcome(
        made=made,
        raced=raced,
        spec=recipe.spec(),
        result=result,
        spoiled=spoiled,
        scores={name: trust(xy, score, val, result.main) for name, (xy, score) in finished.items()},
        crop_error={
            name: compared(xy, score, val, recipe.metric, recipe.spec()).median_crop_error
            for name, (xy, score) in finished.items()
        },
        cost=cost,
        verdict=found,
        command=full_training(found.take, made, out),
        notes=(*_metric_note(usual, result.main), *caveats(made, raced, found)),
    )


def _metric_note(usual: str, used: str) -> list[str]:
    """That another metric ranks than the usual one of the skeleton, and why."""
    if usual == used:
        return []
    return [f"{usual} is near its limit for several methods, so they are ranked by {used}; --metric takes another."]


def _arrays(file: Path) -> tuple[Float, Float]:
    """Points and scores of a file of predictions."""
    with np.load(file) as arrays:
        return arrays["xy"], arrays["score"]


def full_training(method: str, made: Plan, out: Path) -> str:
    """Write the recipe of a full training of a method; the command that runs it."""
    recipe, usual = load(folder_of(out, method) / "recipe.json"), Train()
    options = replace(
        recipe.train,
        epochs=max(usual.epochs, 2 * made.epochs),
        eval_every=1,
        checkpoint_minutes=usual.checkpoint_minutes,
        tensorboard=usual.tensorboard,
    )
    file = out / "recommended.json"
    save(replace(recipe, train=options), file)
    return f"posekit train {file} --out {out / 'recommended'} --device {made.device}"


def caveats(made: Plan, raced: Raced, found: Verdict) -> list[str]:
    """What the numbers do not say, as far as the numbers show it."""
    told = [
        "Intervals hold for the choice of validation images (95 %, resampled images, paired between methods; those of "
        "the recommendation for all methods together). They do not cover the randomness of training: repeat with "
        f"--seed {made.seed + 1} to see it."
    ]
    named = [name for name in (found.take, found.best, *found.tied) if name in raced.curves]
    falling = [name for name in dict.fromkeys(named) if _falling(raced.curves[name])]
    if falling:
        told.append(
            f"The mean error of {listed(falling)} was still falling at the end of {made.images:,} images: with a "
            "larger budget the order may change, above all for heatmaps, which start slowly."
        )
    for name, why in raced.stopped.items():
        told.append(
            f"{name} was stopped after {why.epoch} of {made.epochs} passes, worse than {why.best} of its family "
            f"(signed-rank test, p = {why.p:.2g})."
        )
    if made.instances < made.available:
        told.append(
            f"The budget covers {made.instances:,} of {made.available:,} training instances, drawn at random and the "
            "same for all methods."
        )
    return told


def _falling(curve: Mapping[int, float]) -> bool:
    """Whether the error fell by more than `STILL` between the last two rungs."""
    values = [curve[epoch] for epoch in sorted(curve)]
    return len(values) > 1 and values[-1] < (1 - STILL) * values[-2]


def document(found: Outcome, sets: Sets) -> dict[str, Any]:
    """The whole comparison as JSON."""
    result, raced = found.result, found.raced
    methods: dict[str, Any] = {}
    for name in (*result.ranked(), *raced.stopped):
        own: dict[str, Any] = {
            "family": family_of(name),
            "recipe": f"topdown-{name}-tiny".replace("_", "-"),
            "finished": name in raced.finalists,
            "passes": raced.last[name],
            "mean error by images seen": {str(e * found.made.instances): v for e, v in raced.curves[name].items()},
        }
        if name in raced.stopped:
            own["stopped"] = asdict(raced.stopped[name])
        else:
            own |= {
                "metrics": metrics_of(result, name),
                "median error in pixels of the crop": found.crop_error[name],
                "scores": asdict(found.scores[name]),
                "loss by spoiling": {
                    how: dict(zip(("value", "low", "high"), found.drop(name, how), strict=True)) for how in SPOILS
                },
                "cost": found.cost[name],
            }
        methods[name] = own
    take = found.verdict
    return {
        "kind": "trained methods",
        "data": {
            "training instances": found.made.available,
            "validation instances": result.instances,
            "validation images": result.images,
            "points": list(result.points),
        },
        "plan": asdict(found.made),
        "metric": result.main,
        "higher is better": result.higher,
        "recommendation": {
            "take": take.take,
            "most accurate": take.best,
            "cannot be told apart from it": take.tied,
            "gaps": [asdict(gap) for gap in take.gaps],
            "sentences": take.sentences,
            "command": found.command,
        },
        "ranking": result.ranked(),
        "methods": methods,
        "pairs": result.pairs(),
        "notes": [*found.notes, *sets.said],
    }


def table_rows(found: Outcome) -> list[dict[str, Any]]:
    """Rows of the CSV file: finalists with everything, then those that were stopped."""
    rows = csv_rows(found.result)
    for row in rows:
        name, cost = row["method"], found.cost[row["method"]]
        row |= {"family": family_of(name), "median crop px": found.crop_error[name]}
        row |= {f"loss {how}": found.drop(name, how)[0] for how in SPOILS}
        row |= {"score ranks": found.scores[name].ranks, "calibration error": found.scores[name].calibrated}
        row |= {f"{part} {what}": value for part in ("head", "total") for what, value in cost.get(part, {}).items()}
        row |= {"ms": found.ms(name), "bytes": cost.get("bytes"), "peak MB": cost.get("start", {}).get("peak_MB")}
    rows += [
        {"method": name, "family": family_of(name), "stopped after": why.epoch}
        for name, why in found.raced.stopped.items()
    ]
    return rows
