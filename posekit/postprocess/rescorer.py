"""Rescoring by shape: a small network predicts the quality of a pose, and the pose's score is multiplied by it.

Sun et al. 2020, arXiv:2006.15480, section 3.3; kept in DEKR, arXiv:2104.02300.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict, PlainSerializer, PlainValidator
from pydantic.dataclasses import dataclass

from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

Float = NDArray[np.floating]
PoseScorer = Callable[[Float], Float]
"""Features (N, F) to the predicted quality (N,) of each pose, trained on its OKS."""

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def _decoded(value: Any) -> NDArray[np.float32]:
    """Decode an array; inverse of `_encoded`, arrays pass unchanged."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float32, copy=False)
    if not isinstance(value, dict) or set(value) != {"shape", "float32"}:
        raise ValueError("expected an array, or {shape, float32} with little-endian numbers in base64")
    try:
        numbers = np.frombuffer(b64decode(value["float32"], validate=True), "<f4").astype(np.float32)
        return numbers.reshape([int(n) for n in value["shape"]])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected as many little-endian float32 numbers in base64 as the shape says: {error}"
        ) from None


def _encoded(value: NDArray[np.float32]) -> dict[str, Any]:
    return {"shape": list(value.shape), "float32": b64encode(value.astype("<f4").tobytes()).decode()}


EncodedArray = Annotated[NDArray[np.float32], PlainValidator(_decoded), PlainSerializer(_encoded)]
"""An array as a value that JSON can hold."""

