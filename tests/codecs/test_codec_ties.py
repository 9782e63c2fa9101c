"""Equal values have one order, that of their index, in torch, in an exported program and in ONNX Runtime."""

import warnings
from functools import partial

import numpy as np
import onnxruntime
import pytest
import torch
from codec_cases import CASES, K, random_maps
from torch import nn

from posekit.codecs.base import PerInstance
from posekit.codecs.cells import LOWEST
from posekit.codecs.one_stage.center_pose import CenterPose
from posekit.codecs.one_stage.dekr import Dekr
from posekit.codecs.one_stage.dekr_first import DekrFirst
from posekit.codecs.one_stage.directpose import DirectPose
from posekit.codecs.one_stage.fcos import Fcos
from posekit.codecs.one_stage.fcpose import FCPose
from posekit.codecs.one_stage.instances import local_maxima
from posekit.codecs.one_stage.ttf_pose import TtfPose
from posekit.codecs.ranking import first_highest, highest_around, peak, top
from posekit.geometry.grid import Grid

SIZE, GRID, STRIDES, MOST = (64, 96), Grid.of((64, 96), 4), (8, 16), 12
SCENES = {
    "center_pose": CenterPose(points=K, grid=GRID, max_instances=MOST, candidates=9),
    "ttf_pose": TtfPose(points=K, grid=GRID, max_instances=MOST),
    "dekr": Dekr(points=K, grid=GRID, max_instances=MOST),
    "dekr_first": DekrFirst(points=K, grid=GRID, max_instances=MOST, candidates=9),
    "fcos": Fcos(points=K, size=SIZE, strides=STRIDES, max_instances=MOST),
    "directpose": DirectPose(points=K, size=SIZE, strides=STRIDES, max_instances=MOST),
    "fcpose": FCPose(points=K, size=SIZE, strides=STRIDES, max_instances=MOST),
}
BATCH = 3


class Call(nn.Module):
    """Tensors in, tensors out."""

    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, *values):
        return self.call(*values)


def everywhere(call, inputs, folder):
    """What torch, the exported program and ONNX Runtime make of the same inputs."""
    return runners(call, inputs, folder)(inputs)


def runners(call, inputs, folder):
    """A function that runs other inputs of these shapes in torch, in the exported program and in ONNX Runtime."""
    module, names = Call(call), [f"in_{n}" for n in range(len(inputs))]
    exported = torch.export.export(module, inputs).module()
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one and that shapes are traced.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        file = str(folder / "call.onnx")
        torch.onnx.export(module, inputs, file, dynamo=False, opset_version=17, input_names=names)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    used = {item.name for item in session.get_inputs()}

    def run(inputs):
        given = dict(zip(names, (value.numpy() for value in inputs), strict=True))
        ran = session.run(None, {name: value for name, value in given.items() if name in used})
        return [[value.numpy() for value in module(*inputs)], [value.numpy() for value in exported(*inputs)], ran]

    return run


