"""A recipe whose network is small enough for many runs, and an engine that each test starts afresh."""

from dataclasses import replace

import pytest
from accelerate.state import AcceleratorState
from figures import FOUR
from stand_ins import Small

from posekit.data.synthetic import Synthetic
from posekit.recipe import Recipe, Train
from posekit.recipes import RECIPES


@pytest.fixture
def fresh_engine():
    """The engine keeps precision and device for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def small(monkeypatch, fresh_engine):
    """Make recipes of four points in 64x48 crops, with a small network and given options of training."""
    monkeypatch.setattr(Recipe, "build", lambda self, *, weights=True: Small(len(self.skeleton.points)))
    plain = Train(
        epochs=1, batch=4, ema=0, warmup=0, schedule="constant", clip=0, weight_decay=0, lr=1e-3, tensorboard=False
    )

    def make(**options):
        recipe = RECIPES["topdown-regression-tiny"](FOUR, size=(64, 48))
        return replace(recipe, train=replace(plain, **options))

    return make


@pytest.fixture(scope="session")
def drawn():
    """Eight synthetic people."""
    return Synthetic(FOUR, count=8, size=(48, 40), seed=1).dataset()
