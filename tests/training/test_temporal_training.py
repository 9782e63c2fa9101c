"""Training of a temporal network: it learns a small set, and tracks without depth take no part in the depth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_temporal import CONFIG, SKELETON, small_net

from posekit.data.labelled_tracks import batch_of, synthetic_tracks
from posekit.models.temporal import Temporal
from posekit.training.temporal import TemporalTraining, temporal_losses, train_temporal

QUICK = TemporalTraining(steps=40, batch=4, frames=16, lr=2e-2)


def tracks(count=4, turning=1.0):
    return synthetic_tracks(SKELETON, count, 0, frames=40, turning=turning)


def batch(some, seed=0):
    return batch_of(some, SKELETON, 4, CONFIG.window + 15, np.random.default_rng(seed))


def marked():
    """A person who is measured exactly, but for every other frame, whose low scores say so."""
    (one,) = tracks(1)
    off = np.arange(len(one)) % 2 == 1
    away = np.random.default_rng(0).normal(0, 80, one.true.shape)
    score = np.where(off, 0.1, 0.9)[:, None].repeat(17, 1)
    return replace(one, xy=one.true + off[:, None, None] * away, score=score)


def test_it_learns_a_small_set_and_repeats_itself():
    seen: list[float] = []
    one = Temporal(channels=8, dilations=(1,), taps=4, ahead=(1,))
    long = replace(QUICK, steps=120)
    net = train_temporal([marked()], SKELETON, one, long, lambda step, losses: seen.append(losses["location"]))
    assert len(seen) == 120 and not net.training
    assert np.mean(seen[-5:]) < 0.5 * np.mean(seen[:3])
    again: list[float] = []
    for _ in range(2):
        short = replace(QUICK, steps=3)
        train_temporal(tracks(), SKELETON, CONFIG, short, lambda step, losses: again.append(losses["location"]))
    assert again[:3] == again[3:]


def test_a_track_without_depth_gives_the_depth_no_gradient():
    net = small_net().train()
    mixed = batch([one.without_depth() for one in tracks()])
    losses = temporal_losses(net, mixed)
    assert losses["depth"].item() == 0 and losses["location"].item() > 0
    losses["depth"].backward()
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())


def test_in_a_mixed_batch_only_known_depths_count():
    net, one = small_net(), batch(tracks())
    whole = temporal_losses(net, one)["depth"]
    known = one.depth_known.copy()
    known[2:] = False
    wrong = np.where(known, one.depth, 1e6).astype(np.float32)
    part = temporal_losses(net, replace(one, depth=wrong, depth_known=known))["depth"]
    first = replace(one, **{name: getattr(one, name)[:2] for name in ("points", "score", "step", "true", "known")})
    first = replace(first, **{name: getattr(one, name)[:2] for name in ("begun", "depth", "depth_known")})
    torch.testing.assert_close(part, temporal_losses(net, first)["depth"])
    assert part != whole


def test_locations_that_are_not_known_do_not_count():
    net, one = small_net(), batch(tracks())
    known = one.known & (np.arange(17) != 3)
    true = np.where(known[..., None], one.true, np.nan).astype(np.float32)
    losses = temporal_losses(net, replace(one, true=true, known=known))
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_nothing_to_train_on_is_said():
    with pytest.raises(ValueError, match="nothing to train on: none of 0 tracks has two frames"):
        train_temporal([], SKELETON, CONFIG, QUICK)
    bad = [replace(one, true=np.full_like(one.true, np.nan)) for one in tracks(1)]
    with pytest.raises(RuntimeError, match=r"step 0: the loss is nan; try a lower lr than 0.02"):
        train_temporal(bad, SKELETON, CONFIG, QUICK)
