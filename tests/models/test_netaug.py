"""Wider backbones around a small one: its own channels come first, its own statistics stay, and it can be cut out."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.mobilenet_v2 import MobileNetV2, MobileNetV2Backbone
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.resnet import ResNet
from posekit.models.compress.count import count_parameters
from posekit.models.layers.conv import ConvNormAct, rectify6
from posekit.models.rewrite.netaug import Extra, NetAug, Supernet, lent_buffers

BACKBONES = {
    "mobilenet_v2": MobileNetV2(0.35),
    "mobilenet_v3": MobileNetV3(),
    "efficientnet_lite": EfficientNetLite(),
    "resnet_basic": ResNet(18, 0.125),
    "resnet_bottleneck": ResNet(50, 0.125),
}
WIDER = NetAug(expansions=(1.0, 1.3), widths=(1.0, 1.5))
IMAGE = torch.randn(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))


def built(config, options=WIDER, seed=0):
    torch.manual_seed(seed)
    backbone = config.build().train()
    return backbone, Supernet(backbone, options)


def widest(supernet):
    return supernet.widths([1.0] * len(supernet.plan.widths))


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_of_its_own_widths_is_the_backbone(name):
    backbone, supernet = built(BACKBONES[name])
    before = copied(backbone)
    found = supernet(backbone, IMAGE, supernet.own_widths)
    assert_equal(copied(backbone), before)
    expected = backbone(IMAGE)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", BACKBONES)
def test_wider_backbones_give_maps_of_the_same_shapes_and_teach_all_weights(name):
    backbone, supernet = built(BACKBONES[name])
    before = copied(backbone)
    found = supernet(backbone, IMAGE, widest(supernet))
    sizes = [
        (2, channels, 32 // stride, 64 // stride)
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]
    assert [tuple(wide.shape) for wide in found] == sizes
    assert not any(torch.equal(wide, own) for wide, own in zip(found, backbone(IMAGE), strict=True))
    sum((wide * torch.randn_like(wide)).sum() for wide in found).backward()
    for own in backbone.parameters():
        assert own.grad.isfinite().all() and own.grad.any()
    assert all(extra.grad.isfinite().all() for extra in supernet.parameters())
    # ReLU, and gates that are open or shut, stop some: but for a few, all of them hear of the loss.
    assert sum(bool(extra.grad.any()) for extra in supernet.parameters()) > 0.9 * len(list(supernet.parameters()))
    assert all(layer.groups in (1, layer.in_channels) for layer in backbone.modules() if isinstance(layer, nn.Conv2d))
    learnt = {name for name, _ in backbone.named_parameters()}
    assert_equal({name: copied(backbone)[name] for name in learnt}, {name: before[name] for name in learnt})


def test_a_mobilenet_twice_as_wide_is_one_built_so():
    backbone, supernet = built(MobileNetV2(), NetAug(widths=(2.0,)))
    plain = MobileNetV2Backbone(2.0)
    # The last map keeps its channels.
    plain.features[-1] = ConvNormAct(640, 1280, act=rectify6)
    widths = widest(supernet)
    assert count_parameters(supernet) == count_parameters(plain) - count_parameters(backbone)
    plain.load_state_dict({name: value.detach() for name, value in supernet.weights(backbone, widths).items()}, False)
    with torch.no_grad():
        found, expected = supernet(backbone, IMAGE, widths), plain.train()(IMAGE)
    assert [own.shape[1] for own in found] == [24, 32, 96, 1280]
    assert all(torch.equal(a, b[:, : a.shape[1]]) for a, b in zip(found, expected, strict=True))


def test_count_by_hand():
    # ResNet-18 of 8, 16, 32 and 64 channels, twice as wide inside its eight blocks: in h channels from a to b,
    # 9ah for the first convolution, 2h for its norm, 9hb for the second.
    blocks = [(8, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64)]
    expected = sum(9 * before * after + 2 * after + 9 * after * after for before, after in blocks)
    _, supernet = built(ResNet(18, 0.125), NetAug(expansions=(2.0,)))
    assert count_parameters(supernet) == expected == 172128


@settings(deadline=None, max_examples=30)
@given(
    own=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    more=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    asked=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    spread=st.floats(0, 2),
)
def test_own_numbers_come_first_and_narrower_is_a_part_of_wider(own, more, asked, spread):
    weight = torch.randn(*own, 3, 3)
    full = own[0] + more[0], own[1] + more[1]
    extra = Extra(weight, full, spread, 1.0)
    assert count_parameters(extra) == 9 * (full[0] * full[1] - own[0] * own[1])
    wide = extra(weight, *full)
    assert tuple(wide.shape[:2]) == full and torch.equal(wide[: own[0], : own[1]], weight)
    some = tuple(base + min(a, b) for base, a, b in zip(own, more, asked, strict=True))
    assert torch.equal(extra(weight, *some), wide[: some[0], : some[1]])
    if weight.numel() > 1:
        bound = 3**0.5 * weight.std(correction=0) * 1.0001
        assert (wide[own[0] :].abs() <= bound).all() and (wide[: own[0], own[1] :].abs() <= spread * bound).all()


def test_widths_vary_by_step_and_follow_from_the_seed():
    _, supernet = built(ResNet(18, 0.25), NetAug(expansions=(1.0, 1.5, 2.0), widths=(1.0, 1.5)))

    def drawn(seed):
        torch.manual_seed(seed)
        return supernet.draw()

    steps = [drawn(seed) for seed in range(40)]
    assert steps == [drawn(seed) for seed in range(40)]
    assert len(set(steps)) > 30
    inside = next(place for place, width in enumerate(supernet.plan.widths) if width.kind == "inside")
    outside = supernet.plan.widths[inside].follows
    # 16 channels, times 1, 1.5 or 2, times 1 or 1.5.
    assert {(step[outside], step[inside]) for step in steps} == {
        (16, 16), (16, 24), (16, 32), (24, 24), (24, 40), (24, 48)
    }  # fmt: skip
    torch.manual_seed(3)
    narrow = supernet.draw(between=False)
    between = [place for place, width in enumerate(supernet.plan.widths) if width.kind == "between"]
    assert [narrow[place] for place in between] == [supernet.own_widths[place] for place in between]
    assert narrow != supernet.own_widths


@settings(deadline=None, max_examples=30)
@given(data=st.data(), divide=st.integers(1, 9))
def test_widths_lie_between_the_backbones_and_the_widest_in_whole_multiples(data, divide):
    config = NetAug(expansions=(1.6, 1.0), widths=(1.0, 1.2, 1.8), divide=divide)
    supernet = SMALL if divide == 8 else Supernet(SMALL_BACKBONE, config)
    picks = data.draw(st.lists(st.floats(0, 1), min_size=len(supernet.own_widths), max_size=len(supernet.own_widths)))
    for own, drawn, most in zip(supernet.own_widths, supernet.widths(picks), widest(supernet), strict=True):
        assert own <= drawn <= most and (drawn == own or drawn % divide == 0)


SMALL_BACKBONE = ResNet(18, 0.125).build()
SMALL = Supernet(SMALL_BACKBONE, NetAug(expansions=(1.6, 1.0), widths=(1.0, 1.2, 1.8)))


def test_weights_that_play_no_part_get_a_slope_of_zero():
    # Not none: processes that share gradients wait for every weight's.
    backbone, supernet = built(ResNet(18, 0.125))
    sum(wide.sum() for wide in supernet(backbone, IMAGE, supernet.own_widths)).backward()
    assert all(extra.grad is not None and not extra.grad.any() for extra in supernet.parameters())


@pytest.mark.parametrize("name", ["mobilenet_v3", "resnet_bottleneck"])
def test_without_spread_a_wider_backbone_says_what_the_backbone_says(name):
    backbone, supernet = (part.double() for part in built(BACKBONES[name], replace(WIDER, spread=0.0)))
    found, expected = supernet(backbone, IMAGE.double(), widest(supernet)), backbone(IMAGE.double())
    for wide, own in zip(found, expected, strict=True):
        torch.testing.assert_close(wide, own)
    found[0].square().sum().backward()
    assert any(extra.grad.any() for extra in supernet.parameters())


def test_layouts_do_not_matter():
    backbone, supernet = (part.double() for part in built(BACKBONES["mobilenet_v2"]))
    widths, image = widest(supernet), IMAGE.double()
    expected = supernet(backbone, image, widths)
    backbone.to(memory_format=torch.channels_last)
    found = supernet(backbone, image.contiguous(memory_format=torch.channels_last), widths)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_parts_that_do_not_learn_run_as_they_are():
    config = ResNet(18, 0.125)
    backbone = config.build().train()
    backbone.layer1.requires_grad_(False).eval()
    backbone.layer1[0].bn1.running_mean.fill_(0.5)
    before = copied(backbone)
    supernet = Supernet(backbone, NetAug(expansions=(2.0,), widths=(2.0,)))
    found = supernet(backbone, IMAGE, widest(supernet))
    assert_equal(copied(backbone), before)
    # The stem's width is that of the first stage, so that neither is wider.
    assert torch.equal(found[0], backbone(IMAGE)[0])
    assert not torch.equal(found[1], backbone(IMAGE)[1])
    backbone.requires_grad_(False)
    with pytest.raises(ValueError, match=r"nothing in the backbone would grow: .* do not freeze the whole backbone"):
        Supernet(backbone, WIDER)


def test_wider_backbones_are_for_training():
    backbone, supernet = built(BACKBONES["mobilenet_v2"])
    backbone.eval()
    with pytest.raises(ValueError, match=r"features\.0\.1 has 16 channels and should run with 24 in evaluation mode"):
        supernet(backbone, IMAGE, widest(supernet))
    with torch.no_grad():
        found, expected = supernet(backbone, IMAGE, supernet.own_widths), backbone(IMAGE)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_failing_pass_leaves_the_backbone_as_it_was():
    backbone, supernet = built(BACKBONES["mobilenet_v2"])
    with pytest.raises(RuntimeError):
        supernet(backbone, IMAGE[:, :2], widest(supernet))
    groups = {layer.groups for layer in backbone.modules() if isinstance(layer, nn.Conv2d)}
    assert groups == {1} | {layer.in_channels for layer in backbone.modules() if getattr(layer, "groups", 1) > 1}
    assert [tuple(one.shape) for one in backbone(IMAGE)] == [
        (2, c, 32 // s, 64 // s) for c, s in zip(backbone.channels, backbone.strides, strict=True)
    ]


def test_lent_buffers_come_back():
    norm = nn.BatchNorm2d(3)
    mean, before = norm.running_mean, copied(norm)
    with pytest.raises(ZeroDivisionError), lent_buffers(norm):
        norm(IMAGE)
        assert norm.running_mean.any() and norm.num_batches_tracked == 1
        raise ZeroDivisionError
    assert norm.running_mean is mean
    assert_equal(copied(norm), before)


def test_it_is_off_as_it_stands():
    assert NetAug().off and NetAug(expansions=(1.5,), alpha=0).off
    assert not NetAug(expansions=(1.5,)).off and not NetAug(widths=(1.0, 2.0)).off
    with pytest.raises(ValueError, match="nothing in the backbone would grow"):
        Supernet(ResNet(18, 0.125).build(), NetAug())
    for wrong in ({"widths": (0.5,)}, {"expansions": ()}, {"alpha": -1}, {"width": 2}):
        with pytest.raises(ValidationError):
            NetAug(**wrong)
