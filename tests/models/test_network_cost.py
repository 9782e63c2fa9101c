"""Parameters and multiply-accumulates against the published and measured tables; on ``meta``, nothing is computed."""

import pytest
import torch
from torch import nn

from posekit.models.backbones.dla import DLA
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.mobilenet_v4 import MobileNetV4
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.compress.count import count_macs, count_parameters, measure, report
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC
from posekit.models.necks.plain import Plain
from posekit.models.topdown import TopDown

HEATMAP = {"heatmap": (17, 64, 48)}
BINS = {"x": (17, 384), "y": (17, 512)}
SMALL, LARGE = (256, 192), (384, 288)


def build(config, shapes):
    with torch.device("meta"):
        return config.build(shapes)


@pytest.mark.parametrize(
    ("depth", "backbone", "whole"),
    [
        (18, 11_176_512, 15_376_721),
        (34, 21_284_672, 25_484_881),
        (50, 23_508_032, 33_999_697),
        (101, 42_500_160, 52_991_825),
        (152, 58_143_808, 68_635_473),
    ],
)
def test_simple_baseline_parameters(depth, backbone, whole):
    net = build(TopDown(backbone=ResNet(depth)), HEATMAP)
    assert (count_parameters(net.backbone), count_parameters(net)) == (backbone, whole)
    assert count_parameters(net.neck) == (4_195_840 if depth < 50 else 10_487_296)
    assert count_parameters(net.head) == 4_369


@pytest.mark.parametrize(
    ("config", "backbone", "whole"),
    [
        (MobileNetV2(), 2_223_872, 9_569_809),
        (MobileNetV3("large"), 2_971_952, 9_007_169),
        (MobileNetV3("small"), 927_008, 5_389_361),
        (ShuffleNetV2(0.5), 341_792, 6_639_153),
        (ShuffleNetV2(1.0), 1_253_604, 7_550_965),
        (ShuffleNetV2(1.5), 2_478_624, 8_775_985),
        (ShuffleNetV2(2.0), 5_344_996, 15_836_661),
    ],
    ids=str,
)
def test_light_backbones_with_deconvolutions(config, backbone, whole):
    net = build(TopDown(backbone=config), HEATMAP)
    assert (count_parameters(net.backbone), count_parameters(net)) == (backbone, whole)


@pytest.mark.parametrize(
    ("config", "gmac"), [(MobileNetV2(), 0.293), (MobileNetV3("large"), 0.210), (MobileNetV3("small"), 0.054)], ids=str
)
def test_light_backbones_multiply_accumulates(config, gmac):
    with torch.device("meta"):
        assert count_macs(config.build(), SMALL) / 1e9 == pytest.approx(gmac, abs=5e-4)


@pytest.mark.parametrize(("version", "parameters"), [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)])
def test_efficientnet_lite_parameters_are_the_published_less_the_classifier(version, parameters):
    with torch.device("meta"):
        assert count_parameters(EfficientNetLite(version).build()) == parameters - 1_281_000


@pytest.mark.parametrize(("size", "parameters"), [("small", 3_774_024), ("medium", 9_715_512)])
def test_mobilenet_v4_parameters_are_timms_less_its_two_layers_behind_pooling(size, parameters):
    with torch.device("meta"):
        assert count_parameters(MobileNetV4(size).build()) == parameters - (960 * 1280 + 2 * 1280) - 1_281_000


@pytest.mark.parametrize(("width", "parameters"), [(32, 28_536_113), (48, 63_595_745)])
def test_hrnet_heatmap_parameters(width, parameters):
    net = build(TopDown(backbone=HRNet(width), neck=Plain()), HEATMAP)
    assert count_parameters(net) == parameters


def test_dla_parameters_are_the_published_less_two_idle_projections():
    idle = sum(before * after + 2 * after for before, after in ((64, 128), (128, 256)))
    with torch.device("meta"):
        assert count_parameters(DLA().build()) == 15_270_832 - idle


@pytest.mark.parametrize(("outputs", "parameters"), [(2, 23_577_698), (4, 23_647_364)])
def test_regression_parameters(outputs, parameters):
    net = build(TopDown(neck=Plain(), head=Pooled()), {"xy": (17, outputs)})
    assert count_parameters(net) == parameters


