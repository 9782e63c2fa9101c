"""`posekit prune RUN --macs 0.5 --out DIR`: a trained model with fewer channels, to be fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Options:
    """Structured pruning: remove the least important channels of a trained model.

    Writes a smaller model and its recipe. Fine-tune it afterwards, since it is less accurate at first:
    posekit train DIR/recipe.json --init DIR. For single weights instead of channels: posekit train --prune.share.
    """

    model: Annotated[str, tyro.conf.Positional]
    "a run folder, a weights folder, or a hub id"
    out: Path
    "folder for the smaller model"
    macs: float = 0.5
    "share of the multiply-accumulates (MACs) to keep, 0 to 1"


def run(argv: Sequence[str]) -> int:
    """Write the smaller model; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit prune")
    from posekit.models.compress.count import report
    from posekit.recipe import save
    from posekit.zoo.structured import thinned
    from posekit.zoo.weights import load_weights, save_weights

    if (options.out / "config.json").exists():
        raise ValueError(f"{options.out} already holds a model; choose another --out")
    before = load_weights(options.model)
    after = thinned(options.model, options.macs)
    save_weights(options.out, after.net, after.recipe, after.spec.figures)
    save(after.recipe, options.out / "recipe.json")
    for title, weights in (("before", before), ("after", after)):
        print(f"{title}\n{report(weights.net, weights.recipe.size)}\n")
    print(
        f"model and recipe in {options.out}; fine-tune it: "
        f"posekit train {options.out / 'recipe.json'} --init {options.out}"
    )
    return 0
