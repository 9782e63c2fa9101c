"""How much cells hear of each other, by hand."""

import pytest
import torch
from sizes import B, H, W
from torch.nn import functional as F

from posekit.models.layers.affinity import Affinity

G = 3


def of(affinity, *difference):
    """The affinity of one pair whose guides differ by this much."""
    return affinity(torch.tensor(difference, dtype=torch.float64).reshape(1, -1, 1)).item()


def test_gaussians():
    affinity = Affinity()
    assert of(affinity, 0.0, 0.0) == 1.0
    assert of(affinity, 0.6, -0.8) == pytest.approx(0.60653, abs=1e-5)
    assert Affinity()(torch.zeros(B, G, 2, 2, dtype=torch.float16)).dtype == torch.float32


def test_inverse():
    assert of(Affinity("inverse"), 3.0, 4.0) == pytest.approx(0.2, rel=1e-5)
    assert of(Affinity("inverse", 0.5, 3.0), 3.0, 4.0) == pytest.approx(125.5, rel=1e-4)
    # At no difference the floor alone is left.
    assert of(Affinity("inverse", 0.5), 0.0) == pytest.approx(100.5, rel=1e-4)


def test_one_sided():
    assert of(Affinity(one_sided=True), -5.0, 1.0) == pytest.approx(0.60653, abs=1e-5)


def test_by_channel():
    difference = torch.randn(B, G, 4, H, W)
    apart = Affinity()(difference, by_channel=True)
    torch.testing.assert_close(apart.prod(1, keepdim=True), Affinity()(difference))


def test_what_is_learned():
    assert list(Affinity("inverse", learnable=True).state_dict()) == ["alpha", "power"]
    assert [name for name, _ in Affinity("inverse", learnable=True).named_parameters()] == ["alpha", "power"]
    assert not list(Affinity("inverse").parameters()) and not Affinity(learnable=True).state_dict()
    assert [name for name, _ in Affinity(smooth="learned").named_parameters()] == ["blur"]


@pytest.mark.parametrize("smooth", ["gaussian", "average", "learned"])
def test_blurred_middles(smooth):
    guide = torch.randn(B, G, H, W)
    affinity = Affinity(smooth=smooth)
    same = torch.full_like(guide, 0.3)
    torch.testing.assert_close(affinity.middle(same), same)
    blurred = affinity.middle(guide)
    # Everywhere but on the border it is the blur that it is called; a learned one starts as the average.
    tent = torch.tensor((0.25, 0.5, 0.25)) if smooth == "gaussian" else torch.full((3,), 1 / 3)
    kernel = (tent[:, None] * tent).expand(G, 1, 3, 3)
    torch.testing.assert_close(blurred[..., 1:-1, 1:-1], F.conv2d(guide, kernel, groups=G))
    assert Affinity().middle(guide) is guide


def test_wide_averages():
    guide = torch.randn(B, G, H, W)
    torch.testing.assert_close(
        Affinity(smooth="average", width=5).middle(guide)[..., 2:-2, 2:-2], F.avg_pool2d(guide, 5, 1)
    )
    with pytest.raises(ValueError, match="expected an odd width, got 4"):
        Affinity(smooth="average", width=4)
