"""Visibility as an output: recipes, runs, weights, and what the model says in the end."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR, labelled_files

from posekit.api.evaluate import open_model
from posekit.api.train import recipe_for, train, train_recipe
from posekit.cli.main import main
from posekit.codecs.visibility import VISIBILITY, WithVisibility
from posekit.data.batch import collate
from posekit.data.errors import DataError
from posekit.data.synthetic import Synthetic
from posekit.engines.torch import TorchEngine, read_out
from posekit.evaluation.measure import VISIBLE, measure
from posekit.evaluation.sets import Sets
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.losses.classes import Bce
from posekit.losses.distillation import Okdhp, Teacher
from posekit.metrics.separation import roc_auc
from posekit.models.backbones.resnet import ResNet
from posekit.pipelines.chain import Chain
from posekit.pipelines.predictor import Predictor
from posekit.recipe import RecipeError, dump, parse
from posekit.recipes import RECIPES
from posekit.recipes.techniques import with_techniques
from posekit.recipes.visibility import WEIGHT, with_visibility
from posekit.training.distillation.wrap import wrap
from posekit.training.engine import optimizer_for
from posekit.training.initial import initial_net
from posekit.training.netaug import wrap as with_wider
from posekit.training.task import Task
from posekit.training.visibility import check_visibility
from posekit.zoo.weights import load_weights, save_weights

TINY = [name for name in RECIPES if name.startswith("topdown-") and name.endswith("-tiny")]


def recipe_of(kind="regression", skeleton=FOUR, *, plain=False, **fields):
    recipe = RECIPES[f"topdown-{kind}-tiny"](skeleton, size=(64, 64))
    recipe = replace(recipe, model=replace(recipe.model, backbone=ResNet(18, 0.125)), **fields)
    return recipe if plain else with_visibility(recipe)


@pytest.fixture(scope="module")
def drawn():
    """Twelve synthetic figures with seen and hidden points."""
    dataset = Synthetic(FOUR, count=12, size=(64, 64), seed=4).dataset()
    dataset.visibility[:, 0] = 1
    return dataset


def batch_of(recipe, dataset):
    return collate([recipe.augment.still(dataset.instance(i), size=recipe.size) for i in range(len(dataset))])


@pytest.mark.parametrize("name", TINY)
def test_every_top_down_recipe_trains_it(name, drawn):
    recipe = with_visibility(RECIPES[name](FOUR, size=(64, 64)))
    torch.manual_seed(0)
    task = Task(recipe, recipe.build())
    terms = task(batch_of(recipe, drawn))
    # Logits are close to 0 at first, and the cross-entropy close to log 2.
    assert terms[VISIBILITY].item() == pytest.approx(WEIGHT * np.log(2), rel=0.05)
    assert set(terms) - {VISIBILITY} == set(
        Task(RECIPES[name](FOUR, size=(64, 64)), recipe.build())(batch_of(recipe, drawn))
    )
    terms[VISIBILITY].backward()
    assert (task.net.logits.points[VISIBILITY].weight.grad != 0).any()
    assert any((p.grad != 0).any() for p in task.net.backbone.parameters() if p.grad is not None)


def test_without_it_a_recipe_is_as_it_was(drawn):
    plain, both = recipe_of("dark", plain=True), recipe_of("dark")
    assert VISIBILITY not in dump(plain)
    assert not plain.visibility
    assert plain.full_codec is plain.codec
    torch.manual_seed(0)
    net = plain.build()
    torch.manual_seed(0)
    other = both.build()
    own = other.state_dict()
    assert [name for name in own if name not in net.state_dict()] == [
        f"logits.points.{VISIBILITY}.weight",
        f"logits.points.{VISIBILITY}.bias",
    ]
    # The rest starts from the same values and gives the same maps.
    assert all(torch.equal(own[name], value) for name, value in net.state_dict().items())
    image = batch_of(plain, drawn).image
    assert torch.equal(net.eval()(image)["heatmap"], other.eval()(image)["heatmap"])


def test_the_recipe_holds_it_as_a_loss():
    recipe = recipe_of()
    assert recipe.losses[VISIBILITY] == Bce(weight=WEIGHT, of=VISIBILITY)
    assert isinstance(recipe.full_codec, WithVisibility)
    assert parse(dump(recipe), "here") == recipe
    assert with_visibility(recipe) is recipe
    assert recipe_for(recipe, FOUR, visibility=True) is recipe


def test_models_of_full_images_refuse_it():
    with pytest.raises(RecipeError, match="models of full images do not tell seen from hidden points"):
        with_visibility(RECIPES["fcos-tiny"](FOUR))


def test_a_loss_of_that_name_is_not_replaced():
    recipe = recipe_of(plain=True)
    recipe = replace(recipe, losses={VISIBILITY: recipe.losses["l1"]})
    with pytest.raises(RecipeError, match="has a loss named 'visibility' of another output"):
        with_visibility(recipe)


def test_okdhp_refuses_it():
    with pytest.raises(ValueError, match="visibility is not a map"):
        replace(recipe_of("dark"), distill=Okdhp())


def test_another_loss_of_the_locations_leaves_it():
    recipe = with_techniques(recipe_of("dark"), "qfl")
    assert list(recipe.losses) == ["qfl", VISIBILITY]
    assert recipe.codec.activation == "sigmoid"


def test_unlabelled_points_have_no_gradient(drawn):
    recipe = recipe_of()
    batch = batch_of(recipe, drawn)
    batch.instances.keypoints.visibility[..., 2] = 0
    net = recipe.build()
    Task(recipe, net)(batch)[VISIBILITY].backward()
    layer = net.logits.points[VISIBILITY]
    assert (layer.bias.grad != 0).tolist() == [True, True, False, True]
    assert (layer.weight.grad[2] == 0).all()


@torch.no_grad()
def test_the_flip_test_averages_mirror_points(drawn):
    recipe = recipe_of("simcc")
    torch.manual_seed(0)
    net, codec, image = recipe.build().eval(), recipe.full_codec, batch_of(recipe, drawn).image
    net.logits.points[VISIBILITY].weight.mul_(1e3)
    here, there = net(image)[VISIBILITY], net(image.flip(-1))[VISIBILITY][:, list(FOUR.flip)]
    poses = read_out(net, codec, image, FOUR.flip)
    torch.testing.assert_close(poses.visible[:, 0], ((here + there) / 2).sigmoid())
    turned = read_out(net, codec, image.flip(-1), FOUR.flip)
    torch.testing.assert_close(turned.visible[..., list(FOUR.flip)], poses.visible)


def test_weights_are_saved_and_loaded(tmp_path, drawn):
    recipe = recipe_of()
    net = recipe.build().eval()
    save_weights(tmp_path / "run", net, recipe, {"epe": 1.0})
    weights = load_weights(tmp_path / "run")
    image = batch_of(recipe, drawn).image
    assert torch.equal(weights.net(image)[VISIBILITY], net(image)[VISIBILITY])
    predictor = open_model(tmp_path / "run", device="cpu", decode=["outside=ignore"])
    (poses,) = predictor([np.zeros((80, 60, 3), np.uint8)], [np.array([[5, 5, 50, 70], [0, 0, 30, 30.0]])])
    assert poses.visible.shape == (2, 4)
    assert ((poses.visible > 0) & (poses.visible < 1)).all()


def test_a_run_may_start_from_a_model_without_it(tmp_path):
    plain = recipe_of(plain=True)
    torch.manual_seed(1)
    save_weights(tmp_path / "run", plain.build(), plain, {})
    lines = []
    net = initial_net(recipe_of(init=str(tmp_path / "run")), lines.append).state_dict()
    before = load_weights(tmp_path / "run").net.state_dict()
    assert all(torch.equal(net[name], value) for name, value in before.items())
    assert lines[-1].startswith(f"not loaded, initial values kept: logits.points.{VISIBILITY}.weight")


def test_a_run_without_it_may_start_from_a_model_with_it(tmp_path):
    recipe = recipe_of()
    torch.manual_seed(1)
    save_weights(tmp_path / "run", recipe.build(), recipe, {})
    lines = []
    net = initial_net(recipe_of(plain=True, init=str(tmp_path / "run")), lines.append).state_dict()
    before = load_weights(tmp_path / "run").net.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in net.items())
    assert lines[-1].startswith(f"in the file but not used: logits.points.{VISIBILITY}.weight")


def test_points_of_the_same_name_start_from_each_other(tmp_path):
    recipe = recipe_of()
    torch.manual_seed(1)
    save_weights(tmp_path / "run", recipe.build(), recipe, {})
    three = Skeleton(
        "turned", ("end", "right_grip", "screw", "left_grip", "cap"), mirror=(("left_grip", "right_grip"),)
    )
    net = initial_net(recipe_of(skeleton=three, init=str(tmp_path / "run")), lambda line: None)
    before = load_weights(tmp_path / "run").net.logits.points[VISIBILITY].weight
    now = net.logits.points[VISIBILITY].weight
    for name in ("end", "right_grip", "left_grip"):
        assert torch.equal(now[three.index([name])[0]], before[FOUR.index([name])[0]])


def test_a_teacher_says_nothing_about_it(tmp_path, drawn):
    plain = recipe_of(plain=True)
    save_weights(tmp_path / "run", plain.build(), plain, {})
    config = Teacher(str(tmp_path / "run"), points=1.0, maps=0.0, features=0.5)
    recipe = recipe_of()
    task = wrap(Task(recipe, recipe.build()), recipe, config, drawn, steps=4)
    terms = task(batch_of(recipe, drawn))
    assert terms[f"teacher.{VISIBILITY}"].item() == 0
    assert terms[VISIBILITY].item() > 0
    assert terms["teacher.features"].item() > 0


def test_a_wider_backbone_learns_it_too(drawn):
    recipe = with_techniques(with_visibility(RECIPES["topdown-dark-tiny"](FOUR, size=(64, 64))), "netaug")
    task = with_wider(Task(recipe, recipe.build()), recipe.netaug, 4).train()
    terms = task(batch_of(recipe, drawn))
    assert terms[f"augmented.{VISIBILITY}"].item() > 0


def test_one_kind_of_labels_teaches_nothing(drawn):
    recipe, said = recipe_of(), ("one",)
    labelled = int((drawn.visibility > 0).sum())
    for state, missing in ((2, "hidden"), (1, "seen")):
        alone = replace(drawn, visibility=np.where(drawn.visibility > 0, state, 0).astype(np.int8))
        with pytest.raises(DataError, match=f"synthetic people of .*of {labelled} labelled points none is {missing}: "):
            check_visibility(recipe, Sets(alone, drawn, said))
        (warning,) = check_visibility(recipe, Sets(drawn, alone, said))
        assert warning.startswith(f"warning: of {labelled} labelled points in the validation data none is {missing}")
        assert check_visibility(recipe_of(plain=True), Sets(alone, alone, said)) == ()
    assert check_visibility(recipe, Sets(drawn, drawn, said)) == ()


def test_such_a_run_leaves_no_folder(tmp_path, drawn):
    seen = replace(drawn, visibility=np.full_like(drawn.visibility, 2))
    with pytest.raises(DataError, match="label both, or leave out --visibility"):
        train_recipe(recipe_of(), Sets(seen, seen, ()), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_measured_over_labelled_points(drawn):
    recipe = recipe_of()
    torch.manual_seed(0)
    predictor = Predictor(TorchEngine(recipe.build(), recipe.full_codec, recipe.spec()))
    measured = measure(predictor, drawn)
    boxes = [drawn.boxes[drawn.rows_of_image(i)] for i in range(len(drawn.images))]
    poses = predictor([record.read() for record in drawn.images], boxes)
    visible, state = np.concatenate([p.visible for p in poses]), drawn.visibility
    seen, known = (state == 2).ravel()[:, None], (state > 0).ravel()[:, None]
    assert measured.figures[VISIBLE] == roc_auc(visible.ravel()[:, None], seen, known)[0]
    assert np.isnan(measured.per_point[VISIBLE][0])  # always hidden
    plain = recipe_of(plain=True)
    other = measure(Predictor(TorchEngine(plain.build(), plain.full_codec, plain.spec())), drawn)
    assert VISIBLE not in other.figures
    assert VISIBLE not in other.per_point


class Finder:
    """Finds every second figure of a set; in the other images nobody."""

    needs_boxes, name, skeleton, instance_threshold = False, "finder", FOUR, 0.0

    def __init__(self, dataset):
        self.dataset = dataset

    def stream(self, images, boxes=None):
        for number, _ in enumerate(images):
            rows = self.dataset.rows_of_image(number)[: 1 - number % 2]
            xy, score = self.dataset.xy[rows], np.ones((len(rows), 4))
            yield Poses(xy, score, score.mean(-1), boxes=self.dataset.boxes[rows])


def test_measured_over_instances_that_were_found(drawn):
    recipe = recipe_of()
    torch.manual_seed(0)
    pose = Predictor(TorchEngine(recipe.build(), recipe.full_codec, recipe.spec()))
    chain = Chain(Finder(drawn), pose)
    found = [p for p in chain.stream(record.read() for record in drawn.images) if len(p)]
    visible, state = np.concatenate([p.visible for p in found]), drawn.visibility[::2]
    assert len(visible) == len(state) == 6
    expected = roc_auc(visible, state == 2, state > 0)
    measured = measure(chain, drawn)
    np.testing.assert_array_equal(measured.per_point[VISIBLE], expected)
    assert measured.figures[VISIBLE] == roc_auc(*(a.reshape(-1, 1) for a in (visible, state == 2, state > 0)))[0]


def corners(count, seed):
    """Crops with a bright or a dark square at each of four points; under the dark ones the points are hidden."""
    random = np.random.default_rng(seed)
    seen = random.random((count, 4)) < 0.6
    image = random.integers(90, 110, (count, 64, 64, 3), dtype=np.uint8)
    for k, (x, y) in enumerate(((32, 12), (12, 32), (52, 32), (32, 52))):
        image[:, y - 8 : y + 8, x - 8 : x + 8] = np.where(seen[:, k], 230, 20)[:, None, None, None]
    return image, seen


def test_it_learns_what_can_be_seen():
    recipe = recipe_of("dark")
    torch.manual_seed(0)
    task = Task(recipe, recipe.build()).train()
    optimizer = optimizer_for(task, replace(recipe.train, lr=3e-3))
    dataset = Synthetic(FOUR, count=16, size=(64, 64), outside=0.0).dataset()
    batch = batch_of(recipe, dataset)
    place = torch.tensor([(32.0, 12.0), (12.0, 32.0), (52.0, 32.0), (32.0, 52.0)]).expand(16, 1, 4, 2)
    for step in range(30):
        image, seen = corners(16, seed=step)
        points = replace(batch.instances.keypoints, xy=place, visibility=torch.from_numpy(1 + seen)[:, None])
        shown = replace(
            batch,
            image=torch.from_numpy(image).permute(0, 3, 1, 2),
            instances=replace(batch.instances, keypoints=points),
        )
        torch.stack(list(task(shown).values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    image, seen = corners(64, seed=1000)
    visible = TorchEngine(task.net, recipe.full_codec, recipe.spec())(image).visible[:, 0]
    assert (roc_auc(visible, seen, np.ones_like(seen)) > 0.95).all()


def test_from_python(tmp_path, drawn):
    file = labelled_files(tmp_path / "data", count=20)
    content = json.loads(file.read_text())
    content["annotations"][0]["keypoints"][2] = 1
    file.write_text(json.dumps(content))
    options = {"train.epochs": 1, "train.tensorboard": False}
    run = train(
        "topdown-regression-tiny", file, out=tmp_path / "run", size=32, visibility=True, options=options, device="cpu"
    )
    assert run.recipe.visibility
    assert VISIBLE in run.measured.figures
    with pytest.raises(RecipeError, match="models of full images do not tell seen from hidden points"):
        train("fcos-tiny", file, visibility=True)


def test_from_the_command_line_to_the_tables(tmp_path, capsys):
    file = labelled_files(tmp_path / "data", count=24)
    content = json.loads(file.read_text())
    for annotation in content["annotations"]:
        annotation["keypoints"][2] = min(annotation["keypoints"][2], 1)
    file.write_text(json.dumps(content))
    run = tmp_path / "run"
    words = ["train", "topdown-regression-tiny", "--data.train", str(file), "--size", "32", "--out", str(run)]
    words += ["--visibility", "--losses.visibility.weight", "0.2", "--train.epochs", "1", "--device", "cpu"]
    assert main(words) == 0
    assert json.loads((run / "recipe.json").read_text())["losses"][VISIBILITY]["weight"] == 0.2
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"loss/visibility", f"val/{VISIBLE}"} <= set(header)
    assert VISIBLE in (run / "report.html").read_text()
    capsys.readouterr()
    out = tmp_path / "figures.json"
    assert main(["eval", "--model", str(run), "--data", str(file), "--json", str(out)]) == 0
    assert capsys.readouterr().out.count(VISIBLE) == 2  # among the figures, and a column of the points
    assert 0 <= json.loads(out.read_text())["figures"][VISIBLE] <= 1
    photo = next((tmp_path / "data" / "images").glob("*.png"))
    table = tmp_path / "points.csv"
    folder = tmp_path / "found"
    assert main(["predict", str(photo), "--model", str(run), "--csv", str(table), "--out", str(folder)]) == 0
    with table.open() as rows:
        values = [float(row["visible"]) for row in csv.DictReader(rows)]
    assert len(values) == 4
    (entry,) = json.loads(next(folder.glob("*.json")).read_text())
    assert entry["visible"] == pytest.approx(values, abs=1e-4)
