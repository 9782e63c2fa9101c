"""Focal, Wing, similarity, bone, bin and disc losses against numbers worked out by hand."""

import math

import pytest
import torch
from codec_cases import FIVE

from posekit.codecs.base import Target
from posekit.geometry.skeleton import Skeleton
from posekit.losses.adaptive_wing import AdaptiveWing, adaptive_wing
from posekit.losses.bones import Bone
from posekit.losses.combined import Combined
from posekit.losses.divergence import Dfl, Divergence, cross_entropy
from posekit.losses.focal import Focal, Qfl, peak_focal, quality_focal
from posekit.losses.heatmaps import Coarse, Paf
from posekit.losses.offsets import Offset
from posekit.losses.oks import Oks, extent_area
from posekit.losses.points import L2, soft_wing, wing
from posekit.skeletons import SKELETONS

AWING = (2.1, 14.0, 1.0, 0.5)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def target_of(maps, weight):
    """A target whose ``xy``, where it is not among the maps, is never looked at."""
    xy = torch.zeros(1, 1, 1, 2, dtype=torch.float64)
    return Target({"xy": xy, **maps}, {"xy": xy[..., :1], **weight})


def test_peak_focal():
    cells = peak_focal(double(0.8, 0.5, 0.2).logit(), double(1, 0.6, 0), 2, 4)
    assert cells.tolist() == pytest.approx([0.0089257, 0.0044361, 0.0089257], abs=1e-7)
    assert cells.sum().item() == pytest.approx(0.0222876, abs=1e-7)


def focal_of(p, target, weight):
    """Two points on 1 x 3 cells."""
    maps = {"peaks": double(*target)[None, :, None]}
    return (
        Focal()
        .build(FIVE)(
            {"peaks": double(*p).logit()[None, :, None]},
            target_of(maps, {"peaks": double(*weight)[None, :, None, None]}),
        )["focal"]
        .item()
    )


def test_focal_is_divided_by_the_peaks():
    p, y = [(0.8, 0.5, 0.2), (0.8, 0.5, 0.2)], [(1, 0.6, 0), (1, 0.6, 0)]
    assert focal_of(p, y, (1, 1)) == pytest.approx(0.0222876, abs=1e-7)
    assert focal_of(p, y, (0, 1)) == pytest.approx(0.0222876, abs=1e-7)
    # Without a peak the sum is not divided.
    assert focal_of(p, [(0.6, 0.6, 0), (0, 0, 0)], (1, 0)) == pytest.approx(
        0.4**4 * (0.64 * -math.log(0.2) + 0.25 * math.log(2)) + 0.0089257, abs=1e-6
    )


def test_focal_keeps_a_gradient_at_any_logit():
    logits = double(-800, 800, -40, 40).requires_grad_()
    peak_focal(logits, double(1, 0, 1, 0), 2, 4).sum().backward()
    assert logits.grad.tolist() == pytest.approx([-1, 1, -1, 1])


@pytest.mark.parametrize(
    ("p", "y", "value"), [(0.6, 0.8, 0.0236767), (0.3, 0, 0.0321007), (0.8, 0.8, 0), (0.2, 1, 1.030040)]
)
def test_quality_focal(p, y, value):
    assert quality_focal(double(p).logit(), double(y), 2.0).item() == pytest.approx(value, abs=1e-6)


def test_quality_focal_of_an_odd_power_is_no_nan():
    value = quality_focal(double(0.6, 0.9).logit(), double(0.8, 0.8), 3.0)
    assert (value > 0).all()


def test_qfl_is_divided_by_the_sum_of_the_target():
    maps = {"logits": double(0.8, 1, 0, 0.8).reshape(1, 1, 1, 4)}
    output = {"logits": double(0.6, 0.2, 0.3, 0.8).logit().reshape(1, 1, 1, 4)}
    value = Qfl().build(FIVE)(output, target_of(maps, {"logits": torch.ones(1, 1, 1, 1)}))["qfl"]
    assert value.item() == pytest.approx((0.0236767 + 1.030040 + 0.0321007) / 2.6, abs=1e-6)


def test_soft_wing():
    assert soft_wing(double(1, 2, 5), 2, 20, 0.5).tolist() == pytest.approx([1, 2, 17.769147], abs=1e-6)
    below, above = soft_wing(double(2 - 1e-9, 2 + 1e-9), 2, 20, 0.5).tolist()
    assert below == pytest.approx(above, abs=1e-6)


