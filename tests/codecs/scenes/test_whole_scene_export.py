"""A whole small network of a scene, decoding included, says the same in onnxruntime, at any batch size."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from figures import FOUR
from torch import nn

from posekit.data.synthetic import Synthetic
from posekit.pipelines.decoding import read_out
from posekit.recipes import RECIPES

SIZE = (128, 192)
BATCHES = (1, 3)
KINDS = ("fcos-tiny", "directpose-tiny", "fcpose-tiny")


class Whole(nn.Module):
    """Images in; points, their scores and those of the instances out."""

    def __init__(self, recipe):
        super().__init__()
        self.net, self.codec = recipe.build(), recipe.codec

    def forward(self, image):
        poses = read_out(self.net, self.codec, image)
        return poses.xy, poses.score, poses.instance_score


def awake(net):
    """Predictors so large that no two cells say the same."""
    for name, part in net.named_modules():
        if ("predictor" in name and isinstance(part, nn.Conv2d)) or isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.02 if isinstance(part, nn.Linear) else 0.2)
    return net


def unmatched(found, truth):
    """Largest distance of a pose (n, K, 2) to the nearest of the others, which may stand in another order."""
    return np.abs(found[:, None] - truth[None]).max((2, 3)).min(1).max()


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_of_a_whole_scene(kind, tmp_path):
    torch.manual_seed(0)
    model, file = Whole(RECIPES[kind](FOUR, size=SIZE)).eval(), str(tmp_path / "model.onnx")
    awake(model.net)
    drawn = Synthetic(FOUR, count=max(BATCHES), size=SIZE, seed=5, figures=3)
    image = torch.from_numpy(np.stack([drawn.image(i) for i in range(max(BATCHES))])).permute(0, 3, 1, 2)
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one and that shapes are traced.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        # Padding is written with a slice of negative steps, which is left to the runtime.
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
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
        assert xy.shape == points.shape == (size, 100, 4, 2)
        assert np.ptp(points, axis=1).min() > 10
        for number in range(size):
            assert unmatched(xy[number], points[number]) <= 0.01
            assert unmatched(points[number], xy[number]) <= 0.01
        assert np.abs(instances - whole).max() <= 1e-4
        assert np.abs(np.sort(score, 1) - np.sort(scores, 1)).max() <= 1e-4
