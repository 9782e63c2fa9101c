"""The depth axis: encoding, decoding, and points without a known depth."""

import math
from dataclasses import replace

import pytest
import torch
from codec_cases import DEPTH, IMAGE, instances, scattered
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import B, K

from posekit.codecs.dfl import Dfl
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.codecs.volume import Heatmap3d, Integral3d
from posekit.geometry.grid import Grid

GRID = Grid.of(IMAGE, 4)
BINS = 16
LAYER = DEPTH / BINS

# Codec, the names that hold depth, how many layers from the ends of the space a depth lies at least, the largest error.
# A mean lacks the tail of its Gaussian that the space cuts off: five sigma from the end less than 1e-5 of one, and a
# sigma is a layer, or six bins. Without refinement half a bin is lost. A Newton step on a smoothed line is off by
# less than 0.002 bins. All others are exact.
DEEP = {
    "heatmap3d": (Heatmap3d(points=K, grid=GRID, depth=DEPTH, bins=BINS), {"volume"}, 1, 1e-6),
    "heatmap3d whole": (
        Heatmap3d(points=K, grid=GRID, depth=DEPTH, bins=BINS, refine="none"),
        {"volume"},
        0,
        LAYER / 2,
    ),
    "integral3d": (Integral3d(points=K, grid=GRID, depth=DEPTH, bins=BINS), {"depth"}, 5, 1e-5 * LAYER),
    "regression": (Regression(points=K, size=IMAGE, depth=DEPTH), {"depth"}, 0, 1e-9),
    "rle": (Rle(points=K, size=IMAGE, depth=DEPTH), {"depth"}, 0, 1e-9),
    "simcc": (SimCC(points=K, size=IMAGE, depth=DEPTH, depth_bins=64), {"z"}, 0, DEPTH / 64 / 2),
    "simcc mean": (SimCC(points=K, size=IMAGE, depth=DEPTH, refine="expectation"), {"z"}, 5, 6e-5 * DEPTH / 128),
    "simcc dark": (SimCC(points=K, size=IMAGE, depth=DEPTH, refine="dark"), {"z"}, 3, 0.002 * DEPTH / 128),
    "dfl": (Dfl(points=K, size=IMAGE, depth=DEPTH), {"dfl_z"}, 0, 1e-5),
}
each = pytest.mark.parametrize("case", DEEP)


def labels(depth, xy=None, known=None):
    """Labels with those depths (B, K)."""
    made = instances(scattered(margin=33) if xy is None else xy)
    known = None if known is None else known[:, None]
    return replace(made, keypoints=replace(made.keypoints, depth=depth[:, None], depth_known=known))


@each
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_depths_come_back(case, seed):
    codec, _, margin, bound = DEEP[case]
    random = torch.rand(B, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    depth = (random - 0.5) * (DEPTH - 2 * margin * LAYER)
    poses = codec.decode(codec.perfect(codec.encode(labels(depth))))
    assert poses.depth.shape == (B, 1, K)
    assert (poses.depth[:, 0] - depth).abs().max() <= bound + 1e-9


@each
def test_half_of_a_batch_without_depths(case):
    codec, deep, _, _ = DEEP[case]
    depth = torch.linspace(-20, 20, B * K, dtype=torch.float64).reshape(B, K)
    known = torch.ones(B, K, dtype=torch.bool)
    known[1] = False
    known[0, 2] = False
    unknown = torch.where(known, depth, math.nan)
    whole, mixed = codec.encode(labels(depth)), codec.encode(labels(unknown, known=known))
    for name, weight in mixed.weight.items():
        depth_known = weight.reshape(B, K, -1).amax(-1) > 0
        assert torch.equal(depth_known, known if name in deep else torch.ones_like(known)), name
        if name not in deep:
            assert torch.equal(mixed.maps[name], whole.maps[name]), name
            assert torch.equal(weight, whole.weight[name]), name
        else:
            same = known.reshape(B, K, 1)
            both = (made.maps[name].reshape(B, K, -1) * same for made in (mixed, whole))
            assert torch.equal(*both), name
        assert mixed.maps[name].isfinite().all(), name
    assert deep < set(mixed.weight)
    # An unknown depth is marked by depth_known, by a depth that is not finite, or by the absence of depths.
    for none in (labels(unknown), labels(depth, known=torch.zeros_like(known)), instances(scattered(33), deep=False)):
        target = codec.encode(none)
        first = target.weight[min(deep)]
        assert first[1].sum() == 0
        assert target.weight["xy"].sum() == B * K


@each
def test_a_point_that_is_not_labelled_has_no_depth(case):
    codec, deep, _, _ = DEEP[case]
    made = labels(torch.zeros(B, K, dtype=torch.float64))
    shown = made.keypoints.visibility.clone()
    shown[0, 0, 3] = 0
    target = codec.encode(replace(made, keypoints=replace(made.keypoints, visibility=shown)))
    for name in (*deep, "xy"):
        depth_known = target.weight[name].reshape(B, K, -1).amax(-1) > 0
        assert torch.equal(depth_known, shown[:, 0] > 0)


@pytest.mark.parametrize(("depth", "inside"), [(-40.0, 1), (-40.1, 0), (39.9, 1), (40.0, 0), (0.0, 1)])
def test_depths_outside_the_volume(depth, inside):
    # (z / extent + 1/2) D lies in [0, D).
    target = DEEP["heatmap3d"][0].encode(labels(torch.full((B, K), depth, dtype=torch.float64)))
    assert (target.weight["volume"] == inside).all()
    assert (target.weight["heatmap"] == 1).all()


@pytest.mark.parametrize("case", ["simcc", "dfl"])
@pytest.mark.parametrize(("depth", "inside"), [(-40.0, 1), (39.99, 1), (90.0, 0), (-90.0, 0)])
def test_depths_outside_a_line(case, depth, inside):
    codec, deep, _, _ = DEEP[case]
    target = codec.encode(labels(torch.full((B, K), depth, dtype=torch.float64)))
    assert (target.weight[min(deep)] == inside).all()
    assert (target.weight["xy"] == 1).all()


def test_a_layer_of_the_volume_is_the_map():
    codec = DEEP["heatmap3d"][0]
    # The middle of layer 5: (5.5 / 16 - 1/2) 80. Sigma is 8 pixels, two cells, so two layers.
    depth = torch.full((B, K), (5.5 / BINS - 0.5) * DEPTH, dtype=torch.float64)
    target = codec.encode(labels(depth))
    volume = target.maps["volume"].reshape(B, K, BINS, *GRID.shape)
    for level, share in ((5, 1.0), (6, 0.882497), (3, 0.606531), (9, 0.135335), (11, 0.011109)):
        torch.testing.assert_close(volume[:, :, level], share * target.maps["heatmap"], atol=1e-6, rtol=0)


def test_a_ring_of_depths_keeps_the_place():
    """The location is read in the layer of the maximum, so another layer must not influence it."""
    codec = DEEP["heatmap3d"][0]
    target = codec.encode(labels(torch.zeros(B, K, dtype=torch.float64)))
    volume = target.maps["volume"].clone().reshape(B, K, BINS, *GRID.shape)
    volume[:, :, 0] = 0.9
    poses = codec.decode({"volume": volume.flatten(1, 2)})
    assert torch.allclose(poses.xy, target.maps["xy"], atol=1e-6)
    assert poses.depth.abs().max() < 1e-6
