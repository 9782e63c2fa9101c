"""Candidates and how well they fit, by hand, and inside an exported graph."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from codec_cases import GRID, instances
from sizes import B, H, K, W
from torch import nn

from posekit.codecs.grouping import affinities, candidates
from posekit.codecs.openpose import OpenPose
from posekit.codecs.refine import refine_parabola
from posekit.geometry.grid import Grid

BONES = ((0, 1), (0, 2), (1, 3), (4, 2))


def maps_with(*peaks, size=(H, W)):
    """(1, 1, H, W) with these values at these (x, y)."""
    maps = torch.zeros(1, 1, *size)
    for (x, y), value in peaks:
        maps[0, 0, y, x] = value
    return maps


def test_peaks_come_highest_first():
    cells, score = candidates(maps_with(((2, 3), 0.5), ((7, 4), 0.9), ((9, 12), 0.3), ((5, 8), 0.05)), most=5)
    assert cells.shape == (1, 1, 5, 2)
    assert score[0, 0].tolist() == pytest.approx([0.9, 0.5, 0.3, 0, 0])
    assert cells[0, 0, :3].tolist() == [[7, 4], [2, 3], [9, 12]]
    assert cells.isfinite().all()


def test_no_more_than_asked_and_no_more_than_cells():
    maps = maps_with(((2, 3), 0.5), ((7, 4), 0.9), ((9, 12), 0.3))
    assert candidates(maps, most=2)[1][0, 0].tolist() == pytest.approx([0.9, 0.5])
    assert candidates(maps_with(((1, 1), 0.5), size=(2, 3)), most=20)[0].shape == (1, 1, 6, 2)


def test_a_neighbour_of_a_peak_is_none():
    around = [((x, y), 0.6) for x in (4, 5, 6) for y in (4, 5, 6) if (x, y) != (5, 5)]
    assert (candidates(maps_with(*around, ((5, 5), 0.7)))[1] > 0).sum() == 1


@pytest.mark.parametrize("second", [(6, 5), (5, 6), (6, 6), (4, 6)])
def test_of_equal_neighbours_the_first_is_a_peak(second):
    cells, score = candidates(maps_with(((5, 5), 0.7), (second, 0.7)))
    assert (score > 0).sum() == 1
    # Right between the two.
    place = cells[0, 0, 0]
    assert (place - torch.tensor([5, 5])).abs().max() <= 0.5


def test_a_point_between_two_cells_is_one_candidate():
    codec = OpenPose(points=1, bones=(), grid=Grid.of((64, 96), 8))
    xy = torch.tensor([[[[40.0, 24.0]]]])
    cells, score = candidates(codec.encode(instances(xy)).maps["heatmap"][:, :1])
    assert (score > 0).sum() == 1
    assert torch.allclose(codec.grid.pixels(cells[0, 0, 0]), xy.flatten(), atol=1e-3)


def test_flat_maps_and_nan_have_no_candidates():
    for value in (0.0, 0.1, -3.0, float("nan")):
        cells, score = candidates(torch.full((B, K, H, W), value))
        assert (score == 0).all()
        assert cells.isfinite().all()
    maps = maps_with(((5, 5), float("nan")), ((6, 5), 0.4))
    cells, score = candidates(maps)
    assert (score > 0).sum() == 1
    assert cells[0, 0, 0].tolist() == [6, 5]


def test_values_beyond_1_keep_their_order():
    cells, score = candidates(maps_with(((2, 3), 1.5), ((7, 4), 2.5)))
    assert score[0, 0, :2].tolist() == [1, 1]
    assert cells[0, 0, :2].tolist() == [[7, 4], [2, 3]]


def test_the_place_is_that_of_the_parabola():
    maps = torch.rand(B, K, H, W, generator=torch.Generator().manual_seed(2))
    cells, score = candidates(maps, most=1)
    at = maps.flatten(2).argmax(-1)
    peak = torch.stack((at % W, at // W), dim=-1)
    assert torch.equal(score[..., 0], maps.amax((-2, -1)))
    assert torch.allclose(cells[:, :, 0], refine_parabola(maps, peak), atol=1e-6)


def test_a_peak_on_the_border_stays_on_that_axis():
    cells, score = candidates(maps_with(((0, 5), 0.5), ((0, 4), 0.4), ((W - 1, H - 1), 0.7)))
    assert (score > 0).sum() == 2
    assert cells[0, 0, 0].tolist() == [W - 1, H - 1]
    assert cells[0, 0, 1, 0] == 0
    assert 4.4 < cells[0, 0, 1, 1] < 5


def field(x, y, size=(H, W)):
    return torch.tensor([x, y]).reshape(1, 2, 1, 1).expand(1, 2, *size)


def test_a_line_through_a_field_by_hand():
    # From (2, 2) to (10, 8): unit (0.8, 0.6).
    cells = torch.tensor([[[[2.0, 2.0]], [[10.0, 8.0]]]])
    for (x, y), expected in (
        ((0.8, 0.6), 1.0),
        ((-0.8, -0.6), -1.0),
        ((-0.6, 0.8), 0.0),
        ((1.0, 0.0), 0.8),
        ((0.4, 0.3), 0.5),
    ):
        mean, share = affinities(field(x, y), cells, ((0, 1),))
        assert mean.shape == share.shape == (1, 1, 1, 1)
        assert mean.item() == pytest.approx(expected, abs=1e-6)
        assert share.item() == (expected > 0.05)


def test_a_field_over_half_of_the_line():
    # Cells 0 to 10 along a row: the middles of ten pieces are 0.5, 1.5, ..., and 4.5 lies between 1 and 0.
    cells = torch.tensor([[[[0.0, 3.0]], [[10.0, 3.0]]]])
    paf = field(1.0, 0.0).clone()
    paf[..., 5:] = 0
    mean, share = affinities(paf, cells, ((0, 1),))
    assert mean.item() == pytest.approx(0.45)
    assert share.item() == pytest.approx(0.5)
    mean, share = affinities(paf, cells, ((0, 1),), samples=1)
    assert mean.item() == share.item() == 0


def test_what_a_drawn_bone_says():
    codec = OpenPose(points=2, bones=((0, 1),), grid=GRID)
    xy = torch.tensor([[[[20.0, 30.0], [70.0, 90.0]], [[60.0, 20.0], [80.0, 25.0]]]])
    target = codec.encode(instances(xy))
    mean, share = affinities(target.maps["paf"], codec.grid.cells(xy).transpose(1, 2), codec.bones)
    # Not 1: the field ends hard, so the first and the last piece of the short bone read it only in part.
    assert mean[0, 0].diagonal().min() > 0.9
    assert torch.equal(share[0, 0].diagonal(), torch.ones(2))
    assert max(mean[0, 0, 0, 1], mean[0, 0, 1, 0]) < 0.5
    assert max(share[0, 0, 0, 1], share[0, 0, 1, 0]) < 0.8


def test_each_bone_reads_its_own_field_and_its_own_ends():
    # M = 2 candidates; bone l points along its own direction, so only its own pairs agree.
    bones = ((0, 1), (2, 0))
    cells = torch.tensor([[[[2.0, 2.0], [2.0, 9.0]], [[8.0, 2.0], [8.0, 9.0]], [[2.0, 14.0], [10.0, 14.0]]]])
    paf = torch.cat((field(1.0, 0.0), field(0.0, -1.0)), dim=1)
    mean, _ = affinities(paf, cells, bones)
    for number, (a, b) in enumerate(bones):
        way = cells[0, b][None] - cells[0, a][:, None]
        expected = (way / way.norm(dim=-1, keepdim=True))[..., number] * (1, -1)[number]
        assert torch.allclose(mean[0, number], expected, atol=1e-6)


def test_images_do_not_mix():
    maps, paf = torch.rand(B, K, H, W), torch.randn(B, 2 * len(BONES), H, W)
    cells, score = candidates(maps, most=6)
    mean, share = affinities(paf, cells, BONES)
    assert mean.shape == share.shape == (B, len(BONES), 6, 6)
    for b in range(B):
        alone = candidates(maps[b : b + 1], most=6)
        assert torch.equal(alone[0][0], cells[b])
        assert torch.equal(alone[1][0], score[b])
        assert torch.equal(affinities(paf[b : b + 1], alone[0], BONES)[0][0], mean[b])


def test_cells_that_are_not_square():
    # Pixels are twice as wide as high: a line of (3, 4) cells goes (6, 4) pixels.
    cells = torch.tensor([[[[2.0, 2.0]], [[5.0, 6.0]]]])
    mean, _ = affinities(field(6 / 52**0.5, 4 / 52**0.5), cells, ((0, 1),), scale=(2.0, 1.0))
    assert mean.item() == pytest.approx(1, abs=1e-6)


def test_places_outside_one_place_and_nan_are_survived():
    cells = torch.tensor([[[[-5.0, 3.0]], [[40.0, 3.0]]]])
    assert affinities(field(1.0, 0.0), cells, ((0, 1),))[0].item() == pytest.approx(1)
    here = torch.tensor([[[[5.0, 3.0]], [[5.0, 3.0]]]])
    assert affinities(field(1.0, 0.0), here, ((0, 1),))[0].item() == 0
    mean, share = affinities(field(float("nan"), float("nan")), cells, ((0, 1),))
    assert mean.item() == share.item() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_number_types(dtype):
    wide = torch.promote_types(dtype, torch.float32)
    cells, score = candidates(torch.rand(B, K, H, W).to(dtype))
    made = (cells, score, *affinities(torch.randn(B, 2 * len(BONES), H, W).to(dtype), cells, BONES))
    assert {value.dtype for value in made} == {wide}


class Find(nn.Module):
    """Maps and fields in, candidates and how they fit out."""

    def forward(self, heatmap, paf):
        cells, score = candidates(heatmap, most=6)
        return cells, score, *affinities(paf, cells, BONES)


def inputs(batch):
    generator = torch.Generator().manual_seed(batch)
    return (
        torch.rand(batch, K, H, W, generator=generator),
        torch.randn(batch, 2 * len(BONES), H, W, generator=generator),
    )


@pytest.mark.slow
def test_torch_export():
    batch = torch.export.Dim("batch", min=1, max=1024)
    exported = torch.export.export(
        Find(), inputs(3), dynamic_shapes={"heatmap": {0: batch}, "paf": {0: batch}}
    ).module()
    for size in (2, 7):
        for got, expected in zip(exported(*inputs(size)), Find()(*inputs(size)), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_onnx(tmp_path):
    file, outputs = str(tmp_path / "find.onnx"), ["cells", "score", "affinity", "share"]
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one and that shapes are traced.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        torch.onnx.export(
            Find(),
            inputs(3),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["heatmap", "paf"],
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in ("heatmap", "paf", *outputs)},
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in (2, 7):
        heatmap, paf = inputs(size)
        got = session.run(None, {"heatmap": heatmap.numpy(), "paf": paf.numpy()})
        for name, mine, theirs in zip(outputs, Find()(heatmap, paf), got, strict=True):
            assert np.abs(mine.numpy() - theirs).max() <= 1e-4, name
