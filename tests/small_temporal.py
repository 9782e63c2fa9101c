"""A small temporal network, and its exported folder, for tests."""

import functools

import torch

from posekit.geometry.root import root_of
from posekit.models.temporal import Temporal
from posekit.skeletons import SKELETONS

SKELETON = SKELETONS["coco17"]
CONFIG = Temporal(channels=4, dilations=(1, 2), taps=7, ahead=(0, 1, 3))


def small_net(seed=0):
    """A network with random weights, its outputs too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = CONFIG.build(SKELETON.flip, root_of(SKELETON.points))
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, 0, 0.2)
    return net.eval()


@functools.cache
def small_folder(place, lifts=True):
    """The folder of an exported network in ``place``."""
    from posekit.exporting.temporal import write_temporal

    folder = place / f"small-{lifts}"
    off = write_temporal(small_net(), folder, SKELETON, lifts=lifts)
    assert off < 1e-4
    return folder
