"""One function per published run: a skeleton in, a recipe out."""

from collections.abc import Callable
from functools import partial

from posekit.recipe import Recipe
from posekit.recipes.topdown import PLAIN, TINY, topdown

_TOPDOWN = {
    "topdown-heatmap": "heatmap",
    "topdown-dark": "dark",
    "topdown-integral": "integral",
    "topdown-dsnt": "dsnt",
    "topdown-regression": "regression",
    "topdown-rle": "rle",
    "topdown-simcc": "simcc",
}

RECIPES: dict[str, Callable[..., Recipe]] = {
    name + suffix: partial(topdown, name + suffix, form, representation)
    for suffix, form in (("", PLAIN), ("-tiny", TINY))
    for name, representation in _TOPDOWN.items()
}
"""Name to a function of a skeleton, and of ``size``, ``stride``, ``codec``, ``losses`` and ``backbone``."""
