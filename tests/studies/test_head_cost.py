"""The cost of heads: the figures behind "1/20000", in both conventions."""

import pytest
import torch
from torch import nn

from posekit.skeletons import SKELETONS
from posekit.studies import head_cost


@pytest.fixture(scope="module")
def results():
    skeleton = SKELETONS["coco17"]
    found = {
        name: head_cost.costs(head_cost.recipe_of(name, "resnet", (256, 192), skeleton))
        for name in ("heatmap", "regression", "rle")
    }
    return {"costs": {"resnet 256x192": found}}


def test_one_in_20000_is_the_ratio_of_the_heads_alone(results):
    assert round(head_cost.ratio(results)) == 20_431
    assert round(head_cost.ratio(results, other="rle")) == 10_216
    assert round(head_cost.whole(results), 2) == 1.36


def test_costs_of_the_parts(results):
    found = results["costs"]["resnet 256x192"]
    heatmap, regression, rle = (found[name] for name in ("heatmap", "regression", "rle"))
    assert heatmap["head"]["macs"] == 402_653_184 + 201_326_592 + 805_306_368 + 13_369_344
    assert regression["head"]["macs"] == 69_632 and rle["head"]["macs"] == 139_264
    assert regression["head"]["parameters"] == 69_666 and rle["head"]["parameters"] == 139_332
    assert round(heatmap["head"]["parameters"] / 1e6, 2) == 10.49
    assert round(heatmap["backbone"]["macs"] / 1e9, 4) == 4.0037


def test_the_tables_of_hrnet_count_otherwise(results):
    found = results["costs"]["resnet 256x192"]["heatmap"]
    assert found["head"]["by_output"] == pytest.approx(5.6505e9, rel=1e-4)
    assert (found["head"]["by_output"] + found["backbone"]["by_output"]) / 2**30 == pytest.approx(8.991, abs=1e-3)
    assert round(head_cost.ratio(results, "by_output")) == 81_148
    assert round(head_cost.ratio(results, "by_output", other="rle")) == 40_574
    assert round(head_cost.whole(results, "by_output"), 2) == 2.41


def test_activations_are_the_outputs_of_all_layers_but_those_that_pass_a_map_on(results):
    # 17 points, two coordinates, 4 bytes.
    assert results["costs"]["resnet 256x192"]["regression"]["head"]["activations"] == 17 * 2 * 4
    net = nn.Sequential()
    net.part = nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(inplace=True), nn.Identity(), nn.Conv2d(5, 2, 1))
    with torch.device("meta"):
        net = net.to("meta")
    assert head_cost.outputs(net, (4, 6)) == {"part": (5 + 2) * 24}


def test_a_head_without_a_map_of_its_stride_is_told_with_the_reason(monkeypatch):
    monkeypatch.setattr(head_cost, "QUICK_BACKBONES", ("hrnet",))
    monkeypatch.setattr(head_cost, "SIZES", ((64, 64),))
    monkeypatch.setattr(head_cost, "COMPARED", ("grid", "simcc"))
    found = head_cost.run(True, 0)
    assert list(found["costs"]["hrnet 64x64"]) == ["simcc"]
    assert "the maps need stride 32" in found["faults"]["hrnet 64x64"]["grid"]
    assert ["hrnet 64x64", "grid", "cannot be built"] in [list(row[:3]) for row in head_cost.table(found).rows]
