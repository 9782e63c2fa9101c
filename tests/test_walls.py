"""Who may import whom: every import in the package is read, and it may only go down the floors of the house."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "posekit"

FLOORS = {
    "cli": 9,
    "api": 8,
    "studies": 8,
    "exporting": 7,
    "serve": 7,
    "training": 6,
    "recipes": 5,
    "zoo": 5,
    "evaluation": 5,
    "pipelines": 4,
    "recipe": 4,
    "adapters": 3,
    "engines": 3,
    "transforms": 3,
    "losses": 3,
    "postprocess": 3,
    "codecs": 2,
    "metrics": 2,
    "data": 2,
    "skeletons": 2,
    "visualize": 2,
    "geometry": 1,
    "models": 1,
    "extras": 1,
    "validation": 1,
    "words": 1,
}
"""Rooms by floor; a room imports itself and lower floors, never its neighbours."""

NEIGHBOURS = {
    ("data", "skeletons"),  # readers and the synthetic set look up known skeletons, which are data as well
    ("engines", "postprocess"),  # a model's spec holds what is done with its poses: NMS, rescoring
}
"""Pairs (who, whom) on one floor that may meet, each with its reason."""

TORCH_FREE = (
    *("geometry", "skeletons", "metrics", "postprocess", "visualize", "transforms", "data"),
    *("adapters", "engines", "pipelines", "evaluation", "zoo", "extras", "validation", "words"),
)
"""Rooms that work without torch."""

WITH_TORCH = {
    "posekit.data.batch",  # what goes to the device
    "posekit.engines.torch",  # torch's engine
    "posekit.zoo.weights",  # networks from and to folders
    "posekit.zoo.built",
    "posekit.zoo.mtcnn",
    "posekit.zoo.structured",
}
"""Modules of those rooms that do need it. In engines, pipelines and evaluation there is one: torch's engine."""


@dataclass(frozen=True)
class Import:
    """One import: who asks, for which module, for which name in it, and whether loading the file runs it."""

    file: str
    line: int
    module: str
    name: str
    at_load: bool

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def module_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports_of(node: ast.AST, file: str, at_load: bool = True) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(file, child.lineno, alias.name, "", at_load) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{file}:{child.lineno} imports relatively; write the whole path"
            yield from (Import(file, child.lineno, child.module or "", alias.name, at_load) for alias in child.names)
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or for_types_only(child)
            yield from imports_of(child, file, at_load and not later)


@cache
def files(root: Path = ROOT) -> dict[str, Path]:
    """Module to file."""
    return {module_of(path, root): path for path in sorted(root.rglob("*.py"))}


@cache
def imports(root: Path = ROOT) -> dict[str, list[Import]]:
    """Module to everything that it imports, wherever in the file."""
    return {
        module: list(imports_of(ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(root.parent))))
        for module, path in files(root).items()
    }


def inner(asked: Import, root: Path = ROOT) -> str | None:
    """The module of the package that an import runs, or None for one of others."""
    if asked.module.split(".")[0] != "posekit":
        return None
    whole = f"{asked.module}.{asked.name}"
    return whole if whole in files(root) else asked.module


def broken_floors(root: Path = ROOT) -> list[str]:
    wrong = []
    for module, asked in imports(root).items():
        own = room_of(module)
        if own in ("", "__main__"):
            continue
        for one in asked:
            target = inner(one, root)
            other = room_of(target) if target else ""
            if not target or other == own or (own, other) in NEIGHBOURS:
                continue
            if other and FLOORS[other] >= FLOORS[own]:
                wrong.append(f"{one.where} {own} ({FLOORS[own]}) imports {other} ({FLOORS[other]})")
    return wrong


def faces(root: Path = ROOT) -> dict[str, set[str]]:
    """Package to the public tables that its face holds."""
    tables = {}
    for module, path in files(root).items():
        if path.name == "__init__.py" and module != "posekit":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            targets = [n.target if isinstance(n, ast.AnnAssign) else n.targets[0] for n in body if is_assignment(n)]
            tables[module] = {t.id for t in targets if isinstance(t, ast.Name) and t.id.isupper() and t.id[0] != "_"}
    return tables


def is_assignment(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign | ast.AnnAssign)


def imports_from_faces(root: Path = ROOT) -> list[str]:
    tables = faces(root)
    wrong = []
    for asked in imports(root).values():
        for one in asked:
            if inner(one, root) not in tables:
                continue
            if one.name not in tables.get(one.module, ()):
                wrong.append(f"{one.where} imports {one.name or one.module} from the face {one.module}")
    return wrong


def needs_torch(one: Import) -> bool:
    """Whether an import of others brings torch along."""
    whole = f"{one.module}.{one.name}"
    return whole.split(".")[0] in ("torch", "torchvision", "accelerate", "timm") or "safetensors.torch" in whole