def test_the_slope_of_wing_at_0_and_beyond_its_width():
    distance = double(1e-12, 10, 30).requires_grad_()
    wing(distance, 10, 2).sum().backward()
    assert distance.grad.tolist() == pytest.approx([5, 1, 1])


@pytest.mark.parametrize(
    ("d", "y", "value"),
    [(0.1, 0, 0.110767), (0.1, 1, 1.070100), (0.5, 0.5, 3.991210), (0.8, 0, 6.271662), (0.8, 1, 8.299813)],
)
def test_adaptive_wing(d, y, value):
    assert adaptive_wing(double(d), double(y), *AWING).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("y", [0.0, 0.5, 1.0])
def test_adaptive_wing_is_smooth_where_its_parts_meet(y):
    distance = double(0.5 - 1e-9, 0.5 + 1e-9).requires_grad_()
    value = adaptive_wing(distance, double(y), *AWING)
    assert value[0].item() == pytest.approx(value[1].item(), abs=1e-6)
    value.sum().backward()
    assert distance.grad[0].item() == pytest.approx(distance.grad[1].item(), abs=1e-6)
    if y == 0.5:
        assert distance.grad[1].item() == pytest.approx(11.112673, abs=1e-6)


def test_adaptive_wing_is_flat_at_the_target_and_finite_far_away():
    distance = torch.tensor([0.0, 0.0, 1e30], requires_grad=True)
    adaptive_wing(distance, torch.tensor([0.0, 1.0, 0.0]), *AWING).sum().backward()
    assert distance.grad[:2].tolist() == [0, 0]
    assert distance.grad[2].isfinite()


@pytest.mark.parametrize(("peak", "factor"), [(0.0, (1, 1)), (10.0, (11, 1))])
def test_adaptive_wing_counts_the_surroundings_of_a_peak_more(peak, factor):
    # The target is .3 at the left end: cells 0 and 1 are near it, cells 2 to 4 are not.
    maps = {"heatmap": double(0.3, 0.1, 0, 0, 0).reshape(1, 1, 1, 5)}
    output = {"heatmap": double(0.3, 0.2, 0, 0, 0.1).reshape(1, 1, 1, 5)}
    value = AdaptiveWing(peak=peak).build(FIVE)(output, target_of(maps, {"heatmap": torch.ones(1, 1, 1, 1)}))
    cells = adaptive_wing(double(0.1, 0.1), double(0.1, 0), *AWING)
    assert value["adaptive_wing"].item() == pytest.approx((cells * double(*factor)).sum().item() / 5)


def test_squares_of_coordinates():
    xy = double([[1.0, 2.0], [9.0, 9.0], [0.0, 4.0]])[None, None]
    target = Target({"xy": torch.zeros_like(xy)}, {"xy": double([[1], [0], [1]])[None, None]})
    assert L2().build(FIVE)({"xy": xy}, target)["l2"].item() == pytest.approx(21 / 4)


def test_the_two_bins_around_a_place():
    logits, truth = double([[0, 1, 2, 1]]), double([[0, 0.7, 0.3, 0]])
    assert cross_entropy(logits, truth).item() == pytest.approx(1.326523, abs=1e-6)
    assert cross_entropy(truth.clamp_min(1e-30).log(), truth).item() == pytest.approx(0.610864, abs=1e-6)
    assert (logits.softmax(-1) * torch.arange(4)).sum().item() == pytest.approx(1.855341, abs=1e-6)


@pytest.mark.parametrize(("names", "times"), [(("dfl_x", "dfl_y"), 2), (("dfl_x", "dfl_y", "dfl_z"), 3)])
def test_dfl_adds_its_axes(names, times):
    output = dict.fromkeys(names, double([[0, 1, 2, 1]])[None])
    maps = dict.fromkeys(names, double([[0, 0.7, 0.3, 0]])[None])
    value = Dfl(weight=0.25).build(FIVE)(output, target_of(maps, dict.fromkeys(names, torch.ones(1, 1, 1))))["dfl"]
    assert value.item() == pytest.approx(0.25 * times * 1.326523, abs=1e-6)


@pytest.mark.parametrize(("form", "value"), [("js", math.log(2)), ("kl", math.log(1e24))])
def test_divergence_of_disjoint_maps(form, value):
    output, maps = double([[1, 0]])[None, None], double([[0, 1]])[None, None]
    target = target_of({"probability": maps}, {"probability": torch.ones(1, 1, 1, 1)})
    term = Divergence(form=form).build(FIVE)({"probability": output}, target)["divergence"]
    assert term.item() == pytest.approx(value)


COCO = SKELETONS["coco17"]


