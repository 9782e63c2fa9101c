"""The table of representations says what is built, what is encoded and what the docstrings say."""

import pytest
import torch

from posekit.codecs.base import Target
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.simcc import SimCC
from posekit.geometry.grid import Grid
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, TINY
from posekit.skeletons.body import COCO17
from posekit.skeletons.face import FACE5
from posekit.studies.codecs import (
    cells,
    inner_points,
    pixels,
    round_trip,
    row,
    source_of,
    table,
    target_bytes,
    thousands,
    titles,
)

LARGEST = 4.0 * 2**0.5
"""Pixels across a cell in all recipes: no representation may lose more than that by itself."""


@pytest.fixture(scope="module")
def tiny():
    return {one.name: one for one in table(FACE5, TINY, (64, 64))}


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_every_representation_has_its_figures(tiny, name):
    one = tiny[name]
    assert one.fault == ""
    assert one.shapes
    assert one.gives
    assert one.source
    assert one.head.macs > 0
    assert one.head.parameters > 0
    assert 0 <= one.mean_error <= one.max_error <= LARGEST
    assert set(one.losses) <= set(one.fitting)
    assert one.target_bytes > 0
    assert len(cells(one)) == len(titles())


def test_costs_are_those_of_the_published_networks():
    # 17 points from 256 channels of 64x48 cells; SimpleBaseline's three transposed convolutions.
    plain = row("heatmap", COCO17, PLAIN)
    assert (plain.head.macs, plain.head.parameters) == (13_369_344, 17 * 257)
    assert plain.neck.macs == 1_409_286_144
    numbers = row("regression", COCO17, PLAIN)
    assert (numbers.head.macs, numbers.neck.macs) == (2048 * 34, 0)


def test_only_the_likelihood_learns_numbers_of_its_own(tiny):
    assert tiny["rle"].loss_parameters == 53_784
    assert tiny["regression"].loss_parameters == tiny["dark"].loss_parameters == 0


def test_a_size_that_does_not_fit_is_a_reason_and_no_error():
    one = row("simcc", FACE5, TINY, (64, 60))
    assert one.fault == "image is 64x60; resnet needs multiples of 32: use 64x64"
    assert one.source.endswith("arXiv:2107.03332")
    assert cells(one)[1] == "cannot be made"
    assert len(cells(one)) == len(titles())
    assert "stride" in row("dark", FACE5, TINY, (64, 64), 5).fault


def test_a_round_trip_is_half_a_bin_at_most():
    # One bin a pixel: each axis is off by at most half a pixel, evenly spread, and by a quarter in the mean.
    mean, most = round_trip(SimCC(points=5, size=(96, 64), split=1))
    assert most <= 0.5 * 2**0.5 + 1e-5
    assert mean == pytest.approx(0.3826, abs=0.01)


def test_a_round_trip_goes_in_portions_that_fit(monkeypatch):
    codec = SimCC(points=5, size=(96, 64))
    whole = round_trip(codec, points=60)
    monkeypatch.setattr("posekit.studies.codecs.MOST", 5 * (192 + 128) * 5)
    calls = []
    encode = SimCC.encode
    monkeypatch.setattr(SimCC, "encode", lambda self, labels: calls.append(len(labels.boxes)) or encode(self, labels))
    assert round_trip(codec, points=60)[0] == pytest.approx(whole[0], rel=0.3)
    assert calls == [5, 5, 2]


def test_inner_points_lie_in_the_middle_half():
    codec = SimCC(points=5, size=(96, 64))
    xy = inner_points(codec, 200).keypoints.xy
    assert xy.shape == (200, 1, 5, 2)
    assert torch.equal((xy >= torch.tensor([16.0, 24.0])) & (xy <= torch.tensor([48.0, 72.0])), torch.ones_like(xy) > 0)
    assert xy.amin((0, 1, 2)).tolist() == pytest.approx([16, 24], abs=0.5)


def test_bytes_of_a_target_by_hand():
    codec = Heatmap(points=5, grid=Grid.of((64, 48), 4))
    # 5 maps of 16x12, 5 locations, and 5 weights that maps and locations share, float32.
    assert target_bytes(codec.encode(inner_points(codec, 1))) == 4 * (5 * 16 * 12 + 10 + 5)


def test_a_tensor_under_two_names_counts_once():
    one, other = torch.zeros(2, 3), torch.zeros(2, 1)
    whole = Target(maps={"xy": one, "again": one}, weight={"xy": other, "again": other.expand(2, 3)})
    assert target_bytes(whole) == 4 * (6 + 2)


def test_sources_end_where_differences_begin():
    def one():
        """First.

        Source: Some et al. 2020, arXiv:2000.00000,
        eq. 4. Differs: a lot.
        """

    def other():
        """First.

        Source: Some. More.

        Next.
        """

    assert source_of(one) == "Some et al. 2020, arXiv:2000.00000, eq. 4"
    assert source_of(other) == "Some. More"
    assert source_of(lambda: None) == ""


def test_figures_are_short():
    assert [thousands(v) for v in (0, 999, 1000, 13_369_344, 1_409_286_144)] == ["0", "999", "1 k", "13.4 M", "1.41 G"]
    assert [pixels(v) for v in (0, 0.0009, 0.001, 1.5524)] == ["< 0.001", "< 0.001", "0.001", "1.552"]
