"""The benchmark's other ways of writing an activation compute the same, and it counts what is kept."""

import sys
from pathlib import Path

import pytest
import torch
from sizes import B, H, K, W

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch):
    """`benchmarks.activations`, as `python -m` finds it, on small maps."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import activations

    for name, size in {"B": B, "C": K, "H": H, "W": W}.items():
        monkeypatch.setattr(activations, name, size)
    yield activations
    for name in [n for n in sys.modules if n.startswith("benchmarks")]:
        sys.modules.pop(name)


@pytest.mark.parametrize(
    "name", ["silu as written", "silu recomputed", "mish as written", "mish recomputed", "acon_c recomputed"]
)
def test_every_way_computes_the_same(bench, name):
    layers = bench.candidates()
    layer, ours = layers[name].double(), layers[name.split()[0]].double()
    x = torch.randn(1, K, 2, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(layer(x), ours(x))
    assert torch.autograd.gradcheck(layer, (x,))
    if name.startswith("acon"):
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            slope.sum().backward()
    else:
        assert torch.autograd.gradgradcheck(layer, (x,))


def test_what_is_kept_is_counted_in_maps(bench):
    layers, size = bench.candidates(), 4 * B * K * H * W
    maps = {name: round(bench.kept(layer) / size, 1) for name, layer in layers.items()}
    assert maps["silu"] == maps["silu recomputed"] == maps["mish"] == maps["relu in place"] == 1
    assert maps["silu as written"] == maps["mish as written"] == 2
    assert (maps["acon_c"], maps["acon_c recomputed"]) == (3, 1)
