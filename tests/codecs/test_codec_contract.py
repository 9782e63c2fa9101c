"""The contract of all codecs, checked for every codec."""

import pytest
import torch
from codec_cases import CASES, FIVE, IMAGE, instances, of_points, random_maps, scattered
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sizes import B, K, N

from posekit.codecs import CODECS
from posekit.codecs.any import AnyCodec
from posekit.codecs.base import Target
from posekit.geometry.keypoints import Instances

HEIGHT, WIDTH = IMAGE

# Largest error in pixels of decode(encode(p)) away from the border.
BOUNDS = {
    "heatmap": 0.004,
    "heatmap sharp": 1e-6,
    "heatmap aligned": 1e-6,
    "heatmap parabola": 1e-6,
    "heatmap quarter": 1.0,
    "heatmap quantised": 2.0,
    "heatmap logits": 3.0,
    "udp": 1e-4,
    "udp half pixel": 0.004,
    "udp_combined": 1e-4,
    "udp_combined votes": 1e-4,
    "openpose": 1e-6,
    "openpose code": 1.0,
    # Two points in one cell share its step.
    "centernet": 4.0,
    "ttfnet": 2.0,
    "ellipse": 1e-6,
    "ellipse box": 0.05,
    "ellipse point": 1e-6,
    "ellipse oks": 1e-6,
    "megvii": 3.0,
    "megvii one": 2.0,
    "heatmap3d": 1e-6,
    "integral3d": 1e-3,
    "integral": 0.015,
    "integral window": 0.35,
    "dsnt": 1e-3,
    "regression": 1e-9,
    "regression ratio": 1e-9,
    "regression unit": 1e-9,
    "regression signed": 1e-9,
    "grid": 0.033,
    "grid ssd": 1e-6,
    "rle deep": 1e-9,
    "rle": 1e-9,
    "simcc": 0.25,
    "simcc dark": 1e-3,
    "simcc mean": 1e-3,
    "simcc smoothed": 1 / 6,
    "simcc deep": 0.25,
    "dfl": 1e-5,
    "dfl deep": 1e-5,
}

each = pytest.mark.parametrize("case", CASES)


def test_the_table_of_codecs():
    assert list(CODECS) == [
        *("heatmap", "udp", "udp_combined", "openpose", "centernet", "ttfnet", "ellipse", "megvii", "heatmap3d"),
        *("integral", "integral3d", "dsnt", "regression", "grid", "rle", "simcc", "dfl"),
    ]
    assert {codec.kind for codec in CASES.values()} == set(CODECS)
    assert set(BOUNDS) == set(CASES)


@each
def test_a_codec_is_its_own_config(case):
    codec, adapter = CASES[case], TypeAdapter(AnyCodec)
    assert type(codec) is CODECS[codec.kind]
    assert adapter.validate_json(adapter.dump_json(codec)) == codec
    with pytest.raises(ValidationError, match="Unexpected keyword argument"):
        adapter.validate_python(adapter.dump_python(codec) | {"sgima": 3})
    assert codec.points == K
    assert codec.image == IMAGE


@each
def test_names_and_shapes_agree(case):
    codec = CASES[case]
    target = codec.encode(instances(scattered()))
    activated = codec.activate(random_maps(codec))
    assert codec.gives <= set(activated)
    assert codec.gives - {"sigma", "depth_sigma", "spread"} <= set(target.maps)
    assert set(codec.shapes) <= set(activated)
    for name, value in target.maps.items():
        assert torch.broadcast_shapes(value.shape, target.weight[name].shape) == value.shape, name
        if name in activated:
            assert activated[name].shape == value.shape, name
    assert target.maps["xy"].shape == (B, 1, K, 2)
    assert target.weight["xy"].shape == (B, 1, K, 1)
    if "spread" in codec.gives:
        assert activated["spread"].shape == (B, 1, K, 2)


@each
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_round_trip(case, seed):
    codec, xy = CASES[case], scattered(margin=33, seed=seed)
    poses = codec.decode(codec.perfect(codec.encode(instances(xy))))
    assert (poses.xy - xy).abs().max() <= BOUNDS[case] + 1e-9
    if codec.kind not in ("integral", "integral3d", "dsnt"):
        assert poses.score.min() > 0.6


@each
def test_poses_have_one_instance(case):
    codec = CASES[case]
    poses = codec.decode(random_maps(codec))
    assert poses.xy.shape == (B, 1, K, 2)
    assert poses.score.shape == (B, 1, K)
    assert poses.instance_score.shape == (B, 1)
    assert poses.spread is None or poses.spread.shape == (B, 1, K, 2)


