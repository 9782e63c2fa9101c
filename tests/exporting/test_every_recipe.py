"""Every representation and every one-stage system passes the check of an export, in each runtime."""

import importlib.util

import pytest
from small_models import ONE_STAGE, small_model

from posekit.engines.onnx import OnnxEngine
from posekit.engines.openvino import OpenVinoEngine
from posekit.engines.outputs import Metadata
from posekit.engines.torch import TorchEngine
from posekit.exporting.graph import Graph
from posekit.exporting.images import drawn, plateaus
from posekit.exporting.onnx import onnx_model
from posekit.exporting.openvino import openvino_model, save_openvino
from posekit.exporting.parity import BOUNDS, compare
from posekit.recipes import SYSTEMS
from posekit.recipes.representations import REPRESENTATIONS

ALL = (*REPRESENTATIONS, *(ONE_STAGE + name for name in SYSTEMS))
FAST = ("dark", "simcc", "rle3d", f"{ONE_STAGE}ttfnet")
"""A heatmap, bins, numbers with spread and depth, and a system for full images."""
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="the extra openvino")


def checked(name, to, folder, precision="fp32", count=8):
    recipe, net = small_model(name, size=(128, 192) if name.startswith(ONE_STAGE) else (64, 96))
    spec = recipe.spec()
    metadata = Metadata(spec, precision)
    onnx = onnx_model(Graph(net, recipe.codec).eval(), recipe.size, metadata)
    if to == "onnx":
        engine = OnnxEngine(onnx.SerializeToString(), threads=1)
    else:
        save_openvino(openvino_model(onnx), folder / "model.xml", metadata)
        engine = OpenVinoEngine(folder / "model.xml", threads=1)
    original, depth = TorchEngine(net, recipe.codec, spec), getattr(recipe.codec, "depth", None) or 0.0
    parity = compare(original, engine, drawn(spec, count), BOUNDS[precision], plateaus(spec), depth)
    assert parity.faults == ()
    assert parity.instances >= parity.images
    return parity


@pytest.mark.parametrize("name", FAST)
def test_some_pass_as_onnx(name, tmp_path):
    checked(name, "onnx", tmp_path)


@needs_openvino
def test_one_passes_in_openvino(tmp_path):
    """The choice of instances among equal scores, which OpenVINO once computed wrongly for a batch."""
    checked(f"{ONE_STAGE}ttfnet", "openvino", tmp_path, count=7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_all_pass_as_onnx(name, tmp_path):
    checked(name, "onnx", tmp_path, count=16)


@pytest.mark.slow
@needs_openvino
@pytest.mark.parametrize("name", ALL)
def test_all_pass_in_openvino(name, tmp_path):
    checked(name, "openvino", tmp_path, count=16)


@pytest.mark.slow
@needs_openvino
@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_weights_in_16_bits_pass_with_their_own_bound(to, tmp_path):
    parity = checked("regression", to, tmp_path, precision="fp16")
    assert parity.points_px > 0
