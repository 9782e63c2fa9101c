"""Metrics with weights: each is the metric of the protocols, on the images as often as the weights say."""

from dataclasses import fields, replace

import numpy as np
import pytest

from posekit.metrics.coco_ap import coco_ap
from posekit.metrics.points import errors
from posekit.metrics.protocols import PROTOCOLS, Comparison
from posekit.metrics.weighted import WEIGHTED
from posekit.metrics.weighted_ap import precision_of
from posekit.skeletons import SKELETONS

IMAGES, M = 9, 23


def comparison(name, seed=0):
    random = np.random.default_rng(seed)
    skeleton = SKELETONS[name]
    k = len(skeleton.points)
    truth = random.uniform(0, 100, (M, k, 2))
    xy = truth + random.normal(0, 6, truth.shape)
    labelled = random.random((M, k)) < 0.7
    labelled[:, 1] = False  # a point that is never labelled
    boxes = np.concatenate([truth.min(1), truth.max(1)], 1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], 1)
    made = Comparison(xy, truth, labelled, boxes, area, skeleton, errors(xy, truth))
    return made, random.integers(0, IMAGES, M)


def repeated(made, image, weights):
    """The comparison with each image's instances as often as drawn."""
    times = np.repeat(np.arange(M), weights[image].astype(int))
    arrays = {f.name: getattr(made, f.name)[times] for f in fields(made) if f.name != "skeleton"}
    return replace(made, **arrays)


@pytest.mark.parametrize("skeleton", ["coco17", "face68"])
@pytest.mark.parametrize("metric", WEIGHTED)
def test_weights_are_repetitions(metric, skeleton):
    made, image = comparison(skeleton)
    protocol = PROTOCOLS[metric]
    if not protocol.fits(made.skeleton):
        pytest.skip(f"{metric} needs {protocol.needs}")
    statistic = WEIGHTED[metric](made, image, IMAGES)
    weights = np.random.default_rng(1).multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), size=4).astype(float)
    weights = np.concatenate([np.ones((1, IMAGES)), weights])
    found = statistic(weights)
    assert found.shape == (5, statistic.columns)
    for row, own in zip(found, weights, strict=True):
        again = repeated(made, image, own)
        assert row[0] == pytest.approx(protocol.value(again), nan_ok=True)
        if statistic.columns > 1:
            assert row[1:] == pytest.approx(protocol.points(again), nan_ok=True)


def scenes(seed=3):
    """A COCO file of six images with crowd regions and unlabelled people, and results with false poses."""
    random = np.random.default_rng(seed)
    people, results = [], []
    for image in range(6):
        for number in range(int(random.integers(0, 4))):
            xy = random.uniform(0, 60, 2) + random.uniform(0, 40, (4, 2))
            seen = np.full((4, 1), 2.0) if random.random() < 0.85 else np.zeros((4, 1))
            box = [*xy.min(0).tolist(), *np.ptp(xy, axis=0).tolist()]
            points = np.concatenate([xy, seen], 1).ravel().tolist()
            region = int(random.random() < 0.1)
            people.append(
                {"id": 10 * image + number, "image_id": image, "category_id": 1, "bbox": box, "keypoints": points}
                | {"iscrowd": region, "area": box[2] * box[3]}
            )
            for _ in range(int(random.integers(0, 3))):
                near = xy + random.normal(0, random.uniform(0.2, 6), xy.shape)
                points = np.concatenate([near, np.ones((4, 1))], 1).ravel().tolist()
                score = float(random.integers(1, 9)) / 8  # with ties
                results.append({"image_id": image, "category_id": 1, "keypoints": points, "score": score})
    return {"images": [{"id": i} for i in range(6)], "categories": [CATEGORY], "annotations": people}, results


CATEGORY = {"id": 1, "name": "tool", "keypoints": ["a", "b", "c", "d"]}
SIGMAS = (0.05, 0.1, 0.05, 0.1)


def copies(truth, results, weights):
    """Each image as often as drawn, in its order, under ids of its own."""
    images, people, poses = [], [], []
    for image, times in enumerate(weights.astype(int)):
        for _ in range(times):
            number = len(images)
            images.append({"id": number})
            people += [p | {"image_id": number} for p in truth["annotations"] if p["image_id"] == image]
            poses += [p | {"image_id": number} for p in results if p["image_id"] == image]
    return truth | {"images": images, "annotations": people}, poses


def test_precision_is_that_of_coco():
    for seed in range(6):
        truth, results = scenes(seed)
        whole = precision_of(truth, results, SIGMAS)
        wanted = coco_ap(truth, results, SIGMAS)
        found = [part(np.ones((1, 6)))[0, 0] for part in (whole, whole.at(0), whole.at(5))]
        assert found == pytest.approx([wanted["AP"], wanted["AP50"], wanted["AP75"]], nan_ok=True)


def test_precision_of_drawn_images_is_that_of_their_copies():
    truth, results = scenes()
    # Equal scores are taken in the order of the images, which copies change: all scores differ here.
    results = [pose | {"score": 1 / (number + 1)} for number, pose in enumerate(results)]
    whole = precision_of(truth, results, SIGMAS)
    for weights in np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), size=8).astype(float):
        # Copies of a pose have the same score: slightly different ones keep COCO's order.
        wanted = coco_ap(*copies(truth, results, weights), SIGMAS)["AP"]
        assert whole(weights[None])[0, 0] == pytest.approx(wanted, abs=0.02, nan_ok=True)


def test_precision_without_poses_or_people():
    truth, results = scenes()
    assert precision_of(truth, results[:1], SIGMAS)(np.zeros((1, 6))).tolist() == [[pytest.approx(np.nan, nan_ok=True)]]
    nobody = truth | {"annotations": []}
    assert np.isnan(precision_of(nobody, results[:2], SIGMAS)(np.ones((1, 6)))).all()
