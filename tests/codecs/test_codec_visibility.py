"""Every top-down codec with visibility beside its maps."""

import pytest
import torch
from codec_cases import CASES, FIVE, IMAGE, instances
from sizes import B, K

from posekit.codecs.base import Target
from posekit.codecs.visibility import VISIBILITY, WithVisibility, without_visibility
from posekit.geometry.keypoints import IGNORE
from posekit.losses.classes import Bce

each = pytest.mark.parametrize("name", CASES)
STATES = torch.tensor([[2, 1, 0, 2, 1], [1, 2, 2, 0, 2]])[:, None]


def labels(seed=0):
    place = torch.rand(B, 1, K, 2, generator=torch.Generator().manual_seed(seed))
    return instances(20 + place * torch.tensor([IMAGE[1] - 40.0, IMAGE[0] - 40.0]), STATES)


def raw(codec, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(B, *shape, generator=generator) for name, shape in codec.shapes.items()}


@each
def test_the_codec_itself_is_unchanged(name):
    codec = CASES[name]
    both = WithVisibility(codec)
    assert (both.kind, both.points, both.image) == (codec.kind, codec.points, codec.image)
    assert dict(both.shapes) == {**codec.shapes, VISIBILITY: (K,)}
    assert both.gives == codec.gives | {VISIBILITY}
    target, plain = both.encode(labels()), codec.encode(labels())
    assert set(target.maps) == {*plain.maps, VISIBILITY}
    assert all(torch.equal(target.maps[key], value) for key, value in plain.maps.items())
    assert all(torch.equal(target.weight[key], value) for key, value in plain.weight.items())
    maps = raw(both)
    own = {key: value for key, value in maps.items() if key != VISIBILITY}
    poses, alone = both.decode(maps), codec.decode(own)
    assert torch.equal(poses.xy, alone.xy)
    assert torch.equal(poses.score, alone.score)
    assert alone.visible is None
    assert set(both.activate(maps)) == {*codec.activate(own), VISIBILITY}
    mirrored, expected = both.flip(maps, FIVE.flip), codec.flip(own, FIVE.flip)
    assert set(mirrored) == {*expected, VISIBILITY}
    assert all(torch.equal(mirrored[key], value) for key, value in expected.items())


@each
def test_a_perfect_network_knows_what_is_seen(name):
    both = WithVisibility(CASES[name])
    visible = both.decode(both.perfect(both.encode(labels()))).visible
    assert visible.shape == (B, 1, K)
    known = STATES > 0
    assert torch.equal(visible[known] > 0.5, STATES[known] == 2)


def test_targets_are_states_of_labelled_points_inside_the_crop():
    both = WithVisibility(CASES["heatmap"])
    given = labels()
    given.keypoints.xy[0, 0, 3] = torch.tensor([IMAGE[1] + 1.0, 20.0])
    given.keypoints.xy[1, 0, 4] = torch.nan
    target = both.encode(given)
    assert target.maps[VISIBILITY].tolist() == [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0]]
    assert target.weight[VISIBILITY].tolist() == [[1, 1, 0, 0, 1], [1, 1, 1, 0, 0]]
    given.role[1] = IGNORE
    assert both.encode(given).weight[VISIBILITY][1].tolist() == [0] * K


def test_the_loss_leaves_unlabelled_points_alone():
    both = WithVisibility(CASES["heatmap"])
    logits = torch.zeros(B, K, requires_grad=True)
    loss = Bce(weight=3.0, of=VISIBILITY).build(FIVE)
    value = loss({VISIBILITY: logits}, both.encode(labels()))["bce"]
    assert value.item() == pytest.approx(3 * torch.log(torch.tensor(2.0)).item())
    value.backward()
    # The gradient of each cross-entropy is p - y, over the eight labelled points.
    expected = torch.tensor([[-0.5, 0.5, 0, -0.5, 0.5], [0.5, -0.5, -0.5, 0, -0.5]]) * 3 / 8
    torch.testing.assert_close(logits.grad, expected)


def test_the_flip_test_swaps_mirror_points():
    both = WithVisibility(CASES["regression"])
    maps = {**raw(both), VISIBILITY: torch.arange(5.0).repeat(B, 1)}
    assert both.flip(maps, FIVE.flip)[VISIBILITY].tolist() == [[0, 2, 1, 4, 3]] * B
    # Labels of the mirrored image, read back, are those of the image.
    given = labels()
    mirrored = instances(given.keypoints.flipped(IMAGE[1], FIVE).xy, STATES[..., list(FIVE.flip)])
    back = both.flip(both.perfect(both.encode(mirrored)), FIVE.flip)
    assert torch.equal(back[VISIBILITY], both.perfect(both.encode(given))[VISIBILITY])


def test_a_logit_that_is_not_a_number_tells_nothing():
    both = WithVisibility(CASES["regression"])
    maps = {**raw(both), VISIBILITY: torch.tensor([[torch.nan, torch.inf, -torch.inf, 0.0, 2.0]] * B)}
    expected = [0.5, 1.0, 0.0, 0.5, torch.tensor(2.0).sigmoid().item()]
    assert both.decode(maps).visible[0, 0].tolist() == pytest.approx(expected)


def test_a_target_without_visibility_teaches_the_rest():
    both = WithVisibility(CASES["heatmap"])
    target = both.encode(labels())
    rest = without_visibility(target)
    assert isinstance(rest, Target)
    assert rest.weight[VISIBILITY].tolist() == [[0] * K] * B
    assert rest.weight["heatmap"] is target.weight["heatmap"]
    plain = both.codec.encode(labels())
    assert without_visibility(plain) is plain


def test_a_target_of_another_codec_is_refused():
    both = WithVisibility(CASES["heatmap"])
    with pytest.raises(ValueError, match="and not 'visibility'"):
        both.perfect(both.codec.encode(labels()))
