"""Images of one disc, the smallest pose task, and small networks that learn it in seconds with any representation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posekit.codecs.base import Codec
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.grid import GridRegression
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import INSTANCE, SEEN, Instances, Keypoints
from posekit.geometry.skeleton import Skeleton
from posekit.losses import LOSSES
from posekit.models.base import PoseNet
from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC as BinsHead
from posekit.models.necks.plain import Plain
from posekit.models.topdown import AnyHead

SIDE = 64
"""Height and width of the images, pixels."""
RADIUS = 4.0
"""Of the disc, pixels."""
STRIDE = 4
"""Of the maps, pixels."""
SKELETON = Skeleton("disc", points=("centre",))

Draw = Callable[[torch.Generator, int], tuple[Tensor, Tensor]]
"""From a generator and a number of images to (B, 3, H, W) images in 0..255 and their points, as `labels` takes them."""


def images(xy: Tensor, generator: torch.Generator, *, noise: float = 8.0, clutter: int = 0) -> Tensor:
    """Bright discs on a dark, noisy background.

    Args:
        xy: (B, 2) centres, image pixels.
        generator: of noise and clutter.
        noise: standard deviation of the grey values.
        clutter: smaller and darker discs in each image, anywhere.

    Returns:
        (B, 3, H, W) floating point in 0..255.
    """
    count = len(xy)
    grey = 20.0 + 200.0 * _disc(xy, RADIUS)
    for _ in range(clutter):
        other = torch.rand(count, 2, generator=generator) * SIDE
        strength = 60.0 + 80.0 * torch.rand(count, 1, 1, generator=generator)
        grey = torch.maximum(grey, strength * _disc(other, 0.6 * RADIUS))
    grey = grey + noise * torch.randn(count, SIDE, SIDE, generator=generator)
    return grey.clamp(0.0, 255.0)[:, None].expand(-1, 3, -1, -1)


def _disc(xy: Tensor, radius: float) -> Tensor:
    """(B, H, W) in [0, 1], with soft edges."""
    centres = torch.arange(SIDE) + 0.5
    dx, dy = centres - xy[:, :1], centres - xy[:, 1:]
    distance = (dy.square()[:, :, None] + dx.square()[:, None, :]).sqrt()
    return (radius + 0.5 - distance).clamp(0.0, 1.0)


def anywhere(generator: torch.Generator, count: int, low: float = 0.1, high: float = 0.9) -> Tensor:
    """(count, 2) centres, uniform between two shares of the image's side."""
    return (low + (high - low) * torch.rand(count, 2, generator=generator)) * SIDE


def labels(xy: Tensor) -> Instances:
    """Labels of one instance in each image, all points seen; ``xy`` is (B, K, 2) image pixels, or (B, 2) for a disc."""
    points = xy if xy.ndim == 3 else xy[:, None]
    count = len(points)
    box = torch.cat((points.amin(1) - RADIUS, points.amax(1) + RADIUS), -1)[:, None]
    return Instances(
        keypoints=Keypoints(xy=points[:, None], visibility=torch.full((count, 1, points.shape[1]), SEEN)),
        boxes=box,
        area=(box[..., 2:] - box[..., :2]).prod(-1),
        category=torch.zeros(count, 1, dtype=torch.long),
        role=torch.full((count, 1), INSTANCE),
    )


