"""Doubtful data sets: they can be read, and the check tells what is wrong or remarkable.

Each maker writes one and gives its path and a piece of the finding.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from broken import (
    Made,
    Maker,
    annotation,
    category,
    coco,
    coco_content,
    image,
    inside,
    jpeg,
    noisy,
    picture,
    tiff,
    turned,
    write,
    yolo,
    yolo_bytes,
)


def _grey_and_alpha(folder: Path) -> Path:
    content = coco_content()
    content["images"][1]["file_name"] = "9.png"
    alpha = np.concatenate([picture(), picture()[..., :1]], -1)
    images = {"7.jpg": jpeg(picture()[..., 0]), "9.png": cv2.imencode(".png", alpha)[1].tobytes()}
    return write(folder, content, images)


def _turned_and_right(folder: Path) -> Made:
    content = coco_content()
    content["images"][1].update(width=20, height=30)
    return write(folder, content, {"7.jpg": jpeg(), "9.jpg": turned(jpeg(), 6)}), "1 image is rotated by EXIF"


def _all(content: dict[str, Any], **values: Any) -> None:
    for entry in content["annotations"]:
        entry.update(values)


def _twelve_bits(folder: Path) -> Path:
    content = coco_content()
    content["images"][1]["file_name"] = "9.png"
    deep = cv2.imencode(".png", picture().astype(np.uint16) * 16)[1].tobytes()
    return write(folder, content, {"7.jpg": jpeg(), "9.png": deep})


BOXES = [[70, 60, 30, 20], [40, 30, 20, 30], [90, 20, 24, 40], [60, 80, 40, 24]]


def several(change: Callable[[list[dict[str, Any]]], Any], fragment: str, **values: Any) -> Maker:
    """Four animals in two images of 160 x 120, whose annotations are changed; values are the category's."""

    def make(folder: Path) -> Made:
        content = coco_content()
        for entry in content["images"]:
            entry.update(width=160, height=120)
        content["annotations"] = [
            {
                "id": i + 1,
                "image_id": (7, 9)[i % 2],
                "category_id": 1,
                "bbox": [x, y, w, h],
                "area": w * h / 2,
                "keypoints": [x + 2, y + h - 3, 2, x + w - 3, y + 2, 2, x + w // 2, y + h // 2, 1],
            }
            for i, (x, y, w, h) in enumerate(BOXES)
        ]
        content["categories"][0].update(values)
        change(content["annotations"])
        wide = jpeg(picture(120, 160))
        return write(folder, content, {"7.jpg": wide, "9.jpg": wide}), fragment

    return make


def boxes_as(form: Callable[[float, float, float, float], list[float]], fragment: str) -> Maker:
    """Boxes written in another form."""
    return several(lambda many: [a.update(bbox=form(*a["bbox"])) for a in many], fragment)


def points_as(form: Callable[[float, float, list[float]], list[float]], fragment: str) -> Maker:
    """Points written in another form, from x, y and the box."""

    def change(many: list[dict[str, Any]]) -> None:
        for entry in many:
            flat = entry["keypoints"]
            triples = [[*form(flat[k], flat[k + 1], entry["bbox"]), flat[k + 2]] for k in range(0, 9, 3)]
            entry["keypoints"] = [value for triple in triples for value in triple]

    return several(change, fragment)


def _as_fractions(many: list[dict[str, Any]], points: bool = True, boxes: bool = True) -> None:
    for entry in many:
        if boxes:
            entry["bbox"] = [v / s for v, s in zip(entry["bbox"], (160, 120, 160, 120), strict=True)]
        if points:
            entry["keypoints"] = [v / s for v, s in zip(entry["keypoints"], (160, 120, 1) * 3, strict=True)]


def _again(many: list[dict[str, Any]]) -> None:
    many += [entry | {"id": entry["id"] + 100} for entry in many]


DOUBTFUL: dict[str, Maker] = {
    "ids twice": annotation("error: .*2 annotations have an id that another has too: ids 1", id=1),
    "flat box": annotation("error: .*1 box has no width or no height: ids 2", bbox=[3, 3, 0, 5]),
    "box outside": annotation("warning: .*1 box reaches outside the image: ids 2", bbox=[-9, 3, 20, 14]),
    "labelled at zero": annotation(
        r"warning: .*labelled points at \(0, 0\): ids 2", keypoints=[0, 0, 2, 9, 9, 2, 8, 8, 1]
    ),
    "labelled outside": annotation(
        "warning: .*labelled points outside the image: ids 2", keypoints=[4, 50, 2, 9, 9, 2, 8, 8, 1]
    ),
    "unlabelled": annotation("info: .*1 annotation has no labelled point and is ignored: ids 2", keypoints=[0] * 9),
    "points missing": annotation("info: .*1 annotation has no labelled point", keypoints=...),
    "nothing labelled": coco(lambda c: _all(c, keypoints=[0] * 9), "error: .*no instance has a labelled point"),
    "never labelled": coco(
        lambda c: _all(c, keypoints=[4, 5, 2, 20, 6, 2, 0, 0, 0]), "1 point is never labelled: right_paw"
    ),
    "bare image": coco(lambda c: _all(c, image_id=7), "info: .*1 of 2 images has no annotation"),
    "no mirror": category("left and right are unknown", keypoints=["a", "b", "c"]),
    "one file twice": coco(lambda c: c["images"][1].update(file_name="7.jpg"), "1 file is listed as several images"),
    "image missing": image(None, "error: .*1 image is missing"),
    "image empty": image(b"", "error: .*1 image file is empty"),
    "image cut off": image(jpeg()[:-60], "error: .*1 image is cut off"),
    "no image at all": image(b"<html>", "error: .*1 file is not images"),
    "another size": image(jpeg(picture(22, 33)), "error: .*1 image has another size"),
    "turned": image(turned(jpeg(), 6), "error: .*1 image is rotated by EXIF, but its size"),
    "turned and right": _turned_and_right,
    "grey": lambda folder: (_grey_and_alpha(folder), "info: .*1 image is grey; they are read as RGB"),
    "alpha": lambda folder: (_grey_and_alpha(folder), "info: .*1 image has an alpha channel; it is dropped"),
    # values that contradict each other
    "negative box": annotation(r"error: .*1 box has no width or no height: ids 2 \(in 9.jpg\)", bbox=[20, 15, -9, -9]),
    "box of zeros": annotation("error: .*1 box has no width or no height: ids 2", bbox=[0, 0, 0, 0]),
    "area 0": several(
        lambda m: [a.update(area=0) for a in m], "warning: .*4 areas are 0 or 1 square pixel.*OKS and AP"
    ),
    "area 1": several(lambda m: m[2].update(area=1), r"1 area is 0 or 1 square pixel beside.*ids 3 \(in 7.jpg\)"),
    "area of fractions": several(lambda m: [a.update(area=a["area"] / 19200) for a in m], "4 areas are 0 or 1"),
    "area too large": several(lambda m: m[1].update(area=9000), "1 area does not fit.*15 times as large"),
    "area too small": several(lambda m: m[1].update(area=3), "1 area does not fit its box"),
    "annotations twice": several(_again, "4 annotations repeat the points of another in the same image: ids 101 .in 7"),
    "annotation twice, moved a little": several(
        lambda m: m.append(m[0] | {"id": 9, "keypoints": [v + 0.1 if v > 2 else v for v in m[0]["keypoints"]]}),
        "1 annotation repeats the points of another",
    ),
    "all fractions": several(
        _as_fractions, "error: .*points and boxes lie within the first pixel.*are these fractions"
    ),
    "points as fractions": several(
        lambda m: _as_fractions(m, boxes=False), "error: .*points lie within the first pixel.*multiply x"
    ),
    "boxes as fractions": several(
        lambda m: _as_fractions(m, points=False), "error: .*boxes lie within the first pixel"
    ),
    "points from -1 to 1": points_as(
        lambda x, y, _: [x / 80 - 1, y / 60 - 1], "error: .*points lie within the first pixel.*they go from -1 to 1"
    ),
    "boxes as corners": boxes_as(
        lambda x, y, w, h: [x, y, x + w, y + h], r"warning: .*boxes seem to be corners \[x0, y0, x1, y1\], where COCO's"
    ),
    "boxes as centres": boxes_as(
        lambda x, y, w, h: [x + w / 2, y + h / 2, w, h], r"boxes seem to be \[centre x, centre y, width, height\]"
    ),
    "boxes with y first": boxes_as(lambda x, y, w, h: [y, x, h, w], r"boxes seem to be \[y, x, height, width\]"),
    "corners with y first": boxes_as(
        lambda x, y, w, h: [y, x, y + h, x + w], r"boxes seem to be corners with y first \[y0, x0, y1, x1\]"
    ),
    "points with y first": points_as(lambda x, y, _: [y, x], "points seem to be y before x|boxes seem to be"),
    "points from the box": points_as(
        lambda x, y, box: [x - box[0], y - box[1]], "points seem to be relative to the upper left corner of their box"
    ),
    "box far away": several(
        lambda m: m[0].update(bbox=[2, 2, 12, 12]), r"1 box is far from all labelled points.*ids 1 \(in 7.jpg\)"
    ),
    "points at one place": several(
        lambda m: m[3].update(keypoints=[70, 90, 2] * 3), "1 annotation has all its points at one place: ids 4"
    ),
    # left and right
    "a side misspelt": category(
        r"warning: .*left_pow, right_paw look left or right but have no partner \(are left_pow and right_paw one pair",
        keypoints=["nose", "left_pow", "right_paw"],
    ),
    "a side alone": category("left_eye looks left or right but has no partner", keypoints=["nose", "left_eye", "tail"]),
    "pairs against names": category(
        "mirror pairs contradict the names of the points: nose is paired with left_paw|left_paw is paired with nose",
        flip_pairs=[["nose", "left_paw"]],
    ),
    "no pairs against names": category("left_paw and right_paw are not paired", flip_pairs=[]),
    "flip_idx against names": yolo(
        "mirror pairs contradict the names of the points.*correct flip_pairs", flip_idx=[0, 1, 2]
    ),
    # images
    "twelve bits": lambda folder: (
        _twelve_bits(folder),
        "warning: .*1 image of 16 bits use only 12 of them.*16 times as bright",
    ),
    "float tiff": image(
        tiff(picture().astype(np.float32)), "error: .*1 image is a TIFF of 32-bit floating-point numbers"
    ),
    "yolo image cut off": yolo_bytes("images/train/a.jpg", jpeg()[:-60], "error: .*1 image is cut off"),
    "second header": image(
        inside(jpeg(noisy()), jpeg()), "error: .*1 image is damaged: each has the header of another"
    ),
}
