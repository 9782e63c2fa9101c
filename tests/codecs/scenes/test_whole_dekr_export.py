"""DEKR's whole small networks, decoding included, say the same in onnxruntime, at any batch size."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from figures import FOUR
from torch import nn

from posekit.data.synthetic import Synthetic
from posekit.models.layers.adaptive import AdaptiveBlock
from posekit.models.layers.spatial import SpatialBlock
from posekit.recipes import RECIPES

SIZE = (128, 160)
BATCHES = (1, 3)


class Whole(nn.Module):
    """Images in; points, their scores and those of the instances out."""

    def __init__(self, recipe):
        super().__init__()
        self.net, self.codec = recipe.build(), recipe.codec

    def forward(self, image):
        poses = self.codec.decode(self.net(image))
        return poses.xy, poses.score, poses.instance_score


def awake(net):
    """Maps so lively that no two cells say the same, and kernels that turn."""
    for layer in net.head.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    for block in net.head.modules():
        if isinstance(block, AdaptiveBlock):
            nn.init.normal_(block.transform.weight, std=0.1)
        if isinstance(block, SpatialBlock):
            nn.init.normal_(block.transform1.weight, std=0.1)
            nn.init.normal_(block.transform2.weight, std=0.1)


def unmatched(found, truth):
    """Largest distance of a pose (n, K, 2) to the nearest of the others, which may stand in another order."""
    return np.abs(found[:, None] - truth[None]).max((2, 3)).min(1).max()


@pytest.mark.parametrize("kind", ["dekr-tiny", "dekr-first-tiny"])
def test_onnx_of_a_whole_scene(kind, tmp_path):
    torch.manual_seed(0)
    model, file = Whole(RECIPES[kind](FOUR, size=SIZE, backbone="mobilenet_v3")).eval(), str(tmp_path / "model.onnx")
    awake(model.net)
    drawn = Synthetic(FOUR, count=max(BATCHES), size=SIZE, seed=5, figures=3)
    image = torch.from_numpy(np.stack([drawn.image(i) for i in range(max(BATCHES))])).permute(0, 3, 1, 2)
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one and that shapes are traced.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        names = ["points", "scores", "instances"]
        torch.onnx.export(
            model,
            (image[:2],),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=names,
            dynamic_axes={name: {0: "batch"} for name in ("image", *names)},
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in BATCHES:
        xy, score, instances = session.run(None, {"image": image[:size].numpy()})
        with torch.no_grad():
            points, scores, whole = (value.numpy() for value in model(image[:size]))
        assert xy.shape == points.shape == (size, 30, 4, 2)
        assert np.ptp(points, axis=1).min() > 10
        assert (whole.max(1) > 0).all()
        for number in range(size):
            assert (whole[number] > 0).sum() > 3
            assert unmatched(xy[number], points[number]) <= 0.01
            assert unmatched(points[number], xy[number]) <= 0.01
        assert np.abs(instances - whole).max() <= 1e-4
        assert np.abs(np.sort(score, 1) - np.sort(scores, 1)).max() <= 1e-4
