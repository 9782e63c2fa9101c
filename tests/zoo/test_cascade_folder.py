"""A trained cascade as a folder: what is written is read, and what is not whole is refused with the fix."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import posekit
from posekit.models.mtcnn import Nets
from posekit.pipelines.mtcnn.cascade import MTCNN, Cascade
from posekit.zoo.cascade import STAGES, file_of, is_cascade, read_cascade_config, save_cascade_config
from posekit.zoo.errors import WeightsError
from posekit.zoo.mtcnn import engines_of, load_mtcnn, read_mtcnn, read_nets, save_stage

CASCADE = Cascade(smallest=24, scores=(0.3, 0.3, 0.3))


@pytest.fixture
def nets():
    torch.manual_seed(4)
    return Nets.drawn()


@pytest.fixture
def folder(nets, tmp_path):
    save_cascade_config(tmp_path, CASCADE, {"metrics": {"recall": 0.5}})
    for stage in STAGES:
        save_stage(tmp_path, stage, getattr(nets, stage))
    return tmp_path


def same(a, b):
    return all(
        torch.equal(x, y)
        for stage in STAGES
        for x, y in zip(getattr(a, stage).state_dict().values(), getattr(b, stage).state_dict().values(), strict=True)
    )


def test_what_is_written_is_read(folder, nets, monkeypatch):
    read = read_nets(folder)
    assert same(read, nets)
    assert read_cascade_config(folder)[0] == CASCADE
    assert not read.output.training
    assert same(read_mtcnn(folder), nets)
    monkeypatch.setenv("POSEKIT_MTCNN", str(folder))
    assert same(read_mtcnn(), nets)
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        *sorted(f"{stage}.safetensors" for stage in STAGES),
    ]
    config = json.loads((folder / "config.json").read_text())
    assert (config["kind"], config["metrics"]) == ("mtcnn", {"recall": 0.5})


@pytest.mark.parametrize("load", [load_mtcnn, posekit.load])
def test_loaded_it_finds_what_it_found_before(folder, nets, load):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    (before,) = MTCNN(engines_of(nets), CASCADE)([image])
    finder = load(folder)
    assert finder.config == CASCADE
    (after,) = finder([image])
    assert len(after) > 0
    np.testing.assert_array_equal(after.xy, before.xy)
    other = replace(CASCADE, smallest=40)
    assert load_mtcnn(folder, other).config == other


def test_a_cascade_has_no_scales_and_no_flip_test(folder):
    for options in ({"scales": (1.0, 2.0)}, {"tiles": True}, {"flip_test": True}):
        with pytest.raises(ValueError, match="a cascade, which searches all scales anyway"):
            posekit.load(folder, **options)


def test_other_folders_are_no_cascades(tmp_path):
    assert not is_cascade(tmp_path)
    for text in ('{"kind": "topdown"}', "[1]", "no json"):
        (tmp_path / "config.json").write_text(text)
        assert not is_cascade(tmp_path)


def test_a_cascade_that_is_not_trained_to_its_end_is_refused(folder):
    file_of(folder, "output").unlink()
    file_of(folder, "refinement").unlink()
    with pytest.raises(
        WeightsError, match=r"refinement\.safetensors, output\.safetensors missing; .* repeat its command"
    ):
        load_mtcnn(folder)


def test_damaged_and_foreign_files_are_refused_by_name(folder):
    good = file_of(folder, "output").read_bytes()
    file_of(folder, "output").write_bytes(good[: len(good) // 2])
    with pytest.raises(WeightsError, match=r"output\.safetensors: damaged or not safetensors"):
        load_mtcnn(folder)
    file_of(folder, "output").write_bytes(file_of(folder, "refinement").read_bytes())
    with pytest.raises(WeightsError, match=r"output\.safetensors do not fit: they lack"):
        load_mtcnn(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "format 3, this posekit reads 2"),
        ({"cascade": {"smallest": -1}}, "cascade: smallest: .*greater than 0"),
        ({"cascade": 3}, "cascade"),
    ],
)
def test_a_config_that_cannot_be_is_refused(folder, change, message):
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=rf"config\.json: .*{message}"):
        load_mtcnn(folder)


def test_a_config_without_a_cascade_is_refused(folder):
    (folder / "config.json").write_text('{"library": "posekit", "kind": "mtcnn", "format": 2}')
    with pytest.raises(WeightsError, match=r"config\.json: not a cascade's config \(KeyError: 'cascade'\)"):
        load_mtcnn(folder)
