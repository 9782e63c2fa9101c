"""Load published weights into our backbones; names and shapes must match, and an error lists those that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "module", "ema")
"""Keys under which training programs keep the weights in a checkpoint, the likely ones first."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""Prefixes that data parallelism, compilation and wrappers add to every name."""


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a file by name; from the file of a whole network (names ``backbone. ...``), those of the backbone.

    Nested checkpoints are searched for the weights, and a wrapper's prefix before all names, such as ``module.``, is
    removed.

    Args:
        path: ``.safetensors``, or ``.pth`` / ``.pt`` / ``.bin``, read without running code from the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another file type, a damaged file, one that needs code to be run, or no tensors inside.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"weights: there is no file {path}")
    if path.suffix == ".safetensors":
        state = _safetensors(path)
    elif path.suffix in {".pth", ".pt", ".bin"}:
        state = _unpickled(path)
    else:
        raise ValueError(f"weights: expected a .safetensors, .pth, .pt or .bin file; got {path}")
    tensors = _inside(state)
    if not tensors:
        raise ValueError(
            f"weights: {path} does not hold a dictionary of tensors, but {_kind(state)}; save it with "
            "torch.save(model.state_dict(), FILE)"
        )
    plain = _unwrapped(tensors)
    backbone = {name.removeprefix("backbone."): value for name, value in plain.items() if name.startswith("backbone.")}
    return backbone or plain


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"weights: {path} is damaged or not safetensors ({error}); copy it again") from None


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise ValueError(
            f"weights: {path} holds more than tensors, such as a whole model, and reading it would run its code; "
            "if you trust the file, save only the tensors: "
            "torch.save(torch.load(FILE, weights_only=False).state_dict(), NEW)"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"weights: {path} is damaged, or not saved by torch ({first[:200]}); copy it again") from None


def _inside(state: Any) -> dict[str, Tensor]:
    """Find the dictionary of tensors in a checkpoint; empty if there is none."""
    if not isinstance(state, Mapping):
        return {}
    if state and all(isinstance(value, Tensor) for value in state.values()):
        return {str(name): value for name, value in state.items()}
    for key in NESTED:
        if found := _inside(state.get(key)):
            return found
    return {}


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove wrapper prefixes that all names share."""
    prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), None)
    if prefix is None:
        return tensors
    return _unwrapped({name.removeprefix(prefix): value for name, value in tensors.items()})


def _kind(state: Any) -> str:
    if isinstance(state, Mapping):
        return f"one of {', '.join(f'{name!s:.40}' for name in list(state)[:6]) or 'nothing'}"
    return f"a {type(state).__name__}"


def load_weights(module: Module, path: str | None, ignored: Sequence[str] = ()) -> Module:
    """Load weights from a file into a backbone and return it; does nothing if ``path`` is None.

    Args:
        module: the backbone.
        path: see `read_weights`.
        ignored: prefixes of names in the file that are skipped, such as those of a classifier.

    Raises:
        ValueError: names are missing or unexpected, or a shape differs.
    """
    if path is None:
        return module
    if path == "imagenet":
        raise ValueError(
            "weights 'imagenet' come with efficientnet_lite (--backbone efficientnet_lite), and with every backbone of "
            "timm (--backbone timm:resnet18 --model.backbone.pretrained); for this one give the published file: "
            "--model.backbone.weights FILE.pth"
        )
    return fill(module, read_weights(path), ignored, str(path))


def fill(module: Module, state: Mapping[str, Tensor], ignored: Sequence[str], source: str) -> Module:
    """Copy all tensors into the module, or none on an error, and return it; see `load_weights`."""
    own = module.state_dict()
    check_fit(own, state, ignored, source)
    module.load_state_dict({name: value for name, value in state.items() if name in own}, strict=False)
    return module


def check_fit(own: Mapping[str, Tensor], state: Mapping[str, Tensor], ignored: Sequence[str], source: str) -> None:
    """Check that the tensors of a file fit a module.

    Args:
        own: tensors of the module.
        state: tensors of the file.
        ignored: prefixes of names that may be unexpected.
        source: name of the file, for the message.

    Raises:
        ValueError: names are missing or unexpected, or a shape differs.
    """
    # Files older than 2018 lack this counter, and nothing here uses it.
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
