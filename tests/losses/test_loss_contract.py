"""The contract of all losses, checked for every loss."""

from dataclasses import replace

import pytest
import torch
from codec_cases import FIVE, instances
from pydantic import TypeAdapter, ValidationError
from sizes import B, K
from stand_in_codecs import Dense, Fields, OneEach

from posekit.codecs.base import Target
from posekit.codecs.dfl import Dfl as DflCodec
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.megvii import Megvii
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import UdpCombined
from posekit.codecs.volume import Heatmap3d, Integral3d
from posekit.geometry.grid import Grid
from posekit.losses import LOSSES
from posekit.losses.adaptive_wing import AdaptiveWing
from posekit.losses.any import AnyLoss, fitting
from posekit.losses.bones import Bone
from posekit.losses.boxes import Giou
from posekit.losses.classes import Bce, SigmoidFocal
from posekit.losses.combined import Combined
from posekit.losses.depth import Depth
from posekit.losses.divergence import Dfl, Divergence, DsntLoss, SimccKl
from posekit.losses.equalized import Efl, Eqfl
from posekit.losses.fcpose import PointMaps, Refine, Side
from posekit.losses.focal import Focal, Qfl
from posekit.losses.heatmaps import Coarse, Mse, Ohkm, Paf, Volume
from posekit.losses.offsets import Offset
from posekit.losses.oks import Oks
from posekit.losses.points import L1, L2, SmoothL1, SoftWing, Wing
from posekit.losses.rle import RleNll, RleNll3d

