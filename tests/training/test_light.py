"""Runs that prune or round: resumed byte for byte, what they leave behind, and runs that do neither."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from figures import FOUR
from stand_ins import predictor_of

from posekit.data.synthetic import Synthetic
from posekit.evaluation.measure import measure
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.resnet import ResNet
from posekit.models.compress.pruning import Prune, sparsity
from posekit.models.compress.quantise import FakeQuant, steps
from posekit.models.rewrite.netaug import NetAug
from posekit.recipes import RECIPES
from posekit.training import loop as looping
from posekit.training.loop import Loop
from posekit.zoo.weights import load_weights

PRUNE = Prune(share=0.7, start=0.0, stop=0.5)
QUANTISE = FakeQuant(bits=8, start=0.3, freeze=0.6, follow=0.1)
BOTH = {"prune": PRUNE, "quantise": QUANTISE}

pytestmark = pytest.mark.usefixtures("fresh_engine")


@pytest.fixture(scope="module")
def figures():
    return Synthetic(FOUR, count=12, size=(48, 40), seed=1).dataset()


def recipe_of(backbone=None, train=(), **fields):
    recipe = RECIPES["topdown-regression-tiny"](FOUR, size=(64, 32))
    options = {"epochs": 3, "batch": 4, "ema": 0.9, "lr": 2e-3, "tensorboard": False, "checkpoint_steps": 2}
    return replace(
        recipe,
        model=replace(recipe.model, backbone=backbone or ResNet(18, 0.125)),
        train=replace(recipe.train, **options | dict(train)),
        **fields,
    )


def loop_of(recipe, folder, dataset, said=None):
    folder.mkdir(exist_ok=True)
    return Loop(recipe, folder, dataset, dataset, device="cpu", say=(said or []).append)


class KilledError(Exception):
    """The power went."""


def killed_after(loop, count):
    """Run so many steps and stop without warning."""
    step = loop._step

    def counting(batch):
        nonlocal count
        if not count:
            raise KilledError
        count -= 1
        step(batch)

    loop._step = counting
    with pytest.raises(KilledError):
        loop.train()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"prune": PRUNE}, id="prune", marks=pytest.mark.slow),
        pytest.param({"quantise": QUANTISE}, id="quantise", marks=pytest.mark.slow),
        pytest.param(BOTH, id="both"),
    ],
)
def test_a_resumed_run_equals_an_unbroken_one(fields, figures, tmp_path):
    recipe = recipe_of(**fields)
    loop_of(recipe, tmp_path / "whole", figures).train()
    killed_after(loop_of(recipe, tmp_path / "broken", figures), 6)
    again = loop_of(recipe, tmp_path / "broken", figures)
    assert again.resume() and again.progress.updates == 5 + 1
    again.train()
    for name in ("metrics.csv", "best/model.safetensors", "last/model.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes(), name


def test_a_run_that_does_neither_is_the_same_as_one_without_the_code(figures, tmp_path, monkeypatch):
    recipe = recipe_of(train={"epochs": 2})
    loop_of(recipe, tmp_path / "with", figures).train()

    class Nothing:
        def at(self, done):
            return 0.0

        def advance(self, net, done):
            """Leave all as it is."""

        def holding(self, net):
            return nullcontext()

        def follow(self, average, net):
            """Leave all as it is."""

    bare = loop_of(recipe, tmp_path / "without", figures)
    for name in ("prune", "quantise"):
        object.__setattr__(bare.recipe, name, Nothing())
    monkeypatch.setattr(looping, "save_weights", lambda *_: None)
    bare.train()
    for name in ("metrics.csv", "last/model.safetensors"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes(), name


def test_the_best_is_chosen_among_networks_with_all_their_zeros(figures, tmp_path, monkeypatch):
    coming = iter([0.9, 0.8, 0.5, 0.4])
    real = looping.measure

    def told(*arguments):
        found = real(*arguments)
        return replace(found, figures=found.figures | {found.main: next(coming)})

    monkeypatch.setattr(looping, "measure", told)
    recipe = replace(recipe_of(train={"epochs": 4}, prune=PRUNE), metric="pck@0.2")
    made = loop_of(recipe, tmp_path / "run", figures)
    made.train()
    # Three steps an epoch: the third is the first that ends with all zeros.
    loaded = load_weights(tmp_path / "run")
    assert (loaded.spec.figures["epoch"], made.progress.best, made.progress.waited) == (3, 0.5, 1)
    assert sparsity(PRUNE.weights(loaded.net)) == pytest.approx(0.7, abs=1e-3)


def test_what_was_measured_is_what_is_loaded(figures, tmp_path):
    recipe = recipe_of(**BOTH)
    made = loop_of(recipe, tmp_path / "run", figures)
    made.train()
    average = made.ema.module
    assert sparsity(PRUNE.weights(made.net)) == pytest.approx(0.7, abs=1e-3)
    for weight, averaged in zip(PRUNE.weights(made.net), PRUNE.weights(average), strict=True):
        assert torch.equal(weight == 0, averaged == 0)
    loaded = load_weights(tmp_path / "run")
    assert len(steps(loaded.net)) == sum(hasattr(layer, "rounding") for layer in loaded.net.modules())
    again = measure(predictor_of(loaded.net, recipe), figures)
    assert again.figures == {name: loaded.spec.figures[name] for name in again.figures}
    # Weights in the file are not rounded, and ranges are all that was added.
    names = set(loaded.net.state_dict())
    plain = set(replace(recipe, quantise=FakeQuant()).build().state_dict())
    assert plain < names and {name.split(".")[-1] for name in names - plain} == {"range"}
    weight = loaded.net.backbone.conv1.weight
    assert weight.unique().numel() > 256


@pytest.mark.parametrize(
    "backbone", [ResNet(18, 0.125), pytest.param(MobileNetV2(0.25), marks=pytest.mark.slow)], ids=lambda b: b.kind
)
def test_rounding_networks_learn(backbone, figures, tmp_path):
    train = {"epochs": 12, "batch": 12, "ema": 0, "lr": 5e-3, "eval_every": 12}
    recipe = recipe_of(backbone, train, quantise=FakeQuant(bits=8, start=0.0, follow=0.1))
    made = loop_of(recipe, tmp_path / "run", figures)
    made.train()
    losses = [row["loss/l1"] for row in made.progress.rows]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_wider_networks_leave_zeros_and_ranges_to_the_plain_one(figures, tmp_path):
    wider = NetAug(expansions=(1.0, 1.5), widths=(1.0, 1.5))
    made = loop_of(recipe_of(train={"epochs": 2}, netaug=wider, **BOTH), tmp_path / "run", figures)
    made.train()
    assert sparsity(PRUNE.weights(made.net)) == pytest.approx(0.7, abs=1e-3)
    assert load_weights(tmp_path / "run").net.backbone.conv1.rounding.scale is not None
