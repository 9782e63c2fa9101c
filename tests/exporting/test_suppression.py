"""Box suppression inside a graph keeps exactly what the suppression in Python keeps, in each runtime."""

import importlib.util
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from figures import FOUR
from onnx import TensorProto, helper
from small_models import ONE_STAGE, Cells, small_folder, small_recipe

from posekit.api.export import export
from posekit.engines.outputs import check_spec
from posekit.engines.spec import InferenceSpec
from posekit.exporting.suppression import DROPPED, Suppressing, check_suppression, with_suppression
from posekit.geometry.framing import Crop, Letterbox
from posekit.geometry.keypoints import Poses
from posekit.pipelines.predictor import Predictor
from posekit.postprocess.suppress import NMS
from posekit.recipe import Recipe
from posekit.zoo.exported import open_exported
from posekit.zoo.load import load
from posekit.zoo.weights import save_weights

K = 3
NMS_BOX = NMS(method="box", threshold=0.5, score_threshold=0.05, max_instances=4)
SPEC = InferenceSpec(name="scene", skeleton=FOUR, size=(64, 96), framing=Letterbox(), nms=NMS_BOX)
RUNTIMES = ["onnx", "openvino"]
SQUARE = [0.0, 0.0, 8.0, 8.0]
FAR = [40.0, 40.0, 48.0, 48.0]


class Given:
    """An engine that gives the same poses whatever the images."""

    spec = SPEC

    def __init__(self, poses):
        self.poses = poses

    def __call__(self, images):
        return self.poses


def poses(boxes, score, given=True):
    """Poses (B, N, K) with boxes, whose points lie at two corners and in the centre."""
    boxes, score = np.asarray(boxes, np.float32), np.asarray(score, np.float32)
    corners = boxes.reshape(*boxes.shape[:-1], 2, 2)
    xy = np.concatenate([corners, corners.mean(-2, keepdims=True)], -2)
    return Poses(xy, np.broadcast_to(score[..., None], (*score.shape, K)), score, boxes=boxes if given else None)


def in_graph(found, runtime, spec=SPEC):
    """Instance scores (B, N) of a graph that suppresses these poses."""
    names = ["xy", "instance_score"] + ([] if found.boxes is None else ["boxes"])
    shapes = {"xy": ("b", "n", K, 2), "instance_score": ("b", "n"), "boxes": ("b", "n", 4)}
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"{name}_in"], [name]) for name in names],
        "given",
        [helper.make_tensor_value_info(f"{name}_in", TensorProto.FLOAT, shapes[name]) for name in names],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in names],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content = with_suppression(model, spec, runtime).SerializeToString()
    values = {f"{name}_in": getattr(found, name) for name in names}
    if runtime == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        return session.run(["instance_score"], values)[0]
    openvino = pytest.importorskip("openvino", reason="the extra openvino is not installed")
    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    return core.compile_model(core.read_model(content), "CPU", options)(values)["instance_score"]


CASES = {
    "ties": ([[SQUARE, [1, 0, 9, 8], [0, 1, 8, 9], FAR, FAR]], [[0.5, 0.5, 0.5, 0.7, 0.7]]),
    "all overlap": ([[[i / 8, 0, 8 + i / 8, 8] for i in range(6)]], [[0.3, 0.9, 0.2, 0.9, 0.5, 0.1]]),
    "one box suppressed by a suppressed one stays": ([[SQUARE, [2, 0, 10, 8], [4, 0, 12, 8]]], [[0.9, 0.8, 0.7]]),
    # Two of three parts are shared by (0, 0, 6, 8) and (0, 0, 12, 8): IoU is exactly the threshold.
    "at the threshold": ([[[0, 0, 6, 8], [0, 0, 12, 8], FAR]], [[0.5, 0.9, 0.1]]),
    "more than are kept": ([[[20 * i, 0, 20 * i + 8, 8] for i in range(6)]], [[0.1, 0.6, 0.2, 0.5, 0.4, 0.3]]),
    "each image by itself": ([[SQUARE, SQUARE, FAR], [FAR, SQUARE, SQUARE]], [[0.2, 0.9, 0.4], [0.3, 0.3, 0.8]]),
    "boxes without extent": ([[[5, 5, 5, 5], [5, 5, 5, 5], SQUARE]], [[0.5, 0.4, 0.3]]),
    "none": (np.zeros((2, 0, 4)), np.zeros((2, 0))),
}
KEPT = {
    "ties": [[0, 3]],
    "all overlap": [[1]],
    "one box suppressed by a suppressed one stays": [[0, 2]],
    "at the threshold": [[0, 1, 2]],
    "more than are kept": [[1, 3, 4, 5]],
    "each image by itself": [[1, 2], [0, 2]],
    "boxes without extent": [[0, 1, 2]],
    "none": [[], []],
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("case", CASES)
def test_the_graph_keeps_what_python_keeps(case, runtime):
    if case == "none" and runtime == "openvino":
        pytest.skip("OpenVINO has no tensors without elements")
    found = poses(*CASES[case])
    expected = Suppressing(Given(found))(np.zeros((len(found.xy), 1))).instance_score
    assert [np.flatnonzero(row != DROPPED).tolist() for row in expected] == KEPT[case]
    np.testing.assert_array_equal(in_graph(found, runtime), expected)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_without_boxes_those_around_the_points_are_compared(runtime):
    found = poses(*CASES["each image by itself"], given=False)
    kept = [np.flatnonzero(row != DROPPED).tolist() for row in in_graph(found, runtime)]
    assert kept == KEPT["each image by itself"]


def test_many_random_boxes_are_kept_as_in_python():
    generator = np.random.default_rng(0)
    low = generator.integers(0, 40, (7, 60, 2))
    boxes = np.concatenate([low, low + generator.integers(4, 24, (7, 60, 2))], -1)
    found = poses(boxes, generator.integers(1, 9, (7, 60)) / 10)
    spec = replace(SPEC, nms=replace(NMS_BOX, max_instances=100))
    engine = Given(found)
    engine.spec = spec
    expected = Suppressing(engine)(np.zeros((7, 1))).instance_score
    assert 50 < (expected == DROPPED).sum() < 400
    np.testing.assert_array_equal(in_graph(found, "onnx", spec), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"framing": Crop()}, "takes a box for each instance, so nothing is suppressed: leave out --nms"),
        ({"nms": NMS(method="none")}, "finds no duplicates and suppresses none: leave out --nms"),
        (
            {"nms": NMS(method="oks")},
            r"scene suppresses by oks of its points, .* operator for boxes alone",
        ),
        ({"nms": NMS(method="soft_oks")}, "suppresses by soft_oks"),
        ({"nms": NMS(method="pose_distance")}, "suppresses by pose_distance"),
        ({"framing": Letterbox(tiles=True)}, "several views of an image, .* a graph sees one: leave out --nms"),
    ],
)
def test_what_is_no_suppression_of_boxes_is_refused(changes, message):
    check_suppression(SPEC)
    with pytest.raises(ValueError, match=message):
        check_suppression(replace(SPEC, **changes))


