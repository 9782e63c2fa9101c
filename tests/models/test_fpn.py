"""The pyramid: its levels, what hears of what, its cost."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn
from torch.nn import functional as F

from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.resnet import ResNet
from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.necks.fpn import FPN

CHANNELS, STRIDES = (3, 4, 5, 6), (4, 8, 16, 32)


def maps():
    return [
        torch.randn(2, channels, 128 // stride, 192 // stride)
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]


def test_levels_of_fcos():
    neck = FPN(channels=7).build(CHANNELS, STRIDES)
    levels = neck(maps())
    assert neck.strides == (8, 16, 32, 64, 128)
    assert [tuple(x.shape) for x in levels] == [
        (2, 7, 16, 24), (2, 7, 8, 12), (2, 7, 4, 6), (2, 7, 2, 3), (2, 7, 1, 2)
    ]  # fmt: skip
    sum(x.square().mean() for x in levels).backward()
    assert [name for name, value in neck.named_parameters() if not value.grad.any()] == []


def test_by_hand():
    torch.manual_seed(0)
    neck, given = FPN(channels=7).build(CHANNELS, STRIDES), maps()
    _, c3, c4, c5 = given
    m5 = neck.lateral[2](c5)
    m4 = neck.lateral[1](c4) + m5.repeat_interleave(2, 2).repeat_interleave(2, 3)
    m3 = neck.lateral[0](c3) + m4.repeat_interleave(2, 2).repeat_interleave(2, 3)
    p5 = neck.output[2](m5)
    p6 = F.conv2d(p5, neck.extra[0].weight, neck.extra[0].bias, 2, 1)
    p7 = neck.extra[1](torch.relu(p6))
    for got, expected in zip(neck(given), (neck.output[0](m3), neck.output[1](m4), p5, p6, p7), strict=True):
        torch.testing.assert_close(got, expected)


def test_fine_hears_of_coarse_and_not_the_other_way():
    neck, given = FPN(channels=7, finest=4, extra=0).build(CHANNELS, STRIDES), maps()
    before = neck(given)
    given[1] = given[1] + 1
    changed = [not torch.equal(x, y) for x, y in zip(before, neck(given), strict=True)]
    assert changed == [True, True, False, False]


def test_cost_on_resnet_50():
    with torch.device("meta"):
        backbone = ResNet(50).build()
        neck = FPN().build(backbone.channels, backbone.strides)
        lateral = sum(channels * 256 + 256 for channels in (512, 1024, 2048))
        assert count_parameters(neck) == lateral + 5 * (256 * 256 * 9 + 256) == 3_868_672
        both = nn.Sequential(backbone, neck)
        at = [(512 // stride) ** 2 for stride in neck.strides]
        mixed = sum(cells * channels * 256 for cells, channels in zip(at, (512, 1024, 2048), strict=False))
        assert count_macs(both, (512, 512)) - count_macs(backbone, (512, 512)) == mixed + sum(at) * 256 * 256 * 9


def test_a_backbone_without_the_levels_is_refused():
    with torch.device("meta"):
        backbone = HRNet().build()
    with pytest.raises(ValueError, match="from stride 8 needs maps of strides 8, but the backbone outputs 4"):
        FPN().build(backbone.channels, backbone.strides)
    with pytest.raises(ValueError, match="needs maps of strides 6, 12, 24, 48"):
        FPN(finest=6).build(CHANNELS, STRIDES)


def test_the_config_survives_json_and_refuses_unknown_fields():
    adapter = TypeAdapter(FPN)
    config = FPN(channels=64, extra=1)
    assert adapter.validate_json(adapter.dump_json(config)) == config
    with pytest.raises(ValueError, match="width"):
        adapter.validate_python({"kind": "fpn", "width": 3})
