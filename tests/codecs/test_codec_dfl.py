"""Positions along a line against numbers worked out by hand: each coordinate is split between two neighbours."""

import pytest
import torch
from codec_cases import instances
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.codecs.dfl import Dfl

SIZE = (256, 192)


def encoded(x, y=100.0, **fields):
    """Codec and target of one point in image pixels."""
    codec = Dfl(points=1, size=SIZE, **fields)
    return codec, codec.encode(instances(torch.tensor([x, y], dtype=torch.float64).reshape(1, 1, 1, 2)))


def test_a_mean_by_hand():
    # softmax(0, 1, 2, 1) has its mean at 1.855341, of three steps of 64 pixels each.
    codec = Dfl(points=1, size=SIZE, bins=3)
    z = torch.tensor([0.0, 1.0, 2.0, 1.0], dtype=torch.float64).reshape(1, 1, 4)
    poses = codec.decode({"dfl_x": z, "dfl_y": z})
    assert poses.xy.flatten().tolist() == pytest.approx([1.855341 * 64, 1.855341 * 256 / 3], abs=1e-4)
    p = z.softmax(-1).flatten()
    # The score is the probability of the two positions beside the mean.
    assert poses.score.item() == pytest.approx((p[1] + p[2]).item())


def test_two_places_share_a_coordinate():
    # 1.3 of three steps: 0.7 for the first position, 0.3 for the second. Their entropy is the smallest possible loss.
    _, target = encoded(1.3 * 64, bins=3)
    shares = target.maps["dfl_x"].flatten()
    assert shares.tolist() == pytest.approx([0, 0.7, 0.3, 0], abs=1e-9)
    assert torch.special.entr(shares).sum().item() == pytest.approx(0.610864, abs=1e-6)
    # Cross entropy with softmax(0, 1, 2, 1).
    z = torch.tensor([0.0, 1.0, 2.0, 1.0], dtype=torch.float64)
    assert -(shares * z.log_softmax(-1)).sum().item() == pytest.approx(1.326523, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(x=st.floats(0, 192), y=st.floats(0, 256), bins=st.integers(1, 40))
def test_the_mean_is_exact(x, y, bins):
    codec, target = encoded(x, y, bins=bins)
    for name, value in (("dfl_x", x / 192), ("dfl_y", y / 256)):
        shares = target.maps[name].flatten()
        assert shares.sum().item() == pytest.approx(1)
        assert (shares @ torch.arange(bins + 1, dtype=torch.float64)).item() == pytest.approx(value * bins, abs=1e-9)
        used = shares.nonzero().flatten()
        assert len(used) <= 2
        assert used[-1] - used[0] <= 1
    poses = codec.decode(codec.perfect(target))
    assert poses.xy.flatten().tolist() == pytest.approx([x, y], abs=1e-5)


@pytest.mark.parametrize(("x", "last"), [(192.0, [0, 0, 1]), (0.0, [1, 0, 0]), (96.0, [0, 1, 0])])
def test_both_ends_have_a_place(x, last):
    # The published labels have no position at the far end and must stay below it.
    codec, target = encoded(x, bins=2)
    assert target.maps["dfl_x"].flatten().tolist() == last
    assert target.weight["dfl_x"].item() == 1
    assert codec.decode(codec.perfect(target)).xy[0, 0, 0, 0].item() == pytest.approx(x, abs=1e-9)


@pytest.mark.parametrize("x", [-0.01, 192.01])
def test_beyond_the_ends_there_is_none(x):
    _, target = encoded(x)
    assert target.weight["dfl_x"].sum() == target.weight["dfl_y"].sum() == 0
    assert target.maps["dfl_x"].sum() == 0
