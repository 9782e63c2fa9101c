"""Models from and to the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from posekit.zoo.errors import WeightsError
from posekit.zoo.layout import CARD, CONFIG, PICTURE

PATTERNS = [CONFIG, "*.safetensors", CARD, PICTURE, "*.onnx"]
"""Files of a model."""


def is_hub_id(place: str) -> bool:
    """Whether a text can be a hub id, ``owner/name``."""
    return place.count("/") == 1 and not place.startswith((".", "/", "~"))


def snapshot(name: str, files: Sequence[str] = PATTERNS) -> Path:
    """The folder of a hub id, downloaded if it is not in the cache.

    Args:
        name: hub id ``owner/name``.
        files: patterns of the files that are wanted.

    Raises:
        WeightsError: the hub did not give it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{name}: no such folder, and it could not be loaded from the hub: {first}") from None


def push(folder: str | Path, name: str, *, private: bool = True) -> str:
    """Upload a model.

    Args:
        folder: a run folder or a weights folder.
        name: hub id ``owner/name``; made if missing.
        private: whether a new repository is private.

    Returns:
        The address of the upload.

    Raises:
        WeightsError: no model there, no hub id, or the hub refused.
    """
    from posekit.zoo.folder import find_model

    if not is_hub_id(name):
        raise WeightsError(f"{name}: not a hub id; expected owner/name")
    found = find_model(folder)
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    api = HfApi()
    try:
        api.create_repo(name, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=name, folder_path=found, allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{name}: the hub did not take {found}: {first}; log in by `hf auth login`") from None
