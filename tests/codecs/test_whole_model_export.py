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
from posekit.recipes.visibility import with_visibility

SIZE = (64, 64)
BATCHES = (1, 7)


class Whole(nn.Module):
    """Images in, points and scores out, and whether points are seen if the recipe has it."""

    def __init__(self, recipe):
        super().__init__()
        self.net, self.codec = recipe.build(), recipe.full_codec

    def forward(self, image):
        poses = self.codec.decode(self.net(image))
        return (poses.xy, poses.score) if poses.visible is None else (poses.xy, poses.score, poses.visible)


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


@pytest.mark.parametrize("kind", ["dark", "regression", "simcc"])
def test_onnx_with_visibility(kind, tmp_path):
    torch.manual_seed(0)
    recipe = with_visibility(topdown("small", TINY, kind, FOUR, size=(96, 64), backbone="mobilenet_v3"))
    model = Whole(recipe).eval()
    with torch.no_grad():
        model.net.logits.points["visibility"].weight.mul_(3000.0)
    image = torch.randint(0, 256, (max(BATCHES), 3, 96, 64), dtype=torch.uint8)
    session = session_of(model, image[:3], ("points", "scores", "visible"), tmp_path / "model.onnx")
    for size in BATCHES:
        with torch.no_grad():
            visible = model(image[:size])[2].numpy()
        assert visible.std() > 0.01
        np.testing.assert_allclose(session.run(["visible"], {"image": image[:size].numpy()})[0], visible, atol=1e-4)
