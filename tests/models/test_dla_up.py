"""CenterNet's neck: its cost, its names, how it starts, who hears of whom, export."""

import warnings

import onnxruntime
import pytest
import torch
from torch import nn

from posekit.models.backbones.dla import DLA
from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.necks.dla_up import DLAUp, Merge
from posekit.models.topdown import TopDown

CHANNELS, STRIDES = (4, 5, 6, 7), (4, 8, 16, 32)
HEADS = {"hm": 1, "wh": 2, "reg": 2, "hps": 34, "hm_hp": 17, "hp_offset": 2}


def maps(batch=2):
    return [
        torch.randn(batch, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]


def small():
    torch.manual_seed(0)
    return DLAUp().build(CHANNELS, STRIDES, 4)


def head(maps):
    return nn.Sequential(nn.Conv2d(64, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, maps, 1))


class Whole(nn.Module):
    """CenterNet for poses."""

    def __init__(self):
        super().__init__()
        self.backbone = DLA().build()
        self.neck = DLAUp().build(self.backbone.channels, self.backbone.strides, 4)
        self.heads = nn.ModuleDict({name: head(maps) for name, maps in HEADS.items()})

    def forward(self, image):
        x = self.neck(self.backbone(image))
        return [layer(x) for layer in self.heads.values()]


def test_cost_of_centernet():
    with torch.device("meta"):
        net = Whole()
        assert count_parameters(net.neck) == 3_940_336
        assert count_parameters(net.heads) == 901_178
        # Published: 20,112,346 with the backbone's two idle projections.
        assert count_parameters(net) == 20_112_346 - (15_270_832 - count_parameters(net.backbone))
        assert count_macs(net, (512, 512)) / 1e9 == pytest.approx(40.2, abs=0.05)


def test_names_are_those_of_centernet():
    names = set(small().state_dict())
    convs = {"conv.weight", "conv.bias", "conv.conv_offset_mask.weight", "conv.conv_offset_mask.bias"}
    norms = {f"actf.0.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    merges = [(f"dla_up.ida_{step}", step + 1) for step in range(3)] + [("ida_up", 2)]
    wanted = set()
    for merge, count in merges:
        for index in range(1, count + 1):
            wanted |= {f"{merge}.{part}_{index}.{name}" for part in ("proj", "node") for name in convs | norms}
            wanted.add(f"{merge}.up_{index}.weight")
    assert names == wanted


def test_everything_is_heard_and_learns():
    neck = small()
    given = [x.requires_grad_() for x in maps()]
    grown = neck(given)
    assert grown.shape == (2, 4, 16, 24) == (2, neck.channels, 64 // neck.stride, 96 // neck.stride)
    grown.square().sum().backward()
    assert all(x.grad.any() for x in given)
    assert [name for name, value in neck.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("factor", [2, 4])
def test_growth_starts_bilinear(factor):
    grow = Merge(3, (3, 5), (1, factor)).up_1
    x = torch.rand(2, 3, 6, 5)
    inner = (..., slice(factor, -factor), slice(factor, -factor))
    expected = nn.functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(grow(x)[inner], expected[inner])


def test_a_merge_adds_one_after_the_other():
    torch.manual_seed(0)
    merge, given = Merge(4, CHANNELS[:3], (1, 2, 4)).eval(), maps()[:3]
    first = merge.node_1(merge.up_1(merge.proj_1(given[1])) + given[0])
    second = merge.node_2(merge.up_2(merge.proj_2(given[2])) + first)
    for got, expected in zip(merge(given), (given[0], first, second), strict=True):
        torch.testing.assert_close(got, expected)


def test_a_backbone_with_gaps_or_few_maps_is_refused():
    with pytest.raises(
        ValueError, match="the backbone outputs strides 4, 16, 32: this neck takes three or more, 4, 8, 16,"
    ):
        DLAUp().build((4, 5, 6), (4, 16, 32), 4)
    with pytest.raises(ValueError, match="the backbone outputs strides 4, 8:"):
        DLAUp().build((4, 5), (4, 8), 4)


def test_a_network_for_one_crop_takes_it():
    with torch.device("meta"):
        net = TopDown(size=(64, 96), backbone=DLA(), neck=DLAUp()).build({"heatmap": (5, 16, 24)})
        assert net(torch.zeros(2, 3, 64, 96))["heatmap"].shape == (2, 5, 16, 24)


def test_onnx(tmp_path):
    neck, file = small().eval(), str(tmp_path / "neck.onnx")
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        names = ["a", "b", "c", "d"]
        axes = {name: {0: "batch"} for name in names}
        torch.onnx.export(neck, (maps(3),), file, dynamo=False, opset_version=17, input_names=names, dynamic_axes=axes)
    given = maps()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
    torch.testing.assert_close(torch.from_numpy(got), neck(given).detach(), atol=1e-4, rtol=1e-3)
