"""Optional parts of the installation: imported when they are used, with an error that says what to install."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

EXTRAS = {
    "torch": "train",
    "accelerate": "train",
    "tensorboardX": "train",
    "timm": "timm",
    "torch_pruning": "prune",
    "onnx": "export",
    "openvino": "openvino",
    "nncf": "openvino",
    "av": "video",
    "fastapi": "serve",
    "uvicorn": "serve",
    "gradio": "demo",
    "ray": "ray",
}
"""Module to the extra that installs it."""


def require(module: str, what: str) -> ModuleType:
    """An optional module.

    Args:
        module: name to import.
        what: needs it, for the message.

    Raises:
        ModuleNotFoundError: it is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).split(".")[0]
        raise ModuleNotFoundError(f"{what} needs {missing}: {how_to_install(missing)}", name=error.name) from None


def installed_version(package: str) -> str | None:
    """Version of an installed package; ``None`` if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def how_to_install(module: str) -> str:
    """The command that installs a missing module."""
    extra = EXTRAS.get(module)
    if extra is None:
        return f"pip install {module}"
    first = " (install the torch build for your machine first)" if extra == "train" else ""
    return f"pip install 'posekit[{extra}]'{first}"
