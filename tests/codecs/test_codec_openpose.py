"""OpenPose's maps and fields, against numbers worked out by hand and the codec contract."""

import math
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from codec_cases import ALIGNED, FIVE, GRID, IMAGE, instances, random_maps, scattered
from pydantic import TypeAdapter, ValidationError
from sizes import B, K, N
from torch import nn

from posekit.codecs.openpose import OpenPose, mirrored_bones
from posekit.geometry.grid import Grid, RatioGrid
from posekit.geometry.keypoints import Instances
from posekit.losses.heatmaps import Mse, Ohkm, Paf

HEIGHT, WIDTH = IMAGE
FORMS = ("paper", "code")
# The last but one is its own mirror, the mirror of the third is stored from the other end.
BONES = ((0, 1), (0, 2), (1, 3), (4, 2), (3, 4))
CASES = {
    "paper": OpenPose(points=K, bones=BONES, grid=GRID),
    "code": OpenPose(points=K, bones=BONES, grid=GRID, form="code"),
    "aligned": OpenPose(points=K, bones=BONES, grid=ALIGNED, sigma=9),
    "boneless": OpenPose(points=K, bones=(), grid=GRID, refine="quarter"),
}
each = pytest.mark.parametrize("codec", CASES.values(), ids=CASES)


def one_point(form, *locations, **fields):
    """Map of one point and its background on 20x20 cells of 8 pixels, for people at these locations."""
    codec = OpenPose(points=1, bones=(), grid=Grid.of((160, 160), 8), form=form, **fields)
    xy = torch.tensor(locations, dtype=torch.float64).reshape(1, len(locations), 1, 2) + 0.5
    target = codec.encode(instances(xy))
    return target.maps["heatmap"][0]


def one_bone(form, *people, thickness=1.0, size=12):
    """Field (2, size, size) of a bone on cells of one pixel; a person is two locations in cells."""
    codec = OpenPose(points=2, bones=((0, 1),), grid=Grid.of((size, size), 1), form=form, thickness=thickness)
    xy = torch.tensor(people, dtype=torch.float64)[None] + 0.5
    return codec.encode(instances(xy)).maps["paf"][0]


