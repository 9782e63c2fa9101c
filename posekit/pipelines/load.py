"""`posekit.load`: from a path or a hub id to something that predicts."""

from __future__ import annotations

from pathlib import Path

from posekit.pipelines.cascade import CascadePipeline
from posekit.pipelines.cascade_folder import is_cascade
from posekit.pipelines.mtcnn_weights import load_mtcnn
from posekit.pipelines.onestage import OneStagePipeline
from posekit.pipelines.topdown import TopDownPipeline
from posekit.pipelines.views import Views
from posekit.pipelines.weights import load_weights


def load(
    path: str | Path,
    device: str = "cpu",
    batch: int = 32,
    flip_test: bool | None = None,
    views: Views | None = None,
) -> TopDownPipeline | OneStagePipeline | CascadePipeline:
    """Load a trained model, ready to be called with images.

    Args:
        path: a run folder, a weights folder, or a hub id ``owner/name``.
        device: "cpu", "cuda", "mps", ...
        batch: crops, or views of whole images, at once.
        flip_test: average with the mirrored image; ``None`` does as in training.
        views: how large images are shown to a model of whole images.

    Returns:
        A pipeline: ``poses = load("runs/mine")([image])[0]``. A top-down model takes a box for each instance beside
        the images, a one-stage model finds them itself; so does a trained cascade, from its folder.

    Raises:
        WeightsError: no model there, or a damaged one.
        ValueError: ``views`` for a top-down model, which is shown boxes, or these or ``flip_test`` for a cascade.
    """
    if is_cascade(Path(path)):
        if views is not None or flip_test:
            raise ValueError(
                f"{path} is a cascade, which looks at the image in all sizes: leave views and flip_test out"
            )
        return load_mtcnn(path, device=device, batch=batch)
    weights = load_weights(path)
    if weights.recipe.whole:
        return OneStagePipeline(
            weights.net,
            weights.recipe,
            device,
            batch,
            flip_test,
            calibration=weights.calibration,
            views=views,
            ranking=weights.ranking,
        )
    if views is not None:
        raise ValueError(f"{path} is shown one box at a time: views are for models of whole images")
    return TopDownPipeline(weights.net, weights.recipe, device, batch, flip_test, calibration=weights.calibration)
