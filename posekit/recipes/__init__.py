"""Recipes: functions from a skeleton to the recipe of a published method."""

from collections.abc import Callable, Mapping
from functools import partial

from posekit.recipe import Recipe
from posekit.recipes import movenet, onestage
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
    "movenet": movenet.movenet,
}
"""One-stage systems by name."""

FORMS: dict[str, tuple[onestage.Form, onestage.Form]] = {"movenet": (movenet.PLAIN, movenet.TINY)}
"""Plain and tiny form of systems that do not take the usual ones."""

RECIPES: Mapping[str, Callable[..., Recipe]] = {
    f"topdown-{kind}{suffix}".replace("_", "-"): partial(
        topdown, f"topdown-{kind}{suffix}".replace("_", "-"), form, kind
    )
    for suffix, form in (("", PLAIN), ("-tiny", TINY))
    for kind in REPRESENTATIONS
} | {
    f"{kind}{suffix}": partial(onestage.onestage, f"{kind}{suffix}", form, system)
    for kind, system in SYSTEMS.items()
    for suffix, form in zip(("", "-tiny"), FORMS.get(kind, (onestage.PLAIN, onestage.TINY)), strict=True)
}
"""Recipe functions by name; arguments: skeleton, ``size``, ``stride``, ``codec``, ``losses``, ``backbone``."""
