"""Perfect maps are activated to the target, for every activation."""

import pytest
import torch
from codec_cases import CASES, instances, scattered

from posekit.codecs.integral import Integral
from posekit.geometry.grid import Grid

DISTRIBUTIONS = {"x", "y", "z", "dfl_x", "dfl_y", "dfl_z"}
"""Targets of logits that go through a softmax."""


@pytest.mark.parametrize("case", CASES)
def test_a_perfect_map_is_activated_to_its_target(case):
    codec = CASES[case]
    target = codec.encode(instances(scattered(margin=33)))
    maps = codec.perfect(target)
    assert {name: tuple(value.shape[1:]) for name, value in maps.items()} == dict(codec.shapes)
    assert all(value.dtype == torch.float64 and value.isfinite().all() for value in maps.values())
    activated = codec.activate(maps)
    for name in set(codec.shapes) & set(target.maps):
        output = activated[name].softmax(-1) if name in DISTRIBUTIONS else activated[name]
        # A Gaussian over bins that ends at the border sums to a little less than 1; a softmax does not.
        assert torch.allclose(output, target.maps[name], atol=0.01 if name in DISTRIBUTIONS else 1e-6), name
    if "xy" in codec.gives:
        assert (activated["xy"] - target.maps["xy"]).abs().max() < 0.5


@pytest.mark.parametrize("beta", [1.0, 10.0])
def test_a_soft_argmax_without_correction_gets_a_map_without_background(beta):
    codec = Integral(points=5, grid=Grid.of((128, 96), 4), beta=beta)
    xy = scattered(margin=33)
    poses = codec.decode(codec.perfect(codec.encode(instances(xy))))
    assert (poses.xy - xy).abs().max() < 1e-3