def torch_at_load(
    module: str, root: Path = ROOT, path: tuple[str, ...] = (), seen: set[str] | None = None
) -> str | None:
    """How loading a module comes to load torch, as a chain of modules; None when it does not.

    A module in ``seen`` is not looked at again.
    """
    seen = set() if seen is None else seen
    seen.add(module)
    for one in imports(root).get(module, []):
        if not one.at_load or module in WITH_TORCH:
            continue
        if needs_torch(one):
            return " -> ".join((*path, module, f"{one.module} ({one.where})"))
        target = inner(one, root)
        # The package's own face is loaded too, and it loads nothing.
        if target and target not in {*seen, "posekit"}:
            if target in WITH_TORCH:
                return " -> ".join((*path, module, target))
            found = torch_at_load(target, root, (*path, module), seen)
            if found:
                return found
    return None


def torch_free_modules() -> list[str]:
    return [m for m in files() if room_of(m) in TORCH_FREE and m not in WITH_TORCH]


def test_every_room_has_a_floor():
    assert {room_of(module) for module in files()} - {"", "__main__"} <= set(FLOORS)


def test_imports_go_down_only():
    assert broken_floors() == []


def test_geometry_and_models_never_touch():
    for own, other in (("geometry", "models"), ("models", "geometry")):
        asked = [one for m, many in imports().items() if room_of(m) == own for one in many]
        assert asked
        assert [one.where for one in asked if room_of(inner(one) or "") == other] == []


def test_nobody_imports_from_a_face():
    assert imports_from_faces() == []


def test_faces_hold_a_docstring_or_tables_and_nothing_else():
    for module in faces():
        body = ast.parse(files()[module].read_text(encoding="utf-8")).body
        assert ast.get_docstring(ast.Module(body, [])), f"{module} has no docstring"
        odd = [n for n in body if not (is_assignment(n) or isinstance(n, ast.Import | ast.ImportFrom | ast.Expr))]
        assert [f"{module}: {type(n).__name__} in line {n.lineno}" for n in odd] == []


@pytest.mark.parametrize("module", torch_free_modules())
def test_torch_stays_outside(module):
    assert torch_at_load(module) is None
    hidden = [one.where for one in imports()[module] if one.module.split(".")[0] == "torch" and one.at_load]
    assert hidden == []


@pytest.mark.parametrize("pair", sorted(NEIGHBOURS))
def test_neighbours_stand_on_one_floor(pair):
    own, other = pair
    assert FLOORS[own] == FLOORS[other]


# The walls can fall: each rule is shown a house that breaks it.


def house(tmp_path: Path, **texts: str) -> Path:
    root = tmp_path / "posekit"
    for name, text in {"__init__": "", **texts}.items():
        path = root.joinpath(*name.split("__")) if name != "__init__" else root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / f"{path.name}.py").write_text(text, encoding="utf-8")
        face = path.parent / "__init__.py"
        if not face.exists():
            face.write_text('"""A room."""\nTABLE = {}\n', encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "line",
    [
        "from posekit.codecs.heatmap import Heatmap",
        "import posekit.codecs.heatmap",
        "from posekit.codecs import heatmap",
    ],
)
@pytest.mark.parametrize("place", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_an_import_that_goes_up_is_found(tmp_path, line, place):
    root = house(tmp_path, geometry__grid=place.format(line), codecs__heatmap="")
    (found,) = broken_floors(root)
    assert "geometry (1) imports codecs (2)" in found


def test_neighbours_are_found(tmp_path):
    root = house(tmp_path, metrics__oks="from posekit.data.sample import Sample", data__sample="")
    assert "metrics (2) imports data (2)" in broken_floors(root)[0]


def test_imports_from_faces_are_found(tmp_path):
    lines = [f"from posekit.codecs import {name}" for name in ("Heatmap", "TABLE", "heatmap")]
    root = house(tmp_path, recipe="\n".join([*lines, "import posekit.codecs"]), codecs__heatmap="")
    found = imports_from_faces(root)
    assert len(found) == 2
    assert "recipe.py:1 imports Heatmap from the face posekit.codecs" in found[0]
    assert "recipe.py:4 imports posekit.codecs" in found[1]


def test_torch_behind_another_module_is_found(tmp_path):
    root = house(
        tmp_path,
        metrics__near="from posekit.geometry.far import f",
        metrics__late="def g():\n    import torch",
        geometry__far="import torch.nn",
    )
    assert "posekit.metrics.near -> posekit.geometry.far -> torch.nn" in torch_at_load("posekit.metrics.near", root)
    assert torch_at_load("posekit.metrics.late", root) is None


def test_relative_imports_are_refused(tmp_path):
    root = house(tmp_path, metrics__near="from . import far")
    with pytest.raises(AssertionError, match=r"near.py:1 imports relatively"):
        imports(root)
