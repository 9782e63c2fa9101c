"""A whole small model with decoding in the graph gives the same points as in training, at any batch size."""

import numpy as np
import pytest
import torch
from figures import FOUR
from onnx_files import session_of
from torch import nn

from posekit.data.synthetic import Synthetic
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import TINY, topdown

SIZE = (64, 64)
BATCHES = (1, 7)


class Whole(nn.Module):
    """Images in, points and scores out."""

    def __init__(self, recipe):
        super().__init__()
        self.net, self.codec = recipe.build(), recipe.codec

    def forward(self, image):
        poses = self.codec.decode(self.net(image))
        return poses.xy, poses.score


@pytest.mark.parametrize("kind", REPRESENTATIONS)
def test_onnx_of_a_whole_model(kind, tmp_path):
    torch.manual_seed(0)
    recipe = topdown("small", TINY, kind, FOUR, size=SIZE, backbone="mobilenet_v3")
    model = Whole(recipe).eval()
    drawn = Synthetic(FOUR, count=max(BATCHES), size=SIZE, seed=5)
    image = torch.from_numpy(np.stack([drawn.image(i) for i in range(max(BATCHES))])).permute(0, 3, 1, 2)
    session = session_of(model, image[:3], ("points", "scores"), tmp_path / "model.onnx")
    for size in BATCHES:
        xy, score = session.run(None, {"image": image[:size].numpy()})
        with torch.no_grad():
            points, scores = model(image[:size])
        assert xy.shape == (size, 1, 4, 2)
        assert np.abs(xy - points.numpy()).max() <= 0.01
        assert np.abs(score - scores.numpy()).max() <= 1e-4
