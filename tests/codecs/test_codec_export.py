"""Decoding inside an exported graph: the same points, at any batch size."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from codec_cases import CASES, random_maps
from torch import nn

from posekit.codecs import CODECS

BATCHES = (2, 7)


class Decode(nn.Module):
    """Raw maps in, points and scores out."""

    def __init__(self, codec):
        super().__init__()
        self.codec, self.names = codec, tuple(codec.shapes)

    def forward(self, *maps):
        poses = self.codec.decode(dict(zip(self.names, maps, strict=True)))
        depth = () if poses.depth is None else (poses.depth,)
        return poses.xy, poses.score, poses.instance_score, *depth


QUICK = ("heatmap", "regression", "simcc")
"""The others are exported by `torch.export` in the slow tests; the files of `posekit export` are made by ONNX."""


@pytest.mark.parametrize("case", [pytest.param(c, marks=() if c in QUICK else pytest.mark.slow) for c in CODECS])
def test_torch_export(case):
    module = Decode(CASES[case])
    batch = torch.export.Dim("batch", min=1, max=1024)
    exported = torch.export.export(
        module,
        tuple(random_maps(CASES[case], 3).values()),
        dynamic_shapes={"maps": tuple({0: batch} for _ in module.names)},
    ).module()
    for size in BATCHES:
        maps = tuple(random_maps(CASES[case], size, seed=size).values())
        for got, expected in zip(exported(*maps), module(*maps), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_onnx(case, tmp_path):
    module, file = Decode(CASES[case]), str(tmp_path / "decode.onnx")
    deep = CASES[case].decode(random_maps(CASES[case])).depth is not None
    inputs, outputs = list(module.names), ["points", "score", "instance_score", *(["depths"] if deep else [])]
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one and that shapes are traced.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        torch.onnx.export(
            module,
            tuple(random_maps(CASES[case], 3).values()),
            file,
            dynamo=False,
            opset_version=17,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in inputs + outputs},
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    # What serves training alone is left out of the graph.
    used = [item.name for item in session.get_inputs()]
    for size in BATCHES:
        maps = random_maps(CASES[case], size, seed=size)
        got = session.run(None, {name: maps[name].numpy() for name in used})
        for name, mine, theirs in zip(outputs, module(*maps.values()), got, strict=True):
            assert np.abs(mine.numpy() - theirs).max() <= (0.01 if name in ("points", "depths") else 1e-4), name
