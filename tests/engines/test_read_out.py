"""From images to poses by codecs of both kinds."""

from dataclasses import replace

import pytest
import torch
from figures import FOUR

from posekit.engines.torch import TorchEngine, pick_device, read_out
from posekit.recipes import RECIPES

SIZE = (64, 96)


def made(name):
    torch.manual_seed(0)
    recipe = RECIPES[name](FOUR, size=SIZE, backbone="mobilenet_v3")
    image = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8)
    return recipe.build().eval(), recipe.codec, image


@torch.no_grad()
def test_plain_codecs_read_the_maps():
    net, codec, image = made("fcos-tiny")
    poses, expected = read_out(net, codec, image), codec.decode(net(image))
    assert torch.equal(poses.xy, expected.xy)
    both = read_out(net, codec, image, FOUR.flip)
    here, there = net(image), codec.flip(net(image.flip(-1)), FOUR.flip)
    mean = codec.decode({name: (here[name] + there[name]) / 2 for name in codec.shapes})
    torch.testing.assert_close(both.instance_score, mean.instance_score)


@torch.no_grad()
def test_codecs_of_instances_run_the_network_again_in_the_cells_they_choose():
    net, codec, image = made("fcpose-tiny")
    maps = net(image)
    cells = codec.select(maps)
    expected = codec.decode(maps | net.at(maps, cells))
    poses = read_out(net, codec, image)
    assert torch.equal(poses.xy, expected.xy)
    assert poses.xy.shape == (2, cells.shape[1], 4, 2)
    assert (poses.instance_score.diff(dim=1) <= 0).all()


def test_instances_have_nothing_to_average_with_a_mirror():
    net, codec, _ = made("fcpose-tiny")
    spec = replace(RECIPES["fcpose-tiny"](FOUR, size=SIZE).spec(), flip_test=True)
    with pytest.raises(ValueError, match=r"codec 'fcpose' runs a network for each instance.*leave the flip test out"):
        TorchEngine(net, codec, spec)


@pytest.mark.parametrize(("cuda", "mps", "expected"), [(0, 0, "cpu"), (1, 0, "cuda"), (1, 1, "cuda"), (0, 1, "mps")])
def test_auto_takes_a_gpu_if_there_is_one(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert pick_device("auto").type == expected
    assert pick_device("cpu").type == "cpu"
