"""A scoring network in a weights folder: `ranking.safetensors` beside the model whose poses it was taught on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from posekit.geometry.skeleton import Skeleton
from posekit.models.pose_scorer import PoseScorer, PoseScorerNet
from posekit.postprocess.ranking import Judge, Ranking, Shape

FILE = "ranking.safetensors"
Float = NDArray[np.floating]


def judge_of(net: PoseScorerNet) -> Judge:
    """The network as `posekit.postprocess.ranking.rank_poses` takes it: NumPy in, NumPy out."""

    @torch.inference_mode()
    def judge(features: Float) -> Float:
        return np.asarray(net(torch.from_numpy(np.asarray(features, dtype=np.float32))).numpy())

    return judge


def save_ranking(folder: Path, net: PoseScorerNet) -> Path:
    """Write a scoring network beside the weights of its model; an older one is replaced."""
    file = folder / FILE
    # Written beside and renamed: a kill in the middle leaves a folder that can be loaded.
    beside = folder / f"{FILE}.tmp"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, str(beside))
    beside.replace(file)
    return file


def read_ranking(folder: Path, skeleton: Skeleton) -> Ranking | None:
    """The ranking that a weights folder holds, or ``None``.

    Args:
        folder: of weights.
        skeleton: of the model.

    Raises:
        ValueError: the file is damaged, or of a network for other poses.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        tensors = load_file(str(file))
        shape = Shape.of(skeleton)
        net = PoseScorer(shape.size, len(tensors["l1.bias"])).build()
        net.load_state_dict(tensors)
    except SafetensorError as error:
        raise ValueError(f"{file}: damaged or not safetensors ({error}); {_FIX}") from None
    except (KeyError, RuntimeError, ValueError) as error:
        first = " ".join(str(error).split())[:200]
        raise ValueError(f"{file}: no scoring network for {skeleton.name!r} ({first}); {_FIX}") from None
    return Ranking(shape, judge_of(net.eval()))


_FIX = "make it anew with posekit eval --rank, or delete it"
