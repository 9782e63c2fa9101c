"""All faults of a file are told in one run, and what is sound is looked at as well."""

from __future__ import annotations

import random

import cv2
import pytest
import yaml
from broken import BROKEN, ROW, YOLO, coco_content, jpeg, write, yolo_set
from mutations import as_json, changed

from posekit.data import coco_faults
from posekit.data.all_faults import read_with_faults
from posekit.data.check import check, inspect


def many(n=12):
    """A sound file with n annotations, all different."""
    content = coco_content()
    first = content["annotations"][0]
    content["annotations"] = [
        first | {"id": i, "keypoints": [v + (0.3 * i if k % 3 < 2 else 0) for k, v in enumerate(first["keypoints"])]}
        for i in range(1, n + 1)
    ]
    return content


def spoilt():
    content = many()
    a = content["annotations"]
    a[0] |= {"bbox": [1, 2, 3], "area": "big", "keypoints": [1, 2]}
    a[1]["keypoints"] = [4, 5, 0.9] * 3
    a[2] |= {"image_id": 99, "area": -1}
    a[3]["id"] = "x"
    a[4]["keypoints"] = {"a": 1}
    a[5]["keypoints"][0] = float("nan")
    a[6]["bbox"] = [0, 0, 0, 0]
    a[7]["keypoints"][1] = "5"
    a[8]["area"] = 0
    content["images"] += [{"id": 11}, {"file_name": "z.jpg"}, {"id": 12, "file_name": "12.jpg", "width": -3}]
    content["categories"][0] |= {"skeleton": [[1, 9]], "flip_pairs": [["tail", "nose"]], "sigmas": [1]}
    content["categories"][0]["symmetry"] = "sideways"
    return content


TOLD = [
    "error .*'skeleton' has [9]",
    "error .*'flip_pairs' has ['tail']",
    "error .*expected 'sigmas' to be 3 numbers",
    "error .*symmetry",
    "error .*images have no whole number as 'id': ids number 3 of the list",
    "error .*images lack a 'file_name': ids 11",
    "error .*width or height that is not a positive number: ids 12",
    "error .*have an image_id that is not in 'images': ids 3",
    "error .*2 of 12 annotations do not have 3 x 3 = 9 numbers",
    "error .*'keypoints' that are not numbers: ids 8",
    "error .*no four finite numbers in 'bbox': ids 1",
    "error .*2 of 12 annotations have an 'area' that is not a number of at least 0: ids 1, 3",
    "error .*NaN or infinite: ids 6",
    "error .*a visibility other than 0 (no label), 1 (hidden), 2 (seen): ids 2",
    "error .*an 'id' that is not a whole number",
    "error .*1 box has no width or no height: ids 7 (in 7.jpg)",
    "error .*1 image is missing: .*12.jpg",
    "warning .*1 area is 0 or 1 square pixel",
]


def test_seventeen_faults_take_one_run(tmp_path):
    findings = [str(finding).replace(": ", " ", 1) for finding in check(write(tmp_path, spoilt()))]
    for pattern in TOLD:
        severity, _, what = pattern.partition(" .*")
        parts = what.split(".*")
        hits = [f for f in findings if f.startswith(severity) and all(part in f for part in parts)]
        assert len(hits) == 1, (pattern, findings)
    assert sum(f.startswith("error") for f in findings) == 17


def test_a_file_is_parsed_once(tmp_path, monkeypatch):
    parsed = []
    load = coco_faults.load_document
    monkeypatch.setattr(coco_faults, "load_document", lambda file: parsed.append(1) or load(file))
    check(write(tmp_path / "spoilt", spoilt()))
    assert len(parsed) == 1
    check(write(tmp_path / "sound", many()))
    assert len(parsed) == 2


def test_the_sound_rest_is_read(tmp_path):
    dataset, faults = read_with_faults(write(tmp_path, spoilt()))
    assert len(faults) == 15
    # Without points or without an image an annotation is nothing; other faults cost the value alone.
    assert dataset.annotation_id.tolist() == [4, 7, 9, 10, 11, 12]
    assert [record.id for record in dataset.images] == [7, 9, 12]
    dataset, faults = read_with_faults(write(tmp_path / "sound", many()))
    assert (len(dataset), faults) == (12, [])


def test_a_finding_of_an_entry_knows_it(tmp_path):
    content = many()
    content["annotations"][4]["bbox"] = None
    content["annotations"][5]["bbox"] = [1]
    content["annotations"][6]["bbox"] = [2]
    finding = check(write(tmp_path, content))[0]
    assert (finding.code, finding.annotation, finding.count) == ("bbox", 6, 2)


def test_annotations_of_a_lost_image_are_no_fault_of_their_own(tmp_path):
    content = many()
    del content["images"][1]["file_name"]
    content["annotations"][3]["image_id"] = 9
    dataset, faults = read_with_faults(write(tmp_path, content))
    assert len(faults) == 1
    assert len(dataset) == 11


