"""The learning rate by hand, and the averaged weights."""

import pytest
import torch
from torch import nn

from posekit.recipe import Train
from posekit.training.averaging import averaged
from posekit.training.schedule import rate


def test_the_rate_rises_over_the_warm_up():
    options = Train(lr=1.0, warmup=0.4, schedule="constant")
    # 10 updates, 4 of them warm: (step + 1) / 5, then all of it.
    assert [rate(options, step, 10) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_the_cosine_starts_high_passes_its_half_and_ends_near_zero():
    options = Train(lr=0.5, warmup=0.2, schedule="cosine")
    # 10 updates, 2 warm, so 8 fall: at step 2 cos 0, at step 6 cos(pi / 2), at step 10 cos pi.
    assert rate(options, 2, 10) == pytest.approx(0.5)
    assert rate(options, 6, 10) == pytest.approx(0.25)
    assert rate(options, 9, 10) == pytest.approx(0.5 * 0.5 * (1 - 0.92387953))
    assert rate(options, 10, 10) == pytest.approx(0.0, abs=1e-12)
    assert rate(options, 12, 10) == pytest.approx(0.0, abs=1e-12)


def test_steps_divide_by_ten_at_their_milestones():
    options = Train(lr=1.0, warmup=0.0, schedule="step", milestones=(0.5, 0.75))
    assert [rate(options, step, 8) for step in range(8)] == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_a_run_of_one_step_has_a_rate():
    assert rate(Train(lr=1.0, warmup=0.0), 0, 1) == 1.0


def test_the_average_follows_closely_at_first_and_slowly_later():
    net = nn.Linear(3, 2)
    nn.init.zeros_(net.weight)
    ema = averaged(net, 0.9)
    with torch.no_grad():
        net.weight.fill_(1.0)
    # The first update copies; the second has decay min(0.9, (1 + 1) / (10 + 1)) = 2/11, the third 3/12.
    ema.update_parameters(net)
    assert torch.equal(ema.module.weight, net.weight)
    with torch.no_grad():
        net.weight.fill_(2.0)
    ema.update_parameters(net)
    second = 1.0 + (1 - 2 / 11)
    torch.testing.assert_close(ema.module.weight, torch.full_like(net.weight, second))
    ema.update_parameters(net)
    torch.testing.assert_close(ema.module.weight, torch.full_like(net.weight, second + (2.0 - second) * (1 - 3 / 12)))
    ema.n_averaged.fill_(10_000)
    before = ema.module.weight.clone()
    with torch.no_grad():
        net.weight.fill_(5.0)
    ema.update_parameters(net)
    torch.testing.assert_close(ema.module.weight, before * 0.9 + 5.0 * 0.1)


def test_the_average_copies_whole_numbers_and_averages_statistics():
    net = nn.BatchNorm1d(3)
    ema = averaged(net, 0.5)
    ema.update_parameters(net)
    net.num_batches_tracked.fill_(7)
    net.running_mean.fill_(4.0)
    ema.update_parameters(net)
    assert ema.module.num_batches_tracked.item() == 7
    assert ema.module.num_batches_tracked.dtype == torch.int64
    torch.testing.assert_close(ema.module.running_mean, torch.full((3,), 4.0 * (1 - 2 / 11)))


def test_the_average_is_a_copy():
    net = nn.Linear(3, 2)
    ema = averaged(net, 0.9)
    assert ema.module.weight.data_ptr() != net.weight.data_ptr()