COCO_BONES = (
    *((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (5, 11)),
    *((6, 8), (6, 12), (7, 9), (8, 10), (11, 12), (11, 13), (12, 14), (13, 15), (14, 16)),
)
"""Bones of COCO's 17 points, in the order of published scoring networks."""
CROWDPOSE_BONES = (
    *((12, 13), (13, 0), (13, 1), (0, 2), (1, 3), (2, 4), (3, 5), (0, 6), (1, 7)),
    *((6, 8), (7, 9), (8, 10), (9, 11), (6, 7), (0, 1)),
)
"""Bones of CrowdPose's 14 points, in the same order."""


@dataclass(frozen=True, config=STRICT)
class PoseShape:
    """Features of a pose for a scoring network: its bones, independent of location and size, and its points' scores.

    Args:
        points: K.
        bones: E pairs of points.
        unit: indices of the bones whose mean length is the unit of length.
    """

    points: int
    bones: tuple[tuple[int, int], ...]
    unit: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.unit or not set(self.unit) <= set(range(len(self.bones))):
            raise ValueError(f"the unit is the mean length of some of the {len(self.bones)} bones; got {self.unit}")

    @classmethod
    def of(cls, skeleton: Skeleton) -> PoseShape:
        """The shape features of any skeleton with bones; the unit is the torso or, without one, the mean bone.

        Raises:
            ValueError: it has no bones.
        """
        if not skeleton.bones:
            raise ValueError(f"skeleton {skeleton.name!r} has no bones, which shape features need: name some")
        torso = [i for i, bone in enumerate(skeleton.bones) if _is_torso(*bone)]
        return cls(len(skeleton.points), skeleton.edges, tuple(torso or range(len(skeleton.bones))))

    @classmethod
    def published(cls, name: Literal["coco", "crowdpose"], compat: bool = False) -> PoseShape:
        """The shape features of published scoring networks.

        Args:
            name: of the data set that they were trained on.
            compat: as in their code, the unit of CrowdPose is taken from a thigh and a shin; needed for published
                weights.
        """
        if name == "coco":
            return cls(17, COCO_BONES, (9, 11))
        return cls(14, CROWDPOSE_BONES, (9, 11) if compat else (7, 8))

    @property
    def size(self) -> int:
        """F: three numbers for each bone and one for each point; 74 for COCO."""
        return 3 * len(self.bones) + self.points

    def features(self, xy: ArrayLike, score: ArrayLike) -> Float:
        """Compute the input of a scoring network.

        Args:
            xy: (..., K, 2) pixels.
            score: (..., K).

        Returns:
            (..., F) float32: x and y along each bone in turn, from its second point to its first, then the bones'
            lengths, all in the unit of length (at least a pixel), then the scores.

        Raises:
            ValueError: another number of points.

        Source: Sun et al. 2020, its published code.
        """
        xy, score = np.asarray(xy, dtype=np.float64), np.asarray(score, dtype=np.float64)
        if xy.shape[-2:] != (self.points, 2) or score.shape != xy.shape[:-1]:
            raise ValueError(
                f"expected xy (..., {self.points}, 2) and score (..., {self.points}); got {xy.shape} and {score.shape}"
            )
        first, second = np.asarray(self.bones).T
        along = xy[..., first, :] - xy[..., second, :]
        length = np.linalg.norm(along, axis=-1)
        unit = np.maximum(length[..., list(self.unit)].mean(-1), 1.0)[..., None]
        flat = along.reshape(*along.shape[:-2], 2 * len(self.bones))
        return np.concatenate((flat / unit, length / unit, score), axis=-1).astype(np.float32)


def rescore_by_shape(poses: Poses, shape: PoseShape, scorer: PoseScorer) -> Poses:
    """Score instances by the mean of their points' scores times the quality that a network predicts.

    Args:
        poses: (..., N, K).
        shape: that the network was trained on.
        scorer: the network: features (N, F) to (N,).

    Returns:
        The poses in the order given with new instance scores, NumPy arrays; a predicted quality of NaN counts as 0.

    Raises:
        ValueError: another number of points.

    Source: Sun et al. 2020; Geng et al. 2021. Differs: the network's output is clamped to [0, 1].
    """
    poses = poses.each(np.asarray)
    features = shape.features(poses.xy, poses.score)
    quality = np.asarray(scorer(features.reshape(-1, shape.size))).reshape(features.shape[:-1])
    score = np.nan_to_num(quality, nan=0.0).clip(0.0, 1.0) * poses.score.mean(-1)
    return replace(poses, instance_score=score.astype(np.result_type(poses.score, np.float32)))


@dataclass(frozen=True, config=STRICT)
class PoseRescorer:
    """A trained scoring network for the poses of one image; part of a model's `InferenceSpec`.

    Args:
        shape: features of a pose.
        weights: of two hidden layers with ReLU and one output: ``l1.weight``, ``l1.bias``, ..., ``l3.bias``.
    """

    shape: PoseShape
    weights: dict[str, EncodedArray]

    def __post_init__(self) -> None:
        hidden = len(self.weights.get("l1.bias", ()))
        wanted = {
            "l1.weight": (hidden, self.shape.size),
            "l1.bias": (hidden,),
            "l2.weight": (hidden, hidden),
            "l2.bias": (hidden,),
            "l3.weight": (1, hidden),
            "l3.bias": (1,),
        }
        given = {name: value.shape for name, value in self.weights.items()}
        if given != wanted:
            raise ValueError(
                f"a scoring network for {self.shape.size} features has layers of shapes {wanted}; got {given}"
            )

    def score(self, features: Float) -> Float:
        """(N, F) to (N,): predicted quality of each pose, trained on its OKS."""
        w, x = self.weights, np.asarray(features, np.float32)
        for layer in ("l1", "l2"):
            x = np.maximum(x @ w[f"{layer}.weight"].T + w[f"{layer}.bias"], 0)
        return np.asarray((x @ w["l3.weight"].T + w["l3.bias"])[:, 0])

    def __call__(self, poses: Poses) -> Poses:
        """The same poses (N, K) with new instance scores, the best first."""
        rescored = rescore_by_shape(poses, self.shape, self.score)
        return rescored[np.argsort(-rescored.instance_score, kind="stable")]


def _is_torso(one: str, other: str) -> bool:
    """Whether a bone leads from a shoulder to the hip of the same side, by its points' names."""
    upper, lower = (one, other) if "shoulder" in one else (other, one)
    return "shoulder" in upper and upper.replace("shoulder", "hip") == lower
