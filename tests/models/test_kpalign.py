"""DirectPose's branch: where it reads, what it adds, what it costs, and that it moves and mirrors with the image."""

import pytest
import torch
from sizes import B, H, W
from torch import nn
from torch.nn import functional as F

from posekit.models.compress.count import count_parameters
from posekit.models.layers.kpalign import KPAlign

# Nose, eyes and ears; then shoulder, elbow with wrist, hip, knee with ankle of one side and of the other.
COCO = ((0, 1, 2, 3, 4), (5,), (7, 9), (6,), (8, 10), (11,), (13, 15), (12,), (14, 16))
GROUPS = ((0, 3), (1, 2, 4))
POINTS, WIDTH, BEFORE = 5, 4, 6


def branch(**options):
    torch.manual_seed(0)
    return KPAlign(BEFORE, GROUPS, WIDTH, **options).eval()


def wide_awake(net):
    """Weights so large that every part is heard."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.3)
            nn.init.normal_(layer.bias, std=0.3)
    return net


def pyramid(height=H, width=W, levels=3):
    return [torch.randn(B, BEFORE, height >> level, width >> level) for level in range(levels)]


def test_counts():
    net = KPAlign(256, COCO)
    parts = [count_parameters(part) for part in (net.tower, net.locator, net.sampler, net.predictor)]
    assert parts == [2_329_344, 10_386, 333_504, 2_210]
    assert count_parameters(net) == sum(parts) == 2_675_444


def test_a_silent_locator_reads_the_cell_itself():
    net, maps = wide_awake(branch()), pyramid()
    nn.init.zeros_(net.locator.weight)
    nn.init.zeros_(net.locator.bias)
    finest, middle, _ = net(maps)
    features = [net.sampler(net.tower(x)).unflatten(1, (len(GROUPS), WIDTH)) for x in maps]
    group_of = [0, 1, 1, 0, 1]
    torch.testing.assert_close(finest, net.predictor(features[0][:, group_of].flatten(1, 2)))
    # The middle of a coarse cell is where four finer ones meet.
    four = F.avg_pool2d(features[0][:, group_of].flatten(1, 2), 2)
    torch.testing.assert_close(middle, net.predictor(four) / 2)


def test_the_reference_reads_odd_cells():
    numbers = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(1, len(GROUPS), 1, 1)
    read = branch(centred=False).read(numbers, torch.zeros(1, len(GROUPS), 2, 4, 4), 2)
    assert read[0, 0, 0, 0].tolist() == [9, 11, 13, 15]
    assert torch.equal(read[0, 1, 0], numbers[0, 1, 1::2, 1::2])
    # The last row of an odd map lies outside it.
    odd = branch(centred=False).read(numbers[:, :, :7, :7], torch.zeros(1, len(GROUPS), 2, 4, 4), 2)
    assert not odd[0, 0, 0, 3].any() and odd[0, 0, 0, 0, 0].item() == pytest.approx(9)


def test_groups_read_where_they_point():
    net, source = branch(), torch.randn(B, len(GROUPS) * WIDTH, H, W)
    base = torch.zeros(B, len(GROUPS), 2, H, W)
    base[:, 1, 0] = 1.0
    read = net.read(source, base, 1)
    torch.testing.assert_close(read[:, 0], source[:, :WIDTH])
    torch.testing.assert_close(read[:, 1, :, :, :-1], source[:, WIDTH:, :, 1:])
    # Half a coarse cell down is one fine cell down.
    base = torch.zeros(B, len(GROUPS), 2, H // 2, W // 2)
    base[:, :, 1] = 0.5
    plain = F.avg_pool2d(source[:, :, 1:], 2)
    torch.testing.assert_close(net.read(source, base, 2).flatten(1, 2)[:, :, :-1], plain, atol=1e-5, rtol=1e-5)


def test_the_place_is_added_in_cells_of_the_level():
    net, maps = branch(), pyramid()
    nn.init.zeros_(net.predictor.weight)
    nn.init.zeros_(net.locator.weight)
    with torch.no_grad():
        net.locator.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        net.predictor.bias.fill_(0.5)
    # Points 0 and 3 are in the first group, 1, 2 and 4 in the second; what is added counts in finer cells.
    place = torch.tensor([1.0, 2, 3, 4, 3, 4, 1, 2, 3, 4])
    for points, ratio in zip(net(maps), (1, 2, 2), strict=True):
        torch.testing.assert_close(points, (place + 0.5 / ratio)[:, None, None].expand_as(points))


def test_points_move_with_the_image():
    net = wide_awake(branch())
    for layer in net.modules():
        if isinstance(layer, nn.GroupNorm):
            # The norm sees the whole map, border and all.
            layer.forward = lambda x: x / 4
    nn.init.normal_(net.locator.weight, std=0.02)
    fine = torch.zeros(B, BEFORE, 48, 48)
    fine[:, :, 16:24, 16:24] = torch.randn(B, BEFORE, 8, 8)
    coarse = F.avg_pool2d(fine, 2)
    _, before = net([fine, coarse])
    _, after = net([fine.roll((4, 2), (2, 3)), coarse.roll((2, 1), (2, 3))])
    inner = before.roll((2, 1), (2, 3))[:, :, 8:16, 8:16]
    torch.testing.assert_close(after[:, :, 8:16, 8:16], inner, atol=1e-4, rtol=1e-4)
    assert inner.std() > 0.01


@pytest.mark.parametrize(("centred", "mirrors"), [(True, True), (False, False)])
def test_reading_mirrors_only_from_the_middle(centred, mirrors):
    net, source = branch(centred=centred), torch.randn(B, len(GROUPS) * WIDTH, H, W)
    base = 0.3 * torch.randn(B, len(GROUPS), 2, H // 2, W // 2)
    flipped = net.read(source.flip(-1), (base * torch.tensor([-1.0, 1.0])[:, None, None]).flip(-1), 2).flip(-1)
    assert torch.allclose(flipped, net.read(source, base, 2), atol=1e-5) is mirrors


def test_everything_learns():
    net = wide_awake(branch())
    sum(points.square().mean() for points in net(pyramid())).backward()
    assert [name for name, value in net.named_parameters() if not value.grad.any()] == []
    assert [tuple(points.shape) for points in net(pyramid())] == [(B, 2 * POINTS, H >> n, W >> n) for n in range(3)]


def test_groups_must_hold_each_point_once():
    with pytest.raises(ValueError, match="each point from 0 to 2 once; got"):
        KPAlign(BEFORE, ((0, 1), (1,)))