def random_people(seed=0):
    """(B, N, K, 2) locations in the image."""
    random = torch.rand(B, N, K, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return random * torch.tensor([WIDTH, HEIGHT])


def test_gaussians_by_hand():
    # Pixel index (100, 60), sigma 7, stride 8: cell (12, 7) is centred at index (99.5, 59.5).
    paper, code = one_point("paper", (100.0, 60.0))[0], one_point("code", (100.0, 60.0))[0]
    assert code[7, 12].item() == pytest.approx(0.994911, abs=1e-6)
    assert paper[7, 12].item() == pytest.approx(0.989848, abs=1e-6)
    assert code[7, 11].item() == pytest.approx(0.477211, abs=1e-6)
    assert code[7, 14].item() == pytest.approx(0.085942, abs=1e-6)
    assert code[7, 15].item() == 0
    # The same width, written differently; the paper's Gaussian has no window.
    wider = one_point("paper", (100.0, 60.0), sigma=7 * math.sqrt(2))[0]
    assert torch.allclose(wider[7, 11:15], code[7, 11:15], atol=1e-12)
    assert wider[7, 15] > 0


def test_the_code_cuts_at_its_radius():
    radius = math.sqrt(2 * 49 * 4.6052)
    assert radius == pytest.approx(21.244, abs=5e-4)
    # Cell (12, 7) is centred at index (99.5, 59.5).
    assert one_point("code", (99.5 + radius - 1e-3, 59.5))[0, 7, 12] > 0
    assert one_point("code", (99.5 + radius + 1e-3, 59.5))[0, 7, 12] == 0
    diagonal = radius / math.sqrt(2)
    assert one_point("code", (99.5 + diagonal + 1e-3, 59.5 + diagonal + 1e-3))[0, 7, 12] == 0


def test_two_people_in_one_map():
    locations = ((60.0, 60.0), (74.0, 63.0))
    for form, join in (("paper", lambda a, b: a.maximum(b)), ("code", lambda a, b: (a + b).clamp_max(1))):
        alone = [one_point(form, place)[0] for place in locations]
        assert torch.allclose(one_point(form, *locations)[0], join(*alone), atol=1e-12)
    assert one_point("code", locations[0], locations[0])[0].max() == 1


@pytest.mark.parametrize("form", FORMS)
def test_the_background_is_where_no_gaussian_is(form):
    heatmap = CASES[form].encode(instances(random_people())).maps["heatmap"]
    assert heatmap.shape[1] == K + 1
    assert torch.equal(heatmap[:, K], 1 - heatmap[:, :K].amax(1))


def test_cells_on_a_bone_by_hand():
    # From (2, 2) to (10, 8): unit (0.8, 0.6), length 10, one cell thick.
    paper, code = (one_bone(form, ((2.0, 2.0), (10.0, 8.0))) for form in FORMS)
    unit = torch.tensor([0.8, 0.6], dtype=torch.float64)
    # (x, y), on it on paper, on it in code
    cases = [
        ((6, 5), True, True),  # on the line
        ((6, 6), True, True),  # 0.8 beside it
        ((6, 7), False, False),  # 1.6 beside it
        ((1, 1), False, True),  # 1.4 before its start, in the box
        ((11, 8), False, True),  # 10.8 along it, 0.6 beside it, in the box
        ((11, 9), False, True),  # 11.4 along it, 0.2 beside it, in the box
        ((2, 2), True, True),
        ((10, 8), True, True),
    ]
    for (x, y), on_paper, in_code in cases:
        assert torch.allclose(paper[:, y, x], unit * on_paper), (x, y)
        assert torch.allclose(code[:, y, x], unit * in_code), (x, y)


@pytest.mark.parametrize("form", FORMS)
def test_the_box_is_the_bone_and_its_thickness(form):
    # From (3, 5) to (8, 5), two cells thick, either way round.
    for ends, way in ((((3.0, 5.0), (8.0, 5.0)), 1), (((8.0, 5.0), (3.0, 5.0)), -1)):
        x, y = one_bone(form, ends, thickness=2)
        assert (y == 0).all()
        rows, columns = (x != 0).any(1).nonzero().flatten().tolist(), (x != 0).any(0).nonzero().flatten().tolist()
        assert rows == [3, 4, 5, 6, 7]
        assert columns == ([3, 4, 5, 6, 7, 8] if form == "paper" else [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        assert (x[3:8, columns] == way).all()


@pytest.mark.parametrize("form", FORMS)
def test_where_people_cross_a_field_is_their_mean(form):
    right, down = ((1.0, 5.0), (10.0, 5.0)), ((5.0, 1.0), (5.0, 10.0))
    for people in ((right, down), (down, right)):
        field = one_bone(form, *people)
        assert field[:, 5, 5].tolist() == [0.5, 0.5]
        assert field[:, 5, 8].tolist() == [1, 0]
        assert field[:, 8, 5].tolist() == [0, 1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [0.0, 1e-8])
def test_a_bone_without_length_draws_nothing(form, length):
    assert (one_bone(form, ((5.0, 5.0), (5.0 + length, 5.0))) == 0).all()
    # It does not change the mean of others either.
    field = one_bone(form, ((5.0, 5.0), (5.0 + length, 5.0)), ((1.0, 5.0), (10.0, 5.0)))
    assert field[:, 5, 5].tolist() == [1, 0]


def test_an_end_outside_the_image_still_draws_the_bone():
    field = one_bone("paper", ((5.0, 5.0), (400.0, 5.0)))
    assert (field[0, 5, 5:] == 1).all()
    assert (field[0, 5, :5] == 0).all()


@each
def test_people_are_found_wherever_they_stand(codec):
    """Empty slots and ignored regions draw nothing, and the order of people does not matter."""
    xy = random_people()
    expected = codec.encode(instances(xy))
    more = torch.cat((torch.full((B, 1, K, 2), float("nan")), xy.flip(1), torch.rand(B, 1, K, 2)), dim=1)
    labels = instances(more)
    labels.role[:, 0], labels.role[:, -1] = 0, 2
    got = codec.encode(labels)
    for name in codec.gives:
        assert torch.allclose(got.maps[name], expected.maps[name], atol=1e-12), name
        assert torch.equal(got.weight[name], expected.weight[name]), name
    assert torch.equal(got.weight["xy"][:, 1:-1].flip(1), expected.weight["xy"])
    assert (got.weight["xy"][:, [0, -1]] == 0).all()


@each
def test_what_somebody_lacks_has_no_weight(codec):
    visibility = torch.full((B, N, K), 2)
    visibility[0, 1, 1], visibility[1, 2, 2] = 0, 1
    xy = random_people(1)
    xy[1, 0, 4, 0] = float("nan")
    target = codec.encode(instances(xy, visibility))
    # Image 0 lacks point 1 of somebody, image 1 point 4; the background is not known in either.
    expected = torch.ones(B, K + 1)
    expected[0, 1] = expected[1, 4] = expected[:, K] = 0
    assert torch.equal(target.weight["heatmap"].flatten(1).float(), expected)
    assert (target.maps["heatmap"][0, 1] == 0).all()
    if codec.bones:
        bones = torch.tensor([[1 not in bone for bone in BONES], [4 not in bone for bone in BONES]]).float()
        assert torch.equal(target.weight["paf"].flatten(1).float(), bones.repeat_interleave(2, dim=1))
    assert target.weight["xy"].sum() == B * N * K - 2
    assert all(value.isfinite().all() for value in target.maps.values())


@each
def test_images_without_people_do_not_count(codec):
    for empty in (
        instances(random_people(), 0),
        instances(random_people(), 2, role=0),
        instances(random_people(), 2, role=2),
    ):
        target = codec.encode(empty)
        assert all((weight == 0).all() for weight in target.weight.values())
        assert all((target.maps[name] == 0).all() for name in codec.gives)


@each
@pytest.mark.parametrize("at", [(-300.0, 20.0), (30.0, 900.0), (-1e30, 1e30)])
def test_a_point_far_outside(codec, at):
    xy = scattered(margin=20)
    xy[1, 0, 2] = torch.tensor(at, dtype=xy.dtype)
    target = codec.encode(instances(xy))
    assert target.weight["heatmap"][1, 2] == target.weight["xy"][1, 0, 2] == 0
    assert target.weight["heatmap"][:, :K].sum() == target.weight["xy"].sum() == B * K - 1
    # It was labelled, so it is known that no cell shows it; a location far away is a labelling error.
    assert target.weight["heatmap"][1, K] == (abs(at[0]) < 1e6)
    if codec.bones:
        assert target.weight["paf"].sum() == 2 * (B * len(BONES) - (0 if abs(at[0]) < 1e6 else 2))
        assert target.maps["paf"].isfinite().all()
    # Where another person has that point in view, its map counts again.
    both = torch.cat((xy, scattered(margin=20, seed=1)), dim=1)
    assert (codec.encode(instances(both)).weight["heatmap"][1, 2] == 1) == (abs(at[0]) < 1e6)


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip(codec, dtype):
    for seed in range(20):
        xy = scattered(33, seed, dtype)
        poses = codec.decode(codec.encode(instances(xy)).maps)
        bound = 1.0 if codec.refine == "quarter" else 1e-4 if dtype == torch.float32 else 1e-9
        assert (poses.xy - xy).abs().max() <= bound
        assert poses.xy.dtype == dtype
        assert poses.score.min() > 0.6


def test_places_between_cells():
    xy = scattered(33)
    errors = {}
    for refine in ("none", "quarter", "parabola"):
        codec = OpenPose(points=K, bones=(), grid=GRID, refine=refine)
        errors[refine] = (codec.decode(codec.encode(instances(xy)).maps).xy - xy).abs().max()
    assert 1 < errors["none"] <= 2
    assert 1e-3 < errors["quarter"] <= 1
    assert errors["parabola"] < 1e-9


def mirrored(labels):
    return Instances(labels.keypoints.flipped(WIDTH, FIVE), labels.boxes, labels.area, labels.category, labels.role)


@each
def test_flipping_maps_is_flipping_points(codec):
    for labels in (instances(random_people(3)), instances(scattered())):
        there, back = codec.encode(labels), codec.encode(mirrored(labels))
        flipped = codec.flip({name: back.maps[name] for name in codec.shapes}, FIVE.flip)
        assert set(flipped) == set(codec.shapes)
        for name, value in flipped.items():
            assert torch.allclose(value, there.maps[name], atol=1e-9), name
            assert value.abs().max() > 0.5


@each
def test_flipping_twice_is_nothing(codec):
    maps = random_maps(codec)
    twice = codec.flip(codec.flip(maps, FIVE.flip), FIVE.flip)
    assert all(torch.equal(twice[name], value) for name, value in maps.items())


def test_a_ratio_grid_moves_fields_as_it_moves_maps():
    codec = OpenPose(points=K, bones=BONES, grid=RatioGrid.of(IMAGE, 4))
    maps = random_maps(codec)
    flipped = codec.flip(maps, FIVE.flip)
    # Bone 0 is (0, 1) and its mirror bone 1, (0, 2).
    assert torch.equal(flipped["paf"][:, 0, :, 1:], -maps["paf"][:, 2].flip(-1)[..., :-1])
    assert torch.equal(flipped["heatmap"][:, K, :, 1:], maps["heatmap"][:, K].flip(-1)[..., :-1])


def test_mirrored_bones_by_hand():
    channels, signs = mirrored_bones(BONES, FIVE.flip)
    # (0,1) <-> (0,2); (1,3) <-> (2,4), stored as (4,2); (3,4) is its own mirror from the other end.
    assert channels == (2, 3, 0, 1, 6, 7, 4, 5, 8, 9)
    assert signs == (-1, 1, -1, 1, 1, -1, 1, -1, 1, -1)
    with pytest.raises(ValueError, match=r"bone \(0, 1\) has no mirror \(0, 2\) among \(\(0, 1\),\)"):
        mirrored_bones(((0, 1),), FIVE.flip)


@each
def test_maps_are_what_it_says(codec):
    target = codec.encode(instances(random_people()))
    maps = random_maps(codec)
    assert codec.gives == set(codec.shapes) == ({"heatmap", "paf"} if codec.bones else {"heatmap"})
    assert codec.image == IMAGE
    for name, shape in codec.shapes.items():
        assert target.maps[name].shape == codec.activate(maps)[name].shape == (B, *shape)
        assert target.weight[name].shape == (B, shape[0], 1, 1)
    assert target.maps["xy"].shape == (B, N, K, 2)
    assert target.weight["xy"].shape == (B, N, K, 1)
    adapter = TypeAdapter(OpenPose)
    assert adapter.validate_json(adapter.dump_json(codec)) == codec


@each
def test_nan_is_never_chosen(codec):
    maps = random_maps(codec)
    before = codec.decode(maps)
    maps["heatmap"][0, 1, 3, 4] = float("nan")
    after = codec.decode(maps)
    others = torch.arange(K) != 1
    assert torch.equal(after.xy[:, :, others], before.xy[:, :, others])
    nothing = codec.decode({name: torch.full_like(value, float("nan")) for name, value in maps.items()})
    assert nothing.xy.isfinite().all()
    assert (nothing.score == 0).all()
    assert (nothing.instance_score == 0).all()


@each
def test_everything_stays_on_its_device(codec):
    far = torch.device("meta")
    target = codec.encode(instances(random_people()).each(lambda array: array.to(far)))
    maps = {name: value.to(far) for name, value in random_maps(codec).items()}
    poses = codec.decode(maps)
    made = [*target.maps.values(), *target.weight.values(), poses.xy, *codec.flip(maps, FIVE.flip).values()]
    assert {value.device for value in made} == {far}


@each
@pytest.mark.parametrize("loss", [Mse(), Ohkm(), Paf()], ids=["mse", "ohkm", "paf"])
def test_losses_of_maps_train_it(codec, loss):
    if not loss.needs <= codec.gives:
        assert not codec.bones
        return
    (name,) = loss.needs
    target = codec.encode(instances(random_people()))
    module = loss.build(FIVE)
    maps = {key: value.double().requires_grad_() for key, value in random_maps(codec).items()}
    sum(module(codec.activate(maps), target).values()).backward()
    assert (maps[name].grad != 0).any()
    assert sum(module(codec.perfect(target), target).values()) == 0


class Decode(nn.Module):
    """Raw maps in, points and scores out."""

    def __init__(self, codec):
        super().__init__()
        self.codec = codec

    def forward(self, *maps):
        poses = self.codec.decode(dict(zip(self.codec.shapes, maps, strict=True)))
        return poses.xy, poses.score, poses.instance_score


@pytest.mark.slow
@each
def test_torch_export(codec):
    module, batch = Decode(codec), torch.export.Dim("batch", min=1, max=1024)
    maps = tuple(random_maps(codec, 3).values())
    exported = torch.export.export(module, maps, dynamic_shapes={"maps": tuple({0: batch} for _ in maps)}).module()
    for size in (2, 7):
        maps = tuple(random_maps(codec, size, seed=size).values())
        for got, expected in zip(exported(*maps), module(*maps), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


@each
def test_onnx(codec, tmp_path):
    module, file = Decode(codec), str(tmp_path / "decode.onnx")
    inputs, outputs = list(codec.shapes), ["points", "score", "instance_score"]
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one and that shapes are traced.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        torch.onnx.export(
            module,
            tuple(random_maps(codec, 3).values()),
            file,
            dynamo=False,
            opset_version=17,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in inputs + outputs},
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    # Fields are not read, so the exporter leaves them out.
    asked = {value.name for value in session.get_inputs()}
    for size in (2, 7):
        maps = random_maps(codec, size, seed=size)
        got = session.run(None, {name: value.numpy() for name, value in maps.items() if name in asked})
        for name, mine, theirs in zip(outputs, module(*maps.values()), got, strict=True):
            assert np.abs(mine.numpy() - theirs).max() <= (0.01 if name == "points" else 1e-4), name


def test_bones_that_cannot_be_are_refused():
    for bones, message in (
        (((0, 5),), r"bone \(0, 5\) should connect two of the points 0 to 4"),
        (((1, 1),), r"bone \(1, 1\) should connect two"),
        (((-1, 1),), r"bone \(-1, 1\) should connect two"),
        (((0, 1), (1, 0)), "a bone is listed twice"),
    ):
        with pytest.raises(ValidationError, match=message):
            OpenPose(points=K, bones=bones, grid=GRID)


def test_labels_of_another_skeleton_are_refused():
    for shape in ((B, N, K - 1, 2), (B, 0, K, 2)):
        with pytest.raises(ValueError, match=r"expected xy \(B, N, 5, 2\) with at least one slot an image, got"):
            CASES["paper"].encode(instances(torch.rand(shape)))
