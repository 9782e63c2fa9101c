"""Train a pose scoring network (DEKR) on the predictions of a model and their true OKS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from posekit.data.dataset import Dataset
from posekit.evaluation.matching import precision
from posekit.geometry.keypoints import INSTANCE, Instances, Poses
from posekit.metrics.similarity import oks
from posekit.models.pose_scorer import PoseScorer, PoseScorerNet
from posekit.postprocess.rescorer import PoseRescorer, PoseShape

Float = NDArray[np.floating]


def true_oks(poses: Poses, instances: Instances, sigmas: Sequence[float]) -> Float:
    """True OKS of each pose in an image.

    Args:
        poses: (N, K) of one image.
        instances: (M,) labelled instances of the same image, in the same pixels.
        sigmas: (K,) OKS sigmas.

    Returns:
        (N,) OKS with the best matching labelled instance; NaN in an image without labelled instances.

    Source: Sun et al. 2020, arXiv:2006.15480, its published code. Differs: ignore regions are left out; the code
    includes them with an OKS of 1, which it then sets to 0.
    """
    poses, instances = poses.each(np.asarray), instances.each(np.asarray)
    labelled = instances.keypoints.labelled & (instances.role == INSTANCE)[:, None]
    real = labelled.any(-1) & (instances.area > 0)
    truth, labelled, area = instances.keypoints.xy[real], labelled[real], instances.area[real]
    N, M = len(poses), int(real.sum())
    if not M:
        return np.full(N, np.nan)
    one, other = np.repeat(np.arange(N), M), np.tile(np.arange(M), N)
    found = oks(poses.xy[one], truth[other], labelled[other], area[other], sigmas)
    return np.asarray(found.reshape(N, M).max(-1))


def train_scorer(
    features: Float,
    truth: Float,
    *,
    epochs: int = 20,
    batch: int = 1024,
    lr: float = 1e-3,
    hidden: int = 256,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> PoseScorerNet:
    """Train a scoring network with an MSE loss.

    Args:
        features: (N, F) of `posekit.postprocess.rescorer.PoseShape.features`.
        truth: (N,) of `true_oks`; NaN is left out.
        epochs: passes over the poses.
        batch: poses in a step.
        lr: constant learning rate of Adam.
        hidden: units of the hidden layers.
        seed: random seed.
        device: device for training.

    Returns:
        The network, on the CPU, in evaluation mode.

    Raises:
        ValueError: no pose has a known OKS, or the shapes do not fit.

    Source: Sun et al. 2020, arXiv:2006.15480, its published code.
    """
    features, truth = np.asarray(features, dtype=np.float32), np.asarray(truth, dtype=np.float32)
    if features.ndim != 2 or truth.shape != features.shape[:1]:
        raise ValueError(f"expected features (N, F) and truth (N,); got {features.shape} and {truth.shape}")
    known = np.isfinite(truth)
    if not known.any():
        raise ValueError(f"none of {len(truth)} poses has a known OKS: give images with labelled instances")
    x, y = (torch.from_numpy(array[known]).to(device) for array in (features, truth))
    order = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = PoseScorer(features.shape[1], hidden).build().to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).to(device).split(batch):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return net.cpu().eval()


@dataclass(frozen=True, eq=False)
class Rescored:
    """A trained scoring network, and its effect on images that it was not trained on.

    Args:
        rescorer: rescorer with the network.
        before: COCO AP and AR on the other half of the images, with the scores of the model.
        after: the same after rescoring.
        poses: number of poses in training.
    """

    rescorer: PoseRescorer
    before: dict[str, float]
    after: dict[str, float]
    poses: int


def train_rescorer(everyone: Sequence[Poses], dataset: Dataset, *, epochs: int = 20, seed: int = 0) -> Rescored:
    """Train on every other image and evaluate on the rest; images without labelled instances are left out.

    Args:
        everyone: poses that a model predicted in each image of the set, in pixels of these images.
        dataset: labelled set.
        epochs: passes over the poses.
        seed: random seed.

    Raises:
        ValueError: the skeleton has no bones, or a half has no pose in an image with labelled instances.
    """
    shape, sigmas = PoseShape.of(dataset.skeleton), dataset.skeleton.oks_sigmas
    truth = [
        true_oks(poses, dataset.instances(dataset.rows_of_image(number)), sigmas)
        for number, poses in enumerate(everyone)
    ]
    first = np.arange(len(everyone)) % 2 == 0
    halves = [[i for i in np.flatnonzero(half).tolist() if np.isfinite(truth[i]).any()] for half in (first, ~first)]
    if not all(halves):
        raise ValueError(
            "a rescorer is trained on every other image and evaluated on the rest: they have "
            f"{len(halves[0])} and {len(halves[1])} images with poses and labelled instances; give more images"
        )
    features = np.concatenate([shape.features(everyone[i].xy, everyone[i].score) for i in halves[0]])
    worth = np.concatenate([truth[i] for i in halves[0]])
    rescorer = rescorer_of(train_scorer(features, worth, epochs=epochs, seed=seed), shape)
    rest = dataset.subset([n for n, image in enumerate(dataset.image_of_instance()) if not first[image]])
    kept = [everyone[i] for i in np.unique(dataset.image_of_instance()) if not first[i]]
    return Rescored(rescorer, precision(kept, rest), precision([rescorer(poses) for poses in kept], rest), len(worth))


def rescorer_of(net: PoseScorerNet, shape: PoseShape) -> PoseRescorer:
    """The network in the form that is stored in a model's spec."""
    return PoseRescorer(shape, {name: value.detach().cpu().numpy() for name, value in net.state_dict().items()})
