"""One page for each representation, and their table: from docstrings, fields and measurements on perfect maps."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tyro.conf import Suppress

from posekit.codecs.base import Codec
from posekit.losses import LOSSES
from posekit.recipes import RECIPES
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, topdown
from posekit.skeletons.body import COCO17
from posekit.studies.codecs import Row, cells, table, titles

FOLDER = Path(__file__).parent / "codecs"
INDEX = """# Representations

Made by `make docs`. How points become maps and maps become points again; the values of `--codec`. `posekit codecs`
prints this table for your own points and size of crops; here it is for {skeleton.name} ({points} points), crops of
{height}x{width} and the networks of the plain recipes.

{table}

- *the head gives*: shapes of the head's output for one crop, without the batch axis. - *head*, *neck*:
multiply-accumulates and weights after the backbone, which is the same for all. - *error*: distance in image pixels
between a point and the point decoded from perfect maps, for points in the middle half of the crop. It is a lower limit
of the error of a trained network. - *losses*: what the recipe trains with; *their weights*: parameters that the losses
learn in addition to the network's. - *target*: memory of one crop's targets in training, bytes.
"""
(HIDDEN,) = typing.get_args(Suppress[int])[1:]
"""Marker of fields without a flag: they follow from the skeleton, the crop or the class."""


@dataclass(frozen=True)
class Named:
    """One field of a config, as shown on the page."""

    name: str
    values: str
    default: str
    about: str


def pages() -> dict[Path, str]:
    """File names to texts, the index first."""
    rows = list(table(COCO17, PLAIN))
    return {FOLDER / "README.md": index(rows), **{FOLDER / f"{row.name}.md": page(row) for row in rows}}


@cache
def codec_of(name: str) -> Codec:
    """The codec of the plain recipe, which the pages and pictures show."""
    return topdown("docs", PLAIN, name, COCO17).codec


def index(rows: list[Row]) -> str:
    """The table of all representations."""
    height, width = PLAIN.size
    head = [*titles(), "paper"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        _, *rest = cells(row)
        lines.append([f"[`{row.name}`]({row.name}.md)", *rest, row.source])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return INDEX.format(skeleton=COCO17, points=len(COCO17.points), height=height, width=width, table=text)


def page(row: Row) -> str:
    """The page of one representation."""
    codec = codec_of(row.name)
    text, source = _about(type(codec))
    parts = [
        f"# {row.name}\n\nMade by `make docs`; [all representations](README.md).",
        text,
        f"![training targets]({row.name}.png)",
        f"```\n{_command(row.name)}\n```",
        source,
        "## Methods\n\n" + "\n".join(_passes(codec)),
        f"## Figures\n\n{_figures(row)}",
        f"## Fields\n\n{_fields_table(codec)}",
        f"## Losses\n\n{_losses(row)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _command(name: str) -> str:
    recipe = f"topdown-{name}"
    chosen = recipe if recipe in RECIPES else f"{next(iter(RECIPES))} --codec {name}"
    return f"posekit train {chosen} --data.train labels.json"


def _about(kind: type) -> tuple[str, str]:
    """A class's docstring, and its paragraphs on the source."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    said = [p for p in paragraphs if not p.startswith(("Source:", "Args:", "Raises:"))]
    source = [p for p in paragraphs if p.startswith("Source:")]
    return _code("\n\n".join(said)), _code("\n\n".join(source).replace(" Differs:", "\n\nDiffers:"))


def _code(text: str) -> str:
    """Docstring to Markdown: double backquotes become single ones."""
    return text.replace("``", "`")


def _passes(codec: Codec) -> Iterator[str]:
    """Summaries of encode, activate, perfect, decode and flip, from their docstrings."""
    for name in ("encode", "activate", "perfect", "decode", "flip"):
        text = inspect.getdoc(getattr(type(codec), name)) or ""
        first = " ".join(text.split("\n\n")[0].split())
        returned = re.search(r"^Returns:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
        more = f" Returns: {' '.join(returned[1].split())}" if returned else ""
        yield f"- **{name}**: {_code(first + more)}"
    gives = ", ".join(f"`{name}`" for name in sorted(codec.gives))
    yield f"- A loss may ask for {gives}."


def _figures(row: Row) -> str:
    head = titles()[1:]
    values = cells(row)[1:]
    lines = [f"| {what} | {value} |" for what, value in zip(head, values, strict=True)]
    return "\n".join(["| crops of 256x192, 17 points | |", "| --- | --- |", *lines])


def _losses(row: Row) -> str:
    lines = []
    for name in row.fitting:
        about = " ".join((inspect.getdoc(LOSSES[name]) or "").split("\n\n")[0].split())
        own = ", the recipe's own" if name in row.losses else ""
        lines.append(f"- `{name}`{own}: {_code(about)}")
    return "\n".join(lines) or "none yet"


def _fields_table(codec: Codec) -> str:
    fields = list(shown_fields(codec))
    if not fields:
        return "none"
    lines = ["| flag | values | default | |", "| --- | --- | --- | --- |"]
    lines += [f"| `--codec.{f.name.replace('_', '-')}` | {f.values} | {f.default} | {f.about} |" for f in fields]
    return "\n".join(lines)


def shown_fields(codec: Codec) -> Iterator[Named]:
    """The fields that a user may set, with their values in this codec."""
    about = field_docs(type(codec))
    for name, info in type(codec).__pydantic_fields__.items():  # type: ignore[attr-defined]
        if HIDDEN in info.metadata:
            continue
        value = getattr(codec, name)
        own = f"`{_value(value)}`"
        if not info.is_required() and info.default != value and info.default_factory is None:
            own += f" (`{_value(info.default)}` in the class)"
        yield Named(name, _values(info.annotation, info.metadata), own, _code(about.get(name, "")))


def field_docs(kind: type) -> dict[str, str]:
    """The string below each field of a class and its base classes."""
    docs: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if not one.__module__.startswith("posekit"):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                assert isinstance(field.target, ast.Name)
                docs[field.target.id] = " ".join(str(text.value.value).split())
    return docs


def _value(value: Any) -> str:
    return "unset" if value is None else str(value)


def _values(annotation: Any, metadata: list[Any]) -> str:
    """Possible values of a field: choices, or a type of number with its bounds."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *inner = typing.get_args(annotation)
        return _values(annotation, [*metadata, *(m for i in inner for m in getattr(i, "metadata", [i]))])
    options = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(f"`{option}`" for option in options)
    if type(None) in options:
        (other,) = (option for option in options if option is not type(None))
        return f"{_values(other, metadata)}, or unset"
    name = getattr(annotation, "__name__", str(annotation)) if not options else str(annotation)
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    bounds = [f"{sign} {getattr(m, key):g}" for m in metadata for key, sign in signs.items() if hasattr(m, key)]
    return " ".join([name, " and ".join(bounds)]).strip()


def stray(wanted: dict[Path, str]) -> list[Path]:
    """Pages and pictures in the folder that belong to no representation."""
    known = set(wanted) | {FOLDER / f"{name}.png" for name in REPRESENTATIONS}
    return sorted(set(FOLDER.glob("*")) - known) if FOLDER.exists() else []
