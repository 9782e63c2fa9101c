"""Values that contradict each other: each mistake is named by itself, and sound sets raise no doubt."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posekit.data.dataset import Dataset, ImageRecord
from posekit.data.readers import read
from posekit.data.suspicions import concerning, suspicions
from posekit.data.unusable import about_unusable_boxes, unusable_boxes
from posekit.geometry.boxes import from_xywh, to_xywh
from posekit.geometry.keypoints import IGNORE, INSTANCE
from posekit.geometry.skeleton import Skeleton

K, WIDTH, HEIGHT = 5, 640, 480
POINTS = tuple(f"p{i}" for i in range(K))


def sound(n=24, seed=0, file="labels.json"):
    """People of many sizes anywhere in images of 640 x 480, a fifth of their points unlabelled."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(40, 220, (n, 2))
    corner = rng.uniform(0, 1, (n, 2)) * ((WIDTH, HEIGHT) - size)
    xy = corner[:, None] + rng.uniform(0.05, 0.95, (n, K, 2)) * size[:, None]
    visibility = np.where(rng.random((n, K)) < 0.2, 0, 2).astype(np.int8)
    visibility[:, :3] = 2
    return Dataset(
        skeleton=Skeleton(name="thing", points=POINTS),
        images=tuple(ImageRecord(f"{i}.jpg", WIDTH, HEIGHT, i) for i in range(n)),
        xy=xy,
        visibility=visibility,
        boxes=np.concatenate([corner, corner + size], 1),
        area=0.6 * size.prod(1),
        category=np.zeros(n, np.int64),
        role=np.full(n, INSTANCE, np.int8),
        image=np.arange(n),
        annotation_id=np.arange(101, n + 101),
        file=file,
    )


def codes(dataset):
    return [found.code for found in suspicions(dataset)]


def as_written(dataset, form):
    """Boxes written in another form and read as COCO's x, y, width, height."""
    return replace(dataset, boxes=from_xywh(form(to_xywh(dataset.boxes))))


def moved(dataset, form):
    return replace(dataset, xy=form(dataset.xy, dataset.boxes))


SIZE = np.array([WIDTH, HEIGHT], np.float64)
MISTAKES = {
    "box_corners": [lambda d: as_written(d, lambda b: np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], 1))],
    "box_centres": [lambda d: as_written(d, lambda b: np.concatenate([b[:, :2] + b[:, 2:] / 2, b[:, 2:]], 1))],
    "box_axes": [
        lambda d: as_written(d, lambda b: b[:, [1, 0, 3, 2]]),
        lambda d: as_written(d, lambda b: np.stack([b[:, 1], b[:, 0], b[:, 1] + b[:, 3], b[:, 0] + b[:, 2]], 1)),
    ],
    "point_origin": [lambda d: moved(d, lambda xy, boxes: xy - boxes[:, None, :2])],
    "point_scale": [lambda d: moved(d, lambda xy, boxes: xy * 3)],
    "fractions": [
        lambda d: moved(d, lambda xy, boxes: (xy - 0.5) / SIZE + 0.5),
        lambda d: replace(d, boxes=d.boxes / np.tile(SIZE, 2)),
        lambda d: moved(d, lambda xy, boxes: (xy - 0.5) / SIZE * 2 - 0.5),
    ],
    "percentages": [
        lambda d: replace(d, xy=(d.xy - 0.5) / SIZE * 100 + 0.5, boxes=d.boxes / np.tile(SIZE, 2) * 100),
    ],
    "smaller_copy": [lambda d: replace(d, xy=d.xy / 2, boxes=d.boxes / 2, area=d.area / 4)],
    "boxes_away": [lambda d: replace(d, boxes=np.where(np.arange(len(d.boxes))[:, None] % 5, d.boxes, d.boxes + 2000))],
    "area": [
        lambda d: replace(d, area=np.zeros(len(d.area))),
        lambda d: replace(d, area=np.ones(len(d.area))),
        lambda d: replace(d, area=np.full(len(d.area), 5000.0)),
        lambda d: replace(d, area=d.area * 10),
        lambda d: replace(d, area=d.area / 500),
    ],
    "one_place": [
        lambda d: moved(d, lambda xy, boxes: np.where(np.arange(len(xy))[:, None, None] == 3, xy[:, :1], xy))
    ],
}
CASES = [(code, i) for code, several in MISTAKES.items() for i in range(len(several))]


