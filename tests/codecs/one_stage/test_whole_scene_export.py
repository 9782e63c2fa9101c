"""A small one-stage network with decoding gives the same poses in ONNX Runtime, at any batch size."""

import numpy as np
import pytest
import torch
from figures import FOUR
from onnx_files import session_of
from torch import nn

from posekit.data.synthetic import Synthetic
from posekit.engines.torch import read_out
from posekit.models.layers.adaptive import AdaptiveBlock
from posekit.models.layers.spatial import SpatialBlock
from posekit.recipes import RECIPES, SYSTEMS

SIZE = (128, 192)
BATCHES = (1, 3)


class Whole(nn.Module):
    """Images in; points, their scores and those of the instances out."""

    def __init__(self, recipe):
        super().__init__()
        self.net, self.codec = recipe.build(), recipe.codec

    def forward(self, image):
        poses = read_out(self.net, self.codec, image)
        return poses.xy, poses.score, poses.instance_score


def awake(net):
    """Random heads, so that no two cells have equal values, and rotated kernels."""
    for part in net.head.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.02)
    if "size" in (branches := dict(getattr(net.head, "branches", {}))):
        # Boxes of some cells: MoveNet reads points inside them alone.
        nn.init.constant_(branches["size"][-1].bias, 12.0)
    for block in net.head.modules():
        if isinstance(block, AdaptiveBlock):
            nn.init.normal_(block.transform.weight, std=0.1)
        if isinstance(block, SpatialBlock):
            nn.init.normal_(block.transform1.weight, std=0.1)
            nn.init.normal_(block.transform2.weight, std=0.1)


def unmatched(found, truth):
    """Largest distance of a pose (n, K, 2) to the nearest of the others, which may stand in another order."""
    return np.abs(found[:, None] - truth[None]).max((2, 3)).min(1).max(initial=0.0)


@pytest.mark.parametrize("name", SYSTEMS)
def test_onnx_of_a_whole_scene(name, tmp_path):
    torch.manual_seed(0)
    recipe = RECIPES[f"{name}-tiny"](FOUR, size=SIZE, backbone="mobilenet_v3")
    model = Whole(recipe).eval()
    awake(model.net)
    drawn = Synthetic(FOUR, count=max(BATCHES), size=SIZE, seed=5, people=3)
    image = torch.from_numpy(np.stack([drawn.image(i) for i in range(max(BATCHES))])).permute(0, 3, 1, 2)
    session = session_of(model, image[:2], ("points", "scores", "instances"), tmp_path / "model.onnx")
    for size in BATCHES:
        xy, score, instances = session.run(None, {"image": image[:size].numpy()})
        with torch.no_grad():
            points, scores, whole = (value.numpy() for value in model(image[:size]))
        assert xy.shape == points.shape == (size, recipe.codec.max_instances, 4, 2)
        assert np.ptp(points, axis=1).min() > 10
        for number in range(size):
            assert (whole[number] > 1e-6).sum() > 3
            # Cells that are no local maximum have score 0, and the first of them fill the rest, here and there.
            assert unmatched(xy[number], points[number]) <= 0.01
            assert unmatched(points[number], xy[number]) <= 0.01
        assert np.abs(instances - whole).max() <= 1e-4
        assert np.abs(np.sort(score, 1) - np.sort(scores, 1)).max() <= 1e-3