@each
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_scores_stay_between_0_and_1(case, size):
    codec = CASES[case]
    poses = codec.decode({name: size * value for name, value in random_maps(codec).items()})
    for score in (poses.score, poses.instance_score):
        assert ((score >= 0) & (score <= 1)).all()


@each
def test_flipping_maps_is_flipping_points(case):
    codec = CASES[case]
    labels = instances(scattered())
    mirror = Instances(labels.keypoints.flipped(WIDTH, FIVE), labels.boxes, labels.area, labels.category, labels.role)
    target = codec.encode(labels)
    there = codec.perfect(target)
    back = codec.flip(codec.perfect(codec.encode(mirror)), FIVE.flip)
    assert set(back) == set(there)
    for name, value in there.items():
        # Values without weight may differ: offsets are arbitrary where there is no point.
        counts = (target.weight[name] > 0).expand_as(value) if name in target.weight else torch.ones_like(value).bool()
        assert counts.any()
        assert torch.allclose(back[name][counts].exp(), value[counts].exp(), atol=1e-6)


@each
def test_flipping_twice_is_nothing(case):
    codec = CASES[case]
    maps = random_maps(codec)
    twice = codec.flip(codec.flip(maps, FIVE.flip), FIVE.flip)
    assert all(torch.allclose(twice[name], value, atol=1e-6) for name, value in maps.items())


@each
def test_what_is_not_known_has_no_weight(case):
    codec, xy = CASES[case], scattered(margin=20)
    visibility = torch.full((B, 1, K), 2)
    visibility[0, 0, 1], visibility[1, 0, 2] = 0, 1
    xy[1, 0, 3, 0], xy[1, 0, 4, 1] = float("nan"), float("inf")
    target = codec.encode(instances(xy, visibility))
    expected = torch.ones(B, K)
    expected[0, 1] = expected[1, 3] = expected[1, 4] = 0
    for name, weight in target.weight.items():
        known = of_points(codec, name, weight)
        if known is not None:
            assert torch.equal((known > 0).any(-1).float(), expected), name
        assert target.maps[name].isfinite().all(), name
        drawn = of_points(codec, name, target.maps[name])
        if drawn is not None and name not in ("xy", "coords", "variance"):
            assert (drawn[0, 1] == 0).all(), name
    for empty in (instances(xy, 0), instances(xy, 2, role=0), instances(xy, 2, role=2)):
        target = codec.encode(empty)
        assert all((weight == 0).all() for weight in target.weight.values())
        assert all(value.isfinite().all() for value in target.maps.values())


# In OpenPose an empty map means that a person's point is outside the image.
OUTSIDE_COUNTS = {("heatmap", "openpose"), ("xy", "openpose")}


@each
@pytest.mark.parametrize("at", [(-300.0, 20.0), (30.0, 900.0), (-1e30, 1e30)])
def test_points_far_outside_do_not_count(case, at):
    codec, xy = CASES[case], scattered(margin=20)
    xy[1, 0, 2] = torch.tensor(at, dtype=xy.dtype)
    target = codec.encode(instances(xy))
    for name, weight in target.weight.items():
        known = of_points(codec, name, weight)
        if known is not None and (name, codec.kind) not in OUTSIDE_COUNTS:
            assert (known[1, 2] == 0).all(), name
            assert (known > 0).any(-1).sum() == B * K - 1, name
        assert target.maps[name].isfinite().all(), name


@each
@pytest.mark.parametrize("at", [(0.0, 0.0), (WIDTH, HEIGHT), (0.0, HEIGHT), (WIDTH, 0.0), (0.5, 0.5)])
def test_points_on_the_border(case, at):
    codec, xy = CASES[case], scattered()
    xy[:, 0, 0] = torch.tensor(at, dtype=xy.dtype)
    target = codec.encode(instances(xy))
    poses = codec.decode(codec.perfect(target))
    assert poses.xy.isfinite().all()
    if target.weight["xy"][0, 0, 0, 0] > 0:
        assert (poses.xy[:, 0, 0] - xy[:, 0, 0]).abs().max() <= 4.0


@each
def test_nan_everywhere_is_a_place_with_score_0(case):
    codec = CASES[case]
    poses = codec.decode({name: torch.full_like(value, float("nan")) for name, value in random_maps(codec).items()})
    assert poses.xy.isfinite().all()
    assert poses.score.max() < 1e-5
    assert poses.spread is None or poses.spread.isfinite().all()


