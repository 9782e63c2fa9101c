"""Results of libraries: what each lacks is told, and all are compared on what all of them have."""

import json

import numpy as np
import pytest
from test_walls import torch_at_load

from posekit.cli.main import main
from posekit.data.coco import read_coco, write_coco, write_results
from posekit.data.errors import DataError
from posekit.data.source import Data
from posekit.data.synthetic import Synthetic
from posekit.evaluation.results import precisions, read_results, shared
from posekit.evaluation.sets import read_set
from posekit.geometry.keypoints import Poses
from posekit.metrics.coco_ap import coco_ap
from posekit.skeletons import SKELETONS

IMAGES = 12
COCO = SKELETONS["coco17"]


@pytest.fixture
def labels(tmp_path):
    return write_coco(
        Synthetic(COCO, count=IMAGES, size=(96, 96), people=2, seed=5).dataset(), tmp_path / "labels.json"
    )


def results(labels, file, spread=1.0, seed=0, images=range(IMAGES), first_only=False):
    """A file of results: the labels with noise; in some images, or for the first instance of each."""
    dataset = read_coco(labels)
    random = np.random.default_rng(seed)
    poses, ids = [], []
    for index in images:
        rows = dataset.rows_of_image(index)[: 1 if first_only else None]
        xy = dataset.xy[rows] + random.normal(0, spread, (len(rows), 17, 2))
        score = random.uniform(0.3, 0.9, (len(rows), 17))
        poses.append(Poses(xy, score, score.mean(1)))
        ids.append(dataset.images[index].id)
    return write_results(poses, ids, file)


def test_what_each_lacks_is_told(labels, tmp_path):
    dataset = read_set(Data(), [labels], "val")
    a = read_results(results(labels, tmp_path / "a.json", images=range(2, IMAGES)), dataset, "a")
    b = read_results(results(labels, tmp_path / "b.json", first_only=True), dataset, "b")
    on = shared(dataset, [a, b])
    assert on.images.tolist() == list(range(2, IMAGES))
    count = np.bincount(dataset.image_of_instance(), minlength=IMAGES)
    lost = int(count[:2].sum())
    assert len(on.common) == len(on.instances) == IMAGES - 2 and len(on.scenes) == len(dataset) - lost
    assert on.said[0] == f"a: 2 of 12 images without a pose; {lost} of {len(dataset)} labelled instances without one"
    assert on.said[1] == f"b: {len(dataset) - IMAGES} of {len(dataset)} labelled instances without one"
    every = shared(dataset, [a, b], every=True)
    assert len(every.images) == IMAGES and len(every.common) == IMAGES - 2
    # An image without a pose has missed all its instances.
    few, all_ = (
        precisions(a, one.scenes, one.images)["AP"](np.ones((1, len(one.images))))[0, 0] for one in (on, every)
    )
    assert all_ < few
    full = shared(dataset, [read_results(results(labels, tmp_path / "c.json"), dataset, "c")])
    assert full.said == ("c: has a pose for every labelled instance",)


def test_ap_is_that_of_coco(labels, tmp_path):
    dataset = read_set(Data(), [labels], "val")
    file = results(labels, tmp_path / "a.json", spread=3.0)
    one = read_results(file, dataset, "a")
    on = shared(dataset, [one])
    found = {name: part(np.ones((1, IMAGES)))[0, 0] for name, part in precisions(one, on.scenes, on.images).items()}
    wanted = coco_ap(json.loads(labels.read_text()), json.loads(file.read_text()), COCO.oks_sigmas)
    assert 0.05 < found["AP"] < 0.95
    assert found == pytest.approx({name: wanted[name] for name in found}, abs=1e-6)


