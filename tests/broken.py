"""Broken data sets and images, more than a hundred.

Each maker writes one and gives its path and a piece of the message it must be met with.

`BROKEN`: reading it, or opening its images, ends in a DataError. What can be read and is doubtful stands in `doubtful`.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from posekit.data.coco import read_coco
from posekit.data.jpeg import scan_start
from posekit.data.pack import pack

Made = tuple[Path, str]
Maker = Callable[[Path], Made]
POINTS = ["nose", "left_paw", "right_paw"]


def picture(height: int = 20, width: int = 30) -> np.ndarray:
    """A smooth image, so that a JPEG of it is decoded nearly the same."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 8, y * 12, 128 + 0 * x], -1).astype(np.uint8)


def jpeg(image: np.ndarray | None = None) -> bytes:
    return cv2.imencode(".jpg", picture() if image is None else image)[1].tobytes()


def turned(content: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF orientation."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:]


def noisy(height: int = 96, width: int = 128) -> np.ndarray:
    """An image whose JPEG has some kilobytes of coded data."""
    grain = np.random.default_rng(0).integers(0, 40, (height, width, 3), dtype=np.uint8)
    return picture(height, width) // 2 + grain


def inside(content: bytes, put: bytes, instead: int = 0) -> bytes:
    """A JPEG with bytes put into the middle of its coded data, ``instead`` of some or between."""
    at = (scan_start(content) + len(content)) // 2
    return content[:at] + put + content[at + instead :]


def progressive() -> bytes:
    """A progressive JPEG of which only the first scan is left."""
    content = cv2.imencode(".jpg", noisy(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    return content[: content.find(b"\xff\xda", scan_start(content) + 2)] + b"\xff\xd9"


def tiff(image: np.ndarray) -> bytes:
    return cv2.imencode(".tif", image)[1].tobytes()


def coco_content() -> dict[str, Any]:
    """A sound COCO file: three annotations in two images of 30 x 20."""
    points, other = [4, 5, 2, 20, 6, 2, 9, 15, 1], [6, 6, 2, 23, 8, 2, 12, 17, 1]
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 30, "height": 20} for i in (7, 9)],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [2, 3, 20, 14], "area": 150, "keypoints": points[:]},
            {"id": 2, "image_id": 9, "category_id": 1, "bbox": [2, 3, 20, 14], "area": 150, "keypoints": points[:]},
            {"id": 3, "image_id": 9, "category_id": 1, "bbox": [4, 4, 21, 15], "area": 150, "keypoints": other},
        ],
        "categories": [{"id": 1, "name": "mouse", "keypoints": POINTS[:], "skeleton": [[1, 2], [1, 3]]}],
    }


