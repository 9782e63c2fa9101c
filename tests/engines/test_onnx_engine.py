"""ONNX Runtime's engine: points as the graph gives them, and every file or device that it cannot use is told."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from exported_files import CORNERS, METADATA, SPEC, brightness, images

from posekit.engines import onnx as engines
from posekit.engines.onnx import FallbackWarning, OnnxEngine
from posekit.engines.spec import SpecError
from posekit.pipelines.predictor import Predictor


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / "brightness.onnx"
    onnx.save(brightness(), str(file))
    return file


@pytest.fixture
def sessions(monkeypatch):
    """The options of every session that is opened."""
    opened = []
    real = onnxruntime.InferenceSession

    def session(file, options, providers):
        opened.append(SimpleNamespace(threads=options.intra_op_num_threads, providers=providers))
        return real(file, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    return opened


@pytest.mark.parametrize("count", [1, 2, 7])
def test_points_and_scores_for_any_number_of_images(file, count):
    engine = OnnxEngine(file)
    shown = images(count)
    level = shown[:, 0, 0, 0] / 255
    poses = engine(shown)
    np.testing.assert_allclose(poses.xy, CORNERS + level[:, None, None, None], atol=1e-5)
    np.testing.assert_allclose(poses.score, np.broadcast_to(level[:, None, None], (count, 1, 4)), atol=1e-6)
    np.testing.assert_allclose(poses.instance_score, level[:, None], atol=1e-6)
    assert poses.boxes is None and engine.spec == SPEC
    assert repr(engine) == "OnnxEngine(brightness.onnx, CPU)"


def test_raw_maps_are_given_apart(file):
    engine = OnnxEngine(file)
    maps = engine.maps(images(2))
    assert set(maps) == {"xy", "score", "instance_score", "map_mean"}
    assert maps["map_mean"].shape == (2, 1, 1, 1)
    assert engine.names == ["xy", "score", "instance_score"]


def test_the_content_of_a_file_is_a_model_too(file):
    engine = OnnxEngine(file.read_bytes(), name="mine")
    np.testing.assert_array_equal(engine(images(3)).xy, OnnxEngine(file)(images(3)).xy)
    with pytest.raises(SpecError, match=r"^mine: not a readable ONNX file"):
        OnnxEngine(b"something else", name="mine")


def test_it_predicts_in_the_pixels_of_any_image(file):
    image = np.zeros((32, 24, 3), np.uint8)
    (poses,) = Predictor(OnnxEngine(file))(image)
    np.testing.assert_allclose(poses.xy[0], CORNERS * 2, atol=1e-4)


def test_files_that_are_no_model_are_told(tmp_path):
    with pytest.raises(SpecError, match=r"nothing\.onnx: no such file"):
        OnnxEngine(tmp_path / "nothing.onnx")
    for content in (b"", b"not a graph", onnx.ModelProto().SerializeToString(), brightness().SerializeToString()[:300]):
        (tmp_path / "broken.onnx").write_bytes(content)
        with pytest.raises(SpecError, match=r"broken\.onnx: not a readable ONNX file .*export it again") as caught:
            OnnxEngine(tmp_path / "broken.onnx")
        assert "\n" not in str(caught.value)


def test_graphs_of_others_are_told(tmp_path):
    file = tmp_path / "other.onnx"
    onnx.save(brightness(metadata=None), str(file))
    with pytest.raises(SpecError, match=r"other\.onnx: it has no metadata of posekit"):
        OnnxEngine(file)
    onnx.save(brightness(metadata=METADATA[:50]), str(file))
    with pytest.raises(SpecError, match=r"other\.onnx: metadata: .*Invalid JSON"):
        OnnxEngine(file)
    onnx.save(brightness(outputs=("xy", "score")), str(file))
    with pytest.raises(SpecError, match=r"other\.onnx: the graph has no output instance_score \(it has xy, score\)"):
        OnnxEngine(file)


def test_unknown_devices_and_missing_providers_are_told(file, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match=r"no device 'tpu' for ONNX Runtime \(known: auto, cpu, cuda, mps\)"):
        OnnxEngine(file, "tpu")
    with pytest.raises(ValueError, match=r"no provider CUDAEx.* \(installed: CPUEx.*pip install onnxruntime-gpu"):
        OnnxEngine(file, "cuda:1")
    with pytest.raises(ValueError, match=r"no provider CoreMLExecutionProvider here \(installed: CPUEx[a-zA-Z]*\)$"):
        OnnxEngine(file, "mps")
    with pytest.raises(ValueError, match="no provider DmlExecutionProvider here"):
        OnnxEngine(file, providers=("DmlExecutionProvider", "CPUExecutionProvider"))
    with pytest.raises(ValueError, match="no provider none here"):
        OnnxEngine(file, providers=())


def test_a_provider_that_falls_back_is_a_warning(file, monkeypatch, sessions):
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    for device in ("auto", "cuda"):
        with pytest.warns(FallbackWarning, match=r"CUDAExecutionProvider was asked for, but .* with CPUExecution"):
            engine = OnnxEngine(file, device)
        assert engine.provider == "CPUExecutionProvider"
        assert sessions[-1].providers == there
    OnnxEngine(file, "cpu")
    assert sessions[-1].providers == ["CPUExecutionProvider"]


def test_the_number_of_a_gpu_reaches_the_provider(monkeypatch, sessions, file):
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    with pytest.warns(FallbackWarning):
        OnnxEngine(file, "cuda:2")
    assert sessions[-1].providers == [("CUDAExecutionProvider", {"device_id": "2"}), "CPUExecutionProvider"]
    for device in ("cuda:x", "cpu:1", "mps:0", "auto:1"):
        with pytest.raises(ValueError, match=f"no device '{device}' for ONNX Runtime"):
            OnnxEngine(file, device)


def test_threads_are_those_asked_for(file, monkeypatch, sessions):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    OnnxEngine(file)
    OnnxEngine(file, threads=2)
    monkeypatch.delenv("OMP_NUM_THREADS")
    OnnxEngine(file)
    assert [opened.threads for opened in sessions] == [3, 2, 0]


def test_another_spec_is_for_what_happens_outside_the_graph(file):
    engine = OnnxEngine(file)
    spec = replace(engine.spec, instance_threshold=0.7)
    assert engine.with_spec(spec).spec.instance_threshold == 0.7
    for _ in range(2):
        with pytest.raises(ValueError, match="this one has none: export again with --flip-test True"):
            engine.with_spec(replace(spec, flip_test=True))


def test_the_providers_of_every_device_end_with_the_cpu():
    assert all(names[-1] == engines.CPU for names in engines.PROVIDERS.values())