def steps(*shape, levels=4, seed=0):
    """Numbers of few kinds, so that many are equal."""
    return torch.randint(levels, shape, generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize("count", [1, 7, 40, 60, 100])
@pytest.mark.parametrize("levels", [1, 2, 9, 1000])
def test_the_highest_are_those_of_a_stable_sort(levels, count, tmp_path):
    values = steps(2, 3, 60, levels=levels)
    value, index = values.sort(dim=-1, descending=True, stable=True)
    for got in everywhere(partial(top, count=count), (values,), tmp_path):
        assert np.array_equal(got[0], value[..., :count].numpy())
        assert np.array_equal(got[1], index[..., :count].numpy())


def test_infinities_are_numbers_like_others():
    values = torch.tensor([[1.0, -torch.inf, 2.0, -torch.inf, torch.inf, 2.0]])
    assert top(values, 5)[1].tolist() == [[4, 2, 5, 0, 1]]
    assert top(values.double(), 6)[1].tolist() == [[4, 2, 5, 0, 1, 3]]


def test_the_first_of_equal_ones_is_the_highest(tmp_path):
    values = steps(5, 40, levels=3)
    first = [row.tolist().index(row.max()) for row in values]
    for got in everywhere(first_highest, (values,), tmp_path):
        assert got[1].tolist() == first


def test_the_peak_of_a_plateau_is_its_first_cell_in_reading_order(tmp_path):
    maps = torch.zeros(2, 3, 16, 12)
    maps[0, 0, 5:9, 3:8] = 1.0
    maps[0, 1, 9, 2] = maps[0, 1, 3, 11] = 2.0
    maps[1, 2, 15, 11] = 1.0
    expected = [[[3, 5], [11, 3], [0, 0]], [[0, 0], [0, 0], [11, 15]]]
    for got in everywhere(peak, (maps,), tmp_path):
        assert got[0].tolist() == expected


@pytest.mark.parametrize("window", [1, 3, 5, 7])
@pytest.mark.parametrize("shape", [(9, 11), (1, 11), (9, 1), (2, 2), (1, 1)])
def test_the_highest_around_is_that_of_the_square(window, shape):
    maps = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1))
    pooled = nn.functional.max_pool2d(maps, window, stride=1, padding=window // 2)
    assert torch.equal(highest_around(maps, window), pooled)


def test_what_fills_up_are_the_first_cells(tmp_path):
    maps = torch.zeros(1, 1, 4, 5)
    maps[0, 0, 2, 3], maps[0, 0, 0, 1] = 1.0, 1.0
    for got in everywhere(partial(local_maxima, count=5), (maps,), tmp_path):
        assert got[0][0, 0].tolist() == [1, 1, 0, 0, 0]
        assert got[1][0, 0].tolist() == [[1, 0], [3, 2], [0, 0], [2, 0], [3, 0]]
    value, cell = local_maxima(maps - 5, 3, floor=LOWEST)
    assert (value[0, 0].tolist(), cell[0, 0].tolist()) == ([-4, -4, -5], [[1, 0], [3, 2], [3, 0]])


@pytest.mark.parametrize("case", [pytest.param(c, marks=pytest.mark.slow) if " " in c else c for c in CASES])
def test_a_map_of_equal_cells_is_decoded_alike(case, tmp_path):
    codec = CASES[case]

    def decode(*maps):
        poses = codec.decode(dict(zip(codec.shapes, maps, strict=True)))
        return poses.xy, poses.score

    some, none = random_maps(codec, BATCH), {n: torch.zeros(BATCH, *shape) for n, shape in codec.shapes.items()}
    run = runners(decode, tuple(value.round() for value in some.values()), tmp_path)
    for maps in (some, none):
        there = run(tuple(value.round() for value in maps.values()))
        for got in there[1:]:
            for one, other in zip(there[0], got, strict=True):
                np.testing.assert_allclose(got[0], there[0][0], atol=0.01)
                np.testing.assert_allclose(one, other, atol=0.01)


@pytest.mark.parametrize("case", ["heatmap logits", "ttfnet", "centernet", "grid"])
def test_large_logits_are_not_all_equal(case):
    """A sigmoid in single precision is 1 from 17 on."""
    codec = CASES[case]
    maps = {name: torch.zeros(1, *shape) for name, shape in codec.shapes.items()}
    maps["heatmap"][0, :, 0, 0], maps["heatmap"][0, :, 1, 2], maps["heatmap"][0, :, 3, 1] = 30.0, 40.0, 35.0
    there = codec.grid.pixels(torch.tensor([2.0, 1.0]))
    assert (codec.decode(maps).xy - there).abs().max() <= 0.5 * codec.grid.scale[0]


@pytest.mark.parametrize("kind", SCENES)
@pytest.mark.parametrize("levels", [1, 3])
def test_equal_instances_of_a_full_image_have_one_order(kind, levels, tmp_path):
    codec = SCENES[kind]
    maps = {name: steps(BATCH, *shape, levels=levels, seed=n) for n, (name, shape) in enumerate(codec.shapes.items())}
    if isinstance(codec, PerInstance):
        maps["cell"] = codec.select(maps)
        maps["point_maps"] = steps(BATCH, MOST, K, *codec.shapes["refine"][1:], levels=levels)

    def decode(*values):
        poses = codec.decode(dict(zip(maps, values, strict=True)))
        return poses.xy, poses.instance_score, poses.score

    first, *others = everywhere(decode, tuple(maps.values()), tmp_path)
    for other in others:
        for one, same in zip(first, other, strict=True):
            np.testing.assert_allclose(one, same, atol=1e-3)
