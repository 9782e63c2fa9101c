"""Weights in the published layout, here with random numbers: read from folders and wheels, or refused with the fix."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from posekit.cli.main import main
from posekit.models.mtcnn import Nets
from posekit.pipelines.mtcnn.cascade import Cascade
from posekit.zoo.errors import WeightsError
from posekit.zoo.mtcnn import FILES, NAMES, load_mtcnn, read_mtcnn


@pytest.fixture(autouse=True)
def unnamed(monkeypatch):
    monkeypatch.delenv("POSEKIT_MTCNN", raising=False)


def published():
    """State of each network as the public files have it: their names, dense layers for (width, height, channels)."""
    torch.manual_seed(1)
    nets = Nets.drawn()
    states = []
    for net, names in zip((nets.proposal, nets.refinement, nets.output), NAMES, strict=True):
        theirs = {ours: name for name, ours in names.items()}
        state = {}
        for name, value in net.state_dict().items():
            layer, _, kind = name.rpartition(".")
            state[f"{theirs[layer]}.{kind}"] = value.clone()
        states.append(state)
    return states


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "facenet_pytorch" / "data"
    place.mkdir(parents=True)
    for file, state in zip(FILES, published(), strict=True):
        torch.save(state, place / file)
    return tmp_path


def wheel_of(folder):
    file = folder / "facenet_pytorch-2.6.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        for name in FILES:
            wheel.write(folder / "facenet_pytorch" / "data" / name, f"facenet_pytorch/data/{name}")
    return file


def same(a, b):
    pairs = ((a.proposal, b.proposal), (a.refinement, b.refinement), (a.output, b.output))
    return all(
        torch.equal(x, y)
        for m, n in pairs
        for x, y in zip(m.state_dict().values(), n.state_dict().values(), strict=True)
    )


def test_folder_package_wheel_and_variable_are_the_same(folder, monkeypatch):
    named = read_mtcnn(folder)
    assert same(named, read_mtcnn(folder / "facenet_pytorch"))
    assert same(named, read_mtcnn(str(folder / "facenet_pytorch" / "data")))
    assert same(named, read_mtcnn(wheel_of(folder)))
    monkeypatch.setenv("POSEKIT_MTCNN", str(folder))
    assert same(named, read_mtcnn())
    assert not named.output.training


@pytest.mark.parametrize(("index", "dense", "channels"), [(1, "dense4", 64), (2, "dense5", 128)])
def test_dense_layers_read_width_then_height_then_channels(folder, index, dense, channels):
    state = published()[index]
    net = (read_mtcnn(folder).refinement, read_mtcnn(folder).output)[index - 1]
    seen = torch.rand(2, channels, 3, 3)
    theirs = F.linear(seen.permute(0, 3, 2, 1).flatten(1), state[f"{dense}.weight"], state[f"{dense}.bias"])
    layer = net.get_submodule(NAMES[index][dense])
    torch.testing.assert_close(layer(seen.flatten(1)), theirs)


def test_the_other_layers_are_copied_as_they_are(folder):
    nets, states = read_mtcnn(folder), published()
    assert torch.equal(nets.proposal.box.weight, states[0]["conv4_2.weight"])
    assert torch.equal(nets.refinement.face.bias, states[1]["dense5_1.bias"])
    assert torch.equal(nets.output.points.weight, states[2]["dense6_3.weight"])


def test_loaded_ready_to_use(folder):
    pipeline = load_mtcnn(folder, Cascade(smallest=30))
    assert (pipeline.config.smallest, pipeline.skeleton.name) == (30, "face5")
    (poses,) = pipeline([np.zeros((40, 50, 3), np.uint8)])
    assert poses.xy.shape[1:] == (5, 2)


def test_without_a_place_it_says_where_weights_come_from():
    with pytest.raises(WeightsError, match=r"give --weights, or set POSEKIT_MTCNN; .*pip download --no-deps facenet"):
        read_mtcnn()


def test_a_folder_without_the_three_is_refused(folder, tmp_path):
    (folder / "facenet_pytorch" / "data" / "rnet.pt").unlink()
    with pytest.raises(WeightsError, match=r"expected pnet\.pt, rnet\.pt, onet\.pt there or in facenet_pytorch/data"):
        read_mtcnn(folder)
    with pytest.raises(WeightsError, match="nowhere: expected pnet"):
        read_mtcnn(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["assets/weights/pnet.lz4", "data/mtcnn_weights.npy"])
def test_pickles_of_the_other_package_are_refused(tmp_path, name):
    file = tmp_path / "mtcnn" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    with pytest.raises(WeightsError, match=r"pickles, which are refused; get them by .pip download"):
        read_mtcnn(tmp_path)


def test_a_wheel_that_is_none_is_refused(tmp_path):
    file = tmp_path / "facenet.whl"
    with pytest.raises(WeightsError, match="not a readable wheel"):
        read_mtcnn(file)
    file.write_bytes(b"no zip")
    with pytest.raises(WeightsError, match="not a readable wheel"):
        read_mtcnn(file)


def test_damaged_and_foreign_files_are_refused_by_name(folder):
    place = folder / "facenet_pytorch" / "data"
    good = (place / "onet.pt").read_bytes()
    (place / "onet.pt").write_bytes(good[: len(good) // 2])
    with pytest.raises(WeightsError, match=r"onet\.pt: damaged, or not saved by torch"):
        read_mtcnn(folder)
    (place / "onet.pt").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"onet\.pt: damaged, or not saved by torch"):
        read_mtcnn(folder)
    torch.save([1, 2], place / "onet.pt")
    with pytest.raises(WeightsError, match=r"onet\.pt: expected tensors by name, got list"):
        read_mtcnn(folder)
    torch.save({"Path": Path("x")}, place / "onet.pt")
    with pytest.raises(WeightsError, match=r"onet\.pt: damaged, or not saved by torch"):
        read_mtcnn(folder)


def test_tensors_of_another_network_are_refused(folder):
    place = folder / "facenet_pytorch" / "data"
    (place / "onet.pt").write_bytes((place / "rnet.pt").read_bytes())
    with pytest.raises(WeightsError, match=r"onet\.pt do not fit: layer 'dense4' is none of conv1"):
        read_mtcnn(folder)
    state = published()[2]
    torch.save(state | {"dense6_3.bias": torch.zeros(9)}, place / "onet.pt")
    with pytest.raises(WeightsError, match=r"onet\.pt do not fit: they have other shapes: points\.bias \(9,\)"):
        read_mtcnn(folder)
    torch.save({name: value for name, value in state.items() if name != "conv2.bias"}, place / "onet.pt")
    with pytest.raises(WeightsError, match=r"onet\.pt do not fit: they lack backbone\.3\.bias"):
        read_mtcnn(folder)


def test_predict_finds_faces_itself(folder, tmp_path, capsys):
    image = tmp_path / "photo.png"
    cv2.imwrite(str(image), np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    out = tmp_path / "out"
    words = ["predict", str(image), "--model", "mtcnn", "--out", str(out)]
    assert main([*words, "--weights", str(folder)]) == 0
    results = json.loads((out / "results.json").read_text())
    (poses,) = load_mtcnn(folder)([cv2.imread(str(image))[:, :, ::-1].copy()])
    assert [r["score"] for r in results] == pytest.approx(poses.instance_score.tolist())
    assert (out / "photo.png").is_file()
    capsys.readouterr()
    assert main(words) == 1
    assert "give --weights" in capsys.readouterr().err


def test_predict_refuses_options_that_do_not_go_together(folder, tmp_path, capsys):
    image, boxes = tmp_path / "photo.png", tmp_path / "boxes.json"
    cv2.imwrite(str(image), np.zeros((20, 30, 3), np.uint8))
    boxes.write_text('{"images": [], "annotations": []}')
    words = ["predict", str(image), "--out", str(tmp_path / "out"), "--weights", str(folder)]
    assert main([*words, "--model", "mtcnn", "--boxes", str(boxes)]) == 1
    assert "mtcnn finds instances itself: leave out the boxes" in capsys.readouterr().err
    assert main([*words, "--model", "runs/mine"]) == 1
    assert "--weights is for --model mtcnn" in capsys.readouterr().err
