"""Exported models that are no networks: a graph of a few nodes with posekit's inputs, outputs and metadata."""

import numpy as np
import onnx
from figures import FOUR
from onnx import TensorProto, helper, numpy_helper

from posekit.engines.outputs import KEY, Metadata, dump_metadata
from posekit.engines.spec import InferenceSpec
from posekit.geometry.framing import Crop

SIZE = (16, 12)
SPEC = InferenceSpec(name="brightness", skeleton=FOUR, size=SIZE, framing=Crop(padding=1.0))
METADATA = dump_metadata(Metadata(SPEC, weights="0" * 64, version="0.1.0"))
CORNERS = np.array([[3, 4], [9, 4], [3, 12], [9, 12]], np.float32)
ALL = ("xy", "score", "instance_score", "map_mean")


def brightness(metadata: str | None = METADATA, outputs: tuple[str, ...] = ALL) -> onnx.ModelProto:
    """Points at `CORNERS`, moved right and down by the mean of the image / 255, which is every score as well."""
    constants = {
        "axes": np.array([1, 2, 3], np.int64),
        "top": np.full((1, 1, 1, 1), 255, np.float32),
        "corners": CORNERS[None, None],
        "last": np.array([3], np.int64),
        "last two": np.array([2, 3], np.int64),
        "ones": np.ones((1, 1, 4), np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["level"], keepdims=1),
        helper.make_node("Div", ["level", "top"], ["map_mean"]),
        helper.make_node("Add", ["map_mean", "corners"], ["xy"]),
        helper.make_node("Squeeze", ["map_mean", "last two"], ["instance_score"]),
        helper.make_node("Squeeze", ["map_mean", "last"], ["column"]),
        helper.make_node("Mul", ["column", "ones"], ["score"]),
    ]
    shapes = {
        "xy": ("batch", 1, 4, 2),
        "score": ("batch", 1, 4),
        "instance_score": ("batch", 1),
        "map_mean": ("batch", 1, 1, 1),
    }
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ("batch", *SIZE, 3))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if metadata is not None:
        helper.set_model_props(model, {KEY: metadata})
    onnx.checker.check_model(model)
    return model


def images(count: int, seed: int = 0) -> np.ndarray:
    """Images of one random grey value each."""
    levels = np.random.default_rng(seed).integers(0, 256, (count, 1, 1, 1), np.uint8)
    return np.broadcast_to(levels, (count, *SIZE, 3))