def write(folder: Path, content: Any, images: dict[str, bytes] | None = None) -> Path:
    """Write a COCO file and its images; ``None`` writes the sound ones."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "labels.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    for name, data in (images or {"7.jpg": jpeg(), "9.jpg": jpeg()}).items():
        (folder / name).write_bytes(data)
    return file


def coco(change: Callable[[dict[str, Any]], Any], fragment: str) -> Maker:
    """A COCO file with one thing wrong."""

    def make(folder: Path) -> Made:
        content = coco_content()
        change(content)
        return write(folder, content), fragment

    return make


def text(content: str, fragment: str) -> Maker:
    return lambda folder: (write(folder, content), fragment)


def image(data: bytes | None, fragment: str) -> Maker:
    """A sound COCO file, one of whose images is not."""

    def make(folder: Path) -> Made:
        file = write(folder, coco_content())
        (folder / "9.jpg").unlink()
        if data is not None:
            (folder / "9.jpg").write_bytes(data)
        return file, fragment

    return make


def annotation(fragment: str, **values: Any) -> Maker:
    """A COCO file whose second annotation has other values; ``...`` removes a key."""

    def change(content: dict[str, Any]) -> None:
        entry = content["annotations"][1]
        entry.update(values)
        for key in [k for k, v in values.items() if v is ...]:
            del entry[key]

    return coco(change, fragment)


def category(fragment: str, **values: Any) -> Maker:
    return coco(lambda c: c["categories"][0].update(values), fragment)


def _two_categories(content: dict[str, Any]) -> None:
    content["categories"].append({"id": 2, "name": "rat", "keypoints": ["snout", "tail"]})


def _not_utf8(folder: Path) -> Made:
    file = write(folder, "{}")
    file.write_bytes(b'{"images": [],\n "annotations": "\xff\xfe"}')
    return file, r"line 2 is not UTF-8 \(byte 0xff\)"


YOLO = {
    "path": ".",
    "train": "images/train",
    "kpt_shape": [3, 3],
    "names": {0: "mouse"},
    "flip_idx": [0, 2, 1],
    "kpt_names": {0: POINTS},
}
ROW = "0 0.5 0.5 0.6 0.6 0.2 0.3 2 0.7 0.3 2 0.3 0.8 1"


def yolo_set(folder: Path, row: str = ROW, content: dict[str, Any] | None = None) -> Path:
    """A YOLO set of one image with one line of labels."""
    for part in ("images", "labels"):
        (folder / part / "train").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "train" / "a.jpg").write_bytes(jpeg())
    (folder / "labels" / "train" / "a.txt").write_text(row + "\n", encoding="utf-8")
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(YOLO if content is None else content), encoding="utf-8")
    return file


def yolo(fragment: str, row: str = ROW, **values: Any) -> Maker:
    """A YOLO set with one thing wrong; ``...`` removes a key of its data.yaml."""
    content = {k: v for k, v in (YOLO | values).items() if v is not ...}
    return lambda folder: (yolo_set(folder, row, content), fragment)


def _yaml_text(content: str, fragment: str) -> Maker:
    def make(folder: Path) -> Made:
        file = yolo_set(folder)
        file.write_text(content, encoding="utf-8")
        return file, fragment

    return make


def _file(name: str, content: bytes, fragment: str) -> Maker:
    def make(folder: Path) -> Made:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder / name, fragment

    return make


def yolo_bytes(part: str, content: bytes | None, fragment: str) -> Maker:
    """A YOLO set one of whose files has other bytes, or is missing."""

    def make(folder: Path) -> Made:
        file = yolo_set(folder)
        if content is None:
            (folder / part).unlink()
        else:
            (folder / part).write_bytes(content)
        return file, fragment

    return make


def yolo_list(lines: str, fragment: str) -> Maker:
    """A YOLO set whose split is a list of images."""

    def make(folder: Path) -> Made:
        file = yolo_set(folder, content=YOLO | {"train": "list.txt"})
        (folder / "list.txt").write_text(lines, encoding="utf-8")
        return file, fragment

    return make


def packed(change: Callable[[dict[str, bytes]], Any], fragment: str, cut: int = 0) -> Maker:
    """A pack with other entries, or without its last bytes."""

    def make(folder: Path) -> Made:
        made = pack(read_coco(write(folder, coco_content())), folder / "whole.zip", 32)
        with zipfile.ZipFile(made) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        change(entries)
        file = folder / "x.zip"
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        if cut:
            file.write_bytes(file.read_bytes()[:-cut])
        return file, fragment

    return make


def relabelled(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], Any]:
    """Change the labels of a pack."""

    def apply(entries: dict[str, bytes]) -> None:
        content = json.loads(entries["labels.json"])
        change(content)
        entries["labels.json"] = json.dumps(content).encode()

    return apply


NAN = [4, 5, 2, float("nan"), 6, 2, 9, 15, 1]
INFINITE = [4, 5, 2, float("inf"), 6, 2, 9, 15, 1]

BROKEN: dict[str, Maker] = {
    # the file
    "no such file": lambda folder: (folder / "nothing.json", "no such file; expected COCO JSON"),
    "a folder": lambda folder: ((folder / "x.json").mkdir(parents=True) or folder / "x.json", "got a folder"),
    "unknown kind": _file("labels.xls", b"1", r"no reader for this kind of file; known endings are \.json"),
    "empty file": text("", "the file is empty"),
    "blank file": text(" \n ", "the file is empty"),
    "not utf-8": _not_utf8,
    "bad json": text('{"images": [],\n "annotations": [1, }', "not JSON at line 2, column"),
    "nested too deeply": text("[" * 200000, "nested too deeply"),
    "results file": text('[{"image_id": 1}]', r"got a list \(a results file\?\)"),
    "a number": text("3", "got int"),
    # its structure
    "images missing": coco(lambda c: c.pop("images"), "'images' is missing, the file has"),
    "categories missing": coco(lambda c: c.pop("categories"), "'categories' is missing"),
    "images no list": coco(lambda c: c.update(images={}), "expected 'images' to be a list of objects, got dict"),
    "images of text": coco(lambda c: c.update(images=["a.jpg"]), "got list of str"),
    "a sentence": text('"labels"', "got str"),
    "annotations missing": coco(lambda c: c.pop("annotations"), "'annotations' is missing"),
    "annotations null": coco(lambda c: c.update(annotations=None), "expected 'annotations' to be a list of objects"),
    "annotations of numbers": coco(lambda c: c.update(annotations=[1, 2]), "got list of int"),
    "categories of names": coco(lambda c: c.update(categories=["mouse"]), "expected 'categories' to be a list"),
    "image height": coco(
        lambda c: c["images"][1].update(height=0), "width or height that is not a positive number: ids 9"
    ),
    "no images": coco(lambda c: c.update(images=[]), "'images' is empty"),
    "image without id": coco(lambda c: c["images"][1].pop("id"), "images have no whole number as 'id': ids number 1"),
    "image without name": coco(lambda c: c["images"][1].pop("file_name"), "images lack a 'file_name': ids 9"),
    "image ids twice": coco(lambda c: c["images"][1].update(id=7), "1 image ids are used twice: 7"),
    "image width": coco(lambda c: c["images"][1].update(width=-3), "width or height that is not a positive number"),
    # categories
    "no points named": category("no category names its points", keypoints=[]),
    "two categories": coco(
        _two_categories, r"several categories have points: 'mouse' \(3 points\), 'rat' \(2 points\)"
    ),
    "category without id": coco(lambda c: c["categories"][0].pop("id"), "category 'mouse' lacks a whole number"),
    "point names are numbers": category("'keypoints' of category 'mouse' to be names", keypoints=[1, 2, 3]),
    "point names repeat": category("point names repeat", keypoints=["a", "a", "b"]),
    "skeleton out of range": category(
        r"'skeleton' has \[4\]; expected names of points, or indices from 1 to 3", skeleton=[[1, 4]]
    ),
    "skeleton no pairs": category("expected 'skeleton' to be a list of pairs", skeleton=[1, 2]),
    "bone of one": category("expected 'skeleton' to be a list of pairs", skeleton=[[1]]),
    "bone to itself": category(r"bones pairs \['nose'\] with itself", skeleton=[[1, 1]]),
    "mirror out of range": category(r"'flip_pairs' has \[7\]; expected names of points, or", flip_pairs=[[0, 7]]),
    "mirror no pairs": category("expected 'flip_pairs' to be a list of pairs", flip_pairs="left_paw"),
    "mirror of itself": category(r"mirror pairs \['nose'\] with itself", flip_pairs=[["nose", "nose"]]),
    "two mirrors": category(
        r"points \['left_paw'\] are in two mirror pairs", flip_pairs=[["left_paw", "right_paw"], ["left_paw", "nose"]]
    ),
    "point names as text": category("'keypoints' of category 'mouse' to be names", keypoints="nose"),
    "sigma of nothing": category(r"sigmas of \['right_paw'\] are not between 0 and 10", sigmas=[0.1, 0.1, 0]),
    "sigmas as text": category("expected 'sigmas' to be 3 numbers", sigmas=["a", "b", "c"]),
    "mirror unknown": category(r"'flip_pairs' has \['tail'\]", flip_pairs=[["tail", "nose"]]),
    "sigmas too few": category("expected 'sigmas' to be 3 numbers", sigmas=[0.1]),
    "symmetry unknown": category("symmetry", symmetry="sideways"),
    # annotations
    "unknown image": annotation(
        "annotations have an image_id that is not in 'images': ids 2; the first has image_id 99", image_id=99
    ),
    "too few numbers": annotation(
        r"do not have 3 x 3 = 9 numbers.*ids 2; the first has 6 numbers", keypoints=[1, 2, 2] * 2
    ),
    "too many numbers": annotation(r"do not have 3 x 3 = 9 numbers.*the first has 12 numbers", keypoints=[1, 2, 2] * 4),
    "no image named": annotation("annotations have an image_id that is not in 'images': ids 2", image_id=None),
    "points infinite": annotation("points that are NaN or infinite: ids 2", keypoints=INFINITE),
    "points true": annotation(r"keypoints\[2\] = True", keypoints=[4, 5, True, 20, 6, 2, 9, 15, 1]),
    "visibility of three": annotation("the first has 3; in predictions", keypoints=[4, 5, 3] * 3),
    "visibility below": annotation("the first has -1", keypoints=[4, 5, -1] * 3),
    "box infinite": annotation("no four finite numbers in 'bbox': ids 2", bbox=[1, 2, float("inf"), 4]),
    "box as text": annotation("no four finite numbers in 'bbox': ids 2", bbox="1 2 3 4"),
    "box with null": annotation("no four finite numbers in 'bbox': ids 2", bbox=[1, 2, None, 4]),
    "box as object": annotation("no four finite numbers in 'bbox': ids 2", bbox={"x": 1}),
    "area negative": annotation("the first has area -5; give it in square pixels", area=-5),
    "area nan": annotation("the first has area nan", area=float("nan")),
    "area as list": annotation(r"the first has area \[150\]", area=[150]),
    "depth too short": annotation(r"'depth' must be a list of 3 .*annotations 2 have something else", depth=[1.0]),
    "points no list": annotation("the first has keypoints of type dict", keypoints={"nose": 1}),
    "points as text": annotation(r"the first has keypoints\[1\] = '5'", keypoints=[4, "5", 2, 20, 6, 2, 9, 15, 1]),
    "points null": annotation(r"keypoints\[3\] = None", keypoints=[4, 5, 2, None, None, 0, 9, 15, 1]),
    "points nan": annotation("points that are NaN or infinite: ids 2", keypoints=NAN),
    "scores for visibility": annotation("the first has 0.93; in predictions", keypoints=[4, 5, 0.93] * 3),
    "box of three": annotation(
        r"no four finite numbers in 'bbox': ids 2; the first has bbox \[1, 2, 3\]", bbox=[1, 2, 3]
    ),
    "box nan": annotation("no four finite numbers in 'bbox'", bbox=[1, 2, float("nan"), 4]),
    "area as text": annotation("the first has area 'large'", area="large"),
    "annotation id as text": annotation("'id' that is not a whole number, such as 'x'", id="x"),
    # images
    "image missing": image(None, "(no such image|1 of 2 images are missing: 9.jpg); give the folder of the images"),
    "image empty": image(b"", "the image file is empty"),
    "image cut off": image(jpeg()[:-60], r"the image is cut off \(its end is missing\)"),
    "cut off behind a thumbnail": image(
        turned(jpeg(), 1)[:-60].replace(b"Exif", b"Ex\xff\xd9", 1), "the image is cut off"
    ),
    "png cut off": image(cv2.imencode(".png", picture())[1].tobytes()[:-20], "the image is cut off"),
    "webp cut off": image(cv2.imencode(".webp", picture())[1].tobytes()[:-9], "the image is cut off"),
    "png damaged": image(
        cv2.imencode(".png", noisy())[1].tobytes().replace(b"IDAT", b"IDAT" + b"\x55" * 9, 1), "cannot be decoded"
    ),
    "bmp cut off": image(cv2.imencode(".bmp", picture())[1].tobytes()[:-900], "not an image that can be decoded"),
    "tiff cut off": image(tiff(noisy())[:-900], "not an image that can be decoded"),
    "tiff of fractions": image(
        tiff((picture() / 255).astype(np.float32)), r"a TIFF of 32-bit floating-point numbers.*8-bit PNG: np\.clip"
    ),
    "tiff of 32 bits": image(tiff(picture().astype(np.int32)), "a TIFF of 32-bit whole numbers"),
    "a second header inside": image(
        inside(jpeg(noisy()), jpeg(noisy())[: scan_start(jpeg(noisy()))]),
        "the header of another JPEG inside its picture",
    ),
    "a second picture inside": image(inside(jpeg(noisy()), jpeg()), "the header of another JPEG inside its picture"),
    "a hole inside": image(inside(jpeg(noisy()), bytes(512), instead=512), "has a hole in its picture"),
    "a hole of ones inside": image(inside(jpeg(noisy()), b"\xff" * 512, instead=512), "has a hole in its picture"),
    "a picture that ends early": image(
        inside(jpeg(noisy()), b"\xff\xd9", instead=10**6), r"ends too early \(its last rows are missing"
    ),
    "part of the picture gone": image(inside(jpeg(noisy()), b"", instead=1500), "ends too early"),
    "later scans gone": image(progressive(), "lacks the later scans of its progressive picture"),
    "no image at all": image(b"<html>not found</html>", "not an image that can be decoded .it starts with b'<html>"),
    "image of another size": image(jpeg(picture(22, 33)), r"says 30x20 \(width x height\), the image is 33x22"),
    "image turned by exif": image(turned(jpeg(), 6), "to ignore the EXIF orientation of the image"),
    # YOLO
    "bad yaml": _yaml_text("path: [1,\n  b: 2", "not YAML at line 2"),
    "yaml of text": _yaml_text("just words", "got str"),
    "no kpt_shape": yolo("'kpt_shape' is missing", kpt_shape=...),
    "kpt_shape of one": yolo(r"expected 'kpt_shape' to be \[number of points, 2 or 3\], got \[3\]", kpt_shape=[3]),
    "kpt_shape of text": yolo(r"'kpt_shape' to be \[number of points, 2 or 3\], got '3x3'", kpt_shape="3x3"),
    "kpt_shape of nothing": yolo(r"'kpt_shape' to be \[number of points, 2 or 3\], got \[0, 3\]", kpt_shape=[0, 3]),
    "kpt_shape of four": yolo(r"'kpt_shape' to be \[number of points, 2 or 3\], got \[3, 4\]", kpt_shape=[3, 4]),
    "flip_idx too short": yolo("'flip_idx' to hold each of 0 to 2 once", flip_idx=[0, 1]),
    "kpt_names as text": yolo("to be 3 names", kpt_names="nose"),
    "yolo sigmas as text": yolo("'kpt_oks_sigmas' to be 3 numbers above 0", kpt_oks_sigmas=["a", "b", "c"]),
    "class names as text": yolo("expected 'names' to be a list, or a mapping", names="mouse"),
    "no split at all": yolo(r"no split 'train'; the file has \[\]", train=None),
    "split an empty list": yolo_list("\n", "the file is empty"),
    "listed image missing": yolo_list("images/train/b.jpg\n", r"none of the 1 images .* exists"),
    "flip_idx no permutation": yolo("'flip_idx' to hold each of 0 to 2 once", flip_idx=[0, 0, 1]),
    "flip_idx of pairs": yolo("'flip_idx' to hold each of 0 to 2 once", flip_idx=[[0, 2], [1, 1]]),
    "flip_idx goes round": yolo(
        "'flip_idx' sends 0 to 1, but 1 to 2; a mirror twice must lead back", flip_idx=[1, 2, 0]
    ),
    "kpt_names too few": yolo("to be 3 names", kpt_names={0: ["a"]}),
    "yolo names repeat": yolo("point names repeat", kpt_names=["a", "a", "b"]),
    "yolo sigmas": yolo("'kpt_oks_sigmas' to be 3 numbers above 0", kpt_oks_sigmas=[1, 2, 0]),
    "class names": yolo("expected 'names' to be a list, or a mapping", names={"mouse": 0}),
    "no train": yolo(r"no split 'train'; the file has \['val'\]", train=..., val="images/train"),
    "split missing": yolo("'images/nowhere' was not found; tried", train="images/nowhere"),
    "split without images": yolo("holds no images", train="labels/train"),
    "line too short": yolo(
        "1 line does not have 14 numbers.*lines 1; the first has 8", row="0 0.5 0.5 0.6 0.6 0.2 0.3 2"
    ),
    "line too long": yolo("1 line does not have 14 numbers.*the first has 15", row=ROW + " 1"),
    "yolo infinite": yolo("lines 1 have NaN or infinite numbers", row=ROW.replace("0.2", "inf")),
    "yolo box below": yolo("lines 1: a box is not in fractions of the image", row=ROW.replace("0.6 0.6", "-0.6 0.6")),
    "labels not utf-8": yolo_bytes("labels/train/a.txt", b"0 0.5\xff\xfe", r"line 1 is not UTF-8 \(byte 0xff\)"),
    "yolo image empty": yolo_bytes("images/train/a.jpg", b"", "the image file is empty"),
    "yolo image no image": yolo_bytes("images/train/a.jpg", b"<html>", "not an image that can be decoded"),
    "line of words": yolo("expected numbers only", row=ROW.replace("0.2", "left")),
    "yolo nan": yolo("lines 1 have NaN or infinite numbers", row=ROW.replace("0.2", "nan")),
    "yolo pixels": yolo("a box is not in fractions of the image", row="0 50 50 60 60 0.2 0.3 2 0.7 0.3 2 0.3 0.8 1"),
    "yolo visibility": yolo("1 point has a visibility other than 0", row=ROW.replace(" 0.8 1", " 0.8 0.5")),
    "yolo class unknown": yolo(r"labels have classes \[4\]", row="4" + ROW[1:]),
    "yolo two classes": yolo(
        "several classes have labels: 'mouse', 'rat'", row=f"{ROW}\n1{ROW[1:]}", names=["mouse", "rat"]
    ),
    # packs
    "no pack": _file("x.zip", b"PK rubbish", "incomplete pack"),
    "pack cut off": packed(lambda e: None, "incomplete pack", cut=40),
    "pack without labels": packed(lambda e: e.pop("labels.json"), "incomplete pack"),
    "pack of bad labels": packed(lambda e: e.update({"labels.json": b"{"}), "not JSON at line 1, column 2"),
    "pack without categories": packed(relabelled(lambda c: c.pop("categories")), "categories"),
    "pack without a picture": packed(lambda e: e.pop("images/000000.jpg"), "000000.jpg"),
    "pack of another place": packed(relabelled(lambda c: c["images"][0].pop("to_source")), "to_source"),
    "pack with a damaged picture": packed(
        lambda e: e.update({"images/000000.jpg": e["images/000000.jpg"][:-30]}), "the image is cut off"
    ),
    "pack of bad points": packed(
        relabelled(lambda c: c["annotations"][1].update(keypoints=[1, 2])), "3 x 3 = 9 numbers"
    ),
    "pack missing": lambda folder: (folder / "x.zip", "no such file; expected a pack"),
}
