"""The assembly: parts fitted to each other and to the codec's maps."""

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file
from torch import nn

from posekit.models import ARCHITECTURES
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.lite_hrnet import LiteHRNet
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.mobilenet_v4 import MobileNetV4
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.backbones.timm import Timm
from posekit.models.base import PoseNet
from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample
from posekit.models.normalize import Normalize
from posekit.models.topdown import TopDown, without_weights

LIGHT = ShuffleNetV2(0.5)
PIXELS = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
MAPS = {"heatmap": (5, 16, 24)}
NETS = {
    "maps": (TopDown(size=(64, 96), backbone=LIGHT, neck=Upsample(8)), MAPS),
    "deconv": (TopDown(size=(64, 96), backbone=LIGHT, neck=Deconv(8)), MAPS),
    "pooled": (TopDown(size=(64, 96), backbone=LIGHT, neck=Plain(), head=Pooled()), {"xy": (5, 2)}),
    "simcc": (TopDown(size=(64, 96), backbone=LIGHT, neck=Plain(), head=SimCC()), {"x": (5, 192), "y": (5, 128)}),
}

BACKBONES = [
    ResNet(18),
    MobileNetV2(0.5),
    MobileNetV3(),
    MobileNetV4("medium"),
    ShuffleNetV2(0.5),
    HRNet(),
    LiteHRNet(),
    EfficientNetLite(),
]


def settled(net):
    """In eval mode, with statistics of real maps in the norms, so that outputs are of ordinary size."""
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None
        net.train()(PIXELS)
    return net.eval()


def test_the_table_of_architectures():
    assert ARCHITECTURES["topdown"] is TopDown
    assert TopDown().kind == "topdown"


@pytest.mark.parametrize("name", NETS)
def test_every_wanted_map_comes_in_its_shape(name):
    config, shapes = NETS[name]
    maps = config.build(shapes)(PIXELS)
    assert {key: tuple(x.shape) for key, x in maps.items()} == {key: (2, *shape) for key, shape in shapes.items()}


