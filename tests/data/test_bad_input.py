"""Broken data is met with one message that names the file, what was expected, what came and the fix."""

from __future__ import annotations

import re

import pytest
from broken import BROKEN, coco_content, write
from doubtful import DOUBTFUL

from posekit.data.check import check
from posekit.data.errors import DataError
from posekit.data.readers import read


def use(path):
    dataset = read(path)
    for i in range(len(dataset)):
        dataset.instance(i)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_data_ends_in_one_data_error(name, tmp_path):
    path, fragment = BROKEN[name](tmp_path)
    with pytest.raises(DataError, match=fragment) as caught:
        use(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", BROKEN)
def test_the_checks_tell_of_broken_data_instead_of_raising(name, tmp_path):
    path, _ = BROKEN[name](tmp_path)
    findings = check(path)
    assert findings[0].severity == "error"
    assert findings[0].what


@pytest.mark.parametrize("name", DOUBTFUL)
def test_the_checks_tell_of_doubtful_data(name, tmp_path):
    path, fragment = DOUBTFUL[name](tmp_path)
    assert any(re.search(fragment, str(finding)) for finding in check(path)), [str(f) for f in check(path)]


def test_a_sound_file_has_no_findings(tmp_path):
    path = write(tmp_path, coco_content())
    assert check(path) == []
    use(path)


def test_faults_of_a_kind_are_told_together(tmp_path):
    content = coco_content()
    content["annotations"] = [content["annotations"][0] | {"id": i, "keypoints": [1, 2, 2]} for i in range(1, 10)]
    with pytest.raises(DataError, match=r"9 of 9 annotations do not have .* ids 1, 2, 3, 4, 5 and 4 more"):
        read(write(tmp_path, content))


def test_a_finding_knows_where(tmp_path):
    path, _ = DOUBTFUL["box outside"](tmp_path)
    (finding,) = check(path)
    assert (finding.annotation, finding.count, finding.file) == (2, 1, str(path))
    assert finding.image == str(tmp_path / "9.jpg")


def test_unlabelled_and_unreadable_images_can_be_left_unopened(tmp_path):
    path, _ = DOUBTFUL["image missing"](tmp_path)
    assert check(path, pixels=False) == []
