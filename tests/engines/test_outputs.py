"""The metadata of an exported file comes back as it was, and what is missing or damaged is told."""

import json

import numpy as np
import pytest
from exported_files import METADATA, SPEC
from figures import FOUR

from posekit.engines.outputs import (
    Metadata,
    check_outputs,
    check_spec,
    dump_metadata,
    parse_metadata,
    poses_of,
    threads_of,
)
from posekit.engines.spec import InferenceSpec, Licences, SpecError
from posekit.geometry.framing import Letterbox
from posekit.metrics.calibration import Calibration
from posekit.postprocess.suppress import NMS
from posekit.skeletons import SKELETONS


def test_metadata_comes_back():
    spec = InferenceSpec(
        name="a model",
        skeleton=FOUR,
        size=(64, 96),
        framing=Letterbox(scales=(1.0, 2.0), tiles=True),
        flip_test=True,
        nms=NMS(method="oks", threshold=0.6),
        instance_threshold=0.4,
        calibration=Calibration(temperature=0.5, shift=-1.0),
        metric="AP",
        figures={"AP": 0.5, "epe": None},
        licences=Licences(weights="CC-BY-4.0"),
    )
    made = Metadata(spec, "fp16", "ab" * 32, "1.2.3")
    assert parse_metadata(dump_metadata(made), "here") == made
    assert json.loads(dump_metadata(made))["format"] == 1


@pytest.mark.parametrize("text", [None, ""])
def test_a_file_without_metadata_is_told(text):
    with pytest.raises(SpecError, match=r"^x\.onnx: it has no metadata of posekit, .*`posekit export` wrote"):
        parse_metadata(text, "x.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "Invalid JSON"),
        (METADATA[:-10], "Invalid JSON"),
        ("[1]", r"x\.onnx: metadata: .*(dict|object|Metadata)"),
        ("{}", "spec: Field required"),
        ('{"spec": {"name": "x"}}', "spec.skeleton: Field required; spec.size: Field required"),
        (METADATA[:-1] + ', "colour": "red"}', "colour: Unexpected keyword argument"),
        (METADATA[:-1] + ', "format": 0}', "format: Input should be greater than or equal to 1"),
        ("[" * 10_000, "x.onnx: metadata"),
    ],
)
def test_damaged_metadata_is_told_in_one_line(text, message):
    with pytest.raises(SpecError, match=message) as caught:
        parse_metadata(text, "x.onnx")
    assert "\n" not in str(caught.value)


def test_newer_metadata_asks_for_a_newer_posekit():
    document = json.loads(METADATA) | {"format": 2, "something new": 1}
    with pytest.raises(SpecError, match=r"x\.onnx: metadata of format 2, this posekit reads 1: upgrade it"):
        parse_metadata(json.dumps(document), "x.onnx")


def test_missing_outputs_are_named():
    check_outputs(["score", "map_heatmap", "instance_score", "xy"], "x.onnx")
    with pytest.raises(SpecError, match=r"no output xy, instance_score \(it has score, boxes\)"):
        check_outputs(["score", "boxes"], "x.onnx")


def test_another_flip_test_than_that_of_the_graph_is_refused():
    with_it = InferenceSpec(**{**vars(SPEC), "flip_test": True})
    check_spec(with_it, with_it, "x")
    check_spec(SPEC, SPEC, "x")
    with pytest.raises(ValueError, match=r"x: the flip test .* this one has none: export again with --flip-test True"):
        check_spec(SPEC, with_it, "x")
    with pytest.raises(ValueError, match="this one has one: export again with --flip-test False"):
        check_spec(with_it, SPEC, "x")


def test_the_spec_of_another_model_is_refused():
    for changes in ({"size": (32, 24)}, {"skeleton": SKELETONS["hand21"]}):
        other = InferenceSpec(**{**vars(SPEC), "name": "other", **changes})
        with pytest.raises(
            ValueError, match=r"another model \(brightness: 4 points of 'tool', 16x12\) than .*\(other: "
        ):
            check_spec(SPEC, other, "model.onnx")


def test_outputs_become_poses_and_raw_maps_are_left_out():
    outputs = {
        "xy": np.zeros((2, 3, 4, 2)),
        "score": np.ones((2, 3, 4), np.float16),
        "instance_score": np.ones((2, 3)),
        "boxes": np.ones((2, 3, 4)),
        "map_heatmap": np.ones((2, 4, 8, 8)),
    }
    poses = poses_of(outputs)
    assert poses.boxes.shape == (2, 3, 4) and poses.depth is None and poses.spread is None
    assert {poses.xy.dtype, poses.score.dtype, poses.boxes.dtype} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("asked", "threads"),
    [("3", 3), ("1", 1), ("", 0), ("4,2", 4), (" 2 ", 2), ("many", 0), ("-1", 0), ("²", 0), ("٣", 0)],
)
def test_threads_come_from_the_environment(asked, threads):
    assert threads_of({"OMP_NUM_THREADS": asked}) == threads
    assert threads_of({}) == 0
