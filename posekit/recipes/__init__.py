"""One function per published run: a skeleton in, a recipe out."""

from collections.abc import Callable
from functools import partial

from posekit.recipe import Recipe
from posekit.recipes import onestage
from posekit.recipes.centernet import centernet
from posekit.recipes.dekr import dekr, dekr_first
from posekit.recipes.directpose import directpose
from posekit.recipes.fcos import fcos
from posekit.recipes.fcpose import fcpose
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, TINY, topdown
from posekit.recipes.ttfnet import ttfnet

SYSTEMS: dict[str, onestage.System] = {
    "centernet": centernet,
    "ttfnet": ttfnet,
    "dekr": dekr,
    "dekr-first": dekr_first,
    "fcos": fcos,
    "directpose": directpose,
    "fcpose": fcpose,
}
"""Name to a system for full images."""

RECIPES: dict[str, Callable[..., Recipe]] = {
    f"topdown-{kind}{suffix}".replace("_", "-"): partial(
        topdown, f"topdown-{kind}{suffix}".replace("_", "-"), form, kind
    )
    for suffix, form in (("", PLAIN), ("-tiny", TINY))
    for kind in REPRESENTATIONS
} | {
    f"{kind}{suffix}": partial(onestage.onestage, f"{kind}{suffix}", form, system)
    for suffix, form in (("", onestage.PLAIN), ("-tiny", onestage.TINY))
    for kind, system in SYSTEMS.items()
}
"""Name to a function of a skeleton, and of ``size``, ``stride``, ``codec``, ``losses`` and ``backbone``."""
