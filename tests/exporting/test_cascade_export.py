"""MTCNN as three ONNX files."""

import json

import cv2
import numpy as np
import pytest
import torch

import posekit
from posekit.data.synthetic import Synthetic
from posekit.models.mtcnn import Nets
from posekit.pipelines.mtcnn.cascade import Cascade
from posekit.skeletons import SKELETONS
from posekit.zoo.cascade import STAGES, exported_file_of, is_exported, save_cascade_config
from posekit.zoo.errors import WeightsError
from posekit.zoo.exported import open_cascade
from posekit.zoo.mtcnn import load_mtcnn, save_stage

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def cascade(tmp_path_factory):
    """The folder of an untrained cascade whose thresholds let most windows through, and photos."""
    folder = tmp_path_factory.mktemp("cascade") / "mine"
    folder.mkdir()
    torch.manual_seed(3)
    nets = Nets.drawn()
    for stage in STAGES:
        save_stage(folder, stage, getattr(nets, stage))
    save_cascade_config(folder, Cascade(smallest=40, scores=(0.4, 0.4, 0.4)), {})
    photos = folder.parent / "photos"
    photos.mkdir()
    people = Synthetic(SKELETONS["face68"], count=3, size=(96, 128))
    for number in range(3):
        cv2.imwrite(str(photos / f"{number}.png"), people.image(number))
    return folder, photos


def test_the_files_find_the_same_faces_without_torch(cascade, tmp_path):
    folder, photos = cascade
    made = posekit.export(folder, out=tmp_path / "exported", images=photos)
    assert made.parity.passed
    assert made.parity.instances > 0
    assert json.loads(made.report.read_text())["passed"]
    assert is_exported(made.file)
    exported, original = posekit.load(made.file), load_mtcnn(folder, device="cpu")
    assert "OnnxMaps" in repr(exported.engines.proposal)
    image = posekit.read_image(photos / "0.png")
    one, other = original(image)[0], exported(image)[0]
    assert len(one) == len(other) > 0
    np.testing.assert_allclose(one.xy, other.xy, atol=0.01)


def test_files_beside_the_weights_are_used(cascade):
    folder, photos = cascade
    made = posekit.export(folder, images=photos, count=1)
    try:
        assert made.file == folder
        assert "OnnxMaps" in repr(posekit.load(folder).engines.output)
        assert "TorchMaps" in repr(posekit.load(folder, runtime="torch").engines.output)
    finally:
        for stage in STAGES:
            exported_file_of(folder, stage).unlink()


def test_what_a_cascade_does_not_have_is_refused(cascade, tmp_path):
    folder, photos = cascade
    with pytest.raises(ValueError, match="photos with faces: give some with --images"):
        posekit.export(folder, out=tmp_path / "out")
    with pytest.raises(ValueError, match="is a cascade: only --to onnx"):
        posekit.export(folder, "openvino", out=tmp_path / "out", images=photos)
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not an empty folder"):
        posekit.export(folder, out=tmp_path, images=photos)
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_a_missing_file_is_named(cascade, tmp_path):
    folder, photos = cascade
    made = posekit.export(folder, out=tmp_path / "exported", images=photos, count=1)
    exported_file_of(made.file, "output").unlink()
    with pytest.raises(WeightsError, match=r"output\.onnx: no such file"):
        open_cascade(made.file)