def test_a_graph_that_suppresses_takes_no_other_views_or_suppression():
    exported = replace(SPEC, nms_in_graph=True)
    check_spec(exported, exported, "x")
    for changes in ({"framing": Letterbox(scales=(1.0, 2.0))}, {"nms": replace(NMS_BOX, threshold=0.6)}):
        with pytest.raises(ValueError, match="x: duplicates are suppressed in the graph, which sees one view"):
            check_spec(exported, replace(exported, **changes), "x")


def test_poses_that_a_graph_kept_are_not_suppressed_again():
    found = poses([[SQUARE, [1, 0, 9, 8], FAR]], [[0.9, 0.8, DROPPED]])
    image = np.zeros((64, 96, 3), np.uint8)
    for inside, count in ((False, 1), (True, 2)):
        engine = Given(found)
        engine.spec = replace(SPEC, nms_in_graph=inside, skeleton=FOUR)
        assert len(Predictor(engine)([image])[0]) == count


@pytest.mark.slow
@pytest.mark.parametrize("system", ["fcos", "directpose", "fcpose"])
@pytest.mark.parametrize("to", RUNTIMES)
def test_systems_that_suppress_boxes_pass_the_check(system, to, tmp_path):
    if to == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("the extra openvino is not installed")
    folder = small_folder(tmp_path / "mine", f"{ONE_STAGE}{system}", size=(128, 192))
    made = export(folder, to, out=tmp_path / ("mine.onnx" if to == "onnx" else "mine.xml"), count=8, nms=True)
    assert made.parity.passed and made.parity.instances > 8


def with_large_boxes(net):
    """The network with boxes that overlap their neighbours'."""
    for name, layer in net.layers.items():
        if name.startswith("box"):
            torch.nn.init.constant_(layer.bias, 2.0)
    return net


@pytest.mark.parametrize("to", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
def test_an_export_with_suppression_passes_the_check_and_finds_the_same(to, tmp_path, monkeypatch):
    if to == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("the extra openvino is not installed")
    monkeypatch.setattr(Recipe, "build", lambda self, *, weights=True: with_large_boxes(Cells(self.codec)))
    recipe, folder = small_recipe(f"{ONE_STAGE}fcos", (64, 96)), tmp_path / "mine"
    torch.manual_seed(0)
    save_weights(folder, recipe.build(), recipe, {"AP": 0.5})
    made = export(folder, to, out=tmp_path / ("mine.onnx" if to == "onnx" else "mine.xml"), count=7, nms=True)
    assert made.parity.passed
    before, after = load(folder, runtime="torch"), load(made.file)
    assert after.spec == replace(before.spec, nms_in_graph=True)
    images = list(np.random.default_rng(1).integers(0, 256, (3, 50, 70, 3), np.uint8))
    for one, other in zip(before(images), after(images), strict=True):
        assert len(one) == len(other) > 1
        np.testing.assert_allclose(one.xy, other.xy, atol=0.02)
    # What is found is what is left of more.
    assert (open_exported(made.file)(np.zeros((2, 64, 96, 3), np.uint8)).instance_score == DROPPED).any()
    if to == "onnx":
        assert "NonMaxSuppression" in {node.op_type for node in onnx.load(str(made.file)).graph.node}
