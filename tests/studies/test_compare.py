"""`posekit compare`: budget, halving, and a whole comparison of two small networks that can be interrupted."""

import json
import os
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from figures import FOUR, labelled_files

from posekit.cli.main import main
from posekit.data.source import Data
from posekit.data.synthetic import Synthetic
from posekit.engines.spec import InferenceSpec
from posekit.evaluation.sets import read_sets
from posekit.geometry.keypoints import Poses
from posekit.models.backbones.resnet import ResNet
from posekit.recipe import RecipeError, load
from posekit.recipes import RECIPES
from posekit.recipes.representations import REPRESENTATIONS
from posekit.studies.compare import budget, race, worker
from posekit.studies.compare import plan as plans
from posekit.studies.compare.budget import images_in, timed
from posekit.studies.compare.run import compare
from posekit.studies.compare.runners import OnRay, Processes, Step
from posekit.studies.compare.spoil import Spoiled


def test_every_representation_has_one_family():
    members = [name for family in plans.FAMILIES.values() for name in family]
    assert sorted(members) == sorted(name for name in REPRESENTATIONS if not name.endswith("3d"))
    assert set(plans.chosen(["all"])) == set(members)
    assert plans.chosen(["topdown-simcc-smoothed-tiny", "rle"]) == ("simcc_smoothed", "rle")
    assert plans.family_of("dark") == "heatmaps"
    with pytest.raises(RecipeError, match="'simc'"):
        plans.chosen(["simc", "rle"])
    with pytest.raises(RecipeError, match="named twice: rle rle"):
        plans.chosen(["rle", "rle"])
    with pytest.raises(RecipeError, match="at least two methods; got rle"):
        plans.chosen(["rle"])


@pytest.mark.parametrize(("text", "wanted"), [("30m", 30), ("2h", 120), ("1h30m", 90), ("90s", 1.5), ("0.5h", 30)])
def test_budgets_in_time(text, wanted):
    assert plans.minutes(text) == wanted


@pytest.mark.parametrize("text", ["30", "m", "", "0m", "half an hour"])
def test_budgets_that_are_no_time(text):
    with pytest.raises(ValueError, match="--budget is a time above 0 such as 30m"):
        plans.minutes(text)


def test_a_time_as_images():
    # 60 s, 10 of them for other things, 0.02 + 0.03 s for each image of both methods.
    assert plans.images_for(60, 1, [0.02, 0.03], 10) == 1000
    assert plans.images_for(60, 2, [0.02, 0.03], 10) == 2000
    with pytest.raises(ValueError, match=r"1 minutes leaves no time to train: measuring alone takes about 1.5 minutes"):
        plans.images_for(60, 1, [0.02], 90)


def test_a_plan_shows_each_image_at_least_four_times():
    few = plans.plan(("rle", "dark"), 1000, 93)
    assert (few.epochs, few.instances, few.images, few.rungs, few.batch) == (11, 93, 1023, (3, 6, 11), 8)
    many = plans.plan(("rle", "dark"), 1000, 9000)
    assert (many.epochs, many.instances, many.images, many.rungs) == (4, 250, 1000, (1, 2, 4))
    assert plans.plan(("rle", "dark"), 40_000, 9000).batch == 16
    assert few.families == {"heatmaps": ("dark",), "regression": ("rle",)}
    with pytest.raises(ValueError, match="a budget of 3 images is too small"):
        plans.plan(("rle", "dark"), 3, 10)


def test_a_folder_keeps_its_plan(tmp_path):
    made = plans.plan(("rle", "dark"), 1000, 93, seconds={"rle": 0.1})
    assert plans.kept(made, tmp_path) == made
    assert plans.kept(replace(made, seconds={"rle": 0.2}), tmp_path) == made
    with pytest.raises(ValueError, match=r"plan.json is of another comparison \(seed 0 there, 1 now\)"):
        plans.kept(replace(made, seed=1), tmp_path)


