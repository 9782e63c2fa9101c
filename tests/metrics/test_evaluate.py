"""Metrics apply to the skeletons they are made for, and one call gives all metrics of a data set."""

from __future__ import annotations

import numpy as np
import pytest

from posekit.geometry.skeleton import Skeleton, infer_skeleton
from posekit.metrics import norms, points
from posekit.metrics.evaluate import evaluate
from posekit.metrics.protocols import PROTOCOLS, chosen_protocol, default_protocol, fitting
from posekit.metrics.similarity import oks
from posekit.skeletons import SKELETONS

M = 6
GENERAL = {"oks", "pck@0.2", "pck@0.05", "auc", "nme_box", "epe", "median"}
FACIAL = {"nme_interocular", "fr_interocular@0.1", "auc_interocular@0.1"}


def case(skeleton, seed=0, noise=4.0):
    rng = np.random.default_rng(seed)
    k = len(skeleton.points)
    truth = rng.uniform(10, 90, (M, k, 2))
    labelled = rng.random((M, k)) < 0.8
    boxes = np.tile([5.0, 5, 95, 105], (M, 1))
    return truth + rng.normal(size=truth.shape) * noise, truth, labelled, boxes, rng.uniform(3000, 5000, M)


def test_the_table_of_protocols():
    assert set(PROTOCOLS) == GENERAL | FACIAL | {"pck_torso@0.2"}
    assert all(p.about and "\n" not in p.about for p in PROTOCOLS.values())
    assert {name for name, p in PROTOCOLS.items() if p.higher} == {
        *("oks", "pck@0.2", "pck@0.05", "auc", "pck_torso@0.2", "auc_interocular@0.1")
    }


@pytest.mark.parametrize(
    ("name", "main", "special"),
    [
        ("coco17", "oks", {"pck_torso@0.2"}),
        ("lsp14", "pck_torso@0.2", {"pck_torso@0.2"}),
        ("face5", "nme_interocular", FACIAL),
        ("face68", "nme_interocular", FACIAL),
        ("wflw98", "nme_interocular", FACIAL),
        ("hand21", "oks", set()),
        ("ap10k17", "oks", set()),
    ],
)
def test_each_skeleton_gets_what_fits_it(name, main, special):
    skeleton = SKELETONS[name]
    result = evaluate(*case(skeleton), skeleton)
    assert set(result.figures) == set(fitting(skeleton)) == GENERAL | special
    assert result.main == default_protocol(skeleton) == main
    assert result.higher == (not main.startswith("nme"))
    assert result.value == result.figures[main]
    assert np.isfinite(list(result.figures.values())).all()
    assert all(values.shape == (len(skeleton.points),) for values in result.per_point.values())


def test_defaults_of_skeletons_that_only_have_names():
    lsp, _ = infer_skeleton("person", SKELETONS["lsp14"].points)
    helen, _ = infer_skeleton("face", [f"lm_{i}" for i in range(68)])
    mtfl, _ = infer_skeleton("face", ("left_eye_img", "right_eye_img", "nose", "left_mouth_img", "right_mouth_img"))
    mouse, _ = infer_skeleton("mouse", ("snout", "leftear", "rightear", "tailbase"))
    defaults = [default_protocol(s) for s in (lsp, helen, mtfl, mouse)]
    assert defaults == ["pck_torso@0.2", "nme_interocular", "nme_interocular", "pck@0.2"]


def test_perfect_predictions():
    skeleton = SKELETONS["lsp14"]
    _, truth, labelled, boxes, area = case(skeleton)
    result = evaluate(truth, truth, labelled, boxes, area, skeleton)
    # The first of the twenty thresholds is 0, and nothing is nearer than that.
    wanted = {"auc": 0.95, **dict.fromkeys(("oks", "pck@0.2", "pck@0.05", "pck_torso@0.2"), 1.0)}
    for name, value in result.figures.items():
        assert value == pytest.approx(wanted.get(name, 0.0)), name


def test_figures_are_those_of_their_functions():
    skeleton = SKELETONS["lsp14"]
    xy, truth, labelled, boxes, area = case(skeleton, noise=9)
    result = evaluate(xy, truth, labelled, boxes, area, skeleton)
    error = np.linalg.norm(xy - truth, axis=-1)
    np.testing.assert_allclose(result.errors, error)
    assert result.figures["epe"] == pytest.approx(error[labelled].mean())
    assert result.figures["median"] == pytest.approx(np.median(error[labelled]))
    assert result.figures["nme_box"] == pytest.approx(error[labelled].mean() / 100)
    assert result.figures["oks"] == pytest.approx(oks(xy, truth, labelled, area, skeleton.oks_sigmas).mean())
    shares = [(error[labelled[:, k], k] < 20).mean() for k in range(14)]
    assert result.figures["pck@0.2"] == pytest.approx(np.mean(shares))
    np.testing.assert_allclose(result.per_point["pck@0.2"], shares)
    thresholds = [i / 100 for i in range(20)]
    assert result.figures["auc"] == pytest.approx(points.auc(error, labelled, norms.box_side(boxes), thresholds))


