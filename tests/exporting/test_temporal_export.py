"""The folder of a temporal network: the exported file is the network, and is read without PyTorch's weights."""

import json

import numpy as np
import onnx
import pytest
import torch
from small_temporal import CONFIG, SKELETON, small_folder, small_net

from posekit.engines.spec import SpecError
from posekit.engines.temporal import OnnxTemporal
from posekit.exporting import temporal as exporting
from posekit.exporting.temporal import difference, read_temporal, write_temporal
from posekit.zoo.errors import WeightsError
from posekit.zoo.temporal import load_temporal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_folder(tmp_path_factory.mktemp("temporal"))


def test_the_file_computes_what_the_network_does(folder):
    found = load_temporal(folder)
    assert found.spec.points == SKELETON.points and found.lifts
    assert (found.window, tuple(found.ahead), found.points) == (CONFIG.window, CONFIG.ahead, 17)
    assert repr(found) == "OnnxTemporal(model.onnx, 17 points)"
    assert difference(small_net(), found) < 1e-5
    assert load_temporal(folder / "model.onnx") is found


def test_the_network_is_read_back(folder):
    net, skeleton = read_temporal(folder)
    assert skeleton == SKELETON and not net.training
    for name, value in small_net().state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value)
    config = json.loads((folder / "config.json").read_text())
    assert config["lifts"] is True and config["temporal"]["ahead"] == [0, 1, 3]


def test_a_file_that_computes_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "difference", lambda net, exported: 0.5)
    with pytest.raises(RuntimeError, match=r"model.onnx: differs from the network by 0.5 object sizes"):
        write_temporal(small_net(), tmp_path, SKELETON, lifts=False)


def test_what_is_no_temporal_network_is_said(tmp_path, folder):
    with pytest.raises(WeightsError, match=r"no temporal network there; expected a folder with model.onnx"):
        load_temporal(tmp_path / "nothing")
    with pytest.raises(WeightsError, match="no temporal network there"):
        load_temporal(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(SpecError, match="not a readable ONNX file"):
        OnnxTemporal(tmp_path / "model.onnx")
    model = onnx.load(folder / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(SpecError, match="not a temporal network; expected a file that `posekit train temporal` wrote"):
        load_temporal(tmp_path / "other.onnx")


def test_tracks_of_any_length_and_number(folder):
    found, rng = load_temporal(folder), np.random.default_rng(0)
    for batch, frames in ((1, 8), (4, 20)):
        out = found(
            rng.normal(size=(batch, frames, 17, 3)), np.ones((batch, frames, 17)), np.full((batch, frames), 0.1)
        )
        assert out.shape == (batch, frames - 7, 3, 17, 4) and out.dtype == np.float64
