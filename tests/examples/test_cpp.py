"""The C++ program finds the points that Python finds; compiled where a compiler and the headers are."""

import csv
import io
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

import posekit

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "examples" / "cpp" / "main.cpp"
MODELS = ROOT / "posekit" / "zoo" / "shipped"
PHOTO = ROOT / "examples" / "photos" / "astronaut.jpg"
HEADER = "onnxruntime_cxx_api.h"
INCLUDES = ("/usr/include/onnxruntime", "/usr/local/include/onnxruntime", "/usr/include/onnxruntime/core/session")

pytestmark = pytest.mark.slow


def headers():
    named = os.environ.get("ONNXRUNTIME_INCLUDE")
    folders = [Path(named)] if named else map(Path, INCLUDES)
    return next((folder for folder in folders if (folder / HEADER).is_file()), None)


def library(folder):
    """The runtime's library under the name that programs look for; by default that of the Python package."""
    if named := os.environ.get("ONNXRUNTIME_LIBRARY"):
        return Path(named)
    found = find_spec("onnxruntime")
    files = sorted(Path(found.origin).parent.glob("capi/libonnxruntime.so.*")) if found and found.origin else []
    if not files:
        return None
    (folder / "libonnxruntime.so.1").symlink_to(files[0])
    return folder / "libonnxruntime.so.1"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    compiler, include = shutil.which(os.environ.get("CXX", "g++")), headers()
    if compiler is None:
        pytest.skip("no C++ compiler (g++, or CXX)")
    if include is None:
        pytest.skip(f"no {HEADER}: on Debian libonnxruntime-dev has it, or set ONNXRUNTIME_INCLUDE to its folder")
    folder = tmp_path_factory.mktemp("cpp")
    runtime = library(folder)
    if runtime is None:
        pytest.skip("no libonnxruntime.so.1 (ONNXRUNTIME_LIBRARY)")
    words = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", str(SOURCE), "-isystem", str(include), str(runtime)]
    done = subprocess.run([*words, f"-Wl,-rpath,{runtime.parent}", "-o", "points"], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return folder / "points"


def run(*words):
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)


def photo(folder, width=512, height=512):
    """A cut of the photo as a PPM file and as pixels."""
    image = np.ascontiguousarray(posekit.read_image(PHOTO)[:height, :width])
    cv2.imwrite(str(folder / "photo.ppm"), image[..., ::-1])
    return folder / "photo.ppm", image


@pytest.mark.parametrize("size", [(512, 512), (301, 512), (480, 333)])
@pytest.mark.parametrize("name", ["body-crop-s", "body-s", "face-s"])
def test_points_are_those_of_python(name, size, program, tmp_path):
    model = MODELS / name / "model.onnx"
    file, image = photo(tmp_path, *size)
    done = run(program, model, file)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    predictor = posekit.load(model)
    poses = predictor(image)[0]
    if not predictor.needs_boxes:
        poses = poses[poses.instance_score >= predictor.instance_threshold]
    K = len(predictor.skeleton.points)
    assert [row["point"] for row in rows[:K]] == list(predictor.skeleton.points)
    assert [int(row["instance"]) for row in rows[::K]] == list(range(len(poses)))
    columns = np.array([[row["x"], row["y"], row["score"], row["instance_score"]] for row in rows], float)
    columns = columns.reshape(-1, K, 4)
    np.testing.assert_allclose(columns[..., :2], poses.xy, atol=0.05)
    np.testing.assert_allclose(columns[..., 2], poses.score, atol=2e-3)
    np.testing.assert_allclose(columns[:, 0, 3], poses.instance_score, atol=2e-3)


def test_comments_in_the_header_are_skipped(program, tmp_path):
    model = MODELS / "body-crop-s" / "model.onnx"
    file, _ = photo(tmp_path)
    plain = run(program, model, file).stdout
    content = file.read_bytes()
    assert content.startswith(b"P6\n")
    file.write_bytes(b"P6\n# by hand\n" + content[3:])
    assert run(program, model, file).stdout == plain


def test_wrong_input_is_refused_in_words(program, tmp_path):
    model = MODELS / "body-crop-s" / "model.onnx"
    file, _ = photo(tmp_path)
    (tmp_path / "short.ppm").write_bytes(file.read_bytes()[:-1])
    (tmp_path / "grey.ppm").write_bytes(b"P5\n1 1\n255\n0")
    (tmp_path / "deep.ppm").write_bytes(b"P6\n1 1\n65535\n000000")
    for words, message in (
        ([], "usage"),
        ([model, tmp_path / "none.ppm"], "expected a binary PPM"),
        ([model, tmp_path / "grey.ppm"], "expected a binary PPM"),
        ([model, tmp_path / "deep.ppm"], "expected 8-bit RGB"),
        ([model, tmp_path / "short.ppm"], "ends before its last pixel"),
        ([tmp_path / "none.onnx", file], "none.onnx"),
    ):
        done = run(program, *words)
        assert done.returncode == 1
        assert message in done.stderr


def test_a_model_without_the_metadata_is_refused(program, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(MODELS / "body-crop-s" / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    file, _ = photo(tmp_path)
    done = run(program, tmp_path / "bare.onnx", file)
    assert done.returncode == 1
    assert "no metadata of posekit" in done.stderr
