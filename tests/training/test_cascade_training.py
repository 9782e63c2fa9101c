"""A cascade trained from its labels: three files, taken up where it was stopped, that find faces."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.face_windows import Faces
from posekit.data.synthetic import Synthetic
from posekit.evaluation.faces import matched, measure_faces
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.mtcnn.cascade import Cascade
from posekit.skeletons.face import FACE5
from posekit.training.mtcnn import train as module
from posekit.training.mtcnn.train import CascadeTraining, faces_of, train_cascade
from posekit.training.mtcnn.windows import Drawing
from posekit.zoo.cascade import STAGES, file_of
from posekit.zoo.errors import WeightsError
from posekit.zoo.mtcnn import load_mtcnn

BRIEF = CascadeTraining(epochs=1, batch=32, windows=Drawing(smallest=24, around=3, negatives=6, passes=1))


@pytest.fixture(scope="module")
def drawn():
    return Synthetic(FACE5, count=3, size=(72, 90), seed=5, people=2).dataset()


@pytest.fixture(scope="module")
def whole(drawn, tmp_path_factory):
    """A run, the lines it said, and its finder."""
    folder, said = tmp_path_factory.mktemp("cascade") / "run", []
    finder = train_cascade(drawn, folder, BRIEF, val=drawn, device="cpu", say=said.append)
    return folder, said, finder


def tensors(folder):
    return {stage: file_of(folder, stage).read_bytes() for stage in STAGES}


def test_three_files_and_what_is_known_about_them(whole, drawn):
    folder, said, finder = whole
    assert [line.split(":")[0] for line in said[:3]] == list(STAGES)
    assert all(str(file_of(folder, stage)) in line for stage, line in zip(STAGES, said, strict=False))
    assert "without a face" in said[0] and "loss" in said[0]
    assert said[3].startswith("finds ") and "faces" in said[3]
    config = json.loads((folder / "config.json").read_text())
    assert config["training"]["windows"]["smallest"] == config["cascade"]["smallest"] == 24
    assert (config["faces"], config["images"]) == (len(drawn), 3)
    assert set(config["metrics"]) == {"recall", "false_per_image", "points_error", "faces"}
    loaded = load_mtcnn(folder)
    assert loaded.config == finder.config == Cascade(smallest=24)
    image = drawn.scene(0).image
    easy = replace(loaded.config, scores=(0.1, 0.1, 0.1))
    loaded.config = finder.config = easy
    ours, theirs = loaded([image])[0], finder([image])[0]
    assert len(ours) > 0
    np.testing.assert_array_equal(ours.xy, theirs.xy)


def test_a_stopped_run_goes_on_to_the_same_bytes(whole, drawn, tmp_path, monkeypatch):
    before, said = tensors(whole[0]), []

    def stop(*_):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    kept = module.save_stage
    monkeypatch.setattr(
        module, "save_stage", lambda folder, stage, net: (kept if stage == "proposal" else stop)(folder, stage, net)
    )
    with pytest.raises(KeyboardInterrupt):
        train_cascade(drawn, run, BRIEF, device="cpu", say=said.append)
    assert [file_of(run, stage).exists() for stage in STAGES] == [True, False, False]
    monkeypatch.undo()
    # What else was drawn in between changes nothing.
    torch.rand(5)
    train_cascade(drawn, run, BRIEF, device="cpu", say=said.append)
    assert said[1] == f"proposal: taken from {file_of(run, 'proposal')}"
    assert tensors(run) == before
    train_cascade(drawn, run, BRIEF, device="cpu", say=said.append)
    assert [line.split(": ")[1].split(" from")[0] for line in said[-3:]] == ["taken"] * 3
    assert tensors(run) == before


def test_a_folder_goes_on_only_with_what_it_began_with(whole, drawn, tmp_path):
    folder = whole[0]
    with pytest.raises(WeightsError, match=r"started with other training .*'epochs': 1.*instead of .*'epochs': 2"):
        train_cascade(drawn, folder, replace(BRIEF, epochs=2), device="cpu")
    with pytest.raises(WeightsError, match=r"started with other faces, images \(5 instead of \d, 3 instead of 1\)"):
        train_cascade(drawn.subset([0]), folder, BRIEF, device="cpu")
    (tmp_path / "config.json").write_text('{"recipe": {}}')
    with pytest.raises(WeightsError, match="holds another model; choose another --out"):
        train_cascade(drawn, tmp_path, BRIEF, device="cpu")


def test_other_points_are_refused_with_the_fix(drawn, tmp_path):
    four = Synthetic(FOUR, count=2, size=(48, 40)).dataset()
    with pytest.raises(DataError, match=r"learns the 5 points left_eye, .* has 4 \(tip, left_grip, right_grip, end\)"):
        train_cascade(four, tmp_path / "run", BRIEF, device="cpu")
    assert not (tmp_path / "run").exists()
    named = replace(drawn, skeleton=Skeleton("mine", points=tuple(f"p{i}" for i in range(5)), symmetry="none"))
    with pytest.raises(DataError, match=r"has p0, .* in this order, add --data.skeleton face5"):
        faces_of(named)
    # The same names, whatever else the file says of them.
    assert faces_of(replace(drawn, skeleton=replace(FACE5, symmetry="none", mirror=()))).skeleton == FACE5
    nobody = replace(drawn, visibility=np.zeros_like(drawn.visibility))
    with pytest.raises(DataError, match="no face with a labelled point"):
        faces_of(nobody)


def test_a_device_that_is_not_there_is_told(drawn, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(RuntimeError, match="device 'cuda' was asked for, but is not available; `posekit doctor`"):
        train_cascade(drawn, tmp_path / "run", BRIEF, device="cuda")


def test_who_is_found_by_hand():
    truth = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 70, 70], [80, 0, 90, 10]])
    faces = Faces(truth, np.zeros((4, 5, 2)), np.ones((4, 5), bool), np.zeros((0, 4)))
    boxes = np.array([[50.0, 50, 70, 71], [2, 0, 12, 10], [80, 5, 90, 16], [200, 0, 210, 10]])
    # The first face overlaps the second box by 0.67, which is the second one's; the last one's overlap is below a half.
    assert matched(boxes, faces).tolist() == [-1, 1, 0, -1]
    assert matched(np.zeros((0, 4)), faces).tolist() == [-1] * 4


class Told:
    """Finds what it was told, image by image."""

    config = Cascade(smallest=20)

    def __init__(self, poses):
        self.poses = iter(poses)

    def __call__(self, images):
        return [next(self.poses) for _ in images]


def test_figures_by_hand(drawn):
    dataset: Dataset = drawn.subset([0, 1, 2])
    poses = []
    for image in range(dataset.scenes):
        faces = Faces.of(dataset.scene(image), 20)
        boxes = np.concatenate([faces.boxes[:1], [[0, 0, 4, 4]], faces.ignore])
        size = np.sqrt((faces.boxes[0, 2:] - faces.boxes[0, :2]).prod())
        xy = np.zeros((len(boxes), 5, 2))
        xy[0] = faces.xy[0] + [0.03 * size, 0.04 * size]
        poses.append(Poses(xy=xy, score=np.ones(xy.shape[:2]), instance_score=np.ones(len(boxes)), boxes=boxes))
    told = measure_faces(Told(poses), dataset)
    assert told["recall"] == pytest.approx(dataset.scenes / 3)
    assert told["false_per_image"] == 1
    assert told["points_error"] == pytest.approx(0.05, rel=1e-5)
    assert told["faces"] == 3


@pytest.mark.slow
def test_it_finds_drawn_faces_it_has_not_seen(tmp_path):
    """From 330 to 520 steps of 32 windows for each network, about 80 s of one core."""
    train, val = (
        Synthetic(FACE5, count=count, size=(120, 150), seed=seed, people=2, outside=0).dataset()
        for count, seed in ((100, 1), (60, 2))
    )
    options = CascadeTraining(epochs=1, batch=32, lr=2e-3, windows=Drawing(smallest=30))
    told = measure_faces(train_cascade(train, tmp_path, options, device="cpu"), val)
    assert told["faces"] > 80
    assert told["recall"] >= 0.8, told
    assert told["false_per_image"] <= 0.2, told