def test_points_that_one_lacks_count_for_none(labels, tmp_path):
    dataset = read_set(Data(), [labels], "val")
    plain = read_results(results(labels, tmp_path / "a.json"), dataset, "a")
    content = json.loads((tmp_path / "a.json").read_text())
    # The same poses under the 14 points of LSP, of which twelve have COCO's names.
    names = SKELETONS["lsp14"].points
    for entry in content:
        points = dict(zip(COCO.points, np.reshape(entry["keypoints"], (-1, 3)).tolist(), strict=True))
        entry["keypoints"] = [v for name in names for v in points.get(name, (1.0, 1.0, 0.5))]
    (tmp_path / "b.json").write_text(json.dumps(content))
    other = read_results(tmp_path / "b.json", dataset, "b", skeleton="lsp14")
    on = shared(dataset, [plain, other])
    assert "no nose, left_eye, right_eye, left_ear, right_ear" in on.said[1]
    there = (on.common.visibility > 0).any(0)
    assert [name for name, seen in zip(COCO.points, there, strict=True) if seen] == [
        n for n in COCO.points if n in names
    ]
    values = [precisions(one, on.scenes, on.images)["AP"](np.ones((1, IMAGES)))[0, 0] for one in (plain, other)]
    assert values[0] == pytest.approx(values[1], abs=1e-6)


def test_from_the_command_line(labels, tmp_path, capsys):
    a = results(labels, tmp_path / "fine.json", spread=0.6, seed=1)
    b = results(labels, tmp_path / "rough.json", spread=4.0, seed=2, images=range(1, IMAGES))
    out = tmp_path / "out"
    words = ["compare", "--results", str(b), str(a), "--data", str(labels), "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "rough: 1 of 12 images without a pose" in said and "Take fine: it is the most accurate (AP " in said
    found = json.loads((out / "compare.json").read_text())
    assert found["ranking"] == ["fine", "rough"] and found["data"]["compared images"] == IMAGES - 1
    ap = found["methods"]["fine"]["metrics"]["AP"]
    assert ap["low"] <= ap["value"] <= ap["high"] and found["methods"]["rough"]["found"]["value"] == 1.0
    (pair,) = found["pairs"]
    assert pair["differences"]["AP"]["low"] > 0 and pair["p"] < 1e-3
    page = (out / "compare.html").read_text()
    assert page.count("<svg") == 1 and "Take fine" in page and "http" not in page.replace("http://www.w3.org", "")
    assert (out / "compare.csv").read_text().startswith("method,AP,AP low,AP high")
    first = (out / "compare.json").read_text()
    assert main([*words, "--names", "x", "y"]) == 0
    assert main(words) == 0 and (out / "compare.json").read_text() == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--results", "a.json"], "at least two files of results; got 1"),
        (["--results", "a.json", "a.json"], "results need different names; got"),
        (["--results", "a.json", "b.json", "--names", "x"], "--names names 1 results, --results 2"),
        (["--results", "a.json", "b.json", "--methods", "dark"], "leave out --methods"),
        (["--results", "a.json", "b.json", "--on", "some"], "--on is shared or all; got 'some'"),
        (["--names", "x"], "--names and --on belong to --results"),
        (["--budget", "3m", "--images", "5"], "give one of them"),
    ],
)
def test_wrong_words(labels, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    results(labels, tmp_path / "a.json")
    results(labels, tmp_path / "b.json")
    assert main(["compare", "--data", str(labels), *words]) == 1
    assert said in capsys.readouterr().err


def test_nothing_in_common(labels, tmp_path):
    dataset = read_set(Data(), [labels], "val")
    a = read_results(results(labels, tmp_path / "a.json", images=range(4)), dataset, "a")
    b = read_results(results(labels, tmp_path / "b.json", images=range(4, IMAGES)), dataset, "b")
    with pytest.raises(DataError, match=r"a.json, .*b.json: have no labelled instance of .* in common"):
        shared(dataset, [a, b])


def test_scores_of_poses_are_read(labels, tmp_path):
    file = results(labels, tmp_path / "a.json")
    content = json.loads(file.read_text())
    content[0]["score"] = "high"
    file.write_text(json.dumps(content))
    dataset = read_set(Data(), [labels], "val")
    with pytest.raises(DataError, match="have no number as 'score'"):
        read_results(file, dataset, "a")


def test_results_are_compared_without_torch():
    assert torch_at_load("posekit.studies.compare.results") is None
    assert torch_at_load("posekit.cli.compare") is None
