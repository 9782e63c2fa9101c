"""2-D keypoint detection: every representation behind one small interface.

>>> import posekit
>>> poses = posekit.load("runs/mine")("photo.jpg")[0]     # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posekit.api.angles import angles
    from posekit.api.evaluate import evaluate
    from posekit.api.export import export
    from posekit.api.predict import predict
    from posekit.api.smooth import smooth
    from posekit.api.train import train
    from posekit.api.video import predict_video
    from posekit.data.image import read_image
    from posekit.data.readers import read
    from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid
    from posekit.geometry.keypoints import Instances, Keypoints, Poses
    from posekit.geometry.skeleton import Skeleton
    from posekit.recipe import Recipe
    from posekit.visualize.draw import draw_poses
    from posekit.zoo.hub import push
    from posekit.zoo.load import load

# Each name is fetched when it is first asked for, so that `import posekit` needs neither torch nor time (PEP 562).
_NAMES = {
    "AlignedGrid": "posekit.geometry.grid",
    "Grid": "posekit.geometry.grid",
    "Instances": "posekit.geometry.keypoints",
    "Keypoints": "posekit.geometry.keypoints",
    "Poses": "posekit.geometry.keypoints",
    "RatioGrid": "posekit.geometry.grid",
    "Recipe": "posekit.recipe",
    "Skeleton": "posekit.geometry.skeleton",
    "angles": "posekit.api.angles",
    "draw_poses": "posekit.visualize.draw",
    "evaluate": "posekit.api.evaluate",
    "export": "posekit.api.export",
    "load": "posekit.zoo.load",
    "predict": "posekit.api.predict",
    "predict_video": "posekit.api.video",
    "push": "posekit.zoo.hub",
    "read": "posekit.data.readers",
    "read_image": "posekit.data.image",
    "smooth": "posekit.api.smooth",
    "train": "posekit.api.train",
}

__version__ = "0.1.0"
__all__ = [
    "AlignedGrid",
    "Grid",
    "Instances",
    "Keypoints",
    "Poses",
    "RatioGrid",
    "Recipe",
    "Skeleton",
    "angles",
    "draw_poses",
    "evaluate",
    "export",
    "load",
    "predict",
    "predict_video",
    "push",
    "read",
    "read_image",
    "smooth",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'posekit' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    except ModuleNotFoundError as error:
        from posekit.extras import EXTRAS, how_to_install

        missing = (error.name or "").split(".")[0]
        if missing in EXTRAS:
            raise ImportError(f"posekit.{name} needs {missing}: {how_to_install(missing)}") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
