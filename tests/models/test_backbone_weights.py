"""Files of weights: what is taken, what is passed over, what is refused."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from posekit.models.backbones import BACKBONES
from posekit.models.backbones.dla import DLA
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.weights import fill, load_weights, read_weights


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return ShuffleNetV2(0.5).build()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in other)


def write(path, state):
    if path.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    else:
        torch.save(state, path)
    return str(path)


@pytest.mark.parametrize("ending", ["safetensors", "pth", "pt"])
def test_a_file_fills_the_backbone_and_its_classifier_is_passed_over(backbone, tmp_path, ending):
    state = {**backbone.state_dict(), "fc.weight": torch.zeros(7, 1024), "fc.bias": torch.zeros(7)}
    again = ShuffleNetV2(0.5, weights=write(tmp_path / f"backbone.{ending}", state)).build()
    assert same(again.state_dict(), backbone.state_dict())


def test_a_nested_file_and_a_whole_nets_file_give_the_backbone(backbone, tmp_path):
    state = backbone.state_dict()
    nested = ShuffleNetV2(0.5, weights=write(tmp_path / "nested.pth", {"state_dict": state})).build()
    assert same(nested.state_dict(), state)
    whole = {**{f"backbone.{name}": value for name, value in state.items()}, "head.maps.heatmap.bias": torch.zeros(5)}
    assert same(ShuffleNetV2(0.5, weights=write(tmp_path / "net.safetensors", whole)).build().state_dict(), state)


def test_old_files_that_count_no_batches_fit(backbone):
    state = {name: value for name, value in backbone.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert same(fill(ShuffleNetV2(0.5).build(), state, (), "old").state_dict(), state)


def test_no_path_changes_nothing(backbone):
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    assert load_weights(backbone, None) is backbone
    assert same(backbone.state_dict(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("conv5.0.weight"), "weights x do not fit: they lack conv5.0.weight$"),
        (lambda state: state.update({"fd.weight": torch.zeros(3)}), "they hold unknown fd.weight$"),
        (
            lambda state: state.update({"conv1.0.weight": torch.zeros(24, 3, 5, 5)}),
            r"other shapes: conv1.0.weight \(24, 3, 5, 5\) instead of \(24, 3, 3, 3\)",
        ),
        (lambda state: [state.pop(name) for name in list(state)[:9]], "lack .* and 3 more"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_copied(backbone, change, message):
    other = ShuffleNetV2(0.5).build()
    before = {name: value.clone() for name, value in other.state_dict().items()}
    state = dict(backbone.state_dict())
    change(state)
    with pytest.raises(ValueError, match=message):
        fill(other, state, ("fc.",), "x")
    assert same(other.state_dict(), before)


def test_hrnet_takes_the_classification_networks_file(monkeypatch):
    with torch.device("meta"):
        state = HRNet(multi_scale=True).build().state_dict()
        state["classifier.weight"] = torch.zeros(7, 2048)
        monkeypatch.setattr("posekit.models.weights.read_weights", lambda path: state)
        names = HRNet(weights="x.pth").build().state_dict()
        assert set(names) < set(state)
        state["stage5.weight"] = torch.zeros(7)
        with pytest.raises(ValueError, match=r"weights x\.pth do not fit: they hold unknown stage5\.weight$"):
            HRNet(weights="x.pth").build()


def test_files_that_are_not_weights_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.pth"):
        read_weights(tmp_path / "gone.pth")
    text = tmp_path / "weights.txt"
    text.write_text("no")
    with pytest.raises(ValueError, match=r"expected a .safetensors, .pth, .pt or .bin file"):
        read_weights(text)
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not hold a dictionary of tensors"):
        read_weights(tmp_path / "other.pth")


def test_a_file_of_dla_may_hold_the_projections_that_are_never_called(tmp_path):
    state = DLA().build().state_dict()
    whole = {**state, "level3.project.0.weight": torch.zeros(128, 64, 1, 1), "fc.bias": torch.zeros(7)}
    filled = DLA(weights=write(tmp_path / "dla.pth", whole)).build().state_dict()
    assert same(filled, state) and filled.keys() == state.keys()
    with pytest.raises(ValueError, match=r"level2\.project\.9"):
        DLA(weights=write(tmp_path / "other.pth", {**whole, "level2.project.9": torch.zeros(2)})).build()


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net", "ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module.model.", "model.backbone."])
def test_checkpoints_of_training_programs_are_read(backbone, tmp_path, key, prefix):
    state = {f"{prefix}{name}": value for name, value in backbone.state_dict().items()}
    content = {"epoch": 3, "optimizer": {"lr": 0.1}, key: state}
    path = write(tmp_path / "checkpoint.pth", content)
    assert same(ShuffleNetV2(0.5, weights=path).build().state_dict(), backbone.state_dict())


def test_a_deeper_checkpoint_is_read(backbone, tmp_path):
    path = write(tmp_path / "deep.pth", {"model": {"state_dict": backbone.state_dict(), "epoch": 1}})
    assert same(ShuffleNetV2(0.5, weights=path).build().state_dict(), backbone.state_dict())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged, or not saved by torch"),
        (b"PK\x03\x04 not really", "is damaged, or not saved by torch"),
        (pickle.dumps({"a": 1}, 2), "(is damaged|does not hold a dictionary of tensors|holds more than tensors)"),
    ],
)
def test_files_that_are_no_weights_are_told(tmp_path, content, message):
    file = tmp_path / "w.pth"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"weights: {file} {message}"):
        read_weights(file)


def test_a_pickled_model_is_refused_with_the_fix(backbone, tmp_path):
    torch.save(backbone, tmp_path / "model.pth")
    with pytest.raises(ValueError, match=r"reading it would run its code; .*torch\.save\(torch\.load\(FILE"):
        read_weights(tmp_path / "model.pth")
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"does not hold a dictionary of tensors, but one of epoch, lr; save it with"):
        read_weights(tmp_path / "other.pth")
    (tmp_path / "w.safetensors").write_bytes(b"12345678 no")
    with pytest.raises(ValueError, match="is damaged or not safetensors"):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize("kind", [name for name in BACKBONES if name not in ("timm", "efficientnet_lite")])
def test_imagenet_names_what_has_it(kind):
    with pytest.raises(ValueError, match=r"weights 'imagenet' come with efficientnet_lite .*give the published file"):
        BACKBONES[kind](weights="imagenet").build()