def test_only_what_is_significantly_worse_stops():
    random = np.random.default_rng(0)
    hard = random.gamma(2, 0.02, 60)
    each = {
        "best": hard * random.gamma(50, 1 / 50, 60),
        "equal": hard * random.gamma(50, 1.02 / 50, 60),
        "worse": hard * random.gamma(50, 1.3 / 50, 60),
        "worst": hard * random.gamma(50, 2 / 50, 60),
    }
    found = race.worse(each, 3)
    assert set(found) == {"worse", "worst"} and found["worst"].best == "best" and found["worst"].epoch == 3
    assert found["worst"].p < race.ALPHA / 3
    # At most half of a family stops at once, so one of two may, and one alone never.
    assert set(race.worse({name: each[name] for name in ("best", "worse", "worst")}, 3)) == {"worst"}
    assert set(race.worse({name: each[name] for name in ("best", "worst")}, 3)) == {"worst"}
    assert race.worse({"worst": each["worst"]}, 3) == {}
    # What is surely but hardly worse goes on, and so does everything that has not beaten the mean pose yet.
    close = {"best": hard, "close": 1.05 * hard}
    assert race.worse(close, 3) == {} and set(race.worse(close | {"close": 1.2 * hard}, 3)) == {"close"}
    assert race.worse(each, 3, guess=float(each["best"].mean())) == {}
    # Few instances prove nothing.
    assert race.worse({name: own[:5] for name, own in each.items()}, 3) == {}


def test_spoiled_crops_are_the_same_for_all_and_for_any_batches():
    class Seen:
        spec = InferenceSpec("x", FOUR, (32, 32))

        def __init__(self):
            self.crops = []

        def __call__(self, images):
            self.crops += list(images)
            zeros = np.zeros((len(images), 1, 4))
            return Poses(np.zeros((len(images), 1, 4, 2)), zeros, zeros[..., 0])

    crops = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)
    for how in ("occluded", "blurred"):
        together, apart = Seen(), Seen()
        Spoiled(together, how)(crops)
        engine = Spoiled(apart, how)
        engine(crops[:4]), engine(crops[4:])
        assert np.array_equal(together.crops, apart.crops)
        changed = (np.array(together.crops) != crops).any(-1).mean((1, 2))
        assert (changed > 0.05).all() and ((changed < 0.2).all() if how == "occluded" else True)
    assert np.array_equal(crops, np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8))


METHODS = ("dsnt", "regression")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    train = labelled_files(folder / "train", count=16, size=(40, 40))
    val = Synthetic(FOUR, count=12, size=(40, 40), seed=9).to_files(folder / "val")
    data = Data(train=(train,), val=(val,))
    return data, read_sets(data)


def recipes_of(data, methods=METHODS):
    made = {}
    for name in methods:
        recipe = RECIPES[f"topdown-{name}-tiny"](FOUR, size=(32, 32))
        made[name] = replace(recipe, data=data, model=replace(recipe.model, backbone=ResNet(18, 0.125)))
    return made


@pytest.fixture
def here(monkeypatch, fresh_engine):
    """Run the steps in this process; the list names those that were run."""
    steps = []

    def run_all(todo, out, runner, device, done):
        for name, words in todo.items():
            steps.append((name, words[0], *words[3:]))
            worker.main([*words, "--device", device])
            done(name)

    monkeypatch.setattr(race, "run_all", run_all)
    monkeypatch.setattr(worker, "cold_start", lambda *words: {"wall_s": 1.0, "cpu_s": 0.5, "peak_MB": 120.0})
    return steps