SIZE = (28, 20)
GRID = Grid.of(SIZE, 4)
BINS = 3
CODECS = {
    "heatmap": Heatmap(points=K, grid=GRID, sigma=5.0),
    "integral": Integral(points=K, grid=GRID),
    "dsnt": Dsnt(points=K, grid=GRID),
    "regression": Regression(points=K, size=SIZE),
    "rle": Rle(points=K, size=SIZE),
    "simcc": SimCC(points=K, size=SIZE, split=1, sigma=2),
    "logits": Heatmap(points=K, grid=GRID, sigma=5.0, activation="sigmoid"),
    "peaks": Heatmap(points=K, grid=GRID, sigma=4.0, activation="sigmoid", target="quantised"),
    "discs": UdpCombined(points=K, grid=GRID, radius=6.0),
    "levels": Megvii(points=K, grid=GRID, kernels=(5, 3)),
    "bins": DflCodec(points=K, size=SIZE, bins=6),
    "deep bins": DflCodec(points=K, size=SIZE, bins=6, depth=100.0),
    "deep rle": Rle(points=K, size=SIZE, depth=100.0),
    "volume": Heatmap3d(points=K, grid=GRID, depth=100.0, bins=BINS, sigma=5.0),
    "deep integral": Integral3d(points=K, grid=GRID, depth=100.0, bins=BINS),
    "fields": Fields(K),
    "dense": Dense(K),
    "one each": OneEach(K),
}
LINKED = replace(
    FIVE,
    bones=(("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear")),
    sigmas={"nose": 0.026, "left_eye": 0.1, "right_ear": 0.2},
)
POINTS = ["l1", "smooth_l1", "wing"]
MORE_POINTS = ["l2", "soft_wing", "oks", "bone"]
CASES = {
    "mse": (Mse(weight=3.0), "heatmap"),
    "ohkm": (Ohkm(), "heatmap"),
    "ohkm of all": (Ohkm(hardest=K), "integral"),
    "l1": (L1(), "regression"),
    "l1 of means": (L1(weight=0.1), "integral"),
    "smooth_l1": (SmoothL1(beta=3.0), "regression"),
    "wing": (Wing(width=4.0), "rle"),
    "dsnt": (DsntLoss(), "dsnt"),
    "dsnt alone": (DsntLoss(regulariser="none"), "dsnt"),
    "dsnt variance": (DsntLoss(regulariser="variance", strength=0.1), "dsnt"),
    "dsnt kl": (DsntLoss(regulariser="kl"), "dsnt"),
    "rle": (RleNll(), "rle"),
    "rle gaussian": (RleNll(residual="gaussian", log_sigma_terms=1), "rle"),
    "rle official": (RleNll(compat="official"), "rle"),
    "simcc": (SimccKl(weight=2.0), "simcc"),
    "adaptive_wing": (AdaptiveWing(), "heatmap"),
    "adaptive_wing alike": (AdaptiveWing(peak=0.0, weight=0.5), "integral"),
    "qfl": (Qfl(), "logits"),
    "qfl of an odd power": (Qfl(beta=3.0), "peaks"),
    "eqfl": (Eqfl(weight=2.0), "logits"),
    "focal": (Focal(), "peaks"),
    "focal of other powers": (Focal(alpha=1.5, beta=0.5), "peaks"),
    "efl": (Efl(weight=2.0), "peaks"),
    "l2": (L2(), "regression"),
    "soft_wing": (SoftWing(inner=1.0), "regression"),
    "oks": (Oks(), "regression"),
    "oks square": (Oks(form="square"), "dsnt"),
    "oks log": (Oks(form="log", weight=0.2), "rle"),
    "bone": (Bone(), "regression"),
    "bone vector": (Bone(variant="vector", scale=4.0), "dsnt"),
    "bone mean": (Bone(variant="batch_mean"), "regression"),
    "divergence": (Divergence(), "dsnt"),
    "divergence kl": (Divergence(form="kl"), "dsnt"),
    "dfl": (Dfl(), "bins"),
    "dfl of three": (Dfl(weight=0.25), "deep bins"),
    "combined": (Combined(weight=4.0, offsets=0.5), "discs"),
    "offset": (Offset(weight=2.0), "discs"),
    "coarse": (Coarse(), "levels"),
    "paf": (Paf(), "fields"),
    "volume": (Volume(), "volume"),
    "depth": (Depth(weight=3.0), "deep integral"),
    "rle3d": (RleNll3d(), "deep rle"),
    "sigmoid_focal": (SigmoidFocal(), "dense"),
    "sigmoid_focal averaged": (SigmoidFocal(average=0.9, weight=4.0), "dense"),
    "giou": (Giou(weight=2.0), "dense"),
    "bce": (Bce(), "dense"),
    "point_maps": (PointMaps(), "one each"),
    "point_maps as they are": (PointMaps(weight=2.5, grown=1), "one each"),
    "refine": (Refine(weight=9.0), "one each"),
    "side": (Side(), "one each"),
}
CHANNELS = {"offset": 2, "refine": 2, "box": 4, "paf": 2, "volume": BINS}
"""Maps with several channels a point."""
TERMS = {"dsnt": {"dsnt", "js"}, "dsnt variance": {"dsnt", "variance"}, "dsnt kl": {"dsnt", "kl"}}
TERMS["combined"] = {"combined", "offset"}

each = pytest.mark.parametrize("case", CASES)


def built(case):
    """Module and codec of a case, in double precision, the same parameters every time; it learns nothing from data."""
    config, codec = CASES[case]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return config.build(LINKED).double().eval(), CODECS[codec]


def labels(seed=0):
    xy = torch.rand(B, 1, K, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return xy * torch.tensor([14.0, 22.0]) + 3


def some_target(codec):
    """Points of which the second of the first image is unknown."""
    visibility = torch.full((B, 1, K), 2)
    visibility[0, 0, 1] = 0
    return codec.encode(instances(labels(), visibility))


def raw(codec, seed=7):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(B, *s, generator=generator, dtype=torch.float64) for name, s in codec.shapes.items()}


def of_point(name, value, k):
    """The part of a named tensor that belongs to a point of the first image."""
    if name in ("xy", "point_maps"):
        return value[0, :, k]
    several = CHANNELS.get(name, 1)
    return value[0, several * k : several * (k + 1)]


def turned(values, order):
    """Named tensors with their points in another order."""
    channels = {n: [CHANNELS.get(n, 1) * k + i for k in order for i in range(CHANNELS.get(n, 1))] for n in values}
    return {n: v[:, :, order] if n in ("xy", "point_maps") else v[:, channels[n]] for n, v in values.items()}


def total(module, codec, maps, target):
    return sum(module(codec.activate(maps), target).values())