def test_nothing_is_left_without_images(tmp_path):
    content = many()
    content["images"] = [{"id": 7}, {"id": 9}]
    dataset, faults = read_with_faults(write(tmp_path, content))
    assert dataset is None
    assert "2 of 2 images lack a 'file_name': ids 7, 9" in str(faults[0])


def spoilt_yolo(folder):
    """A set with a fault of each kind, in nine label files, two images and the data.yaml."""
    wrong = YOLO | {"flip_idx": [0, 0, 1], "kpt_names": {0: ["a"]}, "kpt_oks_sigmas": [1]}
    file = yolo_set(folder, content=wrong)
    rows = {
        "b": "0 0.5 0.5 0.6",
        "c": f"{ROW.replace('0.2', 'nan')}\n\n{ROW}\n0 0.5",
        "d": ROW.replace("0.2", "left"),
        "e": "0 50 50 60 60 0.2 0.3 2 0.7 0.3 2 0.3 0.8 1",
        "f": ROW.replace(" 0.8 1", " 0.8 0.5"),
        "g": "4" + ROW[1:],
        "h": "0 0.1",
        "i": ROW,
        "j": ROW,
    }
    for name, row in rows.items():
        (folder / "images/train" / f"{name}.jpg").write_bytes(jpeg())
        (folder / "labels/train" / f"{name}.txt").write_text(row + "\n", encoding="utf-8")
    (folder / "images/train/i.jpg").write_bytes(b"<html>")
    (folder / "images/train/j.jpg").write_bytes(b"")
    return file


def test_faults_of_a_yolo_set_take_one_run(tmp_path):
    findings = [str(f) for f in check(spoilt_yolo(tmp_path))]
    for part in (
        "data.yaml: expected 'kpt_names' of class 0 to be 3 names",
        "data.yaml: expected 'flip_idx' to hold each of 0 to 2 once",
        "data.yaml: expected 'kpt_oks_sigmas' to be 3 numbers above 0",
        "b.txt: 1 line does not have 14 numbers (class, box, points as kpt_shape says): lines 1; the first has 4",
        "(3 such, in c.txt, h.txt as well)",
        "c.txt: lines 1 have NaN or infinite numbers",
        "d.txt: expected numbers only",
        "e.txt: lines 1: a box is not in fractions of the image",
        "f.txt: 1 point has a visibility other than 0",
        "g.txt: labels have classes [4], which 'names' of the data.yaml lacks",
        "i.jpg: not an image that can be decoded",
        "j.jpg: the image file is empty",
    ):
        assert sum(part in finding for finding in findings) == 1, (part, findings)
    assert sum(finding.startswith("error") for finding in findings) == 11
    assert not any("left and right" in finding for finding in findings)
    assert len(inspect(spoilt_yolo(tmp_path)).dataset) == 1


def test_lines_are_numbered_as_in_their_file(tmp_path):
    file = yolo_set(tmp_path, row=f"{ROW}\n\n{ROW.replace('0.2', 'nan')}\n{ROW}\n0 1 2\n")
    findings = [str(f) for f in check(file)]
    assert any("lines 3 have NaN" in finding for finding in findings)
    assert any("lines 5; the first has 3" in finding for finding in findings)


def test_class_names_at_fault_hide_no_other_fault(tmp_path):
    file = yolo_set(tmp_path, row="0 1 2")
    file.write_text(yaml.safe_dump(YOLO | {"names": "mouse"}), encoding="utf-8")
    findings = [str(f) for f in check(file)]
    assert any("expected 'names' to be a list" in finding for finding in findings)
    assert any("1 line does not have 14 numbers" in finding for finding in findings)


@pytest.mark.parametrize("name", BROKEN)
def test_no_fault_is_told_twice(name, tmp_path):
    path, _ = BROKEN[name](tmp_path)
    told = [finding.what for finding in check(path)]
    assert len(told) == len(set(told))


def test_all_findings_have_a_code(tmp_path):
    for i, content in enumerate((spoilt(), coco_content())):
        assert all(finding.code for finding in check(write(tmp_path / str(i), content)))
    assert all(finding.code for finding in check(spoilt_yolo(tmp_path / "yolo")))
    assert cv2.imread(str(tmp_path / "1" / "7.jpg")) is not None


@pytest.mark.parametrize("seed", range(4))
def test_the_check_ends_with_findings_of_one_line_whatever_the_file(tmp_path, seed):
    draw = random.Random(seed)
    file, sheet = write(tmp_path / "coco", coco_content()), yolo_set(tmp_path / "yolo")
    for _ in range(60):
        file.write_bytes(as_json(changed(coco_content(), draw)))
        sheet.write_bytes(as_json(changed(YOLO, draw)))
        for path in (file, sheet):
            report = inspect(path)
            assert all("\n" not in str(finding) for finding in report.findings)
            assert report.dataset is not None or report.errors


def test_odd_names_of_images_are_missing_images(tmp_path):
    for name in ("a\nb.jpg", "x" * 300, "a\0b.jpg"):
        content = coco_content()
        content["images"][1]["file_name"] = name
        told = [str(f) for f in check(write(tmp_path, content))]
        assert any("error" in line for line in told)
        assert all("\n" not in line for line in told)
