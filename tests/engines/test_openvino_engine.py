"""OpenVINO's engine: the same points as ONNX Runtime's, and every file or device that it cannot use is told."""

from dataclasses import replace

import numpy as np
import pytest
from exported_files import CORNERS, METADATA, SPEC, brightness, images

from posekit.engines.openvino import OpenVinoEngine
from posekit.engines.outputs import Metadata, parse_metadata
from posekit.engines.spec import SpecError
from posekit.exporting.openvino import openvino_model, save_openvino
from posekit.zoo.errors import WeightsError
from posekit.zoo.exported import open_exported

openvino = pytest.importorskip("openvino", reason="the extra openvino is not installed")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / "brightness.xml"
    save_openvino(openvino_model(brightness()), file, Metadata(SPEC, weights="0" * 64, version="0.1.0"))
    assert file.with_suffix(".bin").is_file()
    return file


@pytest.fixture
def options(monkeypatch):
    """What every model is compiled with."""
    seen = []

    class Core(openvino.Core):
        def compile_model(self, model, device, config):
            seen.append((device, config))
            return super().compile_model(model, device, config)

    monkeypatch.setattr(openvino, "Core", Core)
    return seen


@pytest.mark.parametrize("count", [1, 2, 7])
def test_points_and_scores_for_any_number_of_images(file, count):
    engine = OpenVinoEngine(file, threads=1)
    shown = images(count)
    level = shown[:, 0, 0, 0] / 255
    poses = engine(shown)
    np.testing.assert_allclose(poses.xy, CORNERS + level[:, None, None, None], atol=1e-5)
    np.testing.assert_allclose(poses.score, np.broadcast_to(level[:, None, None], (count, 1, 4)), atol=1e-6)
    np.testing.assert_allclose(poses.instance_score, level[:, None], atol=1e-6)
    assert engine.metadata == parse_metadata(METADATA, "here")
    assert repr(engine) == "OpenVinoEngine(brightness.xml)"


def test_results_stay_as_they_are_when_the_engine_runs_again(file):
    engine = OpenVinoEngine(file, threads=1)
    first = engine(images(2, seed=1))
    kept = first.xy.copy()
    engine(images(2, seed=2))
    np.testing.assert_array_equal(first.xy, kept)


def test_files_that_are_no_model_are_told(file, tmp_path):
    with pytest.raises(SpecError, match=r"nothing\.xml: no such file"):
        OpenVinoEngine(tmp_path / "nothing.xml")
    broken = tmp_path / "broken.xml"
    broken.write_bytes(file.read_bytes())
    with pytest.raises(SpecError, match=r"broken\.bin: no such file; an \.xml file and its \.bin file lie beside"):
        OpenVinoEngine(broken)
    broken.with_suffix(".bin").write_bytes(b"")
    for content in (b"", b"<net", file.read_bytes()[:200]):
        broken.write_bytes(content)
        with pytest.raises(SpecError, match=r"broken\.xml: not readable by OpenVINO .*export it again") as caught:
            OpenVinoEngine(broken)
        assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match=r"broken\.xml: not readable"):
        open_exported(broken)


def test_graphs_of_others_are_told(tmp_path):
    openvino.save_model(openvino_model(brightness()), str(tmp_path / "other.xml"))
    with pytest.raises(SpecError, match=r"other\.xml: it has no metadata of posekit"):
        OpenVinoEngine(tmp_path / "other.xml")
    save_openvino(openvino_model(brightness(outputs=("xy",))), tmp_path / "few.xml", Metadata(SPEC))
    with pytest.raises(SpecError, match=r"few\.xml: the graph has no output score, instance_score \(it has xy\)"):
        OpenVinoEngine(tmp_path / "few.xml")


def test_unknown_and_missing_devices_are_told(file):
    with pytest.raises(ValueError, match=r"no device 'mps' for OpenVINO \(known: auto, cpu, cuda, gpu, npu\)"):
        OpenVinoEngine(file, "mps")
    if "NPU" not in openvino.Core().available_devices:
        with pytest.raises(ValueError, match=r"OpenVINO has no device NPU here \(there are: .*CPU"):
            OpenVinoEngine(file, "npu")


def test_threads_and_precision_are_those_asked_for(file, monkeypatch, options):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    OpenVinoEngine(file)
    OpenVinoEngine(file, threads=1)
    monkeypatch.delenv("OMP_NUM_THREADS")
    OpenVinoEngine(file)
    assert [config.get("INFERENCE_NUM_THREADS") for _, config in options] == [2, 1, None]
    assert {(device, config["INFERENCE_PRECISION_HINT"]) for device, config in options} == {("CPU", "f32")}


def test_another_spec_is_for_what_happens_outside_the_graph(file):
    engine = OpenVinoEngine(file)
    assert engine.with_spec(replace(engine.spec, instance_threshold=0.7)).spec.instance_threshold == 0.7
    with pytest.raises(ValueError, match="this one has none: export again with --flip-test True"):
        engine.with_spec(replace(engine.spec, flip_test=True))
