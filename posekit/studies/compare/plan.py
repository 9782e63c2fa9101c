"""What a comparison trains: methods and families, the budget in images, and the rungs of the halving."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from posekit.recipe import Recipe, RecipeError, save
from posekit.recipes.representations import REPRESENTATIONS
from posekit.words import nearest

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "heatmaps": ("heatmap", "dark", "udp", "udp_combined", "ellipse", "oks", "megvii", "openpose"),
    "centres with offsets": ("centernet", "ttfnet", "grid", "ssd"),
    "soft-argmax": ("integral", "dsnt"),
    "bins of each axis": ("simcc", "simcc_smoothed", "dfl"),
    "regression": ("regression", "rle"),
}
"""Family to its representations: all 2-D ones. Halving compares within families only."""

USUAL = ("heatmap", "dark", "udp", "integral", "dsnt", "simcc", "dfl", "regression", "rle")
"""Representations that are compared unless others are asked for."""

SHARES = (0.25, 0.5, 1.0)
"""Shares of the budget after which methods are compared; the last one is the end."""
PASSES = 4
"""A budget of fewer passes over the training set uses a part of the set, drawn by the seed, so often."""
FEW = 16_000
"""Below this many images the batches are of 8, else of 16: few steps of large batches teach little."""
FILE = "plan.json"


@dataclass(frozen=True)
class Plan:
    """A comparison that can be repeated and resumed.

    Args:
        methods: names of representations.
        images: training images that each method sees in its whole training.
        epochs: passes over the training instances.
        instances: training instances that are used.
        available: training instances of the data.
        batch: images in a step.
        rungs: epochs after which methods are compared; the last are all epochs.
        seed: of the trainings, of the instances that are used, and of the resampling.
        init: initial weights; ``None``: from scratch.
        device: of the trainings.
        budget: what was asked for, in words.
        seconds: measured seconds of a training image by method; empty if the budget was in images.
        metric: that was asked for; empty: chosen by the skeleton and the values.
    """

    methods: tuple[str, ...]
    images: int
    epochs: int
    instances: int
    available: int
    batch: int
    rungs: tuple[int, ...]
    seed: int
    init: str | None
    device: str
    budget: str
    seconds: Mapping[str, float]
    metric: str = ""

    @property
    def families(self) -> dict[str, tuple[str, ...]]:
        """Families of the methods, without empty ones."""
        named = {family: tuple(m for m in self.methods if m in FAMILIES[family]) for family in FAMILIES}
        return {family: members for family, members in named.items() if members}


def family_of(method: str) -> str:
    """The family of a representation."""
    return next(family for family, members in FAMILIES.items() if method in members)


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Names of representations from what the user asked for.

    Args:
        names: none: `USUAL`; "all": every 2-D one; else representations, also as ``topdown-NAME-tiny``.

    Raises:
        RecipeError: an unknown name, one twice, or fewer than two.
    """
    every = tuple(name for name in REPRESENTATIONS if not name.endswith("3d"))
    if not names:
        return USUAL
    if tuple(names) == ("all",):
        return every
    asked = tuple(re.sub(r"^topdown-|-tiny$", "", name).replace("-", "_") for name in names)
    for name in asked:
        if name not in every:
            raise RecipeError(nearest(name, list(every), "representation of 2-D points"))
    if len(set(asked)) < len(asked):
        raise RecipeError(f"a method is named twice: {' '.join(names)}")
    if len(asked) < 2:
        raise RecipeError(f"a comparison needs at least two methods; got {' '.join(names)}")
    return asked


def minutes(text: str) -> float:
    """Minutes of a budget such as ``30m``, ``2h``, ``90s`` or ``1h30m``.

    Raises:
        ValueError: anything else, or no time at all.
    """
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text.strip().lower())
    hours, whole, seconds = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0)
    total = 60 * hours + whole + seconds / 60
    if not total:
        raise ValueError(f"--budget is a time above 0 such as 30m, 2h or 1h30m; got {text!r}; --images N counts images")
    return total


