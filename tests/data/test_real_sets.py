"""The real sets, where they lie under POSEKIT_DATA: counts, points inside the pictures, exact round trips."""

import os
from pathlib import Path

import numpy as np
import pytest

from posekit.data.check import check
from posekit.data.coco import read_coco, write_coco
from posekit.metrics.protocols import default_protocol

ROOT = Path(os.environ.get("POSEKIT_DATA", "~/.cache/posekit")).expanduser()
SETS = {
    "lspe/annotations/lspe_train.json": (8984, 14, "pck_torso@0.2"),
    "lspe/annotations/lspe_val.json": (497, 14, "pck_torso@0.2"),
    "face300w_helen_afw/annotations/helen_train.json": (870, 68, "nme_interocular"),
    "face300w_helen_afw/annotations/helen_test.json": (330, 68, "nme_interocular"),
    "face300w_helen_afw/annotations/afw.json": (337, 68, "nme_interocular"),
    "mtfl5_80px/annotations/mtfl5_train.json": (5000, 5, "nme_interocular"),
    "mtfl5_80px/annotations/mtfl5_test.json": (1500, 5, "nme_interocular"),
    "coco_mini_person/annotations/person_keypoints_val.json": (323, 17, "pck_torso@0.2"),
}


@pytest.fixture(params=SETS)
def file(request):
    path = ROOT / request.param
    if not path.exists():
        pytest.skip(f"{path} is not there: unpack the data sets into POSEKIT_DATA ({ROOT})")
    return path


@pytest.mark.slow
def test_counts_points_and_metric(file):
    instances, points, metric = SETS[str(file.relative_to(ROOT))]
    dataset = read_coco(file)
    assert (len(dataset), len(dataset.skeleton.points)) == (instances, points)
    assert default_protocol(dataset.skeleton) == metric


@pytest.mark.slow
def test_written_and_read_again_it_is_the_same(file, tmp_path):
    before = read_coco(file)
    after = read_coco(write_coco(before, tmp_path / "labels.json"), images=Path(before.images[0].path).parent)
    np.testing.assert_allclose(after.xy, before.xy, atol=1e-6)
    np.testing.assert_array_equal(after.visibility, before.visibility)
    np.testing.assert_allclose(after.boxes, before.boxes, atol=1e-6)


@pytest.mark.slow
def test_the_check_finds_no_error(file):
    assert not [str(f) for f in check(file) if f.severity == "error"]


@pytest.mark.slow
def test_an_image_comes_with_its_instance(file):
    dataset = read_coco(file)
    for index in np.linspace(0, len(dataset) - 1, 5).astype(int):
        sample = dataset.instance(int(index))
        points = sample.instances.keypoints
        height, width = sample.image.shape[:2]
        inside = (points.xy >= -20).all(-1) & (points.xy <= (width + 20, height + 20)).all(-1)
        assert inside[points.labelled].all()
