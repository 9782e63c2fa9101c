"""`make demo`: train briefly on drawn figures, measure on held-out ones, and draw what was found.

Needs no download. Fails (exit status 1) when the share of points found falls below `ENOUGH`, so it is a check as well.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from posekit.data.synthetic import Synthetic
from posekit.pipelines.load import load
from posekit.recipe import Recipe, save
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.run import train
from posekit.training.sets import Sets
from posekit.visualize.draw import draw_poses, sheet

RECIPE = "topdown-dark-tiny"
SIZE = (96, 96)
LEARN, HELD_OUT, EPOCHS = 3000, 300, 6
METRIC, ENOUGH = "pck@0.2", 0.85
SHOWN = 12


def demo_recipe() -> Recipe:
    """The recipe of the demo: a tiny network, a small crop, a few thousand figures."""
    recipe = RECIPES[RECIPE](SKELETONS["lsp14"], size=SIZE)
    return replace(recipe, train=replace(recipe.train, epochs=EPOCHS), metric=METRIC)