def test_torso_pck_leaves_neck_and_head_out():
    skeleton = SKELETONS["lsp14"]
    _, truth, labelled, boxes, area = case(skeleton)
    labelled[:] = True
    xy = truth.copy()
    xy[:, skeleton.index(("neck", "head_top"))] += 1000
    result = evaluate(xy, truth, labelled, boxes, area, skeleton)
    assert result.value == 1
    assert result.figures["pck@0.2"] == pytest.approx(12 / 14)
    assert np.isnan(result.per_point["pck_torso@0.2"][[12, 13]]).all()
    assert list(result.per_point) == ["pck_torso@0.2", "pck@0.2", "epe"]


def test_an_image_without_a_torso_is_left_out():
    skeleton = SKELETONS["lsp14"]
    _, truth, labelled, boxes, area = case(skeleton)
    labelled[:] = True
    xy = truth.copy()
    xy[0] += 1000
    labelled[0, skeleton.index(("left_shoulder", "right_shoulder"))] = False
    assert evaluate(xy, truth, labelled, boxes, area, skeleton).value == 1


def test_eyes_measure_faces():
    skeleton = SKELETONS["face5"]
    _, truth, labelled, boxes, area = case(skeleton)
    labelled[:] = True
    truth[:, 0], truth[:, 1] = (30, 40), (70, 40)
    xy = truth + np.array([0.0, 2.0])
    xy[0] += (0, 6)
    result = evaluate(xy, truth, labelled, boxes, area, skeleton)
    assert result.value == pytest.approx((8 + 2 * (M - 1)) / M / 40)
    assert result.figures["fr_interocular@0.1"] == pytest.approx(1 / M)
    # 2 of 40 is half of the limit 0.1; the lost face adds nothing.
    assert result.figures["auc_interocular@0.1"] == pytest.approx(0.5 * (M - 1) / M)


def test_the_asked_metric_ranks():
    skeleton = SKELETONS["coco17"]
    result = evaluate(*case(skeleton), skeleton, metric="nme_box")
    assert (result.main, result.higher) == ("nme_box", False)
    assert list(result.per_point) == ["nme_box", "pck@0.2", "epe"]
    assert list(evaluate(*case(skeleton), skeleton).per_point) == ["pck@0.2", "epe"]


def test_missing_areas_are_taken_from_the_boxes():
    skeleton = SKELETONS["coco17"]
    xy, truth, labelled, boxes, _ = case(skeleton)
    guessed = evaluate(xy, truth, labelled, boxes, None, skeleton)
    assert guessed.figures == evaluate(xy, truth, labelled, boxes, np.full(M, 0.53 * 90 * 100), skeleton).figures


def test_nothing_to_measure_is_nan_without_a_warning():
    skeleton = SKELETONS["lsp14"]
    empty = evaluate(
        np.zeros((0, 14, 2)), np.zeros((0, 14, 2)), np.zeros((0, 14), bool), np.zeros((0, 4)), None, skeleton
    )
    assert np.isnan(list(empty.figures.values())).all()
    xy, truth, labelled, boxes, area = case(skeleton)
    blank = evaluate(xy, truth, np.zeros_like(labelled), boxes, area, skeleton)
    assert np.isnan(list(blank.figures.values())).all()


def test_unfit_metrics_are_refused():
    coco = SKELETONS["coco17"]
    with pytest.raises(ValueError, match=r"no metric 'pck'; those that fit skeleton 'coco17': pck_torso@0.2, oks"):
        chosen_protocol(coco, "pck")
    with pytest.raises(ValueError, match=r"metric 'nme_interocular' needs a face: .*; skeleton 'coco17' has \['nose'"):
        evaluate(*case(coco), coco, metric="nme_interocular")
    thing = Skeleton(name="thing", points=("a", "b"))
    with pytest.raises(ValueError, match=r"metric 'pck_torso@0.2' needs the twelve limb points by name"):
        chosen_protocol(thing, "pck_torso@0.2")


def test_arrays_that_do_not_fit_are_refused():
    skeleton = SKELETONS["coco17"]
    xy, truth, labelled, boxes, area = case(skeleton)
    with pytest.raises(
        ValueError, match=r"6 instances of 17 points \('coco17'\) need other shapes: labelled \(17, 6\) ins"
    ):
        evaluate(xy, truth, labelled.T, boxes, area, skeleton)
    with pytest.raises(ValueError, match=r"xy \(6, 14, 2\) instead of \(6, 17, 2\); area \(3,\) instead of \(6,\)"):
        evaluate(xy[:, :14], truth, labelled, boxes, area[:3], skeleton)
