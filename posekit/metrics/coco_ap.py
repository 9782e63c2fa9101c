"""COCO keypoint AP, with the sigmas of any skeleton."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.metrics.norms import AREA_OF_BOX

Float = NDArray[np.floating]

KEYS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


def coco_ap(
    truth: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Sequence[float],
    *,
    max_detections: int = 20,
) -> dict[str, float]:
    """Average precision and recall of poses over OKS 0.50, 0.55, ... 0.95, as computed by COCO's evaluator.

    Crowd regions and people without a labelled point are ignored: predictions on them are neither right nor wrong.

    Args:
        truth: content of a COCO file: ``images`` (each with ``id``), ``categories``, ``annotations`` (``image_id``,
            ``category_id``, ``bbox`` x y w h, ``keypoints`` x y v a point; ``iscrowd``; ``area``, else `AREA_OF_BOX`
            times the box's area). A missing ``num_keypoints`` is counted.
        results: content of a COCO results file: ``image_id``, ``category_id``, ``keypoints`` x y s a point, ``score``.
        sigmas: (K,) OKS sigmas, in the order of the points.
        max_detections: only this many poses of an image are used, those with the highest scores.

    Returns:
        AP, AP50, AP75, APM, APL (area 32² to 96², above), AR, AR50, AR75, ARM, ARL in [0, 1]; NaN where no instance of
        that size is labelled.

    Raises:
        ValueError: sigmas or points of the wrong number, results of unknown images or without a score.
    """
    engine = evaluator(truth, results, sigmas, max_detections)
    engine.evaluate()
    engine.accumulate()
    # `summarize` prints a table and warns whenever K is not 17; its ten means are taken here instead.
    tables: dict[str, Any] = engine.eval or {}
    return _means(tables["precision"], tables["recall"])


def evaluator(
    truth: Mapping[str, Any], results: Sequence[Mapping[str, Any]], sigmas: Sequence[float], max_detections: int = 20
) -> Any:
    """COCO's evaluator of keypoints, before ``evaluate()``; see `coco_ap`."""
    from hotcoco import COCO, COCOeval

    spread = _checked_sigmas(sigmas)
    people = _checked_truth(truth, len(spread))
    poses = _checked_results(results, len(spread), {image["id"] for image in truth["images"]})
    labels = COCO({**truth, "annotations": people})
    engine = COCOeval(labels, labels.load_res(poses), "keypoints")
    # The attribute is a copy: change it and assign it again.
    params = engine.params
    params.kpt_oks_sigmas = spread
    params.max_dets = [max_detections]
    engine.params = params
    return engine


def _means(precision: Float, recall: Float) -> dict[str, float]:
    """COCO's ten numbers.

    Args:
        precision: (T, R, C, 3, 1) over thresholds, recalls, categories and areas all, medium, large; -1 is unknown.
        recall: (T, C, 3, 1).
    """
    values: list[float] = []
    for table in (precision, recall):
        parts = (table[..., 0, 0], table[0, ..., 0, 0], table[5, ..., 0, 0], table[..., 1, 0], table[..., 2, 0])
        values += [float(p[p > -1].mean()) if (p > -1).any() else float("nan") for p in parts]
    return dict(zip(KEYS, values, strict=True))


def _checked_sigmas(sigmas: Sequence[float]) -> list[float]:
    """The sigmas as plain numbers."""
    spread = [float(s) for s in sigmas]
    if not spread or not all(np.isfinite(s) and s > 0 for s in spread):
        raise ValueError(f"OKS needs one positive sigma a point; got {spread}")
    return spread


def _checked_truth(truth: Mapping[str, Any], points: int) -> list[dict[str, Any]]:
    """Annotations with all fields that the evaluator reads."""
    people = []
    for number, given in enumerate(truth["annotations"], start=1):
        who = f"annotation {given.get('id', number)}"
        # The evaluator needs unique annotation ids, which may repeat between the images of a file: renumber them.
        person = {"iscrowd": 0, "keypoints": [0] * 3 * points, **given, "id": number}
        _check_points(person["keypoints"], points, who)
        if "bbox" not in person:
            raise ValueError(f"{who} has no bbox; COCO's matching of ignored people needs x y width height")
        _, _, width, height = person["bbox"]
        person.setdefault("area", AREA_OF_BOX * width * height)
        person.setdefault("num_keypoints", sum(v > 0 for v in person["keypoints"][2::3]))
        people.append(person)
    return people


def _checked_results(results: Sequence[Mapping[str, Any]], points: int, images: set[int]) -> list[dict[str, Any]]:
    """Results with all fields that the evaluator reads."""
    for number, pose in enumerate(results):
        who = f"result {number}"
        missing = [key for key in ("image_id", "category_id", "keypoints", "score") if key not in pose]
        if missing:
            raise ValueError(f"{who} has no {', '.join(missing)}; it has {sorted(pose)}")
        if pose["image_id"] not in images:
            raise ValueError(f"{who} is of image {pose['image_id']}, which the ground truth does not contain")
        _check_points(pose["keypoints"], points, who)
    return [dict(pose) for pose in results]


def _check_points(keypoints: Sequence[float], points: int, who: str) -> None:
    if len(keypoints) != 3 * points:
        raise ValueError(f"{who} has {len(keypoints)} numbers in keypoints; {points} sigmas need {3 * points}")
