"""FCPose's losses against numbers worked out by hand."""

import math

import pytest
import torch

from posekit.codecs.base import Target
from posekit.losses.fcpose import PointMaps, Refine, Side, per_instance, reach_of

B, P, K, H, W = 2, 3, 4, 3, 5


def target(truth, weight, **more):
    xy = torch.zeros(B, 1, K, 2)
    maps = {"point_maps": truth, "xy": xy} | {name: pair[0] for name, pair in more.items()}
    return Target(maps, {"point_maps": weight, "xy": xy[..., :1]} | {name: pair[1] for name, pair in more.items()})


def some():
    torch.manual_seed(0)
    place = torch.rand(B, P, K, 2) * torch.tensor([W - 1.0, H - 1.0])
    truth = torch.cat((place, torch.full((B, P, K, 1), 4.0)), -1)
    weight = torch.ones(B, P, K)
    weight[0, 1] = 0.5
    weight[0, 2] = 0.0
    weight[1, :, 3] = 0.0
    return truth, weight, torch.randn(B, P, K, H, W)


def test_reach():
    value = reach_of(torch.tensor([0.0, 0.05, 0.1, 0.5]), 12.0)
    assert value.tolist() == pytest.approx([0, 0.291313, 0.537050, 0.995055], abs=1e-6)


def test_instances_weigh_by_their_own_weight_and_points_by_how_many_there_might_be():
    loss = torch.tensor([[[1.0, 2.0], [4.0, 0.0], [9.0, 9.0]]])
    weight = torch.tensor([[[1.0, 1.0], [0.5, 0.0], [0.0, 0.0]]])
    assert per_instance(loss, weight).item() == pytest.approx((3 / 2 + 0.5 * 4 / 2) / 1.5)


@pytest.mark.parametrize("grown", [1, 2, 4])
def test_cross_entropy_of_grown_maps(grown):
    truth, weight, logits = some()
    value = PointMaps(weight=2.5, grown=grown).build(None)({"point_maps": logits}, target(truth, weight))
    fine = torch.nn.functional.interpolate(logits.flatten(0, 1), scale_factor=grown, mode="bilinear")
    fine = fine.unflatten(0, (B, P)) if grown > 1 else logits
    total, share = 0.0, 0.0
    for b in range(B):
        for p in range(P):
            share += weight[b, p].max().item()
            for k in range(K):
                column, row = (math.floor((v + 0.5) * grown) for v in truth[b, p, k, :2].tolist())
                spread = fine[b, p, k].flatten().log_softmax(0).reshape(grown * H, grown * W)
                total -= weight[b, p, k].item() * spread[row, column].item() / K
    assert value["point_maps"].item() == pytest.approx(2.5 * total / share, rel=1e-5)


def test_offsets_of_likely_cells():
    truth, weight, logits = some()
    predicted = torch.randn(B, 2 * K, H, W)
    value = Refine(weight=9.0).build(None)({"point_maps": logits, "refine": predicted}, target(truth, weight))["refine"]
    total, share = 0.0, 0.0
    for b in range(B):
        for p in range(P):
            share += weight[b, p].max().item()
            for k in range(K):
                away = predicted[b, 2 * k : 2 * k + 2] - truth[b, p, k, :2, None, None]
                counts = reach_of(away.square().sum(0).sqrt() / 4.0, 12.0)
                likely = logits[b, p, k].flatten().softmax(0).reshape(H, W)
                total += weight[b, p, k].item() * (likely * counts).sum().item() / 12 / K
    assert value.item() == pytest.approx(9 * total / share, rel=1e-5)


def test_side_heatmaps():
    heatmaps, predicted = torch.zeros(B, K, H, W), torch.zeros(B, K, H, W)
    heatmaps[0, 0, 1, 1], heatmaps[1, 2, 0, 3] = 2.0, 1.0
    predicted[0, 0, 0, 0] = 3.0
    predicted[1, 0] = 7.0
    weight = torch.ones(B, K, H, W)
    weight[1, 0] = 0.0
    loss = Side(weight=0.2, of="side_2")
    assert loss.needs == {"side_2"}
    truth, own, _ = some()
    value = loss.build(None)({"side_2": predicted}, target(truth, own, side_2=(heatmaps, weight)))["side"]
    # 4 + 1 at the peaks, 9 elsewhere; divided by 4 + 1.
    assert value.item() == pytest.approx(0.2 * 14 / 5)
    empty = loss.build(None)({"side_2": predicted}, target(truth, own, side_2=(torch.zeros_like(heatmaps), weight)))[
        "side"
    ]
    assert empty.item() == pytest.approx(0.2 * 9)
