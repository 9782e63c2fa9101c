"""COCO AP equals the reference evaluator's, whatever the number of points."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings

import numpy as np
import pytest

from posekit.metrics.coco_ap import coco_ap
from posekit.skeletons import SKELETONS


def scene(seed, points, images=12, with_categories=1):
    """People of all sizes, some crowd regions, some unlabelled, some marked to be ignored; predictions near and far."""
    rng = np.random.default_rng(seed)
    truth = {
        "images": [{"id": i * 7 + 3, "width": 640, "height": 480} for i in range(images)],
        "categories": [
            {"id": c + 1, "name": f"c{c}", "keypoints": [f"p{i}" for i in range(points)]}
            for c in range(with_categories)
        ],
        "annotations": [],
    }
    results = []
    for image in truth["images"]:
        for _ in range(rng.integers(0, 6)):
            category = int(rng.integers(1, with_categories + 1))
            w, h = np.exp(rng.uniform(2.5, 6, 2))
            x, y = rng.uniform(0, 300, 2)
            xy = rng.uniform((x, y), (x + w, y + h), (points, 2))
            v = rng.choice([0, 1, 2], points, p=[0.3, 0.2, 0.5])
            v = v * 0 if rng.random() < 0.15 else v
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": image["id"],
                    "category_id": category,
                    "bbox": [float(n) for n in (x, y, w, h)],
                    "area": float(w * h * rng.uniform(0.3, 0.8)),
                    "iscrowd": int(rng.random() < 0.1),
                    "ignore": int(rng.random() < 0.1),
                    "num_keypoints": int((v > 0).sum()),
                    "keypoints": np.concatenate([xy * (v > 0)[:, None], v[:, None]], 1).ravel().tolist(),
                }
            )
            for _ in range(rng.integers(0, 3)):
                guess = xy + rng.normal(size=xy.shape) * np.sqrt(w * h) * rng.choice([0.01, 0.05, 0.2])
                results.append(result(image["id"], category, guess, np.round(rng.random(), 1)))
        for _ in range(rng.integers(0, 25) if rng.random() < 0.2 else 1):
            guess = rng.uniform(0, 400, (points, 2))
            results.append(result(image["id"], 1, guess, np.round(rng.random(), 1)))
    return truth, results


def result(image, category, xy, score):
    flat = np.concatenate([xy, np.ones((len(xy), 1))], 1).ravel().tolist()
    return {"image_id": image, "category_id": category, "keypoints": flat, "score": float(score)}


def reference(truth, results, sigmas):
    """The ten numbers of pycocotools; its -1 (nothing labelled) is our NaN."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        labels = COCO()
        labels.dataset = copy.deepcopy(truth)
        labels.createIndex()
        engine = COCOeval(labels, labels.loadRes(copy.deepcopy(results)), "keypoints")
        engine.params.kpt_oks_sigmas = np.asarray(sigmas)
        engine.evaluate()
        engine.accumulate()
        engine.summarize()
    return np.where(engine.stats == -1, np.nan, engine.stats)


@pytest.mark.parametrize("name", ["coco17", "crowdpose14", "face5"])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_the_reference(name, seed, capfd):
    sigmas = SKELETONS[name].oks_sigmas
    truth, results = scene(seed, len(sigmas), with_categories=1 + seed % 2)
    ours = coco_ap(truth, results, sigmas)
    assert tuple(ours) == ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
    np.testing.assert_allclose(list(ours.values()), reference(truth, results, sigmas), rtol=0, atol=1e-12)
    assert 0 < ours["AP"] < 1
    assert capfd.readouterr().out == ""


def test_other_sigmas_give_another_ap():
    # The trap: the engine keeps COCO's 17 sigmas when nobody sets others, and answers without a word.
    truth, results = scene(5, 14)
    narrow, wide = (coco_ap(truth, results, [s] * 14)["AP"] for s in (0.01, 0.1))
    assert narrow < wide


def one_point(*locations):
    """One image, one person of one point per place (square pixels 10000)."""
    return {
        "images": [{"id": 1, "width": 900, "height": 900}],
        "categories": [{"id": 1, "name": "thing", "keypoints": ["a"]}],
        "annotations": [
            {
                "id": i + 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [x - 50.0, y - 50.0, 100.0, 100.0],
                "area": 10000.0,
                "keypoints": [x, y, 2],
            }
            for i, (x, y) in enumerate(locations)
        ],
    }


