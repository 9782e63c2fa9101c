"""One function per published run: a skeleton in, a recipe out."""

from collections.abc import Callable
from functools import partial

from posekit.recipe import Recipe
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, TINY, topdown

RECIPES: dict[str, Callable[..., Recipe]] = {
    f"topdown-{kind}{suffix}".replace("_", "-"): partial(
        topdown, f"topdown-{kind}{suffix}".replace("_", "-"), form, kind
    )
    for suffix, form in (("", PLAIN), ("-tiny", TINY))
    for kind in REPRESENTATIONS
}
"""Name to a function of a skeleton, and of ``size``, ``stride``, ``codec``, ``losses`` and ``backbone``."""
