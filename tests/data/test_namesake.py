"""Points with the names of a known skeleton take its OKS sigmas and bones where the data says none."""

import json

import numpy as np
import pytest

from posekit.data.coco import read_coco
from posekit.data.namesake import namesake
from posekit.skeletons import SKELETONS


def read(tmp_path, points, **more):
    """A label file of one image that names these points."""
    category = {"id": 1, "name": "person", "keypoints": list(points), **more}
    flat = [10.0, 10.0, 2] * len(points)
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 64, "height": 64}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": flat, "bbox": [0, 0, 20, 20], "area": 400}
        ],
        "categories": [category],
    }
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(content))
    return read_coco(file)


@pytest.mark.parametrize("name", SKELETONS)
def test_every_known_skeleton_is_its_own_namesake(name):
    points = SKELETONS[name].points
    assert namesake(points) is SKELETONS[name]
    assert sorted(namesake(points[::-1]).points) == sorted(points)
    assert namesake(points[1:]) is None
    assert namesake((*points, "tail tip")) is None


def test_cocos_names_bring_cocos_sigmas_whatever_their_order(tmp_path):
    known = SKELETONS["coco17"]
    order = np.random.default_rng(0).permutation(17)
    found = read(tmp_path, [known.points[i] for i in order])
    assert found.skeleton.oks_sigmas == tuple(known.oks_sigmas[i] for i in order)
    assert set(found.skeleton.bones) == set(known.bones)
    told = "\n".join(found.inferred)
    assert "OKS sigmas, from coco17, whose names these are: " in told
    assert "bones: from coco17, whose names these are" in told


def test_what_the_file_says_comes_first(tmp_path):
    points = SKELETONS["coco17"].points
    found = read(tmp_path, points, sigmas=[0.1] * 17, skeleton=[[1, 2]])
    assert found.skeleton.oks_sigmas == (0.1,) * 17
    assert found.skeleton.bones == (("nose", "left_eye"),)
    assert any(line.startswith("OKS sigmas, from the file") for line in found.inferred)


def test_a_namesake_without_sigmas_leaves_the_default(tmp_path):
    found = read(tmp_path, SKELETONS["lsp14"].points)
    assert found.skeleton.unknown_sigmas == SKELETONS["lsp14"].points
    assert any("0.05 (the declared default) for all points" in line for line in found.inferred)
