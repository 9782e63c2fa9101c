"""`posekit prune RUN --macs 0.5 --out DIR`: a trained model with fewer channels, to be trained a little more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Options:
    """Remove the channels of a trained model that matter least.

    Writes a model and a recipe. It is worse than the model it was made of until it has been trained further:
    posekit train DIR/recipe.json --init DIR. Weights become zero one by one instead by posekit train --prune.share.
    """

    model: Annotated[str, tyro.conf.Positional]
    "a run folder, a weights folder, or a hub id"
    out: Path
    "folder of the model that is made"
    macs: float = 0.5
    "share of the multiply-accumulates that is left"


def run(argv: Sequence[str]) -> int:
    """Write the smaller model; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit prune")
    from posekit.models.compress.count import report
    from posekit.recipe import save
    from posekit.zoo.structured import thinned
    from posekit.zoo.weights import load_weights, save_weights

    if (options.out / "config.json").exists():
        raise ValueError(f"{options.out} holds a model already; choose another --out")
    before = load_weights(options.model)
    after = thinned(options.model, options.macs)
    save_weights(options.out, after.net, after.recipe, after.spec.figures)
    save(after.recipe, options.out / "recipe.json")
    for title, weights in (("before", before), ("after", after)):
        print(f"{title}\n{report(weights.net, weights.recipe.size)}\n")
    print(
        f"model and recipe in {options.out}; it has not been trained since: "
        f"posekit train {options.out / 'recipe.json'} --init {options.out}"
    )
    return 0