def test_a_whole_comparison(sets, here, tmp_path):
    data, both = sets
    said = []
    files = compare(recipes_of(data), both, tmp_path / "a", images=64, say=said.append)
    assert [name for name, step, *_ in here if step == "train"] == ["dsnt", "regression"] * 3
    assert [file.name for file in files] == ["compare.json", "compare.csv", "compare.html"]
    found = json.loads(files[0].read_text())
    assert set(found["ranking"]) == set(METHODS) and found["plan"]["images"] == 64
    one = found["methods"]["dsnt"]
    assert one["passes"] == 4 and list(one["mean error by images seen"]) == ["16", "32", "64"]
    assert set(one["loss by spoiling"]) == {"occluded", "blurred"}
    assert one["cost"]["head"]["macs"] < one["cost"]["total"]["macs"] and one["cost"]["ms"] > 0
    assert one["cost"]["bytes"] > 0 and one["cost"]["start"]["peak_MB"] > 0
    assert found["recommendation"]["take"] in METHODS
    assert said[-1].startswith("next: posekit train") and any("--seed 1" in line for line in said)
    page = files[2].read_text()
    assert page.count("<svg") == 3 and page.count("Hard image") == 6 and "Take " in page
    full = load(tmp_path / "a" / "recommended.json")
    assert full.train.epochs == 60 and full.train.eval_every == 1 and full.data == data
    # Nothing is repeated, and the same numbers come again.
    before = list(here)
    again = compare(recipes_of(data), both, tmp_path / "a", images=64, say=said.append)
    assert here == before and json.loads(again[0].read_text()) == found
    other = replace(recipes_of(data)["dsnt"], metric="epe")
    with pytest.raises(ValueError, match=r"recipe.json is of another comparison"):
        compare(recipes_of(data) | {"dsnt": other}, both, tmp_path / "a", images=64)


def test_the_same_seed_gives_the_same_ranking_and_a_kill_changes_nothing(sets, here, tmp_path):
    data, both = sets
    made = plans.plan(METHODS, 64, len(both.train))
    ends = {}
    for out in (tmp_path / "a", tmp_path / "b"):
        plans.kept(made, out)
        for name, recipe in recipes_of(data).items():
            plans.write_recipe(plans.trained_recipe(recipe, made), race.folder_of(out, name))
        if out.name == "b":
            # Killed after the training of a rung, before its predictions were written.
            worker.main(["train", str(race.folder_of(out, "dsnt")), "--until", "2", "--device", "cpu"])
            worker.rung_file(race.folder_of(out, "dsnt"), 2).unlink()
        ends[out.name] = race.race(made, out, both, Processes(), lambda line: None)
    assert ends["a"].curves["regression"] == ends["b"].curves["regression"]
    assert ends["a"].curves["dsnt"][4] == ends["b"].curves["dsnt"][4]
    last = [np.load(worker.rung_file(race.folder_of(tmp_path / out, "dsnt"), 4))["xy"] for out in ("a", "b")]
    assert np.array_equal(*last)


def test_a_part_of_the_training_set_is_the_same_for_all(sets, tmp_path):
    data, both = sets
    made = plans.plan(METHODS, 20, len(both.train), seed=3)
    assert made.instances == 5
    recipe = plans.trained_recipe(recipes_of(data)["dsnt"], made)
    one, other = worker.sets_of(recipe, made), worker.sets_of(recipe, made)
    assert len(one.train) == 5 and np.array_equal(one.train.annotation_id, other.train.annotation_id)
    assert len(one.val) == len(both.val)


def test_times_become_images(sets, monkeypatch):
    monkeypatch.setattr(budget, "process_start", lambda: 4.0)
    data, both = sets
    said = []
    seconds = timed(recipes_of(data), both, 4, "cpu", said.append)
    assert set(seconds) == set(METHODS) and all(value > 0 for value in seconds.values())
    assert said[0].startswith("a training image takes, in milliseconds: dsnt ")
    images = images_in(10, seconds, both, 1, said.append)
    assert images > 0 and f"the rest for {images:,} images by each of 2 methods" in said[1]


def test_a_run_that_fails_is_named(tmp_path, monkeypatch):
    def failing(words, *, stdout, **options):
        stdout.write("epoch 1\nMemoryError: no memory\n")
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr("posekit.studies.compare.runners.subprocess.run", failing)
    folder = race.folder_of(tmp_path, "rle")
    folder.mkdir(parents=True)
    with pytest.raises(RuntimeError, match=r"rle failed \(MemoryError: no memory\), see .*log.txt; the same command"):
        race.run_all({"rle": ["train", str(folder), "--until", "1"]}, tmp_path, Processes(), "cpu", print)


