"""INT8: only nodes of the network are quantised, and the points stay close to those of the original."""

import json

import numpy as np
import onnx
import pytest
from figures import FOUR, labelled_files

from posekit.api.export import ExportError, export
from posekit.api.train import train
from posekit.data.readers import read
from posekit.exporting.quantize import NETWORK
from posekit.zoo.load import load

BOUND = 2.0
"""Median change of a point, in pixels of a crop of 64."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return labelled_files(tmp_path_factory.mktemp("data"), count=48)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "tiny"
    options = {"train.epochs": 12, "train.batch": 8}
    train("topdown-dark-tiny", data, val=data, out=run, options=options, device="cpu", size=(64, 64))
    return run


def moved(run, file, data):
    """Median change of the points, in pixels of images of 64x64."""
    images = [read(data).instance(number).image for number in range(16)]
    before, after = (np.concatenate([poses.xy for poses in load(model)(images)]) for model in (run, file))
    assert np.isfinite(after).all() and not np.array_equal(before, after)
    return float(np.median(np.linalg.norm(before - after, axis=-1)))


def test_onnx_keeps_its_points_and_decodes_in_floats(trained, data, tmp_path):
    made = export(trained, out=tmp_path / "tiny.onnx", int8=data, max_drop=0.1)
    assert made.parity is None and set(made.figures) == {"fp32", "int8"}
    assert moved(trained, made.file, data) <= BOUND
    nodes = onnx.load(str(made.file)).graph.node
    quantised = [node for node in nodes if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(quantised) > 20
    # What is quantised are outputs of the network's nodes; decoding reads floats and its own results stay so.
    producers = {name: node for node in nodes for name in node.output}
    made_by = [producers.get(node.input[0]) for node in nodes if node.op_type == "QuantizeLinear"]
    assert [n.name for n in made_by if n is not None and not n.name.startswith(NETWORK)] == []
    fp32 = export(trained, out=tmp_path / "float.onnx", count=4)
    assert made.file.stat().st_size < 0.6 * fp32.file.stat().st_size


def test_openvino_keeps_its_points_and_decodes_in_floats(trained, data, tmp_path):
    openvino = pytest.importorskip("openvino", reason="the extra openvino is not installed")
    pytest.importorskip("nncf", reason="the extra openvino is not installed")
    made = export(trained, "openvino", out=tmp_path / "tiny.xml", int8=data, max_drop=0.1)
    assert moved(trained, made.file, data) <= BOUND
    nodes = openvino.Core().read_model(str(made.file)).get_ops()
    fake = [node for node in nodes if node.get_type_name() == "FakeQuantize"]
    assert len(fake) > 10
    assert [node.get_friendly_name() for node in fake if not node.get_friendly_name().startswith(NETWORK)] == []


def test_weights_stored_in_16_bits_are_quantised_too(trained, data, tmp_path):
    """Their tensors are those of a packaged model."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "mine"
    folder.mkdir()
    for file in (trained / "best").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t.half().to(t.dtype) if t.ndim == 4 else t for n, t in tensors.items()}, folder / "model.safetensors")
    made = export(folder, out=tmp_path / "tiny.onnx", int8=data, max_drop=0.1)
    kinds = {tensor.data_type for tensor in onnx.load(str(made.file)).graph.initializer if np.prod(tensor.dims) >= 1024}
    assert kinds == {onnx.TensorProto.INT8}


def test_what_loses_too_much_is_refused(trained, data, tmp_path, monkeypatch):
    monkeypatch.setattr("posekit.api.export._check_options", lambda *options: None)
    with pytest.raises(ExportError, match=r"pck@0\.05 falls by .*, more than --max-drop -1.*What helps: more, and"):
        export(trained, out=tmp_path / "tiny.onnx", int8=data, max_drop=-1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx.failed.json"]
    report = json.loads((tmp_path / "tiny.onnx.failed.json").read_text())
    assert report["passed"] is False and report["precision"] == "int8"
    assert report["figures"]["fp32"]["pck@0.05"] > 0.2
    tried = [one["choice"]["precision"] for one in report["tried"]]
    assert tried[0] == "int8" and tried[-2:] == ["int8-weights", "fp16"] and len(tried) > 4


def test_accuracy_is_measured_on_labels_alone(trained, data, tmp_path):
    photos = read(data).images[0].path
    with pytest.raises(ValueError, match="accuracy of INT8 is measured on labelled images: give label files"):
        export(trained, out=tmp_path / "tiny.onnx", int8=data, images=photos)
    assert FOUR.points == read(data).skeleton.points
