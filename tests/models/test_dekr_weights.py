"""Weights in the layouts of the authors' repositories: branch by branch computed, and computed by our groups."""

import pytest
import torch
from sizes import B, H, K, W
from torch import nn
from torch.nn import functional as F

from posekit.models.dekr_weights import from_dekr, from_dekr_first, from_mmpose, to_mmpose
from posekit.models.heads.one_stage.dekr import DekrHead
from posekit.models.heads.one_stage.dekr_first import DekrFirstHead
from posekit.models.layers.adaptive import AdaptiveBlock
from posekit.models.layers.deformable import deformable_conv
from posekit.models.weights import fill

BEFORE, WIDTH, CHANNELS = 24, 3, 8
SHAPES = {"heatmap": (K + 1, H, W), "point_offsets": (2 * K, H, W)}
GRID = torch.tensor([[-1.0, -1, -1, 0, 0, 0, 1, 1, 1], [-1, 0, 1, -1, 0, 1, -1, 0, 1]])
"""Rows and columns of a kernel's taps."""


class Drawn:
    """A state dict in the making: every tensor at random, under the name it was asked for by."""

    def __init__(self, seed=0):
        self.state, self.draw = {}, torch.Generator().manual_seed(seed)

    def conv(self, name, after, before, kernel=1, bias=False):
        self.state[f"{name}.weight"] = torch.randn(after, before, kernel, kernel, generator=self.draw) * 0.3
        if bias:
            self.state[f"{name}.bias"] = torch.randn(after, generator=self.draw) * 0.3

    def norm(self, name, channels):
        for part in ("weight", "bias", "running_mean"):
            self.state[f"{name}.{part}"] = torch.randn(channels, generator=self.draw) * 0.5
        self.state[f"{name}.running_var"] = torch.rand(channels, generator=self.draw) + 0.5
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)


def normed(state, name, x):
    parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, *parts, eps=1e-5)


def told(state, name, x):
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)


def sampled(transform, step, x, weight, dilation=1):
    """A convolution along transforms (B, 4, H, W), by matrices: A G - G + t for every cell."""
    cells = transform.permute(0, 2, 3, 1).reshape(-1, 2, 2) @ GRID - GRID
    cells = cells + (0 if step is None else step.permute(0, 2, 3, 1).reshape(-1, 2, 1))
    offset = cells.transpose(1, 2).reshape(len(x), *x.shape[2:], 18).permute(0, 3, 1, 2)
    return deformable_conv(x, offset, weight, padding=dilation, dilation=dilation)


def layout_of_dekr():
    drawn = Drawn()
    for name, channels in (("transition_heatmap", CHANNELS), ("transition_offset", K * WIDTH)):
        drawn.conv(f"{name}.0", channels, BEFORE)
        drawn.norm(f"{name}.1", channels)
    for number in (1, 2):
        drawn.conv(f"head_heatmap.0.0.conv{number}", CHANNELS, CHANNELS, 3)
        drawn.norm(f"head_heatmap.0.0.bn{number}", CHANNELS)
    drawn.conv("head_heatmap.1", K + 1, CHANNELS, bias=True)
    for k in range(K):
        for number in (0, 1):
            block = f"offset_feature_layers.{k}.{number}"
            drawn.state[f"{block}.regular_matrix"] = GRID
            drawn.conv(f"{block}.transform_matrix_conv", 4, WIDTH, 3, bias=True)
            drawn.conv(f"{block}.translation_conv", 2, WIDTH, 3, bias=True)
            drawn.conv(f"{block}.adapt_conv", WIDTH, WIDTH, 3)
            drawn.norm(f"{block}.bn", WIDTH)
        drawn.conv(f"offset_final_layer.{k}", 2, WIDTH, bias=True)
    return drawn.state


def heatmap_of_dekr(state, x):
    x = normed(state, "transition_heatmap.1", F.conv2d(x, state["transition_heatmap.0.weight"])).relu()
    y = x
    for number in (1, 2):
        y = F.conv2d(y, state[f"head_heatmap.0.0.conv{number}.weight"], padding=1)
        y = normed(state, f"head_heatmap.0.0.bn{number}", y)
        y = (y if number == 1 else y + x).relu()
    return F.conv2d(y, state["head_heatmap.1.weight"], state["head_heatmap.1.bias"])


def offsets_of_dekr(state, x):
    """Location less point, point by point."""
    x = normed(state, "transition_offset.1", F.conv2d(x, state["transition_offset.0.weight"])).relu()
    found = []
    for k, y in enumerate(x.split(WIDTH, 1)):
        for number in (0, 1):
            block = f"offset_feature_layers.{k}.{number}"
            transform, step = (
                told(state, f"{block}.{name}", y) for name in ("transform_matrix_conv", "translation_conv")
            )
            moved = sampled(transform, step, y, state[f"{block}.adapt_conv.weight"])
            y = (normed(state, f"{block}.bn", moved) + y).relu()
        found.append(F.conv2d(y, *(state[f"offset_final_layer.{k}.{part}"] for part in ("weight", "bias"))))
    return torch.cat(found, 1)


def head_of(config, renamed):
    own = {name.removeprefix("head."): value for name, value in renamed.items()}
    return fill(config.build(SHAPES, BEFORE, (4,)), own, (), "layout").eval()


