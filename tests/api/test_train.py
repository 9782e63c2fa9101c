"""`posekit.train` from Python: the folder, the run, what suits the data, and starts that fail."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR, labelled_files

import posekit
from posekit.api.run_folder import resume_command
from posekit.api.suited import like_initial, suited
from posekit.api.train import recipe_for, size_of, train_recipe
from posekit.cli.main import main
from posekit.data.errors import DataError
from posekit.data.orientation import axis_agreement, lies_at_every_angle
from posekit.data.source import Data
from posekit.evaluation.sets import Sets, read_sets
from posekit.recipe import RecipeError, changed, load
from posekit.recipes import RECIPES
from posekit.recipes.visibility import with_visibility
from posekit.skeletons import SKELETONS
from posekit.training.initial import initial_net
from posekit.training.loop import Loop
from posekit.zoo.errors import WeightsError
from posekit.zoo.weights import load_weights

BRIEF = {"train.epochs": 1, "train.batch": 4, "train.tensorboard": False}


def test_a_run_from_python_leaves_what_the_command_leaves(tmp_path, small):
    file = labelled_files(tmp_path / "data", count=12)
    said = []
    run = posekit.train(
        "topdown-regression-tiny",
        file,
        out=tmp_path / "run",
        size=(64, 48),
        options=BRIEF,
        device="cpu",
        say=said.append,
    )
    names = {path.name for path in run.folder.iterdir()}
    assert names == {"best", "last", "inferred.txt", "metrics.csv", "recipe.json", "report.html", "summary.json"}
    assert load(run.folder / "recipe.json") == run.recipe
    assert run.recipe.data.train == (file,) and run.recipe.train.epochs == 1
    assert (run.folder / "inferred.txt").read_text().splitlines()[0].startswith("4 points: tip")
    image = posekit.read_image(read_sets(run.recipe.data).val.images[0].path)
    assert run.predict(image)[0].xy.shape == (1, 4, 2)
    assert run.evaluate(file).figures["epe"] > 0
    assert posekit.evaluate(run.folder, file).figures["AP"] >= 0
    assert any("best " in line for line in said)
    again = posekit.train(run.folder / "recipe.json", out=tmp_path / "again", device="cpu", say=said.append)
    assert again.recipe == run.recipe
    assert (tmp_path / "again" / "metrics.csv").read_bytes() == (run.folder / "metrics.csv").read_bytes()


def test_options_that_do_not_exist_are_told(tmp_path):
    file = labelled_files(tmp_path / "data", count=3)
    with pytest.raises(RecipeError, match=r"no field 'train\.epoch'; did you mean 'train\.epochs'\?$"):
        posekit.train("topdown-dark-tiny", file, options={"train.epoch": 3})
    with pytest.raises(RecipeError, match=r"no field 'epochs'; did you mean 'train\.epochs'\?$"):
        posekit.train("topdown-dark-tiny", file, options={"epochs": 3})
    with pytest.raises(
        RecipeError, match=r"no field 'xyzzy'; fields are dotted names such as 'train.epochs', within: "
    ):
        posekit.train("topdown-dark-tiny", file, options={"xyzzy": 3})
    with pytest.raises(RecipeError, match=r"no recipe 'topdown-drak'; did you mean 'topdown-dark'\?$"):
        posekit.train("topdown-drak", file)
    with pytest.raises(RecipeError, match=r"options: train\.epochs: Input should be greater than or equal to 1"):
        posekit.train("topdown-dark-tiny", file, options={"train.epochs": 0})
    with pytest.raises(DataError, match="no training data"):
        posekit.train("topdown-dark-tiny")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"epochs": 1}, r"no argument 'epochs'; did you mean options=\{.train\.epochs.: 1\}\?"),
        ({"batch_size": 4}, r"no argument 'batch_size'; did you mean options=\{.train\.batch.: 4\}\?"),
        ({"imgsz": 192}, r"no argument 'imgsz'; did you mean size=192\?"),
        ({"loss": "wing"}, r"no argument 'loss'; did you mean losses='wing'\?"),
        ({"devise": "cpu"}, r"no argument 'devise'; did you mean device='cpu'\?"),
        ({"xyzzy": 1}, r"no argument 'xyzzy'; known: size, stride"),
        ({"options": {"size": 192}}, "options: 'size' is an argument of its own: size=192"),
        ({"options": {"codec": "dsnt"}}, "options: 'codec' is an argument of its own: codec='dsnt'"),
    ],
)
def test_arguments_that_do_not_exist_are_answered(given, told):
    with pytest.raises(RecipeError, match=told):
        posekit.train("topdown-dark-tiny", "labels.json", **given)


@pytest.mark.parametrize("size", [192, "192", ["192"], (192,), (192, 192), "192x192", ["192x192"], 192.0])
def test_one_number_is_a_square(size):
    assert size_of(size) == (192, 192)
    assert recipe_for("topdown-dark-tiny", FOUR, size=size).size == (192, 192)


def test_a_size_is_height_and_width():
    assert size_of((256, 192)) == size_of(["256", "192"]) == size_of("256x192") == (256, 192)
    for wrong in (0, "wide", (1, 2, 3), [], 1.5, None):
        with pytest.raises(RecipeError, match=r"size takes one number .a square. or height and width in pixels"):
            size_of(wrong)


def test_missing_images_are_told_before_the_training(tmp_path):
    file = labelled_files(tmp_path / "data", count=12)
    (folder,) = {path.parent for path in (tmp_path / "data").rglob("*") if path.suffix in (".png", ".jpg")}
    images = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    for path in images[:4]:
        path.unlink()
    names = ", ".join(path.name for path in images[:3])
    with pytest.raises(
        DataError, match=rf"^4 of 12 images are missing: {names} and 1 more; give .*--data\.images FOLDER"
    ):
        posekit.train("topdown-dark-tiny", file, out=tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"--data\.images .*empty: none of the 12 images is in it"):
        posekit.train("topdown-dark-tiny", file, images=str(tmp_path / "empty"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_metric_that_was_asked_for_ranks(drawn, small):
    easy = Sets(*[upright(drawn)] * 2, ())
    recipe = recipe_for("topdown-dark-tiny", FOUR, metric="oks")
    assert recipe.metric == "oks" == suited(recipe, easy)[0].metric
    with pytest.raises(RecipeError, match="no metric 'okss'"):
        recipe_for("topdown-dark-tiny", FOUR, metric="okss")


def test_a_pretrained_backbone_gets_a_note_on_its_training_options(drawn):
    sets = Sets(*[upright(drawn, spread=0.12)] * 2, ())
    plain = recipe_for("topdown-dark-tiny", FOUR, backbone="efficientnet_lite", metric="oks")
    assert suited(plain, sets) == (plain, ())
    made = changed(plain, {"model.backbone.weights": "imagenet"})
    recipe, (sentence,) = suited(made, sets)
    assert recipe == made
    assert sentence.startswith("backbone pretrained on ImageNet: ") and "--train.freeze (docs/training.md)" in sentence
    for name in ("train.lr", "train.backbone_lr_mult", "train.freeze"):
        assert suited(made, sets, {name}) == (made, ())
    timm = recipe_for("topdown-dark-tiny", FOUR, backbone="timm:resnet18", metric="oks")
    assert suited(changed(timm, {"model.backbone.pretrained": True}), sets)[1] == (sentence,)


def test_a_rotation_that_was_asked_for_stays(drawn, small):
    lying = turned(upright(drawn), np.linspace(0, 2 * np.pi, len(drawn.xy), endpoint=False))
    recipe, said = suited(small(), Sets(lying, lying, ()), {"augment.geometry.rotation"})
    assert recipe.augment == small().augment
    assert not any("every angle" in sentence for sentence in said)


def test_a_start_that_fails_leaves_no_folder(tmp_path, small, monkeypatch):
    file = labelled_files(tmp_path / "data", count=4)
    words = ["train", "topdown-regression-tiny", "--data.train", str(file), "--out", str(tmp_path / "run")]
    assert main([*words, "--train.freeze", "nothing", "--device", "cpu"]) == 1
    assert not (tmp_path / "run").exists()
    assert main([*words, "--init", str(tmp_path / "no-run"), "--device", "cpu"]) == 1
    assert not (tmp_path / "run").exists()
    # A folder that was there stays, with what was in it.
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert main([*words, "--train.freeze", "nothing", "--device", "cpu"]) == 1
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_an_interrupt_is_saved_and_the_command_to_go_on_printed(tmp_path, small, monkeypatch, capsys):
    file = labelled_files(tmp_path / "data", count=30)
    made = []
    step = Loop._step

    def interrupted(self, batch):
        step(self, batch)
        made.append(1)
        if len(made) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    words = ["train", "topdown-regression-tiny", "--data.train", str(file), "--out", str(tmp_path / "run")]
    brief = ["--train.epochs", "2", "--train.batch", "4", "--device", "cpu", "--no-train.tensorboard"]
    brief = [word for word in brief if word != "--no-train.tensorboard"]
    whole = [*words[:-1], str(tmp_path / "whole"), *brief]
    assert main(whole) == 0
    monkeypatch.setattr(Loop, "_step", interrupted)
    assert main([*words, *brief]) == 130
    assert len(made) == 3
    out = capsys.readouterr().out
    command = f"posekit train {tmp_path / 'run' / 'recipe.json'} --out {tmp_path / 'run'} --resume"
    assert f"stopped; resume with: {command}" in out
    monkeypatch.setattr(Loop, "_step", step)
    assert main([*command.split()[1:], "--device", "cpu"]) == 0
    assert "at epoch 1, step 3" in capsys.readouterr().out
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()


def test_without_label_files_it_goes_on_from_python(small, tmp_path):
    assert resume_command(small(), tmp_path) == f"posekit.train(recipe, data, out={str(tmp_path)!r}, resume=True)"
    with_data = replace(small(), data=Data(train=(tmp_path / "my labels.json",)))
    assert resume_command(with_data, tmp_path / "a b").startswith(f"posekit train '{tmp_path}/a b/recipe.json' --out '")


def turned(dataset, angles):
    """The same instances, each turned about its middle; boxes as they fit."""
    xy = dataset.xy.copy()
    middle = xy.mean(1, keepdims=True)
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    away = xy - middle
    xy = middle + np.stack([c * away[..., 0] - s * away[..., 1], s * away[..., 0] + c * away[..., 1]], -1)
    boxes = np.concatenate([xy.min(1), xy.max(1)], -1)
    return replace(dataset, xy=xy, boxes=boxes)


def upright(drawn, spread=0.02):
    """Eight times the same figure, nearly."""
    rng = np.random.default_rng(0)
    shape = np.array([[20.0, 10], [16, 30], [24, 30], [20, 38]])
    xy = shape + rng.normal(0, spread * 28, (len(drawn.xy), 4, 2))
    boxes = np.concatenate([xy.min(1), xy.max(1)], -1)
    return replace(drawn, xy=xy, boxes=boxes, visibility=np.full_like(drawn.visibility, 2))


def test_what_lies_at_every_angle_is_turned_fully(drawn, small):
    standing = upright(drawn)
    lying = turned(standing, np.linspace(0, 2 * np.pi, len(standing.xy), endpoint=False))
    assert axis_agreement(standing)[0] > 0.95 and not lies_at_every_angle(standing)
    assert axis_agreement(lying)[0] < 0.1 and lies_at_every_angle(lying)
    short, said = suited(small(epochs=19), Sets(lying, lying, ()))
    assert short.augment == small().augment
    assert "19 epochs are too few" in said[-1] and "--augment.geometry.rotation 180" in said[-1]
    recipe, said = suited(small(epochs=20), Sets(lying, lying, ()))
    assert (recipe.augment.geometry.rotation, recipe.augment.geometry.rotate_probability) == (180, 1)
    assert any("lie at every angle" in sentence for sentence in said)
    assert suited(small(), Sets(standing, standing, ()))[0].augment == small().augment
    # A round object has no axis.
    round_ = replace(standing, xy=np.tile([[10.0, 0], [0, 10], [-10, 0], [0, -10]], (len(drawn.xy), 1, 1)))
    assert not lies_at_every_angle(round_)


def test_a_saturated_metric_does_not_rank(drawn, small):
    easy = upright(drawn)
    recipe, (sentence,) = suited(small(), Sets(easy, easy, ()))
    assert recipe.metric == "nme_box"
    assert sentence == (
        "a constant guess, the mean pose in each box, already reaches 1.00 of pck@0.2, so the best epoch is chosen by "
        "nme_box; --metric pck@0.2 for the other"
    )
    harder = upright(drawn, spread=0.12)
    assert suited(small(), Sets(harder, harder, ()))[0].metric == "pck@0.05"
    assert suited(small(), Sets(*[upright(drawn, spread=0.4)] * 2, ()))[0].metric == ""
    asked = replace(small(), metric="epe")
    assert suited(asked, Sets(easy, easy, ()))[0].metric == "epe"


def test_a_loss_of_nothing_is_an_error(drawn, fresh_engine, tmp_path):
    """Boxes far from their points: no point lies in any crop, and every loss is 0."""
    far = replace(drawn, boxes=drawn.boxes + 5000.0)
    recipe = recipe_for("topdown-dark-tiny", FOUR, size=(64, 64))
    recipe = replace(recipe, train=replace(recipe.train, batch=1, epochs=4, tensorboard=False))
    with pytest.raises(RuntimeError, match=r"the loss was exactly 0 in each of the first 8 steps: no labelled point"):
        train_recipe(recipe, Sets(far, far, ()), tmp_path / "run", device="cpu", say=lambda _: None)
    assert not (tmp_path / "run").exists()


def test_measuring_that_fails_loses_no_epoch(small, drawn, tmp_path, monkeypatch):
    broken = replace(drawn, images=tuple(replace(record, load=None, path="/nowhere.png") for record in drawn.images))
    with pytest.raises(DataError, match=r"/nowhere\.png"):
        train_recipe(small(), Sets(drawn, broken, ()), tmp_path / "run", device="cpu", say=lambda _: None)
    assert (tmp_path / "run" / "last").is_dir()
    said = []
    run = train_recipe(small(), Sets(drawn, drawn, ()), tmp_path / "run", device="cpu", resume=True, say=said.append)
    assert "resumed from" in said[0] and "step 2" in said[0]
    assert json.loads((run.folder / "summary.json").read_text())["images_seen"] == 8


def tiny(**fields):
    return replace(RECIPES["topdown-dark-tiny"](FOUR, size=(96, 64)), **fields)


def test_the_network_of_the_initial_model_is_taken_over():
    recipe = tiny(init="body-crop-s")
    like, sentences = like_initial(recipe, ())
    assert (like.model.backbone.kind, like.model.neck.kind) == ("movenet", "movenet_fpn")
    assert like.train.backbone_lr_mult == 0.3
    assert like.size == recipe.size
    assert "--backbone NAME takes another" in sentences[0]
    lines = []
    initial_net(like, lines.append)
    assert not any("(there" in line and "backbone" in line for line in lines)


@pytest.mark.parametrize("kind", ["regression", "rle"])
def test_a_pooled_head_stays_without_a_neck(kind):
    recipe = replace(RECIPES[f"topdown-{kind}-tiny"](FOUR, size=(96, 64)), init="body-crop-s")
    like, sentences = like_initial(recipe, ())
    assert (like.model.backbone.kind, like.model.neck.kind) == ("movenet", "none")
    assert like.model.head == recipe.model.head and "neck none" in sentences[0]
    lines = []
    initial_net(like, lines.append)
    assert not any("(there" in line and "backbone" in line for line in lines)


@pytest.mark.parametrize(
    ("system", "neck"),
    [
        *(("centernet", "movenet_fpn"), ("ttfnet", "movenet_fpn"), ("dekr", "movenet_fpn")),
        *(("fcos", "fpn"), ("directpose", "fpn"), ("fcpose", "fpn")),
    ],
)
def test_a_system_for_full_images_keeps_its_own_head(system, neck):
    recipe = replace(RECIPES[f"{system}-tiny"](FOUR, size=(64, 96)), init="body-s")
    like, sentences = like_initial(recipe, ())
    assert (like.model.backbone.version, like.model.neck.kind) == ("multipose", neck)
    assert like.model.head.kind == ("dekr_branches" if system == "dekr" else recipe.model.head.kind)
    assert f"neck {neck}" in sentences[0]
    if system == "centernet":
        assert like.codec.offset_each and not recipe.codec.offset_each
    net = initial_net(like, lambda line: None).eval()
    with torch.no_grad():
        maps = net(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))
    assert {name: tuple(maps[name].shape[1:]) for name in like.codec.shapes} == dict(like.codec.shapes)


def test_dekr_from_branches_is_that_on_movenets_backbone_unless_its_codec_was_chosen():
    recipe = replace(RECIPES["dekr-tiny"](FOUR, size=(64, 96)), init="body-s")
    like, _ = like_initial(recipe, ())
    whole = RECIPES["dekr-tiny"](FOUR, size=(64, 96), backbone="movenet")
    assert (like.codec, like.losses, like.model.head) == (whole.codec, whole.losses, whole.model.head)
    like, _ = like_initial(recipe, ("codec.sigma",))
    assert (like.codec, like.losses, like.model.head) == (recipe.codec, recipe.losses, recipe.model.head)


def test_a_backbone_starts_from_a_model_by_name():
    recipe = RECIPES["topdown-simcc-tiny"](FOUR, size=(64, 96))
    named = replace(recipe, model=replace(recipe.model, backbone=replace(recipe.model.backbone, weights="body-crop-s")))
    like, sentences = like_initial(named, ())
    assert "backbone movenet of body-crop-s" in sentences[0]
    assert (like.model.neck, like.model.head) == (recipe.model.neck, recipe.model.head)
    net, source = initial_net(like, lambda line: None).state_dict(), load_weights("body-crop-s").net.state_dict()
    kept = [name for name in source if name.startswith("backbone.")]
    assert kept and all(torch.equal(net[name], source[name]) for name in kept)
    assert like_initial(named, ("backbone",)) == (named, [])
    # A backbone that was chosen, also by another of its fields, stays; then the weights do not fit.
    assert like_initial(named, ("model.backbone.weights", "model.backbone.width")) == (named, [])
    with pytest.raises(
        WeightsError, match=r"weights body-crop-s: its backbone is 'movenet', that of this run 'resnet'"
    ):
        initial_net(named, lambda line: None)


@pytest.mark.parametrize(
    ("weights", "hint"),
    [("body-crop-z", "did you mean 'body-crop-s'"), ("runs/gone", "known models: .*body-crop-s"), ("", "known models")],
)
def test_a_backbone_from_a_model_that_is_not_there(weights, hint):
    made = changed(RECIPES["topdown-simcc-tiny"](FOUR, size=(64, 96)), {"model.backbone.weights": weights})
    with pytest.raises(
        WeightsError, match=rf"--model\.backbone\.weights '{weights}': there is no such file, folder or model; .*{hint}"
    ):
        like_initial(made, ("model.backbone.weights",))


def of_people(**fields):
    return replace(RECIPES["topdown-dark-tiny"](SKELETONS["coco17"], size=(64, 64)), **fields)


def test_a_head_of_logits_comes_with_its_activation_and_losses(drawn):
    sets = Sets(*[upright(drawn)] * 2, ())
    recipe = of_people(init="body-crop-s", metric="oks")
    made, said = suited(recipe, sets)
    assert made.codec.activation == "sigmoid" and made.losses == {"qfl": made.losses["qfl"]}
    assert any("--codec.activation sigmoid and --loss qfl as there, in place of mse" in line for line in said)
    lines = []
    net, source = initial_net(made, lines.append).state_dict(), load_weights("body-crop-s").net.state_dict()
    assert all(torch.equal(net[name], source[name]) for name in source if name.startswith("head."))
    for given in ({"losses"}, {"codec.activation"}, {"losses.mse.weight"}, {"model.head.channels"}):
        assert suited(recipe, sets, given)[0].losses == recipe.losses, given
    for other in (replace(recipe, init_head=False), replace(recipe, init=None)):
        assert suited(other, sets)[0].losses == recipe.losses
    four = replace(tiny(init="body-crop-s"), metric="oks")
    assert suited(four, sets)[0].losses == four.losses, "no point in common"


def test_losses_on_other_outputs_stay(drawn):
    """The loss of the head's heatmaps comes from the initial model, that of the points' visibility from the recipe."""
    made, _ = suited(with_visibility(of_people(init="body-crop-s", metric="oks")), Sets(*[upright(drawn)] * 2, ()))
    assert list(made.losses) == ["qfl", "visibility"] and made.visibility


def test_a_head_of_logits_is_not_taken_for_a_map():
    like = like_initial(of_people(init="body-crop-s"), ())[0]
    lines = []
    net, source = initial_net(like, lines.append).state_dict(), load_weights("body-crop-s").net.state_dict()
    other = [name for name in source if name.startswith("head.") and not torch.equal(net[name], source[name])]
    assert sorted(name.rpartition(".")[2] for name in other) == ["bias", "weight"]
    assert any("starts anew, since it gives heatmaps with activation sigmoid there and none here" in s for s in lines)


@pytest.mark.parametrize(
    ("name", "init"), [("topdown-dark-tiny", "body-s"), ("topdown-simcc-tiny", "body-s"), ("dekr-tiny", "body-crop-s")]
)
def test_backbone_and_neck_are_shared_between_crops_and_full_images(name, init):
    recipe = replace(RECIPES[name](FOUR, size=(64, 96)), init=init)
    like, sentences = like_initial(recipe, ())
    assert (like.model.backbone.kind, like.model.neck.kind) == ("movenet", "movenet_fpn")
    assert like.model.head == recipe.model.head and "neck movenet_fpn" in sentences[0]
    lines = []
    initial_net(like, lines.append)
    kept = next(line for line in lines if "initial values kept" in line)
    assert "backbone" not in kept and "neck" not in kept


@pytest.mark.parametrize("given", [{"backbone"}, {"model.neck.channels"}])
def test_a_network_that_was_asked_for_stays(given):
    recipe = tiny(init="body-crop-s")
    assert like_initial(recipe, given) == (recipe, [])
    assert like_initial(tiny(), ()) == (tiny(), [])
