"""Growing maps: about the centres of cells, and as other codes do."""

import pytest
import torch
from sizes import B, H, K, W

from posekit.models.layers.bilinear import grow


def test_as_other_codes_do():
    row = torch.tensor([0.0, 1.0, 2.0, 3.0])[None, None, None].expand(1, 1, 2, 4)
    assert grow(row, 2, centred=False)[0, 0, 0].tolist() == [0, 0, 0.5, 1, 1.5, 2, 2.5, 3]


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("centred", [True, False])
def test_ramps_stay_ramps_inside(factor, centred):
    ramp = torch.arange(W, dtype=torch.float64).expand(B, K, H, W) + 3 * torch.arange(H, dtype=torch.float64)[:, None]
    grown = grow(ramp, factor, centred)
    assert grown.shape == (B, K, factor * H, factor * W)
    # Of the grown cells' own centres, in cells.
    shift = (factor - 1) / 2 if centred else factor / 2
    x = (torch.arange(factor * W, dtype=torch.float64) - shift) / factor
    y = (torch.arange(factor * H, dtype=torch.float64)[:, None] - shift) / factor
    inner = (slice(None), slice(None), slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(grown[inner], (x + 3 * y).expand_as(grown)[inner])


def test_a_mirror_stays_a_mirror_only_about_centres():
    maps = torch.randn(B, K, H, W)
    assert torch.allclose(grow(maps, 4).flip(-1), grow(maps.flip(-1), 4), atol=1e-5)
    assert not torch.allclose(grow(maps, 4, False).flip(-1), grow(maps.flip(-1), 4, False))


def test_once_is_the_map_itself():
    maps = torch.randn(B, K, H, W)
    assert grow(maps, 1) is maps
