"""Compare all representations for one skeleton and one size of crop: cost and error of each.

    posekit codecs --skeleton coco17 --size 256 192

Nothing is trained. Costs are counted on the networks of the recipes; the error of a representation is the distance
between a point and the point decoded from perfect maps (`Codec.perfect`).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import nn

from posekit.codecs import CODECS
from posekit.codecs.base import Codec, Target
from posekit.geometry.keypoints import INSTANCE, Instances, Keypoints
from posekit.geometry.skeleton import Skeleton
from posekit.losses.any import fitting
from posekit.models.base import Backbone
from posekit.models.compress.count import Cost, count_parameters, measure
from posekit.models.topdown import TopDown
from posekit.recipe import Recipe
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, Form, Size, topdown

POINTS = 512
"""Smallest number of points that are encoded and decoded."""

MOST = 1 << 24
"""Largest number of values in the maps of one batch."""

NOTHING = Cost(0, 0, 0)


@dataclass(frozen=True)
class Row:
    """One representation.

    Args:
        name: key of `REPRESENTATIONS`, what ``--codec`` takes.
        codec: key of `CODECS`.
        source: papers, from the codec's docstring.
        shapes: shapes of the head's output for one image, by name.
        head: parameters and multiply-accumulates from the map that the head reads to the codec's maps.
        neck: those from the backbone's maps to the head's.
        mean_error: mean distance in image pixels between points and those decoded from their perfect maps.
        max_error: largest distance.
        losses: losses of the recipe.
        fitting: all losses that can train it.
        loss_parameters: learned parameters of the recipe's losses.
        target_bytes: size of the training target of one image, with weights.
        fault: why the codec cannot be built for this skeleton and size; all figures are then 0.
    """

    name: str
    codec: str = ""
    source: str = ""
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    head: Cost = NOTHING
    neck: Cost = NOTHING
    mean_error: float = 0.0
    max_error: float = 0.0
    losses: tuple[str, ...] = ()
    fitting: tuple[str, ...] = ()
    loss_parameters: int = 0
    target_bytes: int = 0
    fault: str = ""

    @property
    def gives(self) -> str:
        """Output of the head, as text.

        >>> Row("simcc", shapes=(("x", (17, 384)), ("y", (17, 512)))).gives
        'x 17x384, y 17x512'
        """
        return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in self.shapes)


def table(skeleton: Skeleton, form: Form = PLAIN, size: Size | None = None, stride: int | None = None) -> list[Row]:
    """A row for every representation, in the order of `REPRESENTATIONS`.

    Args:
        skeleton: of the points.
        form: network whose costs are counted.
        size: (height, width) of the crops, instead of the form's.
        stride: stride of the maps, image pixels for each cell.
    """
    return [row(name, skeleton, form, size, stride) for name in REPRESENTATIONS]


def row(name: str, skeleton: Skeleton, form: Form, size: Size | None = None, stride: int | None = None) -> Row:
    """The row of one representation; if it cannot be built, ``fault`` has the reason."""
    try:
        recipe = topdown(name, form, name, skeleton, size=size, stride=stride)
        costs = network_costs(recipe)
    except (ValueError, NotImplementedError) as error:
        source = source_of(CODECS[name]) if name in CODECS else ""
        return Row(name, source=source, fault=" ".join(str(error).split()))
    codec = recipe.codec
    mean, most = round_trip(codec)
    return Row(
        name=name,
        codec=codec.kind,
        source=source_of(type(codec)),
        shapes=tuple((key, tuple(shape)) for key, shape in codec.shapes.items()),
        head=costs.get("head", NOTHING),
        neck=costs.get("neck", NOTHING),
        mean_error=mean,
        max_error=most,
        losses=tuple(recipe.losses),
        fitting=tuple(fitting(codec)),
        loss_parameters=sum(count_parameters(loss.build(skeleton)) for loss in recipe.losses.values()),
        target_bytes=target_bytes(codec.encode(inner_points(codec, 1))),
    )


def network_costs(recipe: Recipe) -> dict[str, Cost]:
    """Costs of ``neck`` and ``head``, as far as they have parameters; nothing is computed.

    Raises:
        ValueError: no network of this recipe gives the codec's maps.
    """
    return _costs(recipe.model, tuple((name, tuple(shape)) for name, shape in recipe.codec.shapes.items()))


@lru_cache
def _costs(model: TopDown, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, Cost]:
    """See `network_costs`; representations with the same maps are counted once."""
    with torch.device("meta"):
        net = model.build(dict(shapes), weights=False)
        net.backbone = _Backbone(net.backbone, model.size)  # type: ignore[arg-type]
    return measure(net, model.size)


class _Backbone(nn.Module):
    """A stand-in backbone that gives zero maps, since costs do not depend on values."""

    def __init__(self, backbone: Backbone, size: Size) -> None:
        super().__init__()
        self.shapes = [
            (channels, *(side // stride for side in size))
            for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
        ]

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """One map of zeros for each stride."""
        return [image.new_zeros(len(image), *shape) for shape in self.shapes]


def inner_points(codec: Codec, count: int, seed: int = 0) -> Instances:
    """Labels of ``count`` images: every point somewhere in the middle half of the image, both ways.

    Boxes are those of crops with the usual context around them, 0.8 of the image; points are labelled and seen, and
    have depths in the middle half of the codec's, where it has depths.
    """
    height, width = codec.image
    size = torch.tensor([width, height, getattr(codec, "depth", None) or 0.0], dtype=torch.float32)
    random = torch.rand(count, 1, codec.points, 3, generator=torch.Generator().manual_seed(seed))
    locations = (0.25 + 0.5 * random) * size
    visibility = torch.full((count, 1, codec.points), 2)
    box = torch.cat([0.1 * size[:2], 0.9 * size[:2]]).expand(count, 1, 4).clone()
    return Instances(
        keypoints=Keypoints(
            xy=locations[..., :2],
            visibility=visibility,
            depth=locations[..., 2] - 0.5 * size[2],
            depth_known=visibility > 0,
        ),
        boxes=box,
        area=torch.full((count, 1), 0.64 * height * width),
        category=torch.zeros(count, 1, dtype=torch.long),
        role=torch.full((count, 1), INSTANCE),
    )


def round_trip(codec: Codec, points: int = POINTS) -> tuple[float, float]:
    """Mean and largest distance in image pixels between points and those decoded from their perfect maps.

    Args:
        codec: of one instance for each image.
        points: smallest number of points, away from the border (see `inner_points`).
    """
    images = -(-points // codec.points)
    most = max(1, MOST // sum(prod(shape) for shape in codec.shapes.values()))
    distances = []
    for start in range(0, images, most):
        labels = inner_points(codec, min(most, images - start), seed=start)
        found = codec.decode(codec.perfect(codec.encode(labels)))
        distances.append((found.xy - labels.keypoints.xy).norm(dim=-1).flatten())
    every = torch.cat(distances)
    return float(every.mean()), float(every.max())


def target_bytes(target: Target) -> int:
    """Bytes of a training target, with weights; a tensor under several names counts once."""
    storages = [tensor.untyped_storage() for tensor in (*target.maps.values(), *target.weight.values())]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def source_of(thing: Any) -> str:
    """The papers after ``Source:`` in a docstring, without the deviations.

    >>> source_of(lambda: None)
    ''
    """
    found = re.search(r"Source:\s*(.*?)(?:\bDiffers:|\n\s*\n|\Z)", inspect.getdoc(thing) or "", re.DOTALL)
    return " ".join(found[1].split()).rstrip(".") if found else ""


def thousands(value: float) -> str:
    """A count with a unit prefix.

    >>> thousands(0), thousands(8704), thousands(1_409_286_144)
    ('0', '8.7 k', '1.41 G')
    """
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:g}"


def pixels(value: float) -> str:
    """A distance in pixels; values below a thousandth are rounding errors.

    >>> pixels(0.25), pixels(1.5e-6)
    ('0.250', '< 0.001')
    """
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def titles() -> tuple[str, ...]:
    """Names of the columns that `cells` fills."""
    costs = ("head MACs", "head weights", "neck MACs", "mean error", "largest error")
    return ("name", "the head gives", *costs, "losses", "their weights", "target")


def cells(row: Row) -> tuple[str, ...]:
    """A row as text; without figures if the codec cannot be built."""
    if row.fault:
        return (row.name, "cannot be made", *["-"] * (len(titles()) - 2))
    bytes_ = f"{thousands(row.target_bytes)}{'' if row.target_bytes >= 1000 else ' '}B"
    return (
        row.name,
        row.gives,
        thousands(row.head.macs),
        thousands(row.head.parameters),
        thousands(row.neck.macs),
        pixels(row.mean_error),
        pixels(row.max_error),
        ", ".join(row.losses),
        thousands(row.loss_parameters),
        bytes_,
    )
