"""`posekit.export`: a file that gives the same points, or none at all, and every misuse told before work is done."""

import errno
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from exported_files import brightness
from figures import FOUR, labelled_files
from safetensors.torch import load_file, save_file
from small_models import Cells, small_recipe

import posekit
from posekit.api.export import ExportError, export
from posekit.data.synthetic import Synthetic
from posekit.engines.onnx import OnnxEngine
from posekit.engines.outputs import MAP
from posekit.engines.torch import TorchEngine
from posekit.exporting.choices import too_low
from posekit.exporting.files import report_of
from posekit.exporting.graph import Graph
from posekit.exporting.making import Making
from posekit.recipe import Recipe
from posekit.zoo.catalogue import checksum
from posekit.zoo.errors import WeightsError
from posekit.zoo.exported import open_exported
from posekit.zoo.load import load
from posekit.zoo.weights import load_weights, save_weights

ROOT = Path(__file__).parents[2]
SIZES = {"dark": (64, 48), "one-stage ttfnet": (64, 64)}
FEW = 4


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Makes the weights folder of a recipe whose network is one convolution."""
    monkeypatch.setattr(Recipe, "build", lambda self, *, weights=True: Cells(self.codec))

    def make(kind="dark", **changes):
        recipe = replace(small_recipe(kind, SIZES[kind]), **changes)
        torch.manual_seed(0)
        save_weights(tmp_path / "mine", recipe.build(), recipe, {"pck@0.2": 0.5})
        return tmp_path / "mine"

    return make


@pytest.fixture
def photo():
    return Synthetic(FOUR, 1, (80, 60), seed=4).image(0)


def same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine.xy, theirs.xy, atol=0.02)
        np.testing.assert_allclose(mine.score, theirs.score, atol=1e-3)
        np.testing.assert_allclose(mine.instance_score, theirs.instance_score, atol=1e-3)


def report_beside(file, passed=True):
    return json.loads(report_of(file, passed=passed).read_text())


@pytest.mark.parametrize("kind", SIZES)
def test_the_file_gives_the_points_of_the_folder(folder, photo, tmp_path, kind):
    said = []
    made = export(folder(kind), out=tmp_path / "out" / "model.onnx", count=FEW, say=said.append)
    assert made.file == tmp_path / "out" / "model.onnx" and made.parity.passed and not made.figures
    same(load(tmp_path / "mine")([photo]), load(made.file)([photo]))
    assert load(made.file).spec == load_weights(tmp_path / "mine").spec
    report = report_beside(made.file)
    assert (report["passed"], report["faults"], report["precision"], report["to"]) == (True, [], "fp32", "onnx")
    assert report["sha256"] == {"model.onnx": checksum(made.file)}
    assert report["bytes"] == made.file.stat().st_size
    assert report["images"] == "synthetic images, since no others were given (--images)"
    assert report["parity"]["images"] == FEW + 4 and report["bound"]["points"] == 0.01
    assert OnnxEngine(made.file).metadata.weights == checksum(tmp_path / "mine" / "model.safetensors")
    assert "comparing on 4 images, at batches of 1 and 7" in said
    assert sorted(path.name for path in made.file.parent.iterdir()) == ["model.onnx", "model.onnx.report.json"]


@pytest.mark.parametrize("kind", SIZES)
def test_the_same_from_openvino(folder, photo, tmp_path, kind):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    made = export(folder(kind), "openvino", out=tmp_path / "out" / "model.xml", count=FEW)
    same(load(tmp_path / "mine")([photo]), load(made.file)([photo]))
    assert set(report_beside(made.file)["sha256"]) == {"model.xml", "model.bin"}
    names = ["model.bin", "model.xml", "model.xml.report.json"]
    assert sorted(path.name for path in made.file.parent.iterdir()) == names
    with pytest.raises(ValueError, match="is a file for openvino, and runtime 'onnx' was asked for"):
        load(made.file, runtime="onnx")


def test_without_a_name_the_file_is_in_the_folder_of_the_model(folder):
    place = folder()
    assert export(place, count=FEW).file == place / "small.onnx"
    assert export(place, half=True, count=FEW).file == place / "small-fp16.onnx"
    assert OnnxEngine(place / "small-fp16.onnx").metadata.precision == "fp16"
    assert export(place, count=FEW).file == place / "small.onnx"  # an older export is replaced


def test_a_run_is_compared_on_its_validation_data(folder, tmp_path):
    data = labelled_files(tmp_path / "data", count=5)
    recipe = small_recipe("dark", SIZES["dark"])
    place = folder(data=replace(recipe.data, train=(data,), val=(data,)))
    assert export(place, count=FEW).images == "the run's validation data"
    data.write_text("[]")
    images = export(place, count=FEW).images
    assert images.startswith("synthetic images, since the run's validation data cannot be read (")
    data.unlink()
    assert export(place, count=FEW).images == "synthetic images, since no others were given (--images)"


@pytest.mark.parametrize("kind", SIZES)
def test_images_to_compare_on_may_be_labels_or_photos(folder, tmp_path, kind):
    place, data = folder(kind), labelled_files(tmp_path / "data", count=5)
    made = export(place, images=data, count=3)
    assert (made.images, made.parity.images) == (str(data), 3 + 4)
    photos = sorted(data.parent.rglob("*.png"))
    assert export(place, images=photos[0].parent, count=9).parity.images == len(photos) + 4
    with pytest.raises(ValueError, match="give label files, or image files and folders, but not both"):
        export(place, images=[data, photos[0]])


def shifted(found):
    return found | {"xy": found["xy"] + 1}


def swapped(found):
    return found | {"xy": found["xy"][:, :, list(FOUR.flip)]}


def one_more(found):
    """The first instance once more, elsewhere."""
    more = {name: torch.cat((value[:, :1], value), 1) for name, value in found.items() if not name.startswith(MAP)}
    first = torch.arange(more["xy"].shape[1])[None, :, None, None] == 0
    return more | {"xy": torch.where(first, more["xy"] + 9, more["xy"])}


def ties_reversed(found):
    """Only where all scores are equal, as in images without content."""
    score = found["instance_score"]
    equal = (score.amax(1) - score.amin(1) == 0)[:, None]
    index = torch.where(equal, torch.arange(score.shape[1]).flip(0), torch.arange(score.shape[1]))
    return {
        name: value.gather(1, index.reshape(*index.shape, *[1] * (value.ndim - 2)).expand_as(value))
        for name, value in found.items()
    }


@pytest.mark.parametrize(
    ("kind", "fault", "message"),
    [
        ("dark", shifted, "points differ by up to 1.414 px"),
        ("dark", swapped, "points differ by up to"),
        ("dark", one_more, "1 instances in the original, of which 0 are missing; 1 are new"),
        ("one-stage ttfnet", shifted, "points differ by up to 1.414 px"),
        ("one-stage ttfnet", swapped, "points differ by up to"),
        ("one-stage ttfnet", one_more, "of which 0 are missing; 1 are new"),
        ("one-stage ttfnet", ties_reversed, "instances are not in the order of the original"),
    ],
)
def test_a_broken_export_is_refused_and_leaves_nothing(folder, tmp_path, monkeypatch, kind, fault, message):
    place, out = folder(kind), tmp_path / "out" / "model.onnx"
    right = Graph.forward
    monkeypatch.setattr(Graph, "forward", lambda self, image: fault(right(self, image)))
    with pytest.raises(
        ExportError, match=r"model\.onnx was not written: .*; all is in .*model\.onnx\.failed\.json"
    ) as e:
        export(place, out=out, count=FEW)
    assert [path.name for path in out.parent.iterdir()] == ["model.onnx.failed.json"]
    report = report_beside(out, passed=False)
    assert report["passed"] is False
    assert any(message in sentence for sentence in report["faults"]), report["faults"]
    assert any(sentence in str(e.value) for sentence in report["faults"])


def test_a_broken_export_for_openvino_leaves_nothing(folder, tmp_path, monkeypatch):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    place, out = folder(), tmp_path / "out" / "model.xml"
    right = Graph.forward
    monkeypatch.setattr(Graph, "forward", lambda self, image: shifted(right(self, image)))
    with pytest.raises(ExportError, match=r"points differ by up to 1\.414 px"):
        export(place, "openvino", out=out, count=FEW)
    assert [path.name for path in out.parent.iterdir()] == ["model.xml.failed.json"]


def test_a_broken_export_leaves_an_older_one(folder, tmp_path, monkeypatch):
    place, out = folder(), tmp_path / "model.onnx"
    export(place, out=out, count=FEW)
    content = out.read_bytes()
    right = Graph.forward
    with monkeypatch.context() as patched, pytest.raises(ExportError):
        patched.setattr(Graph, "forward", lambda self, image: shifted(right(self, image)))
        export(place, out=out, count=FEW)
    assert out.read_bytes() == content and report_beside(out)["passed"] is True
    assert report_beside(out, passed=False)["passed"] is False
    export(place, out=out, count=FEW)
    assert not report_of(out, passed=False).exists()


def test_points_that_are_no_numbers_are_refused_and_the_report_is_json(folder, tmp_path, monkeypatch):
    place, out = folder(), tmp_path / "model.onnx"
    right = Graph.forward
    monkeypatch.setattr(Graph, "forward", lambda self, i: {k: v * float("nan") for k, v in right(self, i).items()})
    with pytest.raises(ExportError, match="4 points are no numbers"):
        export(place, out=out, count=FEW)
    assert report_beside(out, passed=False)["parity"]["points_px"] is None
    assert "NaN" not in report_of(out, passed=False).read_text()


def test_files_of_others_are_never_replaced(folder, tmp_path):
    place, out = folder(), tmp_path / "model.onnx"
    foreign = brightness().SerializeToString()
    out.write_bytes(foreign)
    with pytest.raises(ValueError, match=r"model\.onnx exists and is not what posekit exported .*--out, or move it"):
        export(place, out=out)
    assert out.read_bytes() == foreign
    out.unlink()
    export(place, out=out, count=FEW)
    out.write_bytes(foreign)  # the report beside it is about another file
    with pytest.raises(ValueError, match="exists and is not what posekit exported"):
        export(place, out=out)
    (tmp_path / "model.onnx.report.json").write_text("[1]")
    with pytest.raises(ValueError, match="exists and is not what posekit exported"):
        export(place, out=out)
    assert out.read_bytes() == foreign
    (tmp_path / "other.bin").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"other\.bin exists and is not what posekit exported"):
        export(place, "openvino", out=tmp_path / "other.xml")
    assert (tmp_path / "other.bin").read_bytes() == b"mine"


def test_a_file_of_other_weights_in_the_folder_is_refused(folder):
    place = folder()
    made = export(place, out=place / "model.onnx", count=FEW)
    assert "OnnxEngine" in repr(posekit.load(place))
    tensors = load_file(place / "model.safetensors")
    save_file({name: value + 1 for name, value in tensors.items()}, place / "model.safetensors")
    with pytest.raises(WeightsError, match=r"model\.onnx: exported from other weights than model\.safetensors"):
        posekit.load(place)
    made.file.unlink()
    assert "TorchEngine" in repr(posekit.load(place))


def test_misuse_is_told_before_anything_is_written(folder, tmp_path):
    place = folder()
    (tmp_path / "folder.onnx").mkdir()
    for words, message in (
        ({"out": tmp_path / "model.xml"}, r"model\.xml: a file for onnx ends in \.onnx"),
        ({"out": tmp_path / "model.onnx", "to": "openvino"}, r"a file for openvino ends in \.xml"),
        ({"out": tmp_path / "folder.onnx"}, r"folder\.onnx is a folder; expected the name of a file"),
        ({"half": True, "int8": tmp_path / "labels.json"}, "half and int8 are two precisions: choose one"),
        ({"count": 0}, "count is 0: an export is compared on at least 1 image"),
    ):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ValueError, match=message):
            export(place, **words)
        assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(ValueError, match=r"model\.onnx is exported already: name the run or the weights folder"):
        export(tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match="no such folder"):
        export(tmp_path / "nothing")


@pytest.mark.parametrize(("to", "module", "extra"), [("onnx", "onnx", "export"), ("openvino", "openvino", "openvino")])
def test_a_missing_package_is_named_with_its_extra(folder, tmp_path, monkeypatch, to, module, extra):
    place = folder()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {module}: pip install 'posekit\[{extra}\]'"):
        export(place, to, count=FEW)
    assert not list(place.glob("*.onnx")) and not list(place.glob("*.xml"))


def test_a_flip_test_is_part_of_the_file(folder, photo, tmp_path):
    place = folder()
    plain, flipped = (
        export(place, out=tmp_path / f"{yes}.onnx", flip_test=yes, count=FEW).file for yes in (False, True)
    )
    same(load(place, flip_test=True)([photo]), load(flipped)([photo]))
    same(load(place, flip_test=False)([photo]), load(plain)([photo]))
    assert np.abs(load(plain)([photo])[0].score - load(flipped)([photo])[0].score).max() > 1e-4
    with pytest.raises(ValueError, match="this one has one: export again with --flip-test False"):
        load(flipped, flip_test=False)
    with pytest.raises(ValueError, match=r"an exported file has its own precision: leave out half"):
        load(plain, half=True)


def test_raw_maps_are_outputs_when_asked_for(folder, tmp_path):
    made = export(folder(), out=tmp_path / "model.onnx", raw=True, count=FEW)
    maps = OnnxEngine(made.file).maps(np.zeros((2, 64, 48, 3), np.uint8))
    assert maps["map_heatmap"].shape == (2, 4, 16, 12)


def test_a_full_disk_is_told_with_the_file(folder, tmp_path, monkeypatch):
    def full(self, file, choice, images):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Making, "_write", full)
    file = tmp_path / "out.onnx"
    with pytest.raises(OSError, match=r"No space left on device: '.*out\.onnx'"):
        posekit.export(folder(), out=file)
    assert not file.exists()


def test_a_folder_with_an_exported_model_is_run_without_torch(folder, photo):
    place = folder()
    with pytest.raises(
        ValueError, match=r"has no model\.onnx: export it, and name the file, or give --out .*model\.onnx"
    ):
        load(place, runtime="onnx")
    expected = load(place)([photo])
    export(place, out=place / "model.onnx", count=FEW)
    model = load(place, threads=1)
    assert isinstance(model.engine, OnnxEngine) and model.spec == load_weights(place).spec
    same(expected, model([photo]))
    assert isinstance(load(place, runtime="onnx").engine, OnnxEngine)
    for options in ({"runtime": "torch"}, {"half": True}, {"flip_test": not model.spec.flip_test}):
        assert isinstance(load(place, **options).engine, TorchEngine)
    with pytest.raises(ValueError, match=r"is a folder: export it with --to openvino, and name the \.xml file"):
        load(place, runtime="openvino")
    with pytest.raises(ValueError, match="no runtime 'tensorrt' \\(known: auto, torch, onnx, openvino\\)"):
        load(place, runtime="tensorrt")


def test_new_weights_drop_the_exported_file_of_older_ones(folder):
    place = folder()
    export(place, out=place / "model.onnx", count=FEW)
    weights = load_weights(place)
    save_weights(place, weights.net, weights.recipe, {})
    assert not (place / "model.onnx").exists()
    assert isinstance(load(place).engine, TorchEngine)


def test_what_is_no_exported_file_is_told(tmp_path):
    with pytest.raises(WeightsError, match=r"model\.pt: not an exported model; .* ends in \.onnx or \.xml"):
        open_exported(tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.onnx: no such file"):
        posekit.load(tmp_path / "model.onnx")


def test_what_int8_may_cost():
    before = {"pck@0.05": 0.8, "AP": 0.5, "epe": 2.0}
    assert too_low(before, {"pck@0.05": 0.795, "AP": 0.51, "epe": 9.0}, 0.01) == []
    assert too_low(before, {"pck@0.05": 0.7, "AP": 0.5}, 0.01) == [
        "pck@0.05 falls by 0.1000, more than --max-drop 0.01 (0.8000 to 0.7000)"
    ]
    (sentence,) = too_low(before, {"pck@0.05": 0.8}, 0.01)
    assert "AP falls by nan" in sentence
    (sentence,) = too_low({"pck@0.05": 0.004, "AP": 0.0}, {"pck@0.05": 0.004, "AP": 0.0}, 0.01)
    assert "the original itself finds too little" in sentence and "pck@0.05 0.0040, AP 0.0000" in sentence
    assert "neither pck@0.05 nor AP can be measured" in too_low({"epe": 2.0}, {"epe": 2.0}, 0.01)[0]


@pytest.mark.parametrize(
    ("values", "kept", "precision"),
    [
        ((0.8, 0.795), "all layers in 8 bits", "int8"),
        ((0.8, 0.7, 0.8), "weights in 8 bits, computed in 32: smaller, not faster", "int8-weights"),
    ],
)
def test_int8_takes_the_first_form_that_loses_little_enough(folder, tmp_path, monkeypatch, values, kept, precision):
    """The network has one layer, so none can be spared."""
    figures = iter([{"pck@0.05": value, "AP": value} for value in values])
    monkeypatch.setattr(Making, "_figures", lambda self, engine, test: next(figures))
    said = []
    data = labelled_files(tmp_path / "data", count=4)
    made = export(folder(), out=tmp_path / "model.onnx", int8=data, say=said.append)
    assert [len(made.tried), made.tried[-1].choice.name] == [len(values) - 1, kept]
    assert made.figures == {"fp32": {"pck@0.05": 0.8, "AP": 0.8}, "int8": dict.fromkeys(("pck@0.05", "AP"), values[-1])}
    assert said[-1] == f"{kept}: pck@0.05 0.8000 to {values[-1]:.4f}, AP 0.8000 to {values[-1]:.4f}"
    assert OnnxEngine(made.file).metadata.precision == precision == report_beside(made.file)["precision"]
    assert len(report_beside(made.file)["tried"]) == len(values) - 1


def test_int8_that_loses_too_much_in_every_form_is_refused_and_half_is_measured(folder, tmp_path, monkeypatch):
    figures = iter([{"pck@0.05": value} for value in (0.8, 0.1, 0.7, 0.795)])
    monkeypatch.setattr(Making, "_figures", lambda self, engine, test: next(figures))
    data = labelled_files(tmp_path / "data", count=4)
    with pytest.raises(ExportError, match=r"pck@0\.05 falls by 0\.7000, more than --max-drop 0\.01.*--half"):
        export(folder(), out=tmp_path / "model.onnx", int8=data)
    assert not (tmp_path / "model.onnx").exists()
    report = report_beside(tmp_path / "model.onnx", passed=False)
    assert [one["choice"]["precision"] for one in report["tried"]] == ["int8", "int8-weights", "fp16"]
    assert [bool(one["faults"]) for one in report["tried"]] == [True, True, False]


def test_labels_that_show_nothing_are_told_before_anything_is_tried(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Making, "_figures", lambda self, engine, test: {"pck@0.05": 0.01})
    data = labelled_files(tmp_path / "data", count=4)
    with pytest.raises(ExportError, match="the original itself finds too little on these labels"):
        export(folder(), out=tmp_path / "model.onnx", int8=data)
    assert report_beside(tmp_path / "model.onnx", passed=False)["figures"] == {"fp32": {"pck@0.05": 0.01}}


def test_the_program_of_the_page_reads_the_file(folder, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(encoding="utf-8"), re.DOTALL)
    assert {line.split()[1] for line in code.splitlines() if line.startswith("import")} == {
        "json",
        "numpy",
        "onnxruntime",
    }
    export(folder(), out=tmp_path / "model.onnx", count=FEW)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "export.md", "exec"), names)
    crop = Synthetic(FOUR, 1, (128, 96), seed=4).image(0)
    points, score = names["find"](crop)
    (expected,) = OnnxEngine(tmp_path / "model.onnx")(crop[None, 1::2, 1::2])
    assert list(points) == list(FOUR.points)
    np.testing.assert_allclose(np.stack([*points.values()]), expected.xy[0] * 2, atol=1e-4)
    np.testing.assert_allclose(score, expected.score[0], atol=1e-6)
