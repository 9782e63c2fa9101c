"""The temporal network: shapes, what an output depends on, missing points, and what moves with the points."""

import pytest
import torch
from small_temporal import CONFIG, SKELETON, small_net

from posekit.models.temporal import Temporal

B, T, K = 2, 13, 17


def given(seed=0):
    rng = torch.Generator().manual_seed(seed)
    points, score = torch.randn(B, T, K, 3, generator=rng), torch.rand(B, T, K, generator=rng) + 0.01
    return points, score, torch.full((B, T), 0.04)


def test_an_output_for_each_look_ahead_of_each_complete_window():
    assert CONFIG.window == 8
    found = small_net()(*given())
    assert found.shape == (B, T - 8 + 1, 3, K, 4)
    assert torch.isfinite(found).all()
    assert Temporal().window == 64


def test_an_output_depends_on_its_window_and_on_nothing_later_or_earlier():
    net, (points, score, step) = small_net(), given()
    before = net(points, score, step)
    later = points.clone()
    later[:, 10:] += 3.0
    after = net(later, score, step)
    # Output 2 ends at frame 9, the last that did not change; output 3 sees frame 10.
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert (after[:, 3] - before[:, 3]).abs().max() > 1e-3
    first = points.clone()
    first[:, 0] += 3.0
    moved = net(first, score, step)
    torch.testing.assert_close(moved[:, 1:], before[:, 1:])
    assert (moved[:, 0] - before[:, 0]).abs().max() > 1e-4
    # A window alone gives what the whole track gives.
    alone = net(points[:, 4:12], score[:, 4:12], step[:, 4:12])
    torch.testing.assert_close(alone[:, 0], before[:, 4], atol=1e-5, rtol=1e-4)


def test_a_moved_track_gives_moved_points_and_the_same_depth():
    net, (points, score, step) = small_net(), given()
    moved = net(points + torch.tensor([3.0, -2.0, 0.0]), score, step)
    right = net(points, score, step) + torch.tensor([3.0, -2.0, 0.0, 0.0])
    torch.testing.assert_close(moved, right, atol=2e-5, rtol=1e-4)


def test_the_location_of_a_missing_point_counts_for_nothing():
    net, (points, score, step) = small_net(), given()
    score[:, 3:6, 4] = 0
    other = points.clone()
    other[:, 3:6, 4] = 50.0
    torch.testing.assert_close(net(other, score, step), net(points, score, step))
    # Where no point was ever seen the output is finite and about the origin that the caller chose.
    nothing = net(torch.zeros_like(points), torch.zeros_like(score), step)
    assert torch.isfinite(nothing).all()


def test_the_depth_of_the_root_is_zero_and_measured_depths_are_averaged():
    net, (points, score, step) = small_net(), given()
    found = net(points, score, step)
    hips = list(SKELETON.index(["left_hip", "right_hip"]))
    assert found[..., hips, 3].mean(-1).abs().max() < 1e-5
    points[..., 2] = 0.7
    torch.testing.assert_close(net(points, score, step)[..., 2], torch.full((B, 6, 3, K), 0.7))


def test_at_first_it_is_an_average_around_the_frame_that_is_shown():
    torch.manual_seed(0)
    net = CONFIG.build(SKELETON.flip, (0,))
    points, score, step = given()
    points[:] = torch.arange(T)[None, :, None, None] * 1.0
    found = net(points, score, step)
    # Around the frame three back there are as many earlier as later frames in the window of seven.
    assert (found[:, :, 2, :, 0] - (torch.arange(7, T)[None, :, None] - 3)).abs().max() < 0.3
    assert (found[..., 3] == 0).all()


@pytest.mark.parametrize("ahead", [(1, 0), (0, 0), (-1, 2), (0, 7)])
def test_look_aheads_increase_within_the_taps(ahead):
    with pytest.raises(ValueError, match=r"ahead needs increasing numbers of frames from 0 to taps - 1 = 6"):
        Temporal(taps=7, ahead=ahead)
