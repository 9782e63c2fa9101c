"""The normalised coordinates of one place, which are affine images of one another."""

import pytest
import torch
from codec_cases import instances
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import B, K

from posekit.codecs.dsnt import Dsnt
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.geometry.grid import Grid

SIZE = (256, 192)
FIFTY = torch.tensor([50.5, 200.5], dtype=torch.float64).reshape(1, 1, 1, 2)  # pixel (50, 200), counted from 0
NORMALISATIONS = ("centred", "unit", "signed")
compats = pytest.mark.parametrize("compat", ["none", "ratio"])


def locations(seed):
    """(B, 1, K, 2) in the image."""
    random = torch.rand(B, 1, K, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return random * torch.tensor([192.0, 256.0], dtype=torch.float64)


def coords(codec, xy):
    return codec.encode(instances(xy)).maps["coords"]


@pytest.mark.parametrize(
    ("normalise", "compat", "expected"),
    [
        ("centred", "ratio", (-0.239583, 0.281250)),
        ("unit", "ratio", (0.260417, 0.781250)),
        ("signed", "ratio", (-0.479167, 0.562500)),
        # DSNT's: 2 (50 + 1/2) / 192 - 1, which is twice the ratio one plus 1 / 192.
        ("signed", "none", (-0.473958, 0.566406)),
        ("centred", "none", (-0.236979, 0.283203)),
        ("unit", "none", (0.263021, 0.783203)),
    ],
)
def test_a_point_by_hand(normalise, compat, expected):
    codec = Regression(points=1, size=SIZE, normalise=normalise, compat=compat)
    assert coords(codec, FIFTY).flatten().tolist() == pytest.approx(expected, abs=1e-6)


@compats
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_they_are_affine(compat, seed):
    xy = locations(seed)
    centred, unit, signed = (
        coords(Regression(points=K, size=SIZE, normalise=kind, compat=compat), xy) for kind in NORMALISATIONS
    )
    assert torch.allclose(unit, centred + 0.5, atol=1e-12)
    assert torch.allclose(signed, 2 * centred, atol=1e-12)
    assert torch.allclose(coords(Rle(points=K, size=SIZE, compat=compat), xy), centred, atol=1e-12)
    if compat == "ratio":
        # d = 2 u + 1 / w.
        plain = coords(Regression(points=K, size=SIZE, normalise="signed"), xy)
        assert torch.allclose(plain, 2 * centred + 1 / torch.tensor([192.0, 256.0]).double(), atol=1e-12)


@pytest.mark.parametrize("stride", [1, 4, 32])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_dsnt_counts_alike_on_every_map(stride, seed):
    xy = locations(seed)
    dsnt = Dsnt(points=K, grid=Grid.of(SIZE, stride), outside="ignore")
    assert torch.allclose(coords(dsnt, xy), coords(Regression(points=K, size=SIZE, normalise="signed"), xy), atol=1e-12)


@compats
@pytest.mark.parametrize("normalise", NORMALISATIONS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_every_one_comes_back(normalise, compat, seed):
    codec, xy = Regression(points=K, size=SIZE, normalise=normalise, compat=compat), locations(seed)
    maps = {"coords": coords(codec, xy)}
    assert torch.allclose(codec.decode(maps).xy, xy, atol=1e-9)
    assert torch.allclose(codec.activate(maps)["xy"], xy, atol=1e-9)


@pytest.mark.parametrize(("normalise", "zero"), [("centred", 0.0), ("unit", 0.5), ("signed", 0.0)])
def test_a_layer_of_zeros_points_at_the_centre(normalise, zero):
    codec = Regression(points=K, size=SIZE, normalise=normalise)
    middle = torch.tensor([96.0, 128.0])
    assert torch.allclose(codec.decode({"coords": torch.full((B, K, 2), zero)}).xy, middle.expand(B, 1, K, 2))


@pytest.mark.parametrize(
    ("normalise", "compat", "mirrored"),
    [
        ("centred", "none", -0.1),
        ("centred", "ratio", -0.1 - 1 / 192),
        ("unit", "none", 0.9),
        ("unit", "ratio", 0.9 - 1 / 192),
        ("signed", "none", -0.1),
        ("signed", "ratio", -0.1 - 2 / 192),
    ],
)
def test_a_mirrored_tenth(normalise, compat, mirrored):
    codec = Regression(points=1, size=SIZE, normalise=normalise, compat=compat)
    flipped = codec.flip({"coords": torch.tensor([[[0.1, 0.3]]], dtype=torch.float64)}, (0,))["coords"]
    assert flipped.flatten().tolist() == pytest.approx([mirrored, 0.3])


def test_dsnt_places_of_small_maps():
    # (2 i + 1) / n - 1 for five and for four cells.
    for n, expected in ((5, (-0.8, -0.4, 0.0, 0.4, 0.8)), (4, (-0.75, -0.25, 0.25, 0.75))):
        grid = Grid.of((4 * n, 4 * n), 4)
        cells = torch.arange(n, dtype=torch.float64)
        xy = grid.pixels(torch.stack((cells, cells), -1))[None, None]
        assert coords(Dsnt(points=n, grid=grid), xy)[0, :, 0].tolist() == pytest.approx(expected)


def test_dsnt_of_a_uniform_map_is_the_centre():
    codec = Dsnt(points=1, grid=Grid.of((20, 28), 4))
    activated = codec.activate({"heatmap": torch.full((1, 1, 5, 7), 0.3, dtype=torch.float64)})
    assert activated["coords"].abs().max() < 1e-12
    assert activated["xy"].flatten().tolist() == pytest.approx([14, 10])


def test_variances_in_units_of_the_map():
    # Cells (0.29, 0.16) of five are (0.0464, 0.0256) in units of half a map: the paper's loss is a 39th of ours.
    Z = torch.zeros(5, 5, dtype=torch.float64)
    Z[1, 1:3] = 0.1
    Z[2, :3] = torch.tensor([0.1, 0.6, 0.1], dtype=torch.float64)
    codec = Dsnt(points=1, grid=Grid.of((20, 20), 4))
    cells = codec.activate({"heatmap": Z.clamp_min(1e-30).log()[None, None]})["variance"].flatten()
    half = 5 / 2
    assert (cells / half**2).tolist() == pytest.approx([0.0464, 0.0256])
    assert ((cells - 1) / half**2).square().sum().item() == pytest.approx(0.0309683, abs=1e-7)
    assert (cells - 1).square().sum().item() == pytest.approx(1.2097)