@each
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_number_harms_one_point(case, value):
    codec = CASES[case]
    clean = random_maps(codec)
    for name in clean:
        dirty = dict(clean)
        dirty[name] = clean[name].clone()
        dirty[name][0, 1].view(-1)[-1] = value
        poses, before = codec.decode(dirty), codec.decode(clean)
        assert poses.xy.isfinite().all()
        assert poses.score.isfinite().all()
        others = torch.ones(B, 1, K, dtype=torch.bool)
        # Where a point has several channels one after another, the second is still the first point's.
        others[0, 0, :2] = False
        assert torch.equal(poses.xy[others], before.xy[others])


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_number_types(case, dtype):
    codec = CASES[case]
    wide = torch.promote_types(dtype, torch.float32)
    target = codec.encode(instances(scattered(20, dtype=dtype)))
    assert all(value.dtype == wide for value in (*target.maps.values(), *target.weight.values()))
    poses = codec.decode(random_maps(codec, dtype=dtype))
    assert poses.xy.dtype == poses.score.dtype == wide
    assert poses.xy.isfinite().all()


@each
def test_everything_stays_on_the_device_of_what_is_given(case):
    # The meta device cannot be mixed with the CPU.
    codec, far = CASES[case], torch.device("meta")
    target = codec.encode(instances(scattered()).each(lambda array: array.to(far)))
    maps = {name: value.to(far) for name, value in random_maps(codec).items()}
    poses = codec.decode(maps)
    made = [*target.maps.values(), *target.weight.values(), *codec.activate(maps).values(), poses.xy, poses.score]
    assert {value.device for value in (*made, *codec.flip(maps, FIVE.flip).values())} == {far}


@each
def test_nothing_given_is_changed_and_twice_is_the_same(case):
    codec, labels = CASES[case], instances(scattered())
    maps = random_maps(codec)
    before = labels.keypoints.xy.clone(), {name: value.clone() for name, value in maps.items()}
    once, again = codec.encode(labels), codec.encode(labels)
    assert all(torch.equal(once.maps[name], again.maps[name]) for name in once.maps)
    first, second = codec.decode(maps), codec.decode(maps)
    codec.activate(maps), codec.flip(maps, FIVE.flip)
    assert torch.equal(first.xy, second.xy)
    assert torch.equal(first.score, second.score)
    assert torch.equal(labels.keypoints.xy, before[0])
    assert all(torch.equal(maps[name], value) for name, value in before[1].items())


@each
def test_an_image_is_decoded_the_same_alone_and_in_a_batch(case):
    codec = CASES[case]
    maps = random_maps(codec)
    together = codec.decode(maps)
    alone = codec.decode({name: value[1:] for name, value in maps.items()})
    assert torch.allclose(alone.xy, together.xy[1:], atol=1e-4)


@each
def test_read_has_gradients(case):
    codec = CASES[case]
    maps = {name: value.requires_grad_() for name, value in random_maps(codec).items()}
    activated = codec.activate(maps)
    total = sum(activated[name].square().sum() for name in codec.gives)
    total.backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in maps.values())
    assert all((value.grad != 0).any() for value in maps.values())


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case].kind != "openpose"])
def test_one_instance_an_image_or_an_error(case):
    codec = CASES[case]
    with pytest.raises(ValueError, match=r"expected xy \(B, 1, 5, 2\), got \(2, 3, 5, 2\); crop the images"):
        codec.encode(instances(torch.rand(B, N, K, 2)))
    with pytest.raises(ValueError, match=r"got \(2, 1, 4, 2\)"):
        codec.encode(instances(torch.rand(B, 1, K - 1, 2)))


def test_a_target_has_a_weight_for_every_map():
    xy = torch.rand(B, 1, K, 2)
    with pytest.raises(ValueError, match=r"maps \['heatmap', 'xy'\] and weights \['xy'\]"):
        Target(maps={"xy": xy, "heatmap": xy}, weight={"xy": xy})
    with pytest.raises(ValueError, match="a target needs 'xy'"):
        Target(maps={}, weight={})


@pytest.mark.parametrize("kind", ["heatmap", "integral", "dsnt"])
def test_one_point_and_one_cell(kind):
    grid = {"height": 1, "width": 1, "image_height": 4, "image_width": 6}
    codec = TypeAdapter(AnyCodec).validate_python({"kind": kind, "points": 1, "grid": {"kind": "half_pixel", **grid}})
    poses = codec.decode({"heatmap": torch.full((B, 1, 1, 1), 0.5)})
    assert torch.equal(poses.xy, torch.tensor([3.0, 2.0]).expand(B, 1, 1, 2))


def test_a_map_that_no_target_tells_is_refused_with_the_place_to_say_it():
    codec = CASES["heatmap"]
    target = codec.encode(instances(scattered()))
    poorer = Target(maps={"xy": target.maps["xy"]}, weight={"xy": target.weight["xy"]})
    with pytest.raises(ValueError, match=r"holds \['xy'\] and not 'heatmap', .* codec 'heatmap'"):
        codec.perfect(poorer)