def test_branches_apart_are_groups_together():
    state = layout_of_dekr()
    head = head_of(DekrHead(channels=CHANNELS, width=WIDTH), from_dekr(state))
    x = torch.randn(B, BEFORE, H, W)
    maps = head([x])
    torch.testing.assert_close(maps["heatmap"], heatmap_of_dekr(state, x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(maps["point_offsets"], -offsets_of_dekr(state, x), atol=1e-4, rtol=1e-4)


def test_ten_points_and_more_keep_their_order():
    """The names of the layout are numbers without zeros before them: 10 comes before 2 as a word."""
    state = {f"offset_final_layer.{k}.bias": torch.tensor([k, k + 0.5]) for k in sorted(range(12), key=str)}
    assert from_dekr(state)["head.point_offsets.bias"].tolist() == [-k - half for k in range(12) for half in (0, 0.5)]


def layout_of_the_first():
    drawn = Drawn(1)
    for name, before, channels in (("transition_cls", BEFORE, CHANNELS), ("transition_reg", BEFORE + K, 6)):
        drawn.conv(f"{name}.0", channels, before)
        drawn.norm(f"{name}.1", channels)
    blocks = [(f"multi_level_layers_4x_heatmap.{d}.0", CHANNELS) for d in range(3)]
    for block, channels in (*blocks, ("multi_level_layers_4x_regression.0.0", 6)):
        drawn.state[f"{block}.regular_matrix"] = GRID
        for number in (1, 2):
            drawn.conv(f"{block}.transform_matrix_conv{number}", 4, channels, 3, bias=True)
            drawn.conv(f"{block}.stn_conv{number}", channels, channels, 3)
            drawn.norm(f"{block}.bn{number}", channels)
            for conv in (f"transform_matrix_conv{number}", f"stn_conv{number}"):
                if "heatmap" in block:
                    drawn.state[f"{block}.{conv}.weight"] = drawn.state[f"{blocks[0][0]}.{conv}.weight"]
    drawn.conv("final_layers.0", K, CHANNELS, bias=True)
    drawn.conv("final_layers.1", 2 * K + 1, 6, bias=True)
    return drawn.state


def entered(state, name, x):
    return normed(state, f"{name}.1", F.conv2d(x, state[f"{name}.0.weight"])).relu()


def spatial(state, block, x, dilation):
    y = x
    for number in (1, 2):
        transform = told(state, f"{block}.transform_matrix_conv{number}", x)
        y = sampled(transform, None, y, state[f"{block}.stn_conv{number}.weight"], dilation)
        y = normed(state, f"{block}.bn{number}", y)
        y = (y if number == 1 else y + x).relu()
    return y


def test_the_first_version_is_the_same_in_our_layers():
    state = layout_of_the_first()
    head = head_of(DekrFirstHead(channels=CHANNELS, width=6), from_dekr_first(state))
    x = torch.randn(B, BEFORE, H, W)
    final = [(state[f"final_layers.{n}.weight"], state[f"final_layers.{n}.bias"]) for n in (0, 1)]
    entry = entered(state, "transition_cls", x)
    gaussians = [
        F.conv2d(spatial(state, f"multi_level_layers_4x_heatmap.{d}.0", entry, d + 1), *final[0]) for d in range(3)
    ]
    heat = torch.stack(gaussians).mean(0)
    y = entered(state, "transition_reg", torch.cat((x, heat), 1))
    last = F.conv2d(spatial(state, "multi_level_layers_4x_regression.0.0", y, 1), *final[1])
    maps = head([x])
    torch.testing.assert_close(maps["heatmap"], torch.cat((heat, last[:, -1:]), 1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(maps["point_offsets"], -last[:, :-1], atol=1e-4, rtol=1e-4)


def test_all_else_is_the_backbones():
    state = {"stage2.0.branches.0.0.conv1.weight": torch.zeros(2), "bn1.bias": torch.ones(3)}
    for convert in (from_dekr, from_dekr_first):
        assert list(convert(state)) == [f"backbone.{name}" for name in state]


def test_a_layout_that_lacks_a_point_is_refused():
    state = {name: value for name, value in layout_of_dekr().items() if f".{K - 1}." not in name}
    with pytest.raises(ValueError, match=r"other shapes: way.weight|other shapes: .*blocks"):
        head_of(DekrHead(channels=CHANNELS, width=WIDTH), from_dekr(state))


def test_mmposes_block_is_ours_without_the_identity():
    """Theirs adds M [G; 1] to the taps, M of 2x3 numbers: a transform less the identity, and the step."""
    torch.manual_seed(0)
    block = AdaptiveBlock(WIDTH, K).eval()
    theirs = nn.Conv2d(WIDTH * K, 6 * K, 3, padding=1, groups=K)
    nn.init.normal_(theirs.weight, std=0.3)
    with torch.no_grad():
        block.transform.weight.copy_(from_mmpose(theirs.weight))
        block.transform.bias.copy_(from_mmpose(theirs.bias))
    x = torch.randn(B, WIDTH * K, H, W)
    homogeneous = torch.cat((GRID, torch.ones(1, 9)))
    parts = theirs(x).reshape(B, K, 2, 3, H, W).permute(0, 1, 4, 5, 2, 3) @ homogeneous
    offset = parts.transpose(-1, -2).reshape(B, K, H, W, 18).permute(0, 1, 4, 2, 3).reshape(B, -1, H, W)
    y = deformable_conv(x, offset, block.conv.weight, padding=1)
    torch.testing.assert_close(block(x), (block.norm(y) + x).relu(), atol=1e-4, rtol=1e-4)


def test_zeros_of_mmpose_are_the_identity_and_back():
    assert from_mmpose(torch.zeros(12)).tolist() == [1, 0, 0, 1, 0, 0] * 2
    for value in (torch.randn(6 * K), torch.randn(6 * K, WIDTH, 3, 3)):
        torch.testing.assert_close(to_mmpose(from_mmpose(value)), value)
        torch.testing.assert_close(from_mmpose(to_mmpose(value)), value)
