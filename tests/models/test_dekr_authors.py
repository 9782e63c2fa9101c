"""DEKR and its first version against their authors' code, on weights that both draw alike."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from posekit.models.backbones.hrnet import HRNet
from posekit.models.compress.count import count_parameters
from posekit.models.dekr_weights import from_dekr, from_dekr_first
from posekit.models.heads.one_stage.dekr import DekrHead
from posekit.models.heads.one_stage.dekr_first import DekrFirstHead
from posekit.models.necks.concat import Concat
from posekit.models.onestage import OneStage
from posekit.models.weights import fill

REFERENCE = Path(__file__).with_name("reference")
sys.path.insert(0, str(REFERENCE))
from drawn_weights import drawn_image  # noqa: E402
from make_dekr_goldens import drawn_state  # noqa: E402

CASES = {"dekr": (DekrHead(), from_dekr), "dekr_first": (DekrFirstHead(), from_dekr_first)}


@pytest.fixture(scope="module")
def goldens():
    with np.load(REFERENCE / "dekr.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", CASES)
def test_drawn_weights_give_the_authors_maps(name, goldens):
    head, convert = CASES[name]
    shapes = {"heatmap": (18, 16, 24), "point_offsets": (34, 16, 24)}
    with torch.device("meta"):
        net = OneStage(size=(64, 96), backbone=HRNet(multi_scale=True), neck=Concat(), head=head).build(shapes).eval()
    assert count_parameters(net) == int(goldens[f"{name}_parameters"])
    net.to_empty(device="cpu")
    fill(net, convert(drawn_state(json.loads(str(goldens[f"{name}_shapes"])))), (), name)
    # The authors' network takes images that are normalised already.
    net.normalize = torch.nn.Identity()
    with torch.no_grad():
        maps = net(drawn_image())
    for ours, theirs, sign in (("heatmap", "heat", 1), ("point_offsets", "offset", -1)):
        wanted = goldens[f"{name}_{theirs}"]
        found = sign * maps[ours][:, :, ::3, ::5].numpy()
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).mean()
