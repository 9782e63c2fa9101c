"""The comparison of two checkouts' codecs, and the ceiling of full-image systems."""

from dataclasses import replace

import pytest
import torch

from benchmarks import ceiling
from benchmarks.codec_spots import differences
from benchmarks.codec_spots_worker import answer, calls, held_bytes, rows, tensors
from posekit.codecs.one_stage.fcpose import FCPose
from posekit.data.synthetic import Synthetic
from posekit.recipes import SYSTEMS
from posekit.recipes.representations import REPRESENTATIONS
from posekit.skeletons.body import COCO17


@pytest.fixture(scope="module")
def known():
    return dict(rows())


def test_rows_are_all_representations_ellipses_of_many_points_and_all_systems(known):
    assert len(known) == len(REPRESENTATIONS) + 4 + len(SYSTEMS)
    assert set(REPRESENTATIONS) <= set(known)
    assert known["ellipse oks of 133"][0].points == 133


def test_a_row_answers(known, tmp_path):
    made = calls(known["regression"])
    assert answer("time", made["encode"], tmp_path) >= 0
    # 32 crops of 17 points: coordinates and weights, in four bytes each.
    assert answer("output", made["encode"], tmp_path) >= 32 * 17 * 3 * 4
    assert answer("memory", made["decode"], tmp_path) > 0
    assert set(tensors(made["decode"]())) == {"xy", "score", "instance_score"}
    files = [answer("results", made["encode"], tmp_path / f"{n}.pt") for n in (0, 1)]
    assert differences(*files) == {}
    saved = torch.load(files[1])
    saved["map coords"][3] += 0.5
    torch.save(saved, files[1])
    assert differences(*files) == {"map coords": pytest.approx(0.5)}
    torch.save({"xy": saved["map coords"]}, files[1])
    with pytest.raises(RuntimeError, match="results have different names"):
        differences(*files)


def test_memory_that_is_shared_counts_once(known):
    made = calls(known["centernet"])["encode"]()
    assert "map peaks" in tensors(made) and "map heatmap" in tensors(made)
    heatmap, offset = made.maps["heatmap"], made.maps["offset"]
    assert held_bytes(made) < 4 * (1.5 * heatmap.numel() + 2.5 * offset.numel())


def test_nothing_is_lost_of_people_who_stand_apart():
    dataset = Synthetic(COCO17, 4, (128, 128), seed=3, people=1, outside=0.0).dataset()
    found = {}
    for recipe in ceiling.recipes(["centernet", "ttfnet", "fcos", "fcpose"]):
        if isinstance(recipe.codec, FCPose):
            assert recipe.codec.learnt == recipe.codec.max_instances
        found[recipe.name] = recipe
    assert list(found) == [
        "centernet-tiny",
        "ttfnet-tiny",
        "fcos-tiny",
        "fcpose-tiny",
        "centernet",
        "ttfnet",
        "fcos",
        "fcpose",
    ]
    dataset = replace(dataset, skeleton=COCO17)
    figures = ceiling.measured(["ttfnet"], dataset)
    assert {name: row["AP"] for name, row in figures.items()} == {"ttfnet-tiny": 1.0, "ttfnet": 1.0}
    assert figures["ttfnet"]["size"] == [512, 512]
