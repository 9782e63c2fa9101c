"""Decoding of FCOS, DirectPose and FCPose has no data-dependent control flow: exported, it gives the same poses."""

import pytest
import torch
from batches import POINTS
from torch import nn

from posekit.codecs.base import PerInstance
from posekit.codecs.one_stage.directpose import DirectPose
from posekit.codecs.one_stage.fcos import Fcos
from posekit.codecs.one_stage.fcpose import FCPose

SIZE = (64, 96)
STRIDES = (8, 16)
CODECS = {
    "fcos": Fcos(points=POINTS, size=SIZE, strides=STRIDES, max_instances=20),
    "boxes alone": Fcos(points=POINTS, size=SIZE, strides=STRIDES, keypoints=False, max_instances=500),
    "directpose": DirectPose(points=POINTS, size=SIZE, strides=STRIDES, max_instances=20),
    "fcpose": FCPose(points=POINTS, size=SIZE, strides=STRIDES, max_instances=20),
}


class Decode(nn.Module):
    def __init__(self, codec):
        super().__init__()
        self.codec = codec

    def forward(self, maps):
        poses = self.codec.decode(maps)
        return poses.xy, poses.score, poses.instance_score, poses.boxes


def raw(codec, batch):
    draw = torch.Generator().manual_seed(batch)
    maps = {name: torch.randn(batch, *shape, generator=draw) for name, shape in codec.shapes.items()}
    if isinstance(codec, PerInstance):
        maps["cell"] = codec.select(maps)
        maps["point_maps"] = torch.randn(
            batch, codec.max_instances, POINTS, *codec.shapes["refine"][1:], generator=draw
        )
    return maps


@pytest.mark.parametrize("kind", CODECS)
def test_exported_decoding_is_the_same(kind):
    codec = CODECS[kind]
    maps = raw(codec, 2)
    batch = {name: {0: torch.export.Dim("batch", min=1)} for name in maps}
    exported = torch.export.export(Decode(codec), (maps,), dynamic_shapes=(batch,)).module()
    for size in (2, 5):
        there, here = exported(raw(codec, size)), Decode(codec)(raw(codec, size))
        assert here[0].shape == (size, min(codec.max_instances, sum(codec.levels.counts)), POINTS, 2)
        for one, other in zip(there, here, strict=True):
            torch.testing.assert_close(one, other)