def oks_of(distance, area, counted=range(17), form="linear", min_side=16.0, area_known=True):
    """The loss where every point is off by a distance along x."""
    xy = torch.zeros(1, 1, 17, 2, dtype=torch.float64)
    weight = torch.zeros(1, 1, 17, 1, dtype=torch.float64)
    weight[:, :, list(counted)] = 1
    off = xy + double(distance, 0)
    maps, weights = {"xy": xy}, {"xy": weight}
    if area is not None:
        maps["area"], weights["area"] = double([area]), torch.full((1, 1), float(area_known))
    return Oks(form=form, min_side=min_side).build(COCO).double()({"xy": off}, Target(maps, weights))["oks"].item()


def test_oks():
    assert oks_of(5, 1e4) == pytest.approx(1 - 0.871155, abs=1e-6)
    assert oks_of(10, 1e4) == pytest.approx(1 - 0.646995, abs=1e-6)
    assert oks_of(5, 1e4, [0]) == pytest.approx(1 - 0.629847, abs=1e-6)
    assert oks_of(5, 1e4, [COCO.points.index("left_hip")]) == pytest.approx(1 - 0.973074, abs=1e-6)
    assert oks_of(5, 1e4, form="square") == pytest.approx(1 - 0.871155**2, abs=1e-6)
    assert oks_of(5, 1e4, form="log") == pytest.approx(-math.log(0.871155), abs=1e-6)


@pytest.mark.parametrize(("point", "distance"), [("nose", 0.061225), ("left_hip", 0.251966)])
def test_where_oks_is_a_half(point, distance):
    assert oks_of(distance * 300, 300.0**2, [COCO.points.index(point)]) == pytest.approx(0.5, abs=1e-4)


def test_oks_takes_the_extent_where_no_area_is_given():
    xy = double([[3, 4], [13, 44], [900, 900]])[None, None]
    weight = double([[1], [1], [0]])[None, None]
    assert extent_area(xy, weight, 16).item() == 1600
    assert extent_area(xy, weight, 50).item() == 2500
    assert extent_area(xy, 0 * weight, 16).item() == 256
    # So is the side of one whose area is given and smaller.
    assert oks_of(5, 400.0, min_side=100.0) == pytest.approx(1 - 0.871155, abs=1e-6)
    # An area that is not known does not count.
    assert oks_of(5, 1e6, min_side=100.0, area_known=False) == pytest.approx(1 - 0.871155, abs=1e-6)
    # All points of this one are in one place, so its side is the min_side allowed.
    assert oks_of(5, None, min_side=100.0) == pytest.approx(1 - 0.871155, abs=1e-6)


@pytest.mark.parametrize("form", ["linear", "square", "log"])
def test_oks_far_away(form):
    xy = torch.full((1, 1, 17, 2), 1e4, dtype=torch.float64, requires_grad=True)
    maps = {"xy": torch.zeros(1, 1, 17, 2, dtype=torch.float64)}
    target = Target(maps, {"xy": torch.ones(1, 1, 17, 1)})
    value = Oks(form=form).build(COCO).double()({"xy": xy}, target)["oks"]
    value.backward()
    assert xy.grad.isfinite().all()
    if form == "log":
        assert xy.grad.abs().max() > 0
    else:
        assert value.item() == pytest.approx(1)


CHAIN = Skeleton(name="chain", points=("a", "b", "c"), bones=(("a", "b"), ("b", "c")))
BENT = double([[0, 0], [3, 4], [3, 10]])
STRAIGHT = double([[0, 0], [0, 4], [0, 9]])


def bone_of(outputs, truths, known=None, **settings):
    """The loss of a batch of chains."""
    truth = torch.stack(truths)[:, None]
    weight = torch.ones(*truth.shape[:-1], 1) if known is None else known
    return (
        Bone(**settings)
        .build(CHAIN)({"xy": torch.stack(outputs)[:, None]}, Target({"xy": truth}, {"xy": weight}))["bone"]
        .item()
    )


def test_bones():
    assert bone_of([BENT], [STRAIGHT]) == pytest.approx(1)
    assert bone_of([BENT], [STRAIGHT], variant="vector") == pytest.approx(1)
    assert bone_of([BENT], [STRAIGHT], variant="batch_mean") == pytest.approx(1)
    assert bone_of([BENT], [STRAIGHT], scale=4.0, weight=2.0) == pytest.approx(0.5)