def test_the_table_of_losses():
    assert list(LOSSES) == [
        *("mse", "ohkm", "l1", "smooth_l1", "wing", "dsnt", "rle", "simcc"),
        *("adaptive_wing", "qfl", "eqfl", "focal", "efl", "l2", "soft_wing", "oks", "bone"),
        *("divergence", "dfl", "combined", "offset", "coarse", "paf", "volume", "depth", "rle3d"),
        *("sigmoid_focal", "giou", "bce", "point_maps", "refine", "side"),
    ]
    assert {config.kind for config, _ in CASES.values()} == set(LOSSES)
    for name, kind in LOSSES.items():
        assert kind().kind == name
        assert kind().weight == {"coarse": 0.25, "volume": 64.0}.get(name, 1.0)


def test_which_loss_fits_which_codec():
    assert {name: fitting(codec) for name, codec in CODECS.items()} == {
        "heatmap": ["mse", "ohkm", "adaptive_wing"],
        "integral": ["mse", "ohkm", *POINTS, "adaptive_wing", *MORE_POINTS],
        "dsnt": [*POINTS, "dsnt", *MORE_POINTS, "divergence"],
        "regression": [*POINTS, *MORE_POINTS],
        "rle": [*POINTS, "rle", *MORE_POINTS],
        "simcc": ["simcc"],
        "logits": ["mse", "ohkm", "adaptive_wing", "qfl", "eqfl"],
        "peaks": ["mse", "ohkm", "adaptive_wing", "qfl", "eqfl", "focal", "efl"],
        "discs": ["combined", "offset"],
        "levels": ["mse", "ohkm", "adaptive_wing", "coarse"],
        "bins": [*POINTS, *MORE_POINTS, "dfl"],
        "deep bins": [*POINTS, *MORE_POINTS, "dfl"],
        "deep rle": [*POINTS, "rle", *MORE_POINTS, "depth", "rle3d"],
        "volume": ["mse", "ohkm", "adaptive_wing", "volume"],
        "deep integral": [*POINTS, *MORE_POINTS, "depth"],
        "fields": ["paf"],
        "dense": ["sigmoid_focal", "giou", "bce"],
        "one each": ["point_maps", "refine", "side"],
    }


@pytest.mark.parametrize(("codec", "loss"), [(c, loss) for c in CODECS for loss in fitting(CODECS[c])])
def test_every_fitting_pair_trains(codec, loss):
    codec, module = CODECS[codec], LOSSES[loss]().build(LINKED).double()
    maps = {name: value.requires_grad_() for name, value in raw(codec).items()}
    total(module, codec, maps, some_target(codec)).backward()
    assert any((value.grad != 0).any() for value in maps.values() if value.grad is not None)


@each
def test_a_loss_is_its_own_config(case):
    config, adapter = CASES[case][0], TypeAdapter(AnyLoss)
    assert adapter.validate_json(adapter.dump_json(config)) == config
    with pytest.raises(ValidationError, match="Unexpected keyword argument"):
        adapter.validate_python(adapter.dump_python(config) | {"wieght": 3})
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        adapter.validate_python(adapter.dump_python(config) | {"weight": -1})


@each
def test_terms_are_named_scalars(case):
    module, codec = built(case)
    terms = module(codec.activate(raw(codec)), some_target(codec))
    assert set(terms) == TERMS.get(case, {CASES[case][0].kind})
    assert all(term.shape == () and term.isfinite() for term in terms.values())


@each
def test_gradients_are_right(case):
    module, codec = built(case)
    target, maps = some_target(codec), raw(codec)
    names = list(maps)
    assert torch.autograd.gradcheck(
        lambda *values: total(module, codec, dict(zip(names, values, strict=True)), target),
        [maps[name].requires_grad_() for name in names],
    )


@each
def test_nothing_known_is_0_with_a_gradient(case):
    module, codec = built(case)
    maps = {name: value.requires_grad_() for name, value in raw(codec).items()}
    value = total(module, codec, maps, codec.encode(instances(labels(), 0)))
    assert value.item() == 0
    value.backward()
    grads = [m.grad for m in maps.values() if m.grad is not None] + [p.grad for p in module.parameters()]
    assert grads
    assert all((grad == 0).all() for grad in grads)


