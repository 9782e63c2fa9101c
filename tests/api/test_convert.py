"""TensorFlow.js graph models are read, and MoveNet's become weights folders that decode as the published networks."""

import importlib.util
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from posekit.api.convert import LICENCES, SHIFT, SIZES, convert_movenet
from posekit.data.image import read_image
from posekit.engines.torch import TorchEngine
from posekit.geometry.framing import Crop, Letterbox, letterbox_matrix
from posekit.models.backbones.movenet import MoveNet
from posekit.models.movenet_weights import HEADS, VECTORS
from posekit.models.tfjs import read_tfjs
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.transforms.geometric import warp
from posekit.zoo.weights import load_weights

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
HALF = {"dtype": "float16", "original_dtype": "float32"}


def entry(name, array, dtype="float32", quantised=None):
    """What the JSON says of a tensor, and its bytes."""
    plain = {"name": name, "shape": list(array.shape), "dtype": dtype}
    return plain | ({"quantization": quantised} if quantised else {}), array.tobytes()


def write_tfjs(folder, groups, name="net"):
    """A graph model of groups of entries, each group in its own binary file."""
    manifest = []
    for number, entries in enumerate(groups):
        file = f"{name}-{number}.bin"
        (folder / file).write_bytes(b"".join(data for _, data in entries))
        manifest.append({"paths": [file], "weights": [plain for plain, _ in entries]})
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"format": "graph-model", "weightsManifest": manifest}))
    return path


@pytest.fixture
def tiny(tmp_path):
    kernel = np.arange(12).reshape(1, 3, 2, 2) / 8
    first = [
        entry("conv/weight", kernel.astype(np.float16), quantised=HALF),
        entry("shape", np.array([7, -8], np.int32), "int32"),
        entry("plain", np.array([[0.1, 1e-9]], np.float32)),
    ]
    second = [
        entry("few", np.array([0, 1, 255], np.uint8), quantised={"dtype": "uint8", "scale": 0.5, "min": -3.0}),
        entry("axis", np.array(2, np.int32), "int32"),
        entry("more", np.array([65535], np.uint16), quantised={"dtype": "uint16", "scale": 0.25, "min": 1.0}),
    ]
    return write_tfjs(tmp_path, (first, second))


def test_tensors_are_read_and_dequantised(tiny):
    tensors = read_tfjs(tiny)
    assert list(tensors) == ["conv/weight", "shape", "plain", "few", "axis", "more"]
    assert tensors["conv/weight"].dtype == tensors["few"].dtype == np.float32
    np.testing.assert_array_equal(tensors["conv/weight"], np.arange(12).reshape(1, 3, 2, 2) / 8)
    assert tensors["shape"].tolist() == [7, -8] and tensors["shape"].dtype == np.int32
    np.testing.assert_array_equal(tensors["plain"], np.array([[0.1, 1e-9]], np.float32))
    assert tensors["few"].tolist() == [-3, -2.5, 124.5]
    assert tensors["axis"].shape == () and tensors["axis"] == 2
    assert tensors["more"].tolist() == [65535 * 0.25 + 1]


def test_one_group_in_two_files_is_read_as_one(tmp_path, tiny):
    whole = (tmp_path / "net-0.bin").read_bytes()
    (tmp_path / "net-0.bin").write_bytes(whole[:5])
    (tmp_path / "rest.bin").write_bytes(whole[5:])
    graph = json.loads(tiny.read_text())
    graph["weightsManifest"][0]["paths"].append("rest.bin")
    tiny.write_text(json.dumps(graph))
    assert read_tfjs(tiny)["shape"].tolist() == [7, -8]


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0"])
def test_a_binary_of_another_length_is_refused(tmp_path, tiny, change):
    file = tmp_path / "net-0.bin"
    data = change(file.read_bytes())
    file.write_bytes(data)
    with pytest.raises(ValueError, match=rf"net\.json: its tensors take 40 bytes, but net-0\.bin has {len(data)}"):
        read_tfjs(tiny)


def test_missing_files_are_named(tmp_path, tiny):
    (tmp_path / "net-1.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"net\.json names net-1\.bin, which is not in the same folder"):
        read_tfjs(tiny)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.json: expected the \.json"):
        read_tfjs(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "[1, 2]",
        "{}",
        '{"weightsManifest": 3}',
        '{"weightsManifest": [{"paths": []}]}',
        '{"weightsManifest": [{"paths": [], "weights": [{"name": "a", "shape": [1], "dtype": "complex64"}]}]}',
        '{"weightsManifest": [{"paths": [], "weights": [{"name": "a", "shape": 1, "dtype": "int32"}]}]}',
    ],
)
def test_what_is_no_graph_model_is_refused(tmp_path, text):
    file = tmp_path / "odd.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"odd\.json: not a TensorFlow\.js graph model"):
        read_tfjs(file)


