"""Knowledge distillation: divergences of maps, bins and features, and its configuration."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.losses.base import known, weighted_mean
from posekit.losses.heatmaps import map_squares

LOGITS = frozenset({"x", "y", "z", "dfl_x", "dfl_y", "dfl_z"})
"""Raw maps whose last axis holds the logits of a distribution."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Okdhp:
    """OKDHP: branches on one backbone that learn from their ensemble; only the first is kept, at no extra cost.

    Source: Li et al. 2021, arXiv:2108.02092. Differs: the distillation has no gradient into the ensemble (`detach`).
    """

    branches: int = Field(default=3, ge=2)
    "number of branches (neck and head) that are trained together"
    ensemble: float = Field(default=1.0, ge=0)
    "factor of the ensemble's losses on the labels"
    distillation: float = Field(default=2.0, ge=0)
    "factor of the distillation of the branches from the ensemble, as published with squared errors of weight 1"
    form: Literal["kl", "mse"] = "kl"
    "kl: maps are compared as distributions over their cells, as published; mse: cell by cell"
    temperature: float = Field(default=1.0, gt=0)
    "temperature of the distributions: maps and logits are divided by it"
    ramp: float = Field(default=0.4, ge=0, le=1)
    "fraction of the run over which the distillation ramps up to its factor; published: 60 of 150 epochs"
    detach: bool = True
    "stop the gradient of the distillation into the ensemble; off as published"
    width: Annotated[int, Field(gt=0)] | None = 64
    "hidden channels of the unit that weights the branches; unset: those of the backbone's finest map, as published"
    kind: Suppress[Literal["okdhp"]] = "okdhp"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Teacher:
    """A trained network, or a file of predictions, that a student network learns from in addition to its labels.

    Points are matched by name. Source: Hinton et al. 2015, arXiv:1503.02531 (outputs); FitNets, Romero et al. 2014,
    arXiv:1412.6550 (features).
    """

    source: str
    "the teacher: a run folder, a weights folder or a hub id; or a .json of COCO results or of points by image id"
    points: float = Field(default=1.0, ge=0)
    "factor of the student's own losses on the teacher's points as labels; works with any teacher and any codec"
    maps: float = Field(default=0.0, ge=0)
    "factor of the difference of raw maps; the teacher must be a network with a codec of the same kind"
    features: float = Field(default=0.0, ge=0)
    """factor of the difference of the backbones' features, through a 1x1 convolution used in training only; the teacher
    must be a network"""
    form: Literal["mse", "kl"] = "mse"
    "mse: maps are compared cell by cell; kl: as distributions over their cells"
    temperature: float = Field(default=1.0, gt=0)
    "temperature of the distributions: maps and logits are divided by it"
    score_threshold: float = Field(default=0.3, ge=0, le=1)
    "score threshold of the teacher's points; points below it are not used"
    graded: bool = True
    "weigh each of the teacher's points by its score"
    outliers: float = Field(default=1.0, ge=0, le=1)
    "weight of labels that a file of predictions contradicts; 1 leaves all labels unchanged"
    skeleton: str | None = None
    "names of the points in a file, if they are neither those of the data nor COCO's 17"
    kind: Suppress[Literal["teacher"]] = "teacher"


AnyDistillation = Annotated[Okdhp | Teacher, Field(discriminator="kind")]


def ramp(time: float, end: float) -> float:
    """Ramp-up factor that grows from exp(-5) to 1 and stays there.

    Args:
        time: since the start, at least 0.
        end: time at which it reaches 1; 0: immediately.

    Source: arXiv:2108.02092, after Laine and Aila 2016, arXiv:1610.02242.

    >>> round(ramp(30, 60), 6)
    0.286505
    """
    return 1.0 if end <= 0 else math.exp(-5 * (1 - min(time, end) / end) ** 2)


def lines_kl(output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """KL divergence of ``softmax(output)`` from ``softmax(teacher)`` over the last axis, in nats.

    Both are divided by the temperature first, and the result is multiplied by its square, which keeps the size of the
    gradient.

    Args:
        output: (..., D) logits of the student.
        teacher: (..., D).
        temperature: above 0.

    Returns:
        (...), at least 0 up to rounding, exactly 0 for equal logits.

    Source: Hinton et al. 2015, arXiv:1503.02531.
    """
    p, q = (teacher / temperature).log_softmax(-1), (output / temperature).log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1) * temperature**2


