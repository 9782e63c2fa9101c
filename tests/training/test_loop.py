"""The loop: updates, what is kept, when it stops, and what it leaves behind."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from figures import FOUR
from safetensors.torch import load_file
from stand_ins import Small

from posekit.data.synthetic import Synthetic
from posekit.evaluation.measure import compared
from posekit.recipe import Recipe
from posekit.recipes import RECIPES
from posekit.training import engine
from posekit.training import loop as looping
from posekit.training.engine import TrainingError, engine_for
from posekit.training.loop import Loop
from posekit.transforms.compose import Augment


def silent(_):
    """Say nothing."""


def run(recipe, folder, dataset):
    folder.mkdir(exist_ok=True)
    made = Loop(recipe, folder, dataset, dataset, device="cpu", say=silent)
    before = [p.detach().clone() for p in made.net.parameters()]
    made.train()
    after = [p.detach().clone() for p in made.net.parameters()]
    return made, torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)])


def test_two_accumulated_batches_are_one_of_twice_the_size(small, tmp_path):
    # A mean over known points is the mean of two batches' means where both know as many: here all.
    inside = Synthetic(FOUR, count=8, size=(48, 40), seed=1, outside=0.0).dataset()
    assert (inside.visibility > 0).all()

    def moved(**options):
        recipe = replace(small(optimizer="sgd", lr=1e-3, **options), augment=Augment.none())
        return run(recipe, tmp_path / str(options["batch"]), inside)

    few, halves = moved(batch=4, accumulate=2)
    many, whole = moved(batch=8)
    assert (few.progress.updates, many.progress.updates) == (1, 1)
    assert whole.abs().max() > 1e-4
    torch.testing.assert_close(halves, whole, rtol=1e-4, atol=1e-7)


def test_a_short_last_group_counts_in_full(small, drawn, tmp_path):
    def moved(accumulate):
        recipe = replace(small(optimizer="sgd", lr=0.1, batch=8, accumulate=accumulate), augment=Augment.none())
        return run(recipe, tmp_path / str(accumulate), drawn)[1]

    # One batch an epoch: whatever the group should have been, it is a group of one.
    torch.testing.assert_close(moved(5), moved(1))


def test_the_gradient_is_clipped(small, drawn, tmp_path):
    _, moved = run(small(optimizer="sgd", lr=0.5, batch=8, clip=1e-3), tmp_path / "run", drawn)
    # The first step of Nesterov momentum 0.9 goes 1 + 0.9 gradients far.
    assert moved.norm().item() == pytest.approx(0.5 * 1.9 * 1e-3, rel=1e-3)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_mixed_precision_trains_full_weights(small, drawn, tmp_path, precision):
    made, moved = run(small(precision=precision, epochs=2), tmp_path / "run", drawn)
    assert moved.isfinite().all()
    assert moved.abs().max() > 0
    assert {p.dtype for p in made.net.parameters()} == {torch.float32}
    assert np.isfinite(made.progress.rows[-1]["loss/l1"])


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_decay_spares_biases_and_norms(small, name):
    made = looping.optimizer_for(torch.nn.Sequential(Small(4), torch.nn.BatchNorm1d(3)), small(optimizer=name).train)
    assert [len(group["params"]) for group in made.param_groups] == [1, 3]
    assert made.param_groups[1]["weight_decay"] == 0
    assert type(made).__name__.lower() == name


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_backbone_may_learn_slower(drawn, tmp_path, optimizer):
    recipe = RECIPES["topdown-regression-tiny"](FOUR, size=(64, 64), backbone="mobilenet_v3")
    freeze = ("backbone.features.0",)
    options = replace(
        recipe.train,
        lr=1e-2,
        backbone_lr_mult=0.25,
        epochs=1,
        batch=4,
        optimizer=optimizer,
        freeze=freeze,
        schedule="constant",
        warmup=0,
    )
    loop, _ = run(replace(recipe, train=options), tmp_path / "run", drawn)
    rates = {id(p): group["lr"] for group in loop.optimizer.param_groups for p in group["params"]}
    decays = {id(p): group["weight_decay"] for group in loop.optimizer.param_groups for p in group["params"]}
    found = {}
    for name, weights in loop.net.named_parameters():
        if weights.requires_grad:
            found.setdefault(name.split(".")[0] == "backbone", set()).add((rates[id(weights)], decays[id(weights)] > 0))
    assert found == {True: {(2.5e-3, True), (2.5e-3, False)}, False: {(1e-2, True), (1e-2, False)}}
    # What is written is the rate of all but the backbone.
    assert loop.progress.rows[-1]["lr"] == 1e-2


@pytest.mark.parametrize(("share", "moves"), [(1.0, False), (0.5, True)])
def test_the_head_may_be_trained_first(drawn, tmp_path, share, moves):
    recipe = RECIPES["topdown-regression-tiny"](FOUR, size=(64, 64), backbone="mobilenet_v3")
    options = replace(recipe.train, lr=1e-3, head_first=share, epochs=2, batch=4, ema=0.0)
    folder = tmp_path / "run"
    folder.mkdir()
    loop = Loop(replace(recipe, train=options), folder, drawn, drawn, device="cpu", say=silent)
    before = {name: weights.detach().clone() for name, weights in loop.net.named_parameters()}
    loop.train()
    changed = {
        name.split(".")[0]
        for name, weights in loop.net.named_parameters()
        if not torch.equal(weights.detach(), before[name])
    }
    assert changed == ({"backbone", "head"} if moves else {"head"})


def test_a_loss_that_is_not_finite_stops_and_keeps_the_batch(small, drawn, tmp_path, monkeypatch):
    def broken(self, *, weights=True):
        net = Small(4)
        net.last.bias.data.fill_(float("nan"))
        return net

    monkeypatch.setattr(Recipe, "build", broken)
    with pytest.raises(TrainingError, match=r"not finite at epoch 1, step 1 \(l1 nan\); the batch is saved in .*npz"):
        run(small(), tmp_path / "run", drawn)
    kept = np.load(tmp_path / "run" / "nan_batch_0.npz")
    assert kept["image"].shape == (4, 3, 64, 48)
    assert len(set(kept["index"].tolist())) == 4
    assert kept["xy"].shape == (4, 1, 4, 2)


def test_a_device_that_is_not_there_is_refused(small):
    with pytest.raises(TrainingError, match="device 'abacus' was asked for, but only"):
        engine_for(small().train, "abacus")


def test_more_processes_than_the_engine_sees_are_refused(small, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(engine, "Accelerator", lambda **_: SimpleNamespace(num_processes=1))
    with pytest.raises(TrainingError, match=r"2 processes were started but the engine sees 1.*torchrun"):
        engine_for(small().train, "cpu")


@pytest.fixture
def told(monkeypatch, small, drawn, tmp_path):
    """Run with figures that were fixed beforehand, one an epoch; gives the loop."""

    def go(metric, values, errors=None, **options):
        coming = iter([{metric: value} for value in values])
        if errors:
            coming = iter([{metric: v, "nme_box": error} for v, error in zip(values, errors, strict=True)])
        recipe = replace(small(epochs=len(values), **options), metric=metric)
        plain = compared(drawn.xy[drawn.rows], np.ones((8, 4)), drawn, recipe.metric)
        monkeypatch.setattr(looping, "measure", lambda *_: replace(plain, figures=plain.figures | next(coming)))
        return run(recipe, tmp_path / "run", drawn)[0]

    return go


def kept_epoch(made):
    return json.loads((made.run / "best" / "config.json").read_text())["spec"]["figures"]["epoch"]


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("pck@0.2", [0.1, 0.5, 0.3], 2),
        ("epe", [5.0, 7.0, 3.0], 3),
        ("epe", [2.0, 2.0, 3.0], 1),
        ("epe", [float("nan"), 9.0, float("nan")], 2),
    ],
)
def test_the_best_is_kept_by_the_direction_of_its_figure(told, metric, values, best):
    made = told(metric, values)
    assert kept_epoch(made) == best
    assert made.progress.best == values[best - 1]


@pytest.mark.parametrize(
    ("errors", "best", "patience", "epochs"),
    [
        ([0.5, 0.4, 0.3, 0.35], 3, 0, 4),  # the metric is 1 throughout: the lowest error is the best
        ([0.5, 0.4, 0.3, 0.2, 0.1], 5, 1, 5),  # a lower error is an improvement for early stopping
        ([0.5, 0.4, 0.4, 0.1], 2, 1, 3),  # an equal one is not
    ],
)
def test_equal_values_are_decided_by_the_error(told, errors, best, patience, epochs):
    made = told("pck@0.2", [1.0] * len(errors), errors, patience=patience)
    assert (kept_epoch(made), made.progress.epoch) == (best, epochs)
    assert (made.progress.best, made.progress.best_tie) == (1.0, errors[best - 1])


def test_a_run_stops_when_its_patience_is_spent(told):
    made = told("epe", [5.0, 4.0, 4.5, 4.4, 1.0], patience=2)
    assert made.progress.stopped
    assert made.progress.epoch == 4
    assert kept_epoch(made) == 2


def test_measurements_come_when_they_are_due_and_at_the_end(small, drawn, tmp_path):
    made, _ = run(small(epochs=5, eval_every=2), tmp_path / "run", drawn)
    assert [row["epoch"] for row in made.progress.rows if "val/epe" in row] == [2, 4, 5]
    text = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert len(text) == 6
    assert text[0].startswith("epoch,images,lr,loss/l1,val/")


def test_the_averaged_weights_are_measured_and_kept(small, drawn, tmp_path):
    made, _ = run(small(epochs=3, eval_every=3, ema=0.9, lr=0.1), tmp_path / "run", drawn)
    kept = load_file(tmp_path / "run" / "best" / "model.safetensors")["last.weight"]
    assert torch.equal(kept, made.ema.module.last.weight)
    assert not torch.equal(made.ema.module.last.weight, made.net.last.weight)


def test_a_run_repeats_itself_and_goes_on_where_it_was(small, drawn, tmp_path):
    whole, _ = run(small(epochs=3), tmp_path / "whole", drawn)
    run(small(epochs=3), tmp_path / "again", drawn)
    assert (tmp_path / "whole" / "metrics.csv").read_bytes() == (tmp_path / "again" / "metrics.csv").read_bytes()
    again = Loop(whole.recipe, tmp_path / "whole", drawn, drawn, device="cpu", say=silent)
    assert again.resume()
    assert again.progress.epoch == 3
    assert torch.equal(again.net.last.weight, whole.net.last.weight)
    assert not Loop(whole.recipe, tmp_path / "new", drawn, drawn, device="cpu", say=silent).resume()


def test_training_leaves_the_process_as_it_was(small, drawn, tmp_path):
    run(small(), tmp_path / "run", drawn)
    assert (torch.tensor(1e-310, dtype=torch.float64) * 0.5).item() > 0
