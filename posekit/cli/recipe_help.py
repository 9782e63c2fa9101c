"""The help of `posekit train RECIPE`: the most important options, or every field that the recipe can use."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import shutil
import textwrap
import typing
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from posekit.recipe import Recipe

MAIN = (
    "train.epochs",
    "train.batch",
    "train.lr",
    "train.backbone_lr_mult",
    "train.flip_test",
    "train.patience",
    "train.workers",
    "model.backbone.weights",
    "augment.geometry.rotation",
    "augment.geometry.scale",
    "augment.scene.scale",
    "augment.scene.mosaic",
    "framing.padding",
    "codec.sigma",
    "seed",
    "init",
)
"""The most important fields."""

FIRST = ("train", "augment", "model", "codec", "losses", "framing")
LAST = ("override", "netaug", "prune", "quantise")
"""Parts of a recipe that the help shows first and last."""

IMAGENET = (
    "; ImageNet weights come with other backbones: --backbone efficientnet_lite --model.backbone.weights imagenet, or "
    "--backbone timm:resnet18 --model.backbone.pretrained"
)

UNUSED = {"topdown": ("augment.scene", "nms"), "onestage": ("augment.geometry", "distill")}
"""Parts of a recipe that a kind of model does not use."""


@dataclasses.dataclass(frozen=True)
class Option:
    """One field of a recipe as an option of the command.

    Args:
        name: dotted.
        values: accepted values.
        default: value in the recipe.
        about: one or two lines of help.
    """

    name: str
    values: str
    default: Any
    about: str

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def words(self) -> str:
        """The option with its accepted values; a boolean has a second flag that turns it off."""
        if not isinstance(self.default, bool):
            return f"{self.flag} {self.values}"
        top, _, last = self.flag.rpartition(".")
        return f"{self.flag}, {top}.no-{last}"

    def lines(self, width: int) -> list[str]:
        """The option and, indented below it, its help."""
        about = " ".join(f"{self.about} (default: {_plain(self.default)})".split())
        return [
            f"  {self.words}",
            *textwrap.wrap(about, width, initial_indent=" " * 8, subsequent_indent=" " * 8),
        ]


def recipe_help(recipe: Recipe, everything: bool) -> str:
    """The options of a recipe.

    Args:
        recipe: the recipe; its values are the defaults.
        everything: show all fields that it can use, in groups; else those of `MAIN`.
    """
    width = min(max(shutil.get_terminal_size().columns, 60), 110)
    options = [o for o in options_of(recipe) if not _within(o.name, UNUSED[recipe.model.kind])]
    # Stable: within a part the options keep their order.
    options.sort(key=lambda o: _rank(o.name))
    if not everything:
        chosen = sorted((o for o in options if o.name in MAIN), key=lambda o: MAIN.index(o.name))
        return "\n".join(line for option in chosen for line in option.lines(width))
    lines: list[str] = []
    group = ""
    for option in options:
        top = option.name.rpartition(".")[0]
        if top != group or not lines:
            group = top
            lines += ["", f"{group or 'recipe'}:"]
        lines += option.lines(width)
    return "\n".join(lines).strip("\n")


def options_of(config: Any, prefix: str = "") -> Iterator[Option]:
    """Every field that may be set; plain fields first, then those of nested configs under dotted names."""
    nested = []
    hints = typing.get_type_hints(type(config), include_extras=True)
    kind: type = type(config)
    about = _docs(kind)
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if "Suppress" in repr(hints[field.name]) or (field.name == "kind" and not _several(hints["kind"])):
            continue
        if dataclasses.is_dataclass(value):
            nested.append((f"{name}.", value))
        elif isinstance(value, dict):
            nested += [(f"{name}.{key}.", each) for key, each in value.items() if dataclasses.is_dataclass(each)]
        else:
            text = about.get(field.name, "")
            if name == "model.backbone.weights" and "imagenet" not in text:
                text += IMAGENET
            yield Option(name, _values(hints[field.name]), value, text)
    for name, value in nested:
        yield from options_of(value, name)


def _several(hint: Any) -> bool:
    """Whether a ``kind`` has several values, and so is an option and not the tag of a union."""
    return len(typing.get_args(hint)) > 1


def _rank(name: str) -> int:
    """Position of an option's part in the help: fields of the recipe itself, `FIRST`, all others, `LAST`."""
    part, dot, _ = name.partition(".")
    if not dot:
        return 0
    if part in FIRST:
        return 1 + FIRST.index(part)
    return 1 + len(FIRST) + (1 + LAST.index(part) if part in LAST else 0)


def _within(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_plain, value)) or "none"
    return "none" if value is None else str(value)


def _values(hint: Any) -> str:
    """The accepted values of a type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _values(arguments[0])
    if origin is typing.Literal:
        return "{" + ",".join(map(str, arguments)) + "}"
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"[{_values(arguments[0])} ...]"
        return " ".join(map(_values, arguments))
    if arguments and any(dataclasses.is_dataclass(a) for a in typing.get_args(arguments[0]) or arguments):
        return "SOURCE"
    if arguments and type(None) in arguments:
        return " or ".join("none" if a is type(None) else _values(a) for a in arguments)
    return {int: "N", float: "X", str: "NAME"}.get(hint, getattr(hint, "__name__", str(hint)).upper())


@cache
def _docs(config: type) -> dict[str, str]:
    """The docstring below each field of a class and of its bases, or its entry under "Args:"."""
    docs = {
        name: about
        for base in config.__bases__
        if dataclasses.is_dataclass(base)
        for name, about in _docs(base).items()
    }
    tree = ast.parse(textwrap.dedent(inspect.getsource(config)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    docs |= _arguments(inspect.getdoc(config) or "")
    for statement, after in pairwise(body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            if isinstance(statement.target, ast.Name) and isinstance(after.value.value, str):
                docs[statement.target.id] = after.value.value
    return docs


def _arguments(docstring: str) -> dict[str, str]:
    _, _, below = docstring.partition("Args:\n")
    entries: dict[str, str] = {}
    name = ""
    for line in below.splitlines():
        if not line.startswith("    "):
            break
        if line.startswith("        "):
            entries[name] += " " + line.strip()
        else:
            name, _, about = line.strip().partition(": ")
            entries[name] = about
    return entries
