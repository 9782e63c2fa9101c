"""Batches by default: few on a CPU, many on a GPU."""

from types import SimpleNamespace

import pytest

from posekit.engines.spec import InferenceSpec
from posekit.geometry.framing import Crop, Letterbox
from posekit.skeletons import SKELETONS
from posekit.zoo.load import _predictor


@pytest.mark.parametrize(
    ("where", "framing", "batch"),
    [
        ({"device": "cpu"}, Crop(), 8),
        ({"device": "cpu"}, Letterbox(), 2),
        ({"device": "cuda:0"}, Crop(), 32),
        ({"provider": "CUDAExecutionProvider"}, Letterbox(), 32),
        ({"provider": "CPUExecutionProvider"}, Crop(), 8),
        ({}, Crop(), 8),
    ],
)
def test_a_gpu_gets_larger_batches(where, framing, batch):
    spec = InferenceSpec(name="one", skeleton=SKELETONS["coco17"], size=(64, 64), framing=framing)
    engine = SimpleNamespace(spec=spec, **where)
    assert _predictor(engine, None).batch == batch
    assert _predictor(engine, 5).batch == 5
