"""`posekit.load`: from a path or a hub id to something that predicts."""

from __future__ import annotations

from pathlib import Path

from posekit.pipelines.topdown import TopDownPipeline
from posekit.pipelines.weights import load_weights


def load(path: str | Path, device: str = "cpu", batch: int = 32, flip_test: bool | None = None) -> TopDownPipeline:
    """Load a trained model, ready to be called with images.

    Args:
        path: a run folder, a weights folder, or a hub id ``owner/name``.
        device: "cpu", "cuda", "mps", ...
        batch: crops at once.
        flip_test: average with the mirrored crop; ``None`` does as in training.

    Returns:
        A pipeline: ``poses = load("runs/mine")([image])[0]``.

    Raises:
        WeightsError: no model there, or a damaged one.
    """
    weights = load_weights(path)
    return TopDownPipeline(
        weights.net,
        weights.recipe,
        device=device,
        batch=batch,
        flip_test=flip_test,
        calibration=weights.calibration,
    )