@pytest.mark.parametrize("name", NETS)
def test_every_parameter_is_trained(name):
    config, shapes = NETS[name]
    net = config.build(shapes).to(memory_format=torch.channels_last)
    sum(x.square().sum() for x in net(PIXELS).values()).backward()
    assert [key for key, value in net.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", ["maps", "pooled", "simcc"])
def test_a_net_exports_with_a_free_batch(name):
    config, shapes = NETS[name]
    net = settled(config.build(shapes))
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(net, (PIXELS,), dynamic_shapes=({0: batch},)).module()
    more = torch.cat((PIXELS, PIXELS.flip(3)))
    with torch.no_grad():
        expected, given = net(more), exported(more)
    for key in shapes:
        torch.testing.assert_close(given[key], expected[key])


@pytest.mark.slow
@pytest.mark.parametrize("config", BACKBONES, ids=lambda config: config.kind)
def test_every_backbone_exports(config):
    neck = Plain() if config.kind in ("hrnet", "lite_hrnet") else Deconv(8)
    net = settled(TopDown(size=(64, 96), backbone=config, neck=neck).build(MAPS))
    exported = torch.export.export(net, (PIXELS,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(PIXELS)["heatmap"], net(PIXELS)["heatmap"])


def test_a_net_can_be_traced():
    config, shapes = NETS["maps"]
    net = settled(config.build(shapes))
    with pytest.warns(DeprecationWarning):
        traced = torch.jit.trace(net, PIXELS, strict=False)
    more = torch.cat((PIXELS, PIXELS.flip(3)))
    torch.testing.assert_close(traced(more)["heatmap"], net(more)["heatmap"])


def test_bytes_and_floats_mean_the_same():
    config, shapes = NETS["maps"]
    net = settled(config.build(shapes))
    assert torch.equal(net(PIXELS)["heatmap"], net(PIXELS.float())["heatmap"])


def test_normalising_is_imagenets_unless_the_backbone_has_its_own():
    image = torch.stack([torch.full((4, 6), value) for value in (124, 116, 104)])[None].byte()
    # (124 / 255 - 0.485) / 0.229 = 0.0056, (116 / 255 - 0.456) / 0.224 = -0.0049, (104 / 255 - 0.406) / 0.225 = 0.0082.
    expected = torch.tensor([0.0056, -0.0049, 0.0082])
    torch.testing.assert_close(Normalize()(image)[0, :, 0, 0], expected, atol=1e-4, rtol=0)
    backbone = LIGHT.build()
    backbone.mean, backbone.std = (0.5, 0.5, 0.5), (0.25, 0.5, 1.0)
    net = PoseNet(backbone, Plain().build(backbone.channels, backbone.strides, 32), nn.Identity())
    white = torch.full((2, 3, 4, 6), 255.0)
    assert net.normalize(white)[0, :, 0, 0].tolist() == [2.0, 1.0, 0.5]
    assert not [name for name in net.state_dict() if name.startswith("normalize")]


def test_the_stride_follows_from_the_maps():
    for cells, stride in (((32, 48), 2), ((16, 24), 4), ((8, 12), 8)):
        net = TopDown(size=(64, 96), backbone=LIGHT, neck=Upsample(8)).build({"heatmap": (5, *cells)})
        assert net.neck.stride == stride


def test_the_stride_of_numbers_is_the_backbones_end_or_the_necks_or_as_told():
    for neck, told, stride in ((Plain(), None, 32), (Plain(), 8, 8), (Deconv(8), None, 4), (Upsample(8), 16, 16)):
        net = TopDown(size=(64, 96), backbone=LIGHT, neck=neck, head=Pooled(), stride=told).build({"xy": (5, 2)})
        assert net.neck.stride == stride


def test_hrnet_needs_no_neck():
    with torch.device("meta"):
        net = TopDown(size=(64, 96), backbone=HRNet(), neck=Plain()).build(MAPS)
        assert net(torch.zeros(2, 3, 64, 96))["heatmap"].shape == (2, 5, 16, 24)


@pytest.mark.parametrize(
    ("config", "shapes", "message"),
    [
        (TopDown(size=(250, 190)), MAPS, "image is 250x190; resnet needs multiples of 32: use 256x192"),
        (TopDown(backbone=HRNet(), size=(72, 96)), MAPS, "hrnet needs multiples of 32: use 96x96"),
        (
            TopDown(size=(64, 96)),
            {"heatmap": (5, 15, 24)},
            "'heatmap' is 15x24 cells and the image 64x96 pixels; .* 16x24",
        ),
        (TopDown(size=(64, 96)), {"heatmap": (5, 16, 16)}, "'heatmap' is 16x16 cells"),
        (TopDown(size=(64, 96)), {"heatmap": (5, 200, 300)}, "'heatmap' is 200x300 cells"),
        (
            TopDown(size=(64, 96)),
            {"a": (5, 16, 24), "b": (5, 8, 12)},
            "one resolution, but the maps need strides 'a' 4, 'b' 8",
        ),
        (TopDown(size=(64, 96), neck=Plain()), {"a": (5, 32, 48)}, "use the neck 'upsample' or 'deconv'"),
        (TopDown(size=(64, 96)), {"xy": (5, 2)}, "use the head 'pooled' or 'simcc'"),
    ],
)
def test_parts_that_do_not_fit_are_refused(config, shapes, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        config.build(shapes)


def test_a_backbone_of_a_fixed_size_wants_that_size(monkeypatch):
    build = ShuffleNetV2.build

    def fixed(config):
        backbone = build(config)
        backbone.size = (32, 64)
        return backbone

    monkeypatch.setattr(ShuffleNetV2, "build", fixed)
    with pytest.raises(ValueError, match=r"only takes 32x64: set its size to \(64, 96\)"):
        NETS["maps"][0].build(MAPS)


def test_a_config_survives_json():
    adapter = TypeAdapter(TopDown)
    config = TopDown(size=(64, 96), backbone=MobileNetV2(0.5), neck=Upsample(8), head=Maps(std=0.01), stride=4)
    assert adapter.validate_json(adapter.dump_json(config)) == config


def test_a_config_refuses_nonsense():
    for broken in ({"size": (0, 96)}, {"backbone": {"kind": "resnett"}}, {"neck": {"kind": "deconv", "kernel": 5}}):
        with pytest.raises(ValueError, match=next(iter(broken))):
            TopDown(**broken)


def test_weights_can_be_left_out(tmp_path):
    backbone = ResNet(18).build()
    file = tmp_path / "backbone.safetensors"
    save_file(backbone.state_dict(), file)
    config = TopDown(size=(64, 96), backbone=ResNet(18, weights=str(file)))
    assert torch.equal(config.build(MAPS).backbone.conv1.weight, backbone.conv1.weight)
    file.unlink()
    assert not torch.equal(config.build(MAPS, weights=False).backbone.conv1.weight, backbone.conv1.weight)
    assert without_weights(Timm("resnet18", pretrained=True, weights="x.pth")) == Timm("resnet18")