def test_a_graph_of_another_network_is_refused(tmp_path, tiny):
    with pytest.raises(ValueError, match="not one of MoveNet's networks: it has no layer 'Conv1/weight'"):
        convert_movenet(tiny, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def net_of(version):
    recipe = RECIPES["movenet"](SKELETONS["coco17"], size=(64, 64))
    model = replace(recipe.model, backbone=MoveNet(version))
    if version == "multipose":
        return replace(recipe, model=model).build()
    codec = replace(recipe.codec, single=True)
    losses = {name: loss for name, loss in recipe.losses.items() if name in codec.shapes}
    return replace(recipe, model=model, codec=codec, losses=losses, framing=Crop()).build()


def published(state):
    """The tensors of a network under the names, and in the layouts, of the published files."""
    theirs = {ours: name for name, ours in HEADS.items()}
    root, head_layers = "StatefulPartitionedCall/center_net_feature_extractor/model_1", {}
    for name, value in state.items():
        array, parts = value.numpy(), name.split(".")
        depthwise = array.ndim == 4 and array.shape[1] == 1 and array.shape[2] == 3
        if array.ndim == 4:
            array = array.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        bias = parts[-1] == "bias"
        if parts[0] == "backbone":
            layer = {"stem": "Conv1", "last": "Conv_1"}.get(parts[1])
            if layer is None:
                layer = f"block_{parts[2]}_{parts[3]}" if parts[2] != "0" else f"expanded_conv_{parts[3]}"
            yield f"{root}/model/{layer}/Conv2D_{'bn_offset' if bias else 'weights'}", array
            continue
        number = int(parts[3] if parts[0] == "neck" else 0)
        suffix = f"_{number}" if number else ""
        if parts[2] == "lateral":
            yield f"{root}/conv2d{suffix}/{'BiasAdd' if bias else 'Conv2D'}/ReadVariableOp", array
        elif parts[2] == "mix":
            inner = f"{root}/separable_conv2d{suffix}"
            last = "bn_offset" if bias else "weights"
            yield f"{inner}/separable_conv2d{'/ReadVariableOp' if depthwise else f'_{last}'}", array
        else:
            if parts[2] in VECTORS and parts[3] == "3":
                # Ours is x before y.
                array = array.reshape(*array.shape[:-1], -1, 2)[..., ::-1].reshape(array.shape)
            number = head_layers.setdefault(parts[2], len(head_layers)) + 3
            outer = f"StatefulPartitionedCall/{theirs[parts[2]]}"
            if parts[3] == "3":
                yield f"{outer}/conv2d_{number + 1}/{'BiasAdd' if bias else 'Conv2D'}/ReadVariableOp", array
            else:
                kind = "BiasAdd/ReadVariableOp" if bias else "separable_conv2d/ReadVariableOp"
                last = "_1" if parts[3] == "1" and not bias else ""
                yield f"{outer}/separable_conv2d_{number}/{kind}{last}", array


def write_movenet(folder, net):
    entries = [entry(name, value.astype(np.float16), quantised=HALF) for name, value in published(net.state_dict())]
    return write_tfjs(folder, [entries], "movenet")


def test_an_interrupted_conversion_can_be_repeated(tmp_path, monkeypatch):
    file = write_movenet(tmp_path, net_of("lightning"))

    def interrupted(folder, *rest):
        folder.mkdir(exist_ok=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("posekit.api.convert.save_weights", interrupted)
        convert_movenet(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    convert_movenet(file, tmp_path / "out")
    assert (tmp_path / "out" / "config.json").is_file() and not (tmp_path / "out.tmp").exists()


@pytest.mark.parametrize(
    ("version", "size", "framing"), [("lightning", (192, 192), Crop), ("multipose", (384, 384), Letterbox)]
)
def test_a_movenet_becomes_a_weights_folder(tmp_path, version, size, framing):
    torch.manual_seed(0)
    net = net_of(version)
    recipe = convert_movenet(write_movenet(tmp_path, net), tmp_path / "out")
    weights = load_weights(tmp_path / "out")
    assert weights.recipe == recipe
    assert (recipe.name, recipe.size, type(recipe.framing)) == (f"movenet-{version}", size, framing)
    assert recipe.codec.single == (version == "lightning")
    assert weights.spec.licences.weights == LICENCES.weights
    found = weights.net.state_dict()
    for name, value in net.state_dict().items():
        shift = SHIFT if name in (f"head.branches.{n}.3.bias" for n in ("offset", "centre_offset")) else 0.0
        assert torch.equal(found[name], value.half().float() + shift), name
    if version == "multipose":
        return
    written = {file: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    with pytest.raises(FileExistsError, match="out exists already: give another folder"):
        convert_movenet(tmp_path / "movenet.json", tmp_path / "out")
    assert {file: file.read_bytes() for file in (tmp_path / "out").iterdir()} == written
    assert convert_movenet(tmp_path / "movenet.json", tmp_path / "wide", (128, 256)).size == (128, 256)


def test_movenets_of_other_points_or_widths_are_refused(tmp_path):
    tensors = list(published(net_of("lightning").state_dict()))

    def converted(change):
        entries = [entry(name, change(name, value).astype(np.float16), quantised=HALF) for name, value in tensors]
        return convert_movenet(write_tfjs(tmp_path, [entries]), tmp_path / "out")

    def fewer(name, value):
        return value[..., :4] if "kpt_heatmap_0/conv2d" in name else value

    with pytest.raises(ValueError, match=r"its tensors do not fit movenet-lightning: .*size mismatch"):
        converted(fewer)
    with pytest.raises(ValueError, match="a MoveNet with 24 channels in its first layer is not known"):
        converted(lambda name, value: value[..., :24] if "/Conv1/" in name else value)
    assert not (tmp_path / "out").exists()


def _interpreter():
    """The module `tfjs_torch`, which runs the graph of a published file."""
    folder = os.environ.get("POSEKIT_TFJS")
    if not folder or not (Path(folder) / "tfjs_torch.py").is_file():
        pytest.skip("POSEKIT_TFJS names no folder with tfjs_torch.py, which runs published graphs")
    spec = importlib.util.spec_from_file_location("tfjs_torch", Path(folder) / "tfjs_torch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("version", SIZES)
def test_published_files_decode_as_their_graphs(tmp_path, version):
    """Theirs: y, x in sides of the image and a score for each point; a position is a pixel index, half a pixel less."""
    folder = os.environ.get("POSEKIT_MOVENET")
    file = Path(folder or "") / f"movenet-{version}.json"
    if not folder or not file.is_file():
        pytest.skip("POSEKIT_MOVENET names no folder with movenet-*.json, the published files")
    several = version == "multipose"
    size = (256, 256) if several else SIZES[version]
    convert_movenet(file, tmp_path / "out", size)
    graph = _interpreter().TFJS(str(file))
    weights = load_weights(tmp_path / "out")
    engine = TorchEngine(weights.net, weights.recipe.codec, weights.spec)
    # Which cells count as inside a box is compared before boxes are moved to the frame of posekit.
    still = load_weights(tmp_path / "out").net
    if several:
        still.head.branches["centre_offset"][3].bias.data -= SHIFT
    unmoved = TorchEngine(still, weights.recipe.codec, weights.spec)
    photos = sorted(PHOTOS.glob("*.jpg"))
    assert photos
    for photo in photos:
        image = read_image(photo)
        image = warp(image, letterbox_matrix(image.shape[:2], size), size)[None]
        (output,) = graph(torch.from_numpy(image.astype(np.int32))).values()
        output = output.numpy().reshape(6 if several else 1, -1)
        best = output[output[:, -1].argmax()] if several else output[0]
        points = best[:51].reshape(17, 3)
        poses = unmoved(image)[0]
        wanted = points[:, [1, 0]] * size[::-1] + 0.5
        np.testing.assert_allclose(poses.xy[0], wanted, atol=0.05, err_msg=photo.name)
        np.testing.assert_allclose(poses.score[0], points[:, 2], atol=1e-3, err_msg=photo.name)
        if several:
            assert poses.instance_score[0] == pytest.approx(best[55], abs=1e-3)
            poses = engine(image)[0]
            np.testing.assert_allclose(poses.boxes[0], best[[52, 51, 54, 53]] * size[0] + 0.5, atol=0.05)
            same = np.abs(poses.xy[0] - wanted).max(-1) < 0.05
            assert same.mean() > 0.8 and same[points[:, 2] > 0.25].all()