def at(x, y, score):
    return result(1, 1, np.array([[x, y]], dtype=float), score)


HIT, OTHER, MISS = (100, 100), (600, 600), (300, 800)


@pytest.mark.parametrize(
    ("people", "poses", "expected"),
    [
        ((HIT,), (at(*HIT, 0.9), at(*MISS, 0.8)), 1.0),
        ((HIT,), (at(*HIT, 0.8), at(*MISS, 0.9)), 0.5),
        ((HIT, OTHER), (at(*HIT, 0.9), at(*MISS, 0.8), at(*OTHER, 0.7)), 0.834983),
        ((HIT, OTHER), (at(*HIT, 0.9),), 51 / 101),
        # An OKS of exp(-8^2 / 200) = 0.726 is enough for 5 of the 10 thresholds.
        ((HIT,), (at(HIT[0] + 8, HIT[1], 0.9),), 0.5),
    ],
)
def test_ap_by_hand(people, poses, expected):
    assert coco_ap(one_point(*people), poses, [0.05])["AP"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("away", "half", "three_quarters"), [(7.5, 1, 1), (7.7, 1, 0), (11.7, 1, 0), (11.8, 0, 0)])
def test_ap_at_one_threshold_by_hand(away, half, three_quarters):
    # The OKS is 0.755, 0.743, 0.504 and 0.498.
    figures = coco_ap(one_point(HIT), [at(HIT[0] + away, HIT[1], 0.9)], [0.05])
    assert (figures["AP50"], figures["AP75"]) == pytest.approx((half, three_quarters))
    assert (figures["AR50"], figures["AR75"]) == pytest.approx((half, three_quarters))


def test_sizes_without_people_are_nan_and_areas_are_made_up_where_missing():
    truth = one_point(HIT)
    figures = coco_ap(truth, [at(*HIT, 0.9)], [0.05])
    assert figures["APL"] == pytest.approx(1)
    assert np.isnan(figures["APM"])
    del truth["annotations"][0]["area"]
    # 0.53 of 100 x 100 is below 96 x 96.
    figures = coco_ap(truth, [at(*HIT, 0.9)], [0.05])
    assert figures["APM"] == pytest.approx(1)
    assert np.isnan(figures["APL"])


def test_a_pose_on_a_crowd_region_counts_neither_way():
    truth = one_point(HIT, OTHER)
    truth["annotations"][1]["iscrowd"] = 1
    poses = [at(*HIT, 0.5), at(*OTHER, 0.9)]
    assert coco_ap(truth, poses, [0.05])["AP"] == pytest.approx(1)


def test_no_result_at_all_is_zero():
    figures = coco_ap(one_point(HIT), [], [0.05])
    assert figures["AP"] == 0
    assert figures["AR"] == 0


def test_only_the_best_poses_of_an_image_count():
    poses = [at(*MISS, 0.9)] * 3 + [at(*HIT, 0.5)]
    assert coco_ap(one_point(HIT), poses, [0.05], max_detections=3)["AR"] == 0
    assert coco_ap(one_point(HIT), poses, [0.05], max_detections=4)["AR"] == pytest.approx(1)


def test_nothing_is_said_or_changed():
    truth, results = scene(1, 14)
    before = copy.deepcopy((truth, results))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coco_ap(truth, results, SKELETONS["crowdpose14"].oks_sigmas)
    assert (truth, results) == before


def test_refusals():
    truth, poses = one_point(HIT), [at(*HIT, 0.5)]
    with pytest.raises(ValueError, match="annotation 1 has 3 numbers in keypoints; 2 sigmas need 6"):
        coco_ap(truth, poses, [0.05, 0.05])
    with pytest.raises(ValueError, match="result 0 has 6 numbers"):
        coco_ap(truth, [result(1, 1, np.zeros((2, 2)), 0.5)], [0.05])
    with pytest.raises(ValueError, match="one positive sigma a point"):
        coco_ap(truth, poses, [0.0])
    with pytest.raises(ValueError, match="result 0 is of image 2"):
        coco_ap(truth, [{**poses[0], "image_id": 2}], [0.05])
    with pytest.raises(ValueError, match="result 0 has no score"):
        coco_ap(truth, [{k: v for k, v in poses[0].items() if k != "score"}], [0.05])
    del truth["annotations"][0]["bbox"]
    with pytest.raises(ValueError, match="annotation 1 has no bbox"):
        coco_ap(truth, poses, [0.05])