@each
@pytest.mark.parametrize("junk", [float("nan"), float("inf"), 1e30])
def test_what_is_unknown_may_be_anything(case, junk):
    module, codec = built(case)
    target, clean = some_target(codec), raw(codec)
    dirty = {name: value.clone() for name, value in clean.items()}
    for name, value in dirty.items():
        of_point(name, value, 1).fill_(junk)
        value.requires_grad_()
    maps = {name: m.clone() for name, m in target.maps.items()}
    for name, value in maps.items():
        of_point(name, value, 1).fill_(float("nan"))
    value = total(module, codec, dirty, Target(maps, target.weight))
    assert value.item() == pytest.approx(total(module, codec, clean, target).item())
    value.backward()
    grads = [m.grad for m in dirty.values() if m.grad is not None] + [p.grad for p in module.parameters()]
    assert all(grad.isfinite().all() for grad in grads)
    assert all((of_point(n, m.grad, 1) == 0).all() for n, m in dirty.items() if m.grad is not None)


@each
@pytest.mark.parametrize("seed", range(4))
def test_the_target_is_the_best_answer(case, seed):
    module, codec = built(case)
    target = some_target(codec)
    generator = torch.Generator().manual_seed(seed)
    best, moved = {}, {}
    for name in sorted(CASES[case][0].needs):
        if name in ("point_maps", "refine"):
            best[name] = codec.best(name, target.maps["point_maps"])
            noise = torch.randn(best[name].shape, generator=generator, dtype=torch.float64)
            moved[name] = best[name] + (50 * noise if name == "point_maps" else noise)
            continue
        if name not in target.maps:  # no truth: the spreads
            best[name] = moved[name] = torch.zeros(B, *codec.shapes[name], dtype=torch.float64)
            continue
        value = target.maps[name]
        noise = 0.3 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
        best[name], moved[name] = value, value + noise
        if name == "probability":
            logits = value.clamp_min(1e-30).log()
            moved[name] = (logits + noise).flatten(2).softmax(-1).reshape(value.shape)
        if name in ("x", "y", "dfl_x", "dfl_y"):
            best[name] = value.clamp_min(1e-30).log()
            moved[name] = best[name] + noise
        if name in ("peaks", "class", "centreness"):
            best[name] = torch.where(value == 1, 30.0, -30.0).double()
            moved[name] = 10 * noise
        if name == "logits":
            best[name] = value.clamp(1e-9, 1 - 1e-9).logit()
            moved[name] = best[name] + noise
    at_best, elsewhere = (sum(module(output, target).values()).item() for output in (best, moved))
    assert at_best < elsewhere
    # A density may exceed 1; a cut Gaussian sums to less than 1; two bins have an entropy; grown cells share theirs.
    if codec.kind not in ("rle", "simcc", "dfl") and case != "point_maps":
        assert at_best == pytest.approx(0, abs=1e-9)


@each
def test_the_order_of_points_does_not_matter(case):
    module, codec = built(case)
    order, target, maps = [3, 0, 4, 2, 1], some_target(codec), raw(codec)
    twin = CASES[case][0].build(replace(LINKED, points=tuple(LINKED.points[k] for k in order))).double().eval()
    twin.load_state_dict(module.state_dict())
    other = Target(turned(target.maps, order), turned(target.weight, order))
    here = total(module, codec, maps, target)
    there = total(twin, codec, turned(maps, order), other)
    assert here.item() == pytest.approx(there.item())


@each
def test_the_weight_is_a_factor(case):
    config, codec = CASES[case][0], CODECS[CASES[case][1]]
    module, _ = built(case)
    heavy = TypeAdapter(AnyLoss).validate_python({**TypeAdapter(AnyLoss).dump_python(config), "weight": 7.0})
    twin = heavy.build(LINKED).double().eval()
    twin.load_state_dict(module.state_dict())
    target, maps = some_target(codec), raw(codec)
    once, more = total(module, codec, maps, target), total(twin, codec, maps, target)
    assert (more / once).item() == pytest.approx(7.0 / config.weight)
