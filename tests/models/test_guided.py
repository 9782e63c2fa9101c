"""Growth along the backbone's finer maps: bilinear where they say nothing, and edges kept where they do."""

import pytest
import torch
from sizes import B
from torch import nn

from posekit.models.compress.count import count_parameters
from posekit.models.layers.pixel_adaptive_up import PacConvTranspose2d
from posekit.models.necks.guided import Guided
from posekit.models.necks.upsample import Upsample

CHANNELS, STRIDES = (6, 7, 9, 11), (4, 8, 16, 32)


def features(strides=STRIDES, channels=CHANNELS, height=64, width=96):
    return [torch.randn(B, c, height // s, width // s) for c, s in zip(channels, strides, strict=True)]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("reduction", [2, 4, 8, 32])
def test_it_reaches_the_wanted_stride_and_listens_to_every_map(shared, reduction):
    neck = Guided(8, guide=3, shared=shared).build(CHANNELS, STRIDES, reduction)
    maps = [x.requires_grad_() for x in features()]
    grown = neck(maps)
    assert grown.shape == (B, 8, 64 // reduction, 96 // reduction)
    assert (neck.channels, neck.stride) == (8, reduction)
    grown.square().sum().backward()
    heard = [x.grad is not None and bool(x.grad.abs().sum() > 0) for x in maps]
    assert heard == [stride >= reduction for stride in STRIDES]
    assert [name for name, value in neck.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("shared", [True, False])
def test_without_a_word_from_the_guides_it_is_the_plain_neck(shared):
    torch.manual_seed(0)
    neck, plain = (config.build((6, 9), (16, 32), 16).eval() for config in (Guided(8, shared=shared), Upsample(8)))
    plain.load_state_dict(neck.state_dict(), strict=False)
    with torch.no_grad():
        neck.guide[0].weight.zero_()
    maps = features((16, 32), (6, 9), 160, 224)
    # Beyond the border growth hears zeros, bilinear doubling the border again; mixing carries that one cell further.
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(neck(maps)[inner], plain(maps)[inner], atol=1e-5, rtol=1e-5)
    # And as it is drawn, guides say little.
    fresh = Guided(8, shared=shared).build((6, 9), (16, 32), 16).eval()
    difference = fresh.guide[0](maps[0]).diff(dim=-1).square().sum(1)
    assert difference.mean() < 0.2


def test_maps_that_a_backbone_lacks_are_passed_over():
    neck = Guided(8).build((5, 7), (4, 32), 4)
    kinds = [type(layer) for layer in neck.grow]
    assert kinds == [nn.Upsample, nn.Upsample, PacConvTranspose2d]
    assert neck(features((4, 32), (5, 7))).shape == (B, 8, 16, 24)


def test_counts():
    plain = count_parameters(Upsample(8).build(CHANNELS, STRIDES, 4))
    # Three filters of 5x5, and guides of 4 channels from the maps of strides 4, 8 and 16.
    guides = sum(4 * channels + 4 for channels in CHANNELS[:3])
    assert count_parameters(Guided(8).build(CHANNELS, STRIDES, 4)) == plain + 3 * 25 + guides
    assert count_parameters(Guided(8, shared=False).build(CHANNELS, STRIDES, 4)) == plain + 3 * 25 * 64 + guides


def test_torch_export():
    neck, batch = Guided(8).build((6, 9), (16, 32), 16).eval(), torch.export.Dim("batch", min=1, max=64)
    maps = features((16, 32), (6, 9))
    exported = torch.export.export(neck, (maps,), dynamic_shapes=([{0: batch}, {0: batch}],)).module()
    more = [torch.cat((x, x, x)) for x in maps]
    torch.testing.assert_close(exported(more), neck(more), atol=1e-5, rtol=1e-4)