def test_simcc_parameters():
    assert count_parameters(build(TopDown(head=SimCC()), BINS)) == 36_753_105
    light = build(TopDown(backbone=MobileNetV2(), neck=Plain(), head=SimCC()), BINS)
    assert count_parameters(light) == 2_289_553
    # SimCC's layers work on 48 cells: they hardly count.
    assert count_macs(light, SMALL) / 1e9 == pytest.approx(0.295, abs=5e-4)


@pytest.mark.parametrize(
    ("config", "size", "gmac", "compat"),
    [
        (TopDown(), SMALL, 5.426, 8.99),
        (TopDown(backbone=ResNet(101)), SMALL, 9.063, 12.38),
        (TopDown(backbone=ResNet(152)), SMALL, 12.699, 15.76),
        (TopDown(), LARGE, 12.209, 20.23),
        (TopDown(backbone=ResNet(101)), LARGE, 20.391, 27.85),
        (TopDown(backbone=ResNet(152)), LARGE, 28.573, 35.47),
        (TopDown(backbone=HRNet(32), neck=Plain()), SMALL, 7.645, 7.12),
        (TopDown(backbone=HRNet(48), neck=Plain()), SMALL, 15.692, 14.61),
        (TopDown(backbone=HRNet(32), neck=Plain()), LARGE, 17.201, 16.02),
        (TopDown(backbone=HRNet(48), neck=Plain()), LARGE, 35.307, 32.88),
    ],
    ids=lambda value: f"{value.backbone.kind}" if isinstance(value, TopDown) else str(value),
)
def test_multiply_accumulates_true_and_as_published(config, size, gmac, compat):
    # Built for one size and measured at another: heatmap networks are convolutions throughout.
    cost = measure(build(config, HEATMAP), size)["total"]
    assert cost.macs / 1e9 == pytest.approx(gmac, abs=6e-4)
    assert cost.hrnet_compat == pytest.approx(compat, abs=6e-3)


def test_one_twenty_thousandth_holds_for_the_heads_alone():
    heatmap = measure(build(TopDown(), HEATMAP), SMALL)
    numbers = measure(build(TopDown(neck=Plain(), head=Pooled()), {"xy": (17, 2)}), SMALL)
    grown = heatmap["neck"].macs + heatmap["head"].macs
    assert (heatmap["neck"].macs, heatmap["head"].macs, numbers["head"].macs) == (1_409_286_144, 13_369_344, 69_632)
    assert grown / numbers["head"].macs == pytest.approx(20_431.06, abs=0.01)
    assert numbers["total"].macs / 1e9 == pytest.approx(4.0038, abs=1e-4)
    assert heatmap["total"].macs / numbers["total"].macs == pytest.approx(1.36, abs=0.005)
    by_output = heatmap["neck"].by_output + heatmap["head"].by_output
    assert by_output / numbers["head"].macs == pytest.approx(81_148, abs=1)


def test_counting_by_hand():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, groups=1), nn.ConvTranspose2d(8, 5, 4, 2, 1), nn.Flatten(2), nn.Linear(96, 7)
    )
    # 4x6 cells after the convolution, 8x12 after the transposed one.
    convolution, transposed, linear = 24 * 3 * 8 * 9, 24 * 8 * 5 * 16, 5 * 96 * 7
    cost = measure(net, (8, 12))
    assert cost["total"].macs == convolution + transposed + linear
    assert cost["total"].by_output == convolution + 4 * transposed + linear
    assert [cost[name].macs for name in ("0", "1", "3")] == [convolution, transposed, linear]


def test_counting_leaves_modes_and_hooks_as_they_were():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1))
    net[1].eval()
    count_macs(net, (8, 12))
    assert [layer.training for layer in net] == [True, False, True]
    assert not any(layer._forward_hooks for layer in net)
    assert net[1].num_batches_tracked == 0


def test_the_report_shows_both_conventions():
    text = report(build(TopDown(), HEATMAP), SMALL)
    assert "33,999,697" in text and "5,426,380,800" in text and "8.99" in text
    assert [line.split()[0] for line in text.splitlines()] == ["part", "backbone", "neck", "head", "total"]