def images_for(seconds: float, jobs: int, each: Iterable[float], overhead: float) -> int:
    """Training images that each method may see within a time.

    It is planned as if no method were stopped early, so the budget is kept in any case.

    Args:
        seconds: for everything.
        jobs: processes in parallel.
        each: seconds of a training image of each method.
        overhead: seconds of all the rest, such as measuring.

    Raises:
        ValueError: the time is used up without any training.
    """
    left = seconds - overhead
    images = math.floor(left * jobs / sum(each)) if left > 0 else 0
    if images < 1:
        raise ValueError(
            f"a budget of {seconds / 60:.3g} minutes leaves no time to train: measuring alone takes about "
            f"{overhead / 60:.1f} minutes; raise --budget, or name fewer --methods"
        )
    return images


def plan(
    methods: Sequence[str],
    images: int,
    available: int,
    *,
    seed: int = 0,
    init: str | None = None,
    device: str = "cpu",
    budget: str = "",
    seconds: Mapping[str, float] | None = None,
    metric: str = "",
) -> Plan:
    """Turn a budget of images into epochs and rungs.

    Raises:
        ValueError: fewer images than one for each pass.
    """
    if images < PASSES:
        raise ValueError(f"a budget of {images} images is too small: at least {PASSES}, one in each of {PASSES} passes")
    instances = min(available, images // PASSES)
    epochs = max(PASSES, round(images / instances))
    return Plan(
        methods=tuple(methods),
        images=epochs * instances,
        epochs=epochs,
        instances=instances,
        available=available,
        batch=min(8 if images < FEW else 16, instances),
        rungs=tuple(sorted({math.ceil(share * epochs) for share in SHARES})),
        seed=seed,
        init=init,
        device=device,
        budget=budget or f"{images:,} images",
        seconds=dict(seconds or {}),
        metric=metric,
    )


def kept(asked: Plan, out: Path) -> Plan:
    """The plan that a folder already has, if it is the same comparison; else the new one, which is written.

    Args:
        asked: of this call.
        out: folder of the comparison.

    Raises:
        ValueError: the folder holds another comparison.
    """
    file = out / FILE
    document = json.loads(json.dumps(asdict(asked)))
    if file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        differ = [name for name in document if name != "seconds" and document[name] != before.get(name)]
        if differ:
            told = ", ".join(f"{name} {before.get(name)} there, {document[name]} now" for name in differ)
            raise ValueError(f"{file} is of another comparison ({told}): give another --out, or the same options")
        return read(out)
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return asked


def read(out: Path) -> Plan:
    """The plan in a folder."""
    document: dict[str, Any] = json.loads((out / FILE).read_text(encoding="utf-8"))
    return Plan(**{**document, "methods": tuple(document["methods"]), "rungs": tuple(document["rungs"])})


def trained_recipe(recipe: Recipe, made: Plan) -> Recipe:
    """A method's recipe with the options that are equal for all."""
    options = replace(
        recipe.train,
        epochs=made.epochs,
        batch=made.batch,
        # Only the last weights are measured: choosing an epoch on the validation set would flatter all methods.
        eval_every=made.epochs,
        patience=0,
        tensorboard=False,
        checkpoint_minutes=1.0,
    )
    return replace(recipe, train=options, seed=made.seed)


def write_recipe(recipe: Recipe, folder: Path) -> None:
    """Write a method's recipe into its folder.

    Raises:
        ValueError: the folder holds another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, new = folder / "recipe.json", folder / "recipe.new.json"
    save(recipe, new)
    if file.exists() and file.read_bytes() != new.read_bytes():
        new.unlink()
        raise ValueError(f"{file} is of another comparison: give another --out, or the same data and options")
    new.replace(file)


Say = Callable[[str], None]
