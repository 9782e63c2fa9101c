"""Published weights into our trunks: names must fit, and what does not fit is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a file by name; of a whole net's file (names ``backbone. ...``) those of the trunk.

    Args:
        path: ``.safetensors``, or ``.pth`` / ``.pt`` read without running any code in it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another ending, or no dictionary of tensors inside.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"weights: there is no file {path}")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    elif path.suffix in {".pth", ".pt"}:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state) if isinstance(state, Mapping) else state
    else:
        raise ValueError(f"weights: expected a .safetensors, .pth or .pt file; got {path}")
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"weights: {path} does not hold a dictionary of tensors")
    trunk = {name.removeprefix("backbone."): value for name, value in state.items() if name.startswith("backbone.")}
    return trunk or dict(state)


def load_weights(module: Module, path: str | None, ignored: Sequence[str] = ()) -> Module:
    """Fill a trunk from a file and give it back; nothing happens where ``path`` is None.

    Args:
        module: the trunk.
        path: see `read_weights`.
        ignored: beginnings of names that the file may hold and the trunk does not, such as a classifier's.

    Raises:
        ValueError: names are missing or left over, or a shape differs.
    """
    return module if path is None else fill(module, read_weights(path), ignored, str(path))


def fill(module: Module, state: Mapping[str, Tensor], ignored: Sequence[str], source: str) -> Module:
    """Copy the tensors into the module, all or none, and give it back; see `load_weights`."""
    own = module.state_dict()
    check_fit(own, state, ignored, source)
    module.load_state_dict({name: value for name, value in state.items() if name in own}, strict=False)
    return module


def check_fit(own: Mapping[str, Tensor], state: Mapping[str, Tensor], ignored: Sequence[str], source: str) -> None:
    """Hold a file's tensors against a module's.

    Args:
        own: the module's.
        state: the file's.
        ignored: beginnings of names that may be left over.
        source: what the message calls the file.

    Raises:
        ValueError: names are missing or left over, or a shape differs.
    """
    # Files older than 2018 do not count batches, and no computation here asks for the count.
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    extra = [name for name in state if name not in own and not name.startswith(tuple(ignored))]
    other = [
        f"{name} {tuple(value.shape)} instead of {tuple(own[name].shape)}"
        for name, value in state.items()
        if name in own and value.shape != own[name].shape
    ]
    for fault, names in (("lack", missing), ("hold unknown", extra), ("have other shapes:", other)):
        if names:
            raise ValueError(f"weights {source} do not fit: they {fault} {_listing(names)}")


def _listing(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
