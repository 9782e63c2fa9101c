"""`body-s` gives what the published graph of MoveNet MultiPose gives, on a stored input.

``reference/movenet.npz`` holds an image (96, 128, 3) of NASA's portrait of Eileen Collins and the outputs of the heads
as an interpreter of the published graph computed them, x before y, offsets within cells counted from the cell's centre.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from posekit.zoo.weights import load_weights

GOLDENS = Path(__file__).parent / "reference" / "movenet.npz"


def test_outputs_equal_the_published_graphs():
    goldens = np.load(GOLDENS)
    net = load_weights("body-s").net
    with torch.inference_mode():
        maps = net(torch.from_numpy(goldens["image"])[None].permute(0, 3, 1, 2))
    assert set(maps) == set(goldens.files) - {"image"}
    for name, value in maps.items():
        np.testing.assert_allclose(value[0].numpy(), goldens[name], atol=1e-4, err_msg=name)


@pytest.mark.parametrize("name", ["body-s"])
def test_it_is_stored_in_16_bits_and_used_in_32(name):
    assert all(p.dtype == torch.float32 for p in load_weights(name).net.parameters())
