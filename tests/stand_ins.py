"""Networks that are no networks, for tests of what happens around one."""

import torch
from torch import nn

from posekit.engines.torch import TorchEngine
from posekit.pipelines.predictor import Predictor


class Told(nn.Module):
    """Says what it was told, in order, whatever it is shown: (M, K, 2) coordinates as fractions of the crop."""

    def __init__(self, coords):
        super().__init__()
        self.coords, self.at = coords, 0

    def forward(self, image):
        self.at += len(image)
        return {"coords": self.coords[self.at - len(image) : self.at]}


class Centroids(nn.Module):
    """Point k lies where channel ``channels[k]`` has its centre of mass; sees a mirrored image mirrored."""

    def __init__(self, channels):
        super().__init__()
        self.channels = list(channels)

    def forward(self, image):
        mass = image[:, self.channels].double()
        total = mass.sum((-1, -2)).clamp(min=1e-9)
        y, x = ((torch.arange(n, dtype=torch.float64) + 0.5) / n - 0.5 for n in image.shape[-2:])
        centre = torch.stack([(mass.sum(-2) * x).sum(-1), (mass.sum(-1) * y).sum(-1)], -1) / total[..., None]
        return {"coords": centre.float()}


class Small(nn.Module):
    """A few hundred weights without batch norm, from pixels to coordinates."""

    def __init__(self, points):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(8)
        self.last = nn.Linear(3 * 64, points * 2)

    def forward(self, image):
        pooled = self.pool(image.float() / 255 - 0.5).flatten(1)
        return {"coords": self.last(pooled).unflatten(1, (-1, 2))}


def predictor_of(net, recipe, batch=32):
    """Any network behind the call that models have."""
    return Predictor(TorchEngine(net, recipe.codec, recipe.spec()), batch)