@pytest.mark.parametrize("seed", range(5))
def test_sound_labels_raise_no_doubt(seed):
    for n in (1, 2, 3, 8, 24, 200):
        assert codes(sound(n, seed)) == []
    assert codes(sound(0)) == []


@pytest.mark.parametrize(("code", "case"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_a_mistake_is_named_and_its_consequences_are_not(code, case, seed):
    assert codes(MISTAKES[code][case](sound(60, seed))) == [code]


@pytest.mark.parametrize("code", ["box_corners", "box_centres", "fractions", "area"])
def test_a_few_annotations_are_enough(code):
    told = [codes(MISTAKES[code][0](sound(4, seed))) for seed in range(20)]
    assert sum(found == [code] for found in told) >= 16
    assert all(found in ([code], []) or found[0] in (code, "boxes_away", "area") for found in told)


def test_what_is_told():
    (found,) = suspicions(MISTAKES["box_centres"][0](sound()))
    assert found.severity == "warning"
    assert found.what.startswith(
        "boxes seem to be [centre x, centre y, width, height], where COCO's [x, y, width, height]"
    )
    assert "100% of the points then lie within their boxes" in found.what
    assert found.fix == "write [x - width / 2, y - height / 2, width, height] as 'bbox'"
    np.testing.assert_array_equal(found.rows, np.arange(24))
    (found,) = suspicions(MISTAKES["fractions"][1](sound()))
    assert found.severity == "error"
    assert found.what == "boxes lie within the first pixel of their images: are these fractions of the image?"
    (found,) = suspicions(MISTAKES["fractions"][2](sound()))
    assert found.fix.startswith("they go from -1 to 1: add 1 and halve, then multiply x")
    (found,) = suspicions(MISTAKES["area"][2](sound()))
    assert found.what == "all 24 areas are 5000, though the boxes differ by more than four times"
    (found,) = suspicions(MISTAKES["boxes_away"][0](sound()))
    assert found.what.startswith(
        "5 boxes are far from all labelled points of their annotation: ids 101 (in 0.jpg), 106"
    )
    (found,) = suspicions(MISTAKES["point_scale"][0](sound(60)))
    assert "times as large as those of the boxes" in found.what
    (found,) = suspicions(MISTAKES["smaller_copy"][0](sound(60)))
    assert "multiply points and boxes by 2" in found.fix


def test_a_few_fractions_among_pixels_are_named():
    dataset = sound()
    xy = dataset.xy.copy()
    xy[7] = 0.5 + (xy[7] - 0.5) / SIZE
    (found,) = (f for f in suspicions(replace(dataset, xy=xy)) if f.code == "fractions")
    assert (found.severity, found.rows.tolist()) == ("warning", [7])
    assert "1 annotations have all points within the first pixel: ids 108 (in 7.jpg)" in found.what


def test_few_boxes_away_in_a_large_set_are_only_mentioned():
    dataset = sound(300)
    boxes = dataset.boxes.copy()
    boxes[5] += 3000
    (found,) = suspicions(replace(dataset, boxes=boxes))
    assert (found.code, found.severity) == ("boxes_away", "info")
    assert concerning(replace(dataset, boxes=boxes), "train") == ()


def test_one_area_of_nothing_is_enough():
    dataset = sound(300)
    area = dataset.area.copy()
    area[5] = 0
    (found,) = suspicions(replace(dataset, area=area))
    assert (found.code, found.severity, found.rows.tolist()) == ("area", "warning", [5])


def joined(dataset, other):
    """Both sets' annotations in the images of the first."""
    names = ("xy", "visibility", "boxes", "area", "category", "role", "image")
    columns = {name: np.concatenate([getattr(dataset, name), getattr(other, name)]) for name in names}
    return replace(dataset, annotation_id=np.arange(len(columns["role"])), **columns)


def test_copies_of_annotations_are_found():
    dataset = sound()
    (found,) = suspicions(joined(dataset, dataset))
    assert found.code == "twice"
    assert found.rows.tolist() == list(range(24, 48))
    jittered = replace(dataset, xy=dataset.xy + 0.2, boxes=dataset.boxes + 5)
    assert codes(joined(dataset, jittered)) == ["twice"]
    elsewhere = replace(dataset, image=np.roll(dataset.image, 1))
    assert codes(joined(dataset, elsewhere)) == []
    beside = replace(dataset, xy=dataset.xy + 4, boxes=dataset.boxes + 4)
    assert "twice" not in codes(joined(dataset, beside))
    other_points = dataset.visibility.copy()
    other_points[:, 0] = 0
    assert codes(joined(dataset, replace(dataset, visibility=other_points))) == []


def test_one_point_alone_is_a_copy_only_with_its_box():
    dataset = sound()
    dataset = replace(dataset, visibility=np.where(np.arange(K) == 0, dataset.visibility, 0))
    assert codes(joined(dataset, dataset)) == ["twice"]
    wider = replace(dataset, boxes=dataset.boxes + np.array([-3, -3, 3, 3]))
    assert codes(joined(dataset, wider)) == []


def test_regions_to_ignore_are_not_judged():
    dataset = sound()
    role = dataset.role.copy()
    role[:4] = IGNORE
    boxes, area = dataset.boxes.copy(), dataset.area.copy()
    boxes[:2], boxes[2:4], area[:4] = 0, 5000, 0
    assert codes(replace(dataset, role=role, boxes=boxes, area=area)) == []
    assert len(unusable_boxes(replace(dataset, role=role, boxes=boxes))) == 0


def test_yolo_sets_are_read_in_their_own_forms():
    dataset = sound(file="data.yaml")
    assert codes(dataset) == []
    tiny = replace(dataset, xy=dataset.xy / 640, boxes=dataset.boxes / 640, area=dataset.area / 640**2)
    assert codes(tiny) == []
    size = dataset.boxes[:, 2:] - dataset.boxes[:, :2]
    # The upper left corner written where the centre belongs.
    shifted = replace(dataset, boxes=dataset.boxes - np.tile(size / 2, 2))
    (found,) = suspicions(shifted)
    assert found.code == "box_corners"
    assert "from their upper left corner, where YOLO's [centre x, centre y, width, height] is read" in found.what
    (found,) = suspicions(replace(dataset, xy=dataset.xy * SIZE))
    assert found.code == "point_units"
    assert "points seem to be in pixels, where YOLO's fractions" in found.what


def test_sizes_that_nobody_said_are_no_reason():
    dataset = replace(sound(), images=tuple(ImageRecord(f"{i}.jpg", 0, 0, i) for i in range(24)))
    assert codes(dataset) == []
    assert codes(MISTAKES["box_centres"][0](dataset)) == ["box_centres"]
    assert codes(MISTAKES["fractions"][0](dataset)) == ["fractions"]


def test_what_concerns_a_command_is_a_sentence_each():
    dataset = MISTAKES["area"][0](sound())
    (line,) = concerning(dataset, "eval")
    assert line.startswith("labels.json: 24 areas are 0 or 1 square pixel beside larger boxes: ids 101 (in 0.jpg)")
    assert "OKS and AP depend on areas" in line
    assert concerning(dataset, "train") == (line,)
    assert concerning(sound(), "train") == ()
    assert concerning(replace(dataset, file=""), "eval")[0].startswith("24 areas")


def test_unusable_boxes_are_named_with_annotation_and_image():
    dataset = sound()
    boxes = dataset.boxes.copy()
    boxes[3, 2] = boxes[3, 0]
    boxes[5] = 0
    boxes[8] = boxes[8, [2, 3, 0, 1]]
    boxes[9, 1] = np.nan
    boxes[10, 2] = np.inf
    broken = replace(dataset, boxes=boxes)
    assert unusable_boxes(broken).tolist() == [3, 5, 8, 9, 10]
    told = about_unusable_boxes(broken)
    assert told.startswith("labels.json: 5 boxes have no width or no height: ids 104 (in 3.jpg), 106 (in 5.jpg)")
    assert told.endswith("draw them around the instance, or leave bbox out: it is then put around the points")
    assert about_unusable_boxes(dataset) == ""
    many = replace(dataset, boxes=np.zeros_like(boxes), file="")
    assert about_unusable_boxes(many).startswith("24 boxes have no width or no height: ids 101 (in 0.jpg)")
    assert "105 (in 4.jpg) and 19 more" in about_unusable_boxes(many)


ROOT = Path(os.environ.get("POSEKIT_DATA", "~/.cache/posekit")).expanduser()


@pytest.mark.slow
def test_real_sets_raise_no_doubt():
    files = sorted(ROOT.glob("*/annotations/*.json"))
    if not files:
        pytest.skip(f"no data sets under POSEKIT_DATA ({ROOT})")
    doubts = {str(file): [f.code for f in suspicions(read(file)) if f.severity != "info"] for file in files}
    assert not {file: found for file, found in doubts.items() if found}