def test_errors_of_a_batch_cancel_in_its_mean_only():
    outputs, truths = [1.1 * STRAIGHT, 0.9 * STRAIGHT], [STRAIGHT, STRAIGHT]
    assert bone_of(outputs, truths) == pytest.approx(0.45)
    assert bone_of(outputs, truths, variant="batch_mean") == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("variant", ["length", "vector", "batch_mean"])
def test_a_bone_with_an_unknown_end_does_not_count(variant):
    # Without c only the bone a-b is left: lengths 5 and 4, vectors (3, 4) and (0, 4).
    value = bone_of([BENT], [STRAIGHT], torch.tensor([1.0, 1, 0]).reshape(1, 1, 3, 1), variant=variant)
    assert value == pytest.approx({"length": 1, "vector": 1.5, "batch_mean": 1}[variant])


@pytest.mark.parametrize("variant", ["length", "vector", "batch_mean"])
def test_a_bone_with_an_unknown_start_does_not_count(variant):
    # Without a only the bone b-c is left: lengths 6 and 5, vectors (0, 6) and (0, 5).
    value = bone_of([BENT + 10], [STRAIGHT + 10], torch.tensor([0, 1.0, 1]).reshape(1, 1, 3, 1), variant=variant)
    assert value == pytest.approx({"length": 1, "vector": 0.5, "batch_mean": 1}[variant])


def test_a_bone_weighs_the_product_of_its_ends():
    # Bones weigh 0.4 and 0.8 and differ by (3, 0) and (0, 1): (0.4 * 3 + 0.8 * 1) / (2 * 1.2).
    weight = torch.tensor([0.5, 0.8, 1]).reshape(1, 1, 3, 1)
    assert bone_of([BENT], [STRAIGHT], weight, variant="vector") == pytest.approx(2 / 2.4)
    assert bone_of([BENT], [STRAIGHT], weight / 2, variant="batch_mean") == pytest.approx(1)


def test_a_bone_of_no_length_has_a_finite_gradient():
    xy = torch.zeros(1, 1, 3, 2, requires_grad=True)
    target = Target({"xy": STRAIGHT[None, None].float()}, {"xy": torch.ones(1, 1, 3, 1)})
    Bone().build(CHAIN)({"xy": xy}, target)["bone"].backward()
    assert xy.grad.isfinite().all()


def test_a_skeleton_without_bones_is_refused():
    with pytest.raises(ValueError, match="loss 'bone' needs bones and skeleton 'dots' has none"):
        Bone().build(Skeleton(name="dots", points=("a", "b")))


def test_combined():
    # Disc .69 / 4 / 2; each offset .01 / 4 / 2 over its two cells; what lies outside the disc may be anything.
    disc, offset = double([1, 0], [1, 0])[None, None], double([[0.2, 0], [0.2, 0]], [[0.1, 0], [-0.5, 0]])[None]
    nan = float("nan")
    output = {
        "disc": double([0.8, 0.1], [0.2, 0])[None, None],
        "offset": double([[0.3, nan], [0.1, nan]], [[0, nan], [-0.4, nan]])[None],
    }
    target = target_of(
        {"disc": disc, "offset": offset}, {"disc": torch.ones(1, 1, 1, 1), "offset": disc.expand(1, 2, 2, 2)}
    )
    terms = Combined().build(FIVE)(output, target)
    assert terms["combined"].item() == pytest.approx(0.08625)
    assert terms["offset"].item() == pytest.approx(0.005)
    assert Combined(offsets=3.0).build(FIVE)(output, target)["offset"].item() == pytest.approx(0.015)


@pytest.mark.parametrize("config", [Paf(weight=2.0), Coarse(weight=2.0)])
def test_maps_beside_the_heatmap_are_compared_where_known(config):
    output = {config.kind: torch.stack((torch.full((2, 2), 0.5), torch.full((2, 2), float("nan"))))[None]}
    weight = {config.kind: torch.tensor([1.0, 0]).reshape(1, 2, 1, 1)}
    target = target_of({config.kind: torch.zeros(1, 2, 2, 2)}, weight)
    assert config.build(FIVE)(output, target)[config.kind].item() == pytest.approx(0.5)


def test_steps_are_compared_in_the_cells_of_points():
    nan = float("nan")
    output = {"offset": double([[0.3, nan]], [[-0.2, nan]])[None]}
    maps = {"offset": double([[0.1, 0]], [[0.4, 0]])[None]}
    target = target_of(maps, {"offset": double([[1, 0]], [[1, 0]])[None]})
    assert Offset(weight=2.0).build(FIVE)(output, target)["offset"].item() == pytest.approx(2 * (0.2 + 0.6) / 2)
