"""A whole run from sets to a folder, the verdict on a set-up, and what a person is shown."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from figures import FOUR, labelled_files
from rich.console import Console

from posekit.data.source import Data
from posekit.data.synthetic import Synthetic
from posekit.evaluation.measure import compared
from posekit.evaluation.report import write_run_report
from posekit.evaluation.sets import Sets, read_sets
from posekit.evaluation.tables import figures_table, points_table
from posekit.geometry.skeleton import Skeleton
from posekit.training import display as watching
from posekit.training import overfit as overfitting
from posekit.training.display import Display
from posekit.training.distributed import main_process, world
from posekit.training.overfit import overfit, overfit_recipe
from posekit.training.progress import Progress
from posekit.training.run import compared_line, train
from posekit.zoo.load import load


def shown(table):
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


@pytest.fixture
def sets(drawn):
    return Sets(drawn, drawn, ("eight figures, measured on what was learned",))


def measured_off(recipe, dataset, pixels):
    rows = dataset.rows
    return compared(dataset.xy[rows] + np.array([pixels, 0.0]), np.ones((len(rows), 4)), dataset, spec=recipe.spec())


def test_a_run_writes_its_folder(small, tmp_path):
    file = labelled_files(tmp_path / "data", count=12)
    folder, said = tmp_path / "run", []
    folder.mkdir()
    sets = read_sets(Data(train=(file,)))
    best = train(small(epochs=2, tensorboard=True), folder, sets, device="cpu", say=said.append)
    names = {path.name for path in folder.iterdir()}
    assert names == {"best", "last", "metrics.csv", "report.html", "summary.json", "tensorboard"}
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["figures"][summary["main"]] == pytest.approx(best.value)
    assert set(summary["baselines"]) == {"mean pose", "untrained"}
    assert summary["images_seen"] == 2 * len(sets.train)
    assert said[0].startswith("11 instances to learn from, 1 to measure on, cpu, into")
    assert said[-3].startswith(f"best {best.main} {best.value:.4g} at epoch ")
    assert "(higher is better; mean pose " in said[-3]
    assert str(folder / "best") in said[-2]
    assert said[-1].startswith(f"next: posekit predict PHOTO --model {folder}")
    sample = sets.val.instance(0)
    poses = load(folder)([sample.image], [sample.instances.boxes])[0]
    np.testing.assert_allclose(poses.xy, best.xy, atol=1e-3)
    assert list((folder / "tensorboard").glob("events.*"))


def test_the_last_line_names_the_epoch_and_what_decided_between_equal_ones(drawn):
    best = compared(drawn.xy[drawn.rows] + 0.5, np.ones((8, 4)), drawn, "pck@0.2")
    rows = [{"epoch": n + 1, "val/pck@0.2": value} for n, value in enumerate([0.5, 1.0, 1.0])]
    beside = {"mean pose": {"pck@0.2": 0.71}, "untrained": {"AP": 0.0}}
    said = f"best pck@0.2 1 at epoch 3, the lowest nme_box ({best.tie:.4g}) of 2 epochs with this value "
    assert compared_line(best, beside, 3, rows) == said + "(higher is better; mean pose 0.71)"
    assert compared_line(best, beside, 2, rows[:2]) == "best pck@0.2 1 at epoch 2 (higher is better; mean pose 0.71)"


def test_a_run_without_a_checkpoint_says_so_and_a_finished_one_still_reports(small, tmp_path, sets):
    folder, said = tmp_path / "run", []
    folder.mkdir()
    train(small(), folder, sets, device="cpu", resume=True, say=said.append)
    assert said[0] == f"no checkpoint in {folder}; starting from the beginning"
    before = (folder / "metrics.csv").read_bytes()
    said.clear()
    assert train(small(), folder, sets, device="cpu", resume=True, say=said.append) is not None
    assert said[0] == "already finished, after epoch 1 of 1"
    assert (folder / "metrics.csv").read_bytes() == before


def test_the_report_is_one_file_that_fetches_nothing(small, sets, tmp_path):
    recipe = small()
    progress = Progress(seen=48)
    progress.close_epoch({"epoch": 1, "images": 24, "lr": 0.1, "loss/l1": 2.0, "val/epe": 5.0})
    progress.close_epoch({"epoch": 2, "images": 48, "lr": 0.1, "loss/l1": 1.0, "val/epe": 4.0})
    measured = measured_off(recipe, sets.val, 2.0)
    path = write_run_report(
        tmp_path, recipe.spec(), sets, measured, {"mean pose": measured.figures}, progress.rows, {"network": "resnet"}
    )
    page = path.read_text(encoding="utf-8")
    for words in (*FOUR.points, *sets.said, "mean pose", "topdown-regression-tiny", "Worst predictions", "48"):
        assert words in page
    assert not re.search(r"<script|src=[\"'](?!data:)|<link|@import|url\((?!data:)", page)
    assert page.count("data:image/") == 16
    assert "what it means" in page and "mean error in pixels of the image; lower is better" in page
    assert page.count("White ring: label") == 2
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["figures"]["epe"] == pytest.approx(2.0)


def test_the_worst_prediction_is_told_by_its_error(small, sets, tmp_path):
    recipe = small()
    measured = measured_off(recipe, sets.val, 0.0)
    error = np.linspace(0.5, 0.1, 8)
    error[3] = np.nan
    measured = replace(measured, instance_error=error)
    page = write_run_report(tmp_path, recipe.spec(), sets, measured, {}, [], {}).read_text(encoding="utf-8")
    best, worst = (page.index(f"{part} predictions") for part in ("Best", "Worst"))
    assert page.index("drawn_1_000007.png: 0.100") - best < page.index("drawn_1_000000.png: 0.500") - best
    assert "drawn_1_000000.png: 0.500" in page[worst : worst + page[worst:].index("drawn_1_000007.png")]
    assert "drawn_1_000003.png" not in page


def test_tables_show_every_figure_and_every_point(small, drawn):
    marked = replace(FOUR, points=("[tip]", *FOUR.points[1:]), bones=(), sigmas={"end": 0.079})
    measured = measured_off(small(), drawn, 1.0)
    figures = shown(figures_table(measured)).splitlines()
    assert measured.main in figures[3]
    assert all(any(name in line for line in figures) for name in measured.figures)
    points = shown(points_table(measured, marked))
    for words in ("[tip]", "left_grip", "0.05 (default)", "0.079", "labelled"):
        assert words in points


def test_what_hinders_overfitting_is_turned_off(small):
    recipe = overfit_recipe(small(ema=0.9, weight_decay=0.1, accumulate=3, patience=2), 5)
    train = recipe.train
    assert (train.batch, train.ema, train.weight_decay, train.accumulate, train.patience) == (5, 0, 0, 1, 0)
    assert recipe.augment.geometry.rotation == 0
    assert recipe.name.endswith("-overfit")


@pytest.mark.parametrize(
    ("lr", "status", "words"),
    [
        (0.02, 0, r"3 samples, (50|100|150|200|250|300|350) steps: this set-up can learn"),
        (1e-9, 1, "does NOT learn these samples; look at the labels .posekit data check., then try a lower"),
        (4e-4, 1, "does NOT learn .*then try more steps or a higher --train.lr"),
    ],
)
def test_the_verdict_goes_both_ways(small, drawn, tmp_path, monkeypatch, lr, status, words):
    if lr == 4e-4:
        monkeypatch.setattr(overfitting, "NEAR_ZERO", 1e-6)
    said = []
    assert overfit(small(lr=lr), tmp_path, drawn, 3, "cpu", said.append) == status
    assert re.search(words, said[-1]), said


def test_fewer_samples_than_asked_are_told(small, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(overfitting, "ROUNDS", 1)
    monkeypatch.setattr(overfitting, "STEPS", 2)
    said = []
    overfit(small(), tmp_path, drawn, 99, "cpu", said.append)
    assert said[0] == "there are only 8 samples; using all of them"
    assert said[1] == "overfitting 8 samples without augmentation, up to 2 steps"
    assert re.fullmatch(r"  step 2: median error \d+\.\d\d px", said[2])


def test_overfitting_shows_no_epochs(small, drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(overfitting, "ROUNDS", 1)
    monkeypatch.setattr(overfitting, "STEPS", 2)
    overfit(small(), tmp_path, drawn, 4, "cpu", lambda _: None)
    out, err = capsys.readouterr()
    assert out + err == ""


def test_an_epoch_without_steps_since_a_resume_has_no_speed(small, tmp_path, capsys):
    progress = Progress(epoch=1, seen=4)
    watch = Display(tmp_path, small(tensorboard=False).train, enabled=True)
    with watch.following(4, progress):
        watch.epoch_closed({"epoch": 2, "images": 4, "val/pck@0.2": 0.5})
        watch.epoch_closed({"epoch": 3, "images": 9, "val/pck@0.2": 0.5})
    first, second = capsys.readouterr().err.splitlines()
    assert "images/s" not in first and "images/s" in second


def test_watching_shows_the_figures_and_changes_nothing(small, tmp_path, capsys):
    progress = Progress()
    watch = Display(tmp_path, small(tensorboard=False).train, enabled=True)
    with watch.following(4, progress):
        progress.add({"l1": 1.0}, 4)
        watch.stepped(progress, [1.0])
        watch.epoch_closed({"epoch": 1, "images": 4, "loss/l1": 1.0, "val/pck@0.2": 0.5})
    told = capsys.readouterr().err
    assert "epoch 1/1  loss/l1 1  pck@0.2 0.5" in told
    assert not list(tmp_path.iterdir())
    assert vars(progress)["step"] == 1


def test_where_the_output_is_no_terminal_a_line_comes_now_and_then(small, tmp_path, capsys, monkeypatch):
    clock = iter(np.arange(0.0, 1000.0, 10.0))
    monkeypatch.setattr(watching.time, "monotonic", lambda: float(next(clock)))
    progress = Progress()
    watch = Display(tmp_path, small(tensorboard=False, epochs=2).train, enabled=True)
    with watch.following(16, progress):
        for _ in range(8):
            progress.add({"l1": 1.0}, 4)
            watch.stepped(progress, [1.0, 0.5])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1/2  step 1/8  loss 1.5  ")
    assert lines[1].startswith("epoch 1/2  step 4/8")
    assert "images/s" in lines[1] and "to the end of the epoch, " in lines[1] and lines[1].endswith(" of the run")


def test_figures_that_are_no_numbers_are_not_logged(small, tmp_path, recwarn):
    watch = Display(tmp_path, small(tensorboard=True).train, enabled=True)
    with watch.following(4, Progress()):
        watch.epoch_closed({"epoch": 1, "images": 4, "loss/l1": 1.0, "val/oks": float("nan")})
    assert not recwarn.list


def test_other_processes_are_silent(small, tmp_path, capsys):
    watch = Display(tmp_path, small(tensorboard=True).train, enabled=False)
    with watch.following(4, Progress()):
        watch.stepped(Progress(), [1.0])
    assert capsys.readouterr().err == ""
    assert not list(tmp_path.iterdir())


def test_the_launcher_says_which_process_this_is(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    assert (world(), main_process()) == (1, True)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "2")
    assert (world(), main_process()) == (4, False)


def test_points_without_a_mirror_train_too(small, tmp_path):
    lone = Skeleton(name="lone", points=("a", "b", "c"), symmetry="none")
    dataset = Synthetic(lone, count=4, size=(48, 40)).dataset()
    from posekit.recipes import RECIPES

    recipe = replace(RECIPES["topdown-regression-tiny"](lone, size=(64, 48)), train=small(flip_test=True).train)
    folder = tmp_path / "run"
    folder.mkdir()
    assert train(recipe, folder, Sets(dataset, dataset, ()), device="cpu", say=lambda _: None) is not None