class Features(nn.Module):
    """Backbone of five small convolutions: maps of stride 4, 8 and 16."""

    channels, strides, multiple = (16, 24, 32), (4, 8, 16), 16

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(_conv(3, 16, 5, 2), _conv(16, 16, 3, 2), _conv(16, 16, 3, 1))
        self.middle = _conv(16, 24, 3, 2)
        self.coarse = _conv(24, 32, 3, 2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """One map for each stride."""
        fine = self.fine(image)
        middle = self.middle(fine)
        return [fine, middle, self.coarse(middle)]


def _conv(before: int, after: int, width: int, stride: int) -> nn.Sequential:
    layer = nn.Conv2d(before, after, width, stride, width // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())


@dataclass(frozen=True)
class Method:
    """A representation for one point: codec, losses by name, head, and the stride of the map that the head reads."""

    codec: Codec
    losses: tuple[str, ...]
    head: AnyHead
    stride: int = STRIDE


def methods() -> dict[str, Method]:
    """The representations that the studies compare, with the options of the recipes where discs allow."""
    image = (SIDE, SIDE)
    grid, coarse = Grid.of(image=image, stride=STRIDE), Grid.of(image=image, stride=16)
    cells = SIDE // STRIDE
    return {
        "heatmap": Method(Heatmap(points=1, grid=grid, sigma=6.0), ("mse",), Maps()),
        "focal": Method(
            Heatmap(points=1, grid=grid, sigma=6.0, target="quantised", activation="sigmoid"), ("focal",), Maps()
        ),
        "soft-argmax": Method(Integral(points=1, grid=grid), ("l1",), Maps()),
        "dsnt": Method(Dsnt(points=1, grid=grid), ("dsnt",), Maps()),
        "grid": Method(GridRegression(points=1, grid=coarse), ("focal", "offset"), Maps(), 16),
        "simcc": Method(SimCC(points=1, size=image), ("simcc",), BinsHead()),
        "rle": Method(Rle(points=1, size=image), ("rle",), Pooled(cells=cells)),
        "fully connected": Method(Regression(points=1, size=image), ("l1",), Pooled(cells=cells)),
        "pooled": Method(Regression(points=1, size=image), ("l1",), Pooled(), 16),
    }


class Learner(nn.Module):
    """A small network with its codec and losses, built from a seed."""

    def __init__(self, method: Method, seed: int) -> None:
        super().__init__()
        self.codec = method.codec
        cells = SIDE // method.stride
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            backbone = Features()
            neck = Plain().build(backbone.channels, backbone.strides, method.stride)
            head = method.head.build(dict(self.codec.shapes), neck.channels, (cells, cells))
            self.net = PoseNet(backbone, neck, head)
            self.losses = nn.ModuleDict({name: LOSSES[name]().build(SKELETON) for name in method.losses})

    def loss_of(self, maps: Mapping[str, Tensor], xy: Tensor) -> Tensor:
        """Sum of the loss terms of raw maps against points, as `labels` takes them."""
        output, target = self.codec.activate(maps), self.codec.encode(labels(xy))
        terms = [term for loss in self.losses.values() for term in loss(output, target).values()]
        return torch.stack(terms).sum()

    def forward(self, image: Tensor, xy: Tensor) -> Tensor:
        """The loss of a batch."""
        return self.loss_of(self.net(image), xy)

    @torch.no_grad()
    def errors(self, image: Tensor, xy: Tensor) -> Tensor:
        """(B,) distance in pixels between decoded and true points, the mean over the points of an image."""
        points = xy if xy.ndim == 3 else xy[:, None]
        distance: Tensor = torch.linalg.vector_norm(self.found(image) - points, dim=-1)
        return distance.mean(-1)

    @torch.no_grad()
    def found(self, image: Tensor) -> Tensor:
        """(B, K, 2) decoded points, in evaluation mode."""
        mode = self.training
        self.eval()
        xy: Tensor = self.codec.decode(self.net(image)).xy[:, 0]
        self.train(mode)
        return xy


def train(
    learner: Learner,
    draw: Draw,
    steps: int,
    seed: int,
    *,
    batch: int = 16,
    lr: float = 3e-3,
    watch: Callable[[int], object] = lambda step: None,
) -> None:
    """Train with AdamW and a cosine schedule.

    Args:
        learner: its weights are changed.
        draw: new images for each step.
        steps: updates.
        seed: of the images.
        batch: images in a step.
        lr: learning rate at the start.
        watch: called before each step, and once after the last, with the number of steps done; training ends where it
            returns True.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=lr, weight_decay=1e-4)
    learner.train()
    for step in range(steps):
        if watch(step) is True:
            return
        for group in optimizer.param_groups:
            group["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / steps))
        loss = learner(*draw(generator, batch))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
        optimizer.step()
    watch(steps)