def cells_kl(output: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """`lines_kl` over all cells of each map: (B, C, H, W) to (B, C)."""
    return lines_kl(output.flatten(2), teacher.flatten(2), temperature)


def feature_squares(output: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference relative to the teacher's mean square, so that the scale of the features does not matter.

    Args:
        output: (B, C, H, W).
        teacher: (B, C, H, W).

    Returns:
        (B,).
    """
    scale = teacher.square().mean().clamp_min(1e-12)
    return (output - teacher).square().mean((1, 2, 3)) / scale


def difference(
    output: Maps, teacher: Maps, weight: Maps, form: str, temperature: float = 1.0, per_cell: bool = False
) -> Tensor:
    """Difference of raw maps from the teacher's, summed over all names.

    Bins are compared as distributions, coordinates by squared error, heatmaps by ``form``.

    Args:
        output: by name, (B, C, H, W) or (B, K, D); names that ``teacher`` lacks are left out.
        teacher: by name, of the same shapes.
        weight: by name, (B, C); 0 where nothing should be learnt.
        form: how heatmaps are compared, ``"kl"`` or ``"mse"``.
        temperature: of all distributions.
        per_cell: a divergence over cells is divided by the number of cells and multiplied by 2 and the number of
            channels: its size in OKDHP, relative to mean squares without the factor 1/2.

    Returns:
        A scalar: the sum over names of weighted means.
    """
    terms = []
    for name, other in teacher.items():
        counted = weight[name]
        spread = counted.reshape(*counted.shape, *[1] * (other.ndim - 2))
        mine, other = known(output[name], spread), known(other, spread)
        if other.ndim == 4 and form == "kl":
            value = cells_kl(mine, other, temperature)
            value = value * (2 * other.shape[1] / other[0, 0].numel()) if per_cell else value
        elif other.ndim == 4:
            value = map_squares(mine, other, spread)
        else:
            value = lines_kl(mine, other, temperature) if name in LOGITS else (mine - other).square().mean(-1)
        terms.append(weighted_mean(value, counted))
    return torch.stack(terms).sum()


def okdhp_terms(
    outputs: Sequence[Tensor], ensemble: Tensor, target: Tensor, weight: Tensor, config: Okdhp, grown: float = 1.0
) -> dict[str, Tensor]:
    """The losses of OKDHP.

    Args:
        outputs: maps of every stack (B, K, H, W).
        ensemble: (B, K, H, W).
        target: (B, K, H, W).
        weight: (B, K), 0 where a point is unknown.
        config: its factors.
        grown: current value of `ramp`.

    Returns:
        ``labels``, ``ensemble`` and ``distillation``; half the mean square over known maps, summed over outputs, and
        the divergence from the ensemble divided by the number of cells, summed over points and outputs.

    Source: arXiv:2108.02092 and its authors' code. Differs: means are over the known maps, not over all.
    """
    cells = weight[..., None, None]
    taught = ensemble.detach() if config.detach else ensemble
    distillation = [
        difference({"heatmap": output}, {"heatmap": taught}, {"heatmap": weight}, config.form, config.temperature, True)
        for output in outputs
    ]
    labels = [weighted_mean(map_squares(output, target, cells), weight) for output in outputs]
    return {
        "labels": 0.5 * torch.stack(labels).sum(),
        "ensemble": 0.5 * config.ensemble * weighted_mean(map_squares(ensemble, target, cells), weight),
        "distillation": 0.5 * config.distillation * grown * torch.stack(distillation).sum(),
    }


def counted_channels(target: Target, maps: Maps) -> dict[str, Tensor]:
    """Weight of each channel of the raw maps, (B, C) from 0 to 1, from the target.

    A map without a target, such as a spread, has weight 1 where its points are known.

    Args:
        target: of the codec.
        maps: raw, by name.
    """
    counted = {}
    for name, value in maps.items():
        shape = value.shape[:2]
        weight = target.weight.get(name, target.weight["xy"].amax(1) if _one(target, shape) else None)
        if weight is None:
            counted[name] = value.new_ones(shape)
        else:
            counted[name] = weight.flatten(2).amax(2).to(value.dtype).expand(shape)
    return counted


def _one(target: Target, shape: torch.Size) -> bool:
    """Whether the target has one instance an image, with its points as channels."""
    xy = target.weight["xy"]
    return xy.shape[1] == 1 and (xy.shape[0], xy.shape[2]) == tuple(shape)


WHOLE = frozenset({"paf", "xy"})
"""Maps whose first axis after the batch is not the points."""


def reweighted(target: Target, trust: Tensor) -> Target:
    """The target with the weights of each point multiplied by a factor.

    Args:
        target: of one instance an image.
        trust: (B, K) factors, at least 0.

    Returns:
        A target; weights of maps whose channels are not points (``paf``) are unchanged.
    """
    points = trust.shape[1]
    weight = {}
    for name, old in target.weight.items():
        if name == "xy":
            weight[name] = old * trust[:, None, :, None].to(old.dtype)
        elif name in WHOLE or old.shape[1] % points:
            weight[name] = old
        else:
            times = old.shape[1] // points
            # In `coarse` the points of one width are together; in all other maps the channels of one point.
            each = trust.repeat(1, times) if name == "coarse" else trust.repeat_interleave(times, 1)
            weight[name] = old * each.reshape(*each.shape, *[1] * (old.ndim - 2)).to(old.dtype)
    return Target(maps=target.maps, weight=weight)
