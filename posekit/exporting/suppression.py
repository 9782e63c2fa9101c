"""Non-maximum suppression of boxes inside an ONNX graph, by the operator that runtimes have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.engines.spec import Engine, InferenceSpec
from posekit.extras import require
from posekit.geometry.framing import Letterbox
from posekit.geometry.keypoints import Poses

PREFIX = "/suppression"
"""Start of the names of the nodes; they are none of the network's."""
DROPPED = -1.0
"""Instance score of what is suppressed: below every threshold."""
FOUND = "found_score"
"""Name of the instance scores before."""


def check_suppression(spec: InferenceSpec) -> None:
    """Refuse a model whose suppression cannot be part of its graph.

    Raises:
        ValueError: it takes boxes, suppresses by something else than boxes or not at all, or over several views.
    """
    if spec.needs_boxes:
        raise ValueError(f"{spec.name} takes a box for each instance, so nothing is suppressed: leave out --nms")
    if spec.nms.method == "none":
        raise ValueError(f"{spec.name} finds no duplicates and suppresses none: leave out --nms")
    if spec.nms.method != "box":
        raise ValueError(
            f"{spec.name} suppresses by {spec.nms.method} of its points, and runtimes have an operator for boxes alone "
            "(nms.method box): leave out --nms, and posekit.load suppresses behind the graph"
        )
    if isinstance(spec.framing, Letterbox) and (len(spec.framing.scales) > 1 or spec.framing.tiles):
        raise ValueError(
            f"{spec.name} looks at several views of an image, whose instances are suppressed together, and a graph "
            "sees one: leave out --nms"
        )


def with_suppression(model: Any, spec: InferenceSpec, to: str) -> Any:
    """The graph with the suppression behind it: suppressed instances have the instance score `DROPPED`.

    The operator drops a box whose IoU with a better one is above the threshold; of equal scores the first is kept, as
    in `posekit.postprocess.nms.box_nms`. Scores have no threshold in the graph: that of the operator is another
    comparison, and a low score never suppresses a higher one.

    Args:
        model: an ``onnx.ModelProto`` with ``instance_score`` (B, N), ``xy`` (B, N, K, 2), and maybe ``boxes``
            (B, N, 4); is changed.
        spec: with ``nms``.
        to: "onnx", or "openvino", whose operator drops a box at the threshold as well: it is given the next number.
    """
    onnx = require("onnx", "export to ONNX")
    outputs = [output.name for output in model.graph.output]
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [FOUND if name == "instance_score" else name for name in names]
    threshold = np.float32(spec.nms.threshold)
    dropped = onnx.numpy_helper.from_array(np.array([DROPPED], np.float32))
    constants: dict[str, NDArray[Any]] = {
        "axis": np.array([1], np.int64),
        "most": np.array([spec.nms.max_instances], np.int64),
        "overlap": np.array([threshold if to == "onnx" else np.nextafter(threshold, np.float32(2))]),
        "columns": np.array([0, 2], np.int64),
        "points": np.array([2], np.int64),
    }
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, f"{PREFIX}/{name}") for name, value in constants.items()
    )
    boxes = "boxes" if "boxes" in outputs else f"{PREFIX}/around"
    steps = [] if "boxes" in outputs else _around(boxes)
    steps += [
        ("Unsqueeze", [FOUND, "axis"], "scores", {}),
        ("NonMaxSuppression", [boxes, "scores", "most", "overlap"], "selected", {}),
        ("Gather", ["selected", "columns"], "slots", {"axis": 1}),
        ("GatherND", [FOUND, "slots"], "kept", {}),
        ("Shape", [FOUND], "shape", {}),
        (
            "ConstantOfShape",
            ["shape"],
            "dropped",
            {"value": dropped},
        ),
        ("ScatterND", ["dropped", "slots", "kept"], "instance_score", {}),
    ]
    theirs = {FOUND, "xy", "instance_score", boxes}
    for kind, inputs, output, options in steps:
        names = [name if name in theirs else f"{PREFIX}/{name}" for name in (*inputs, output)]
        made = onnx.helper.make_node(kind, names[:-1], names[-1:], f"{PREFIX}/{output}_{kind}", **options)
        model.graph.node.append(made)
    onnx.checker.check_model(model)
    return model


def _around(boxes: str) -> list[tuple[str, list[str], str, dict[str, Any]]]:
    """Nodes that give the boxes around the points, for models without boxes."""
    return [
        ("ReduceMin", ["xy", "points"], "low", {"keepdims": 0}),
        ("ReduceMax", ["xy", "points"], "high", {"keepdims": 0}),
        ("Concat", ["low", "high"], boxes, {"axis": -1}),
    ]


class Suppressing:
    """An engine with its suppression in Python, as the graph has it; what an exported file is compared with.

    Args:
        engine: without suppression.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine, self.spec = engine, engine.spec

    def __call__(self, images: NDArray[np.uint8]) -> Poses:
        """Poses (B, N, K); suppressed instances have the instance score `DROPPED`."""
        poses = self.engine(images)
        score = np.full_like(poses.instance_score, DROPPED)
        for number in range(len(score)):
            kept = self.spec.nms.kept_by_boxes(poses[number])[: self.spec.nms.max_instances]
            score[number, kept] = poses.instance_score[number, kept]
        return replace(poses, instance_score=score)
