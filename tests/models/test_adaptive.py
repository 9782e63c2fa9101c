"""Kernels turned, stretched and moved in each cell, against plain convolutions with the kernel so changed."""

import warnings

import onnxruntime
import pytest
import torch
from sizes import B, H, K, W
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import count_macs, count_parameters
from posekit.models.layers.adaptive import AdaptiveBlock, affine_offsets
from posekit.models.layers.deformable import SampledConv2d

IDENTITY = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
X = torch.randn(B, 4, H, W, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def convolved(layer, told):
    """The layer where every cell says the same."""
    same = torch.tensor(told, dtype=X.dtype)[:, None, None].expand(B, 6, H, W)
    return layer(X, affine_offsets(same))


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return SampledConv2d(4, 7).double()


def test_the_identity_is_a_plain_convolution(layer):
    torch.testing.assert_close(convolved(layer, IDENTITY), F.conv2d(X, layer.weight, padding=1))


def test_nothing_is_the_kernel_summed_over_its_taps(layer):
    summed = layer.weight.sum((2, 3), keepdim=True)
    torch.testing.assert_close(convolved(layer, (0.0,) * 6), F.conv2d(X, summed))


def test_twice_is_a_dilation_of_two(layer):
    expected = F.conv2d(X, layer.weight, padding=2, dilation=2)
    torch.testing.assert_close(convolved(layer, (2.0, 0.0, 0.0, 2.0, 0.0, 0.0)), expected)


def test_a_quarter_turn_is_the_kernel_turned(layer):
    turned = layer.weight.rot90(1, (2, 3))
    torch.testing.assert_close(convolved(layer, (0.0, -1.0, 1.0, 0.0, 0.0, 0.0)), F.conv2d(X, turned, padding=1))


def test_a_step_down_moves_the_result_up_and_a_step_right_moves_it_left(layer):
    plain = F.conv2d(X, layer.weight, padding=1)
    down, right = (convolved(layer, (*IDENTITY[:4], *step)) for step in ((1.0, 0.0), (0.0, 1.0)))
    torch.testing.assert_close(down[:, :, 1:-2, 1:-1], plain[:, :, 2:-1, 1:-1])
    torch.testing.assert_close(right[:, :, 1:-1, 1:-2], plain[:, :, 1:-1, 2:-1])


def test_every_cell_has_its_own_transform(layer):
    told = torch.tensor(IDENTITY, dtype=X.dtype)[:, None, None].repeat(B, 1, H, W)
    told[:, :4, :, W // 2 :] = 0.0
    both = layer(X, affine_offsets(told))
    torch.testing.assert_close(both[..., : W // 2], convolved(layer, IDENTITY)[..., : W // 2])
    torch.testing.assert_close(both[..., W // 2 :], convolved(layer, (0.0,) * 6)[..., W // 2 :])


def test_offsets_by_hand():
    told = torch.arange(1.0, 13.0)[None, :, None, None].expand(B, 12, H, W)
    offset = affine_offsets(told)
    assert offset.shape == (B, 36, H, W)
    # Tap (-1, 1) of part 2, whose numbers are 7..12: y = -7 + 8 + 11 = 12, one row above: moved by 13;
    # x = -9 + 10 + 12 = 13, one column to the right: moved by 12.
    assert offset[0, 18 + 2 * 2 : 18 + 2 * 2 + 2, 0, 0].tolist() == [13.0, 12.0]
    # The middle tap moves by the step alone.
    assert offset[1, 18 + 8 : 18 + 10, 3, 5].tolist() == [11.0, 12.0]


@pytest.mark.parametrize("start", ["centre", "identity"])
def test_the_start(start):
    torch.manual_seed(0)
    block = AdaptiveBlock(3, K, start).eval()
    x = torch.randn(B, 3 * K, H, W)
    kernel = block.conv.weight if start == "identity" else block.conv.weight.sum((2, 3), keepdim=True)
    plain = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2, groups=K)
    torch.testing.assert_close(block(x), torch.relu(plain / (1 + block.norm.eps) ** 0.5 + x), atol=1e-5, rtol=1e-5)
    block(x).square().mean().backward()
    grads = {name: value.grad.abs().sum().item() for name, value in block.named_parameters()}
    assert all(grads.values()), grads


def test_blocks_together_are_blocks_apart():
    torch.manual_seed(0)
    width, together = 3, AdaptiveBlock(3, K).eval()
    nn.init.normal_(together.transform.weight, std=0.3)
    x = torch.randn(B, width * K, H, W)
    results = []
    for part in range(K):
        apart, of_part = AdaptiveBlock(width).eval(), slice(part * width, (part + 1) * width)
        with torch.no_grad():
            apart.transform.weight.copy_(together.transform.weight[6 * part : 6 * part + 6])
            apart.conv.weight.copy_(together.conv.weight[of_part])
        results.append(apart(x[:, of_part]))
    torch.testing.assert_close(together(x), torch.cat(results, 1))


def test_counts_of_a_branch_of_dekr():
    block = AdaptiveBlock(15)
    assert count_parameters(block) == 2_871
    assert count_parameters(nn.Sequential(block, AdaptiveBlock(15))) == 5_742
    branches = nn.Sequential(AdaptiveBlock(15, 17), AdaptiveBlock(15, 17), nn.Conv2d(255, 34, 1, groups=17))
    assert count_parameters(branches) == 17 * (5_742 + 32)
    image_to_map = nn.Sequential(nn.Conv2d(3, 255, 1, bias=False), branches)
    cells = H * W
    assert count_macs(image_to_map, (H, W)) == cells * (3 * 255 + 17 * (2 * (15 * 6 * 9 + 15 * 15 * 9) + 30))


def test_onnx(tmp_path):
    torch.manual_seed(0)
    block, file = AdaptiveBlock(3, K, "identity").eval(), str(tmp_path / "block.onnx")
    nn.init.normal_(block.transform.weight, std=0.2)
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            block,
            (torch.randn(3, 3 * K, H, W),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch", 2: "height", 3: "width"}},
        )
    x = torch.randn(B, 3 * K, 9, 13)
    (got,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), block(x).detach(), atol=1e-4, rtol=1e-4)
