"""The half that works without torch is imported where torch cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
from exported_files import SPEC, brightness
from test_walls import torch_free_modules

from posekit.engines.spec import dump_spec
from posekit.zoo.layout import FORMAT

BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "accelerate", "timm"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in which torch cannot be imported."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
        env=environment,
    )


def test_the_block_blocks():
    done = run("import torch")
    assert done.returncode != 0
    assert "torch is blocked" in done.stderr


def test_every_torch_free_module_imports_without_torch():
    modules = torch_free_modules()
    assert "posekit.geometry.grid" in modules
    code = f"""
import importlib, traceback
failed = 0
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except Exception:
        failed += 1
        print(name, traceback.format_exc(limit=-2))
sys.exit(failed)
"""
    done = run(code)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_and_the_command_answer_without_torch():
    done = run(
        """
import posekit, posekit.cli.main
assert posekit.cli.main.main(["--help"]) == 0
assert posekit.cli.main.main(["--version"]) == 0
assert "numpy" not in sys.modules, "the table of commands needs no numpy"
"""
    )
    assert done.returncode == 0, done.stderr
    assert "usage: posekit COMMAND" in done.stdout


def test_public_values_work_without_torch():
    done = run(
        """
import numpy as np
import posekit
from posekit.skeletons import SKELETONS
from posekit.metrics.evaluate import evaluate

skeleton = SKELETONS["coco17"]
xy = np.random.default_rng(0).uniform(0, 90, (3, 17, 2))
points = posekit.Keypoints(xy, np.full((3, 17), 2)).flipped(90, skeleton).flipped(90, skeleton)
boxes = np.tile([0.0, 0.0, 90.0, 90.0], (3, 1))
result = evaluate(points.xy, xy, points.labelled, boxes, None, skeleton)
assert result.main == "oks" and result.value > 0.999
grid = posekit.Grid.of(image=(64, 48), stride=4)
assert np.allclose(grid.pixels(grid.cells(xy)), xy)
"""
    )
    assert done.returncode == 0, done.stderr


def test_what_needs_torch_says_how_to_install_it():
    for words in ("posekit.train", "posekit.Recipe"):
        done = run(f"import posekit\n{words}")
        assert done.returncode != 0
        assert "pip install 'posekit[train]'" in done.stderr


def test_data_is_checked_and_packed_without_torch(tmp_path):
    code = f"""
from pathlib import Path
from posekit.cli.main import main
from posekit.data.synthetic import Synthetic
from posekit.skeletons import SKELETONS

folder = Path({str(tmp_path)!r})
file = str(Synthetic(SKELETONS["hand21"], count=3, size=(48, 48)).to_files(folder / "data"))
assert main(["data", "check", file, "--out", str(folder / "sheet.png")]) == 0
assert main(["data", "pack", file, "--size", "32", "--out", str(folder / "tiny.zip")]) == 0
assert main(["data", "check", str(folder / "tiny.zip"), "--out", str(folder / "sheet.png")]) == 0
"""
    done = run(code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 images, 3 instances" in done.stdout


def test_a_fake_engine_predicts_and_is_measured_without_torch(tmp_path):
    done = run(
        f"""
import json, pathlib
import cv2, numpy as np
import posekit
from posekit.api.predict import predict
from posekit.data.synthetic import Synthetic
from posekit.engines.spec import InferenceSpec, dump_spec, parse_spec
from posekit.evaluation.measure import measure
from posekit.geometry.framing import Crop, Letterbox
from posekit.geometry.keypoints import Poses
from posekit.pipelines.chain import Chain
from posekit.skeletons import SKELETONS

folder = pathlib.Path({str(tmp_path)!r})
hand = SKELETONS["hand21"]

class Grid:
    "Points on a grid in whatever it is shown."
    def __init__(self, framing):
        spec = InferenceSpec(name="grid", skeleton=hand, size=(48, 48), framing=framing)
        self.spec = parse_spec(json.loads(json.dumps(dump_spec(spec))), "metadata")
    def __call__(self, images):
        B = len(images)
        x, y = np.meshgrid(np.linspace(10, 38, 7), np.linspace(10, 38, 3))
        xy = np.stack([x.ravel(), y.ravel()], -1).astype(np.float32)
        ones = np.ones((B, 1, 21), np.float32)
        boxes = np.tile([[8.0, 8, 40, 40]], (B, 1, 1))
        return Poses(np.tile(xy, (B, 1, 1, 1)), ones, ones[..., 0], boxes=boxes, depth=ones)

file = Synthetic(hand, count=3, size=(48, 48)).to_files(folder / "data")
dataset = posekit.read(file)
crops, images = posekit.load(Grid(Crop())), posekit.load(Grid(Letterbox()))
assert repr(crops).startswith("Predictor(grid: 21 points of 'hand21' in a box")
measured = measure(crops, dataset)
assert np.isfinite(measured.value) and measured.xy.shape == (3, 21, 2)
assert "AP" in measure(images, dataset).figures and "AP" in measure(Chain(images, crops), dataset).figures
found = predict(dataset.images[0].path, Chain(images, crops), out=folder / "out")
assert found.images[0].drawing.is_file() and found.images[0].poses.depth.shape == (1, 21)
assert json.loads((folder / "out" / "results.json").read_text())[0]["point_names"] == list(hand.points)
poses = images(dataset.images[0].path)[0]
assert posekit.draw_poses(posekit.read_image(dataset.images[0].path), poses.xy, poses.score, hand).ndim == 3
assert poses.to_dict(hand)[0]["points"]["wrist"]["depth"] == 1.0
"""
    )
    assert done.returncode == 0, done.stderr


def test_a_torch_model_says_how_to_install_torch(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    done = run(f"import posekit\nposekit.load({str(tmp_path)!r})")
    assert done.returncode != 0
    assert "needs torch: pip install 'posekit[train]'" in done.stderr


def test_exported_models_predict_without_torch(tmp_path):
    """A file, and a weights folder with a `model.onnx` in it."""
    folder, photo = tmp_path / "mine", tmp_path / "photo.png"
    folder.mkdir()
    onnx.save(brightness(), str(folder / "model.onnx"))
    config = {"format": FORMAT, "library": "posekit", "spec": dump_spec(SPEC), "recipe": {}}
    (folder / "config.json").write_text(json.dumps(config))
    cv2.imwrite(str(photo), np.full((32, 24, 3), 255, np.uint8))
    done = run(
        f"""
import numpy as np
import posekit
from posekit.cli.main import main

folder, photo = {str(folder)!r}, {str(photo)!r}
for model in (folder, folder + "/model.onnx"):
    poses = posekit.load(model)(photo)[0]
    assert np.allclose(poses.xy[0, 0], [8, 10]) and poses.score.shape == (1, 4), poses.xy
    assert main(["predict", photo, "--model", model, "--out", folder + "/out"]) == 0
try:
    posekit.export(folder)
except ModuleNotFoundError as error:
    assert "export needs torch: pip install 'posekit[train]'" in str(error), error
else:
    raise AssertionError("exported without torch")
"""
    )
    assert done.returncode == 0, done.stdout + done.stderr