@pytest.mark.slow
def test_from_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    file = labelled_files(tmp_path / "data", count=40, size=(48, 48))
    words = ["compare", "--data", str(file), "--images", "72", "--methods", "rle", "dsnt", "--init", "none"]
    more = ["--size", "64", "64", "--out", str(tmp_path / "out"), "--jobs", "2"]
    assert main([*words, *more]) == 0
    out = capsys.readouterr().out
    assert (
        "each of 2 methods sees up to 72 images (4 passes, 18 of 36 instances)" in out and "next: posekit train" in out
    )
    found = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert found["data"]["validation instances"] == 4 and set(found["methods"]) == {"rle", "dsnt"}


LOST = -1
"""Status of a step whose machine is gone."""


class LostError(Exception):
    """What Ray raises for a task whose machine is gone."""


class FakeRay:
    """Ray's functions that are used, in this process; the last task is the first to be ready."""

    exceptions = SimpleNamespace(RayError=LostError)

    def __init__(self, resources):
        self.resources, self.asked = resources, []

    def is_initialized(self):
        return False

    def init(self, address, log_to_driver):
        if address == "lost:6379":
            raise ConnectionError("nobody listens")

    def cluster_resources(self):
        return self.resources

    def remote(self, function):
        return SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=lambda step: self._call(function, step)))

    def _call(self, function, step):
        self.asked.append(step.words)
        return (len(self.asked), function(step))

    def wait(self, waiting):
        return [waiting[-1]], waiting[:-1]

    def get(self, ready):
        if ready[1] == LOST:
            raise LostError("The worker died unexpectedly")
        return ready[1]


def test_steps_run_on_a_cluster(tmp_path, monkeypatch):
    ray, done = FakeRay({"CPU": 4.0}), []
    monkeypatch.setattr("posekit.studies.compare.runners.require", lambda module, what: ray)
    monkeypatch.setattr(
        "posekit.studies.compare.runners.carried_out", lambda step: int("rle" in step.words[1]), raising=True
    )
    runner = OnRay("auto", "cpu")
    steps = {name: Step(("train", name), tmp_path / name, tmp_path) for name in ("dark", "rle", "dsnt")}
    assert runner.jobs == 4 and runner.run(steps, done.append) == ["rle"]
    assert done == ["dsnt", "dark"] and len(ray.asked) == 3
    with pytest.raises(ValueError, match="the cluster has no GPU, which --device cuda asks for"):
        OnRay("auto", "cuda")
    with pytest.raises(ValueError, match=r"no cluster there .*start one by `ray start --head`, or use --ray local"):
        OnRay("lost:6379", "cpu")


def test_a_task_that_the_cluster_loses_has_failed_and_the_others_go_on(tmp_path, monkeypatch):
    ray, done = FakeRay({"CPU": 1.0}), []
    monkeypatch.setattr("posekit.studies.compare.runners.require", lambda module, what: ray)
    monkeypatch.setattr(
        "posekit.studies.compare.runners.carried_out", lambda step: LOST if "rle" in step.words else 0, raising=True
    )
    steps = {name: Step(("train", name), tmp_path / name, tmp_path) for name in ("dark", "rle", "dsnt")}
    assert OnRay("auto", "cpu").run(steps, done.append) == ["rle"] and done == ["dsnt", "dark"]
    assert (tmp_path / "rle").read_text() == "the task of Ray ended: The worker died unexpectedly\n"


@pytest.mark.parametrize("device", ["auto", "cuda:1", "mps"])
def test_devices_that_a_cluster_does_not_give(device):
    with pytest.raises(ValueError, match=f"expected --device cpu or cuda, got '{device}'"):
        OnRay("auto", device)


def test_paths_of_steps_are_relative_to_their_folder(tmp_path, monkeypatch):
    """A process on another machine starts elsewhere."""
    seen = []

    def started(words, *, cwd, stdout, **options):
        seen.append((words[-2:], cwd))
        stdout.write("wrong\n")
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr("posekit.studies.compare.runners.subprocess.run", started)
    step = Step(("train", "some-run"), tmp_path / "log.txt", tmp_path)
    assert Processes().run({"one": step}, print) == ["one"]
    assert seen == [(["train", "some-run"], tmp_path)] and (tmp_path / "log.txt").read_text() == "wrong\n"
