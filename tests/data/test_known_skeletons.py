"""Points with the names of a known skeleton take its OKS sigmas and bones where the data says none."""

import json

import numpy as np
import pytest
from broken import coco_content, write

from posekit.data.coco import read_coco
from posekit.data.known_skeletons import known_skeleton, proposal
from posekit.data.named import read_named
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
def test_every_known_skeleton_is_found_by_its_names(name):
    points = SKELETONS[name].points
    assert known_skeleton(points) is SKELETONS[name]
    assert sorted(known_skeleton(points[::-1]).points) == sorted(points)
    assert known_skeleton(points[1:]) is None
    assert known_skeleton((*points, "tail tip")) is None


def test_cocos_names_bring_cocos_sigmas_whatever_their_order(tmp_path):
    known = SKELETONS["coco17"]
    order = np.random.default_rng(0).permutation(17)
    found = read(tmp_path, [known.points[i] for i in order])
    assert found.skeleton.oks_sigmas == tuple(known.oks_sigmas[i] for i in order)
    assert set(found.skeleton.bones) == set(known.bones)
    told = "\n".join(found.inferred)
    assert "OKS sigmas, from coco17, which has the same names: " in told
    assert "bones: from coco17, which has the same names" in told


def test_what_the_file_says_comes_first(tmp_path):
    points = SKELETONS["coco17"].points
    found = read(tmp_path, points, sigmas=[0.1] * 17, skeleton=[[1, 2]])
    assert found.skeleton.oks_sigmas == (0.1,) * 17
    assert found.skeleton.bones == (("nose", "left_eye"),)
    assert any(line.startswith("OKS sigmas, from the file") for line in found.inferred)


def test_a_known_skeleton_without_sigmas_leaves_the_default(tmp_path):
    found = read(tmp_path, SKELETONS["lsp14"].points)
    assert found.skeleton.unknown_sigmas == SKELETONS["lsp14"].points
    assert any("0.05 (the declared default) for all points" in line for line in found.inferred)


@pytest.mark.parametrize(
    ("points", "names"),
    [
        ([f"point_{i}" for i in range(17)], ["coco17", "ap10k17"]),
        ([str(i) for i in range(17)], ["coco17", "ap10k17"]),
        ([f"lm_{i}" for i in range(68)], ["face68"]),
        ([f"KP{i}" for i in range(1, 22)], ["hand21"]),
        ([f"face-{i}" for i in range(98)], ["wflw98"]),
    ],
)
def test_points_without_names_are_met_with_a_proposal(points, names):
    said = proposal(points)
    assert said.startswith(f"{len(points)} points without names: if they are those of {names[0]} (")
    assert " or ".join(f"--data.skeleton {name}" for name in names) in said
    assert f"--skeleton {names[0]}" in proposal(points, option="--skeleton")


@pytest.mark.parametrize(
    "points",
    [
        SKELETONS["coco17"].points,
        ("hand", "finger1", "finger2", "tongue", "joystick"),
        [f"point_{i}" for i in range(3)],
        [f"a_{i}" for i in range(10)] + [f"b_{i}" for i in range(7)],
    ],
)
def test_names_that_mean_something_or_an_unknown_number_are_not(points):
    assert proposal(points) == ""


def test_the_proposal_is_among_what_was_inferred_until_it_is_taken(tmp_path):
    content = coco_content()
    content["categories"][0] |= {"keypoints": [f"point_{i}" for i in range(5)], "skeleton": []}
    content["annotations"] = [{"id": 1, "image_id": 7, "category_id": 1, "keypoints": [4, 5, 2] * 5}]
    file = write(tmp_path, content)
    assert read_named([file]).inferred[-1].startswith("5 points without names: if they are those of face5")
    taken = read_named([file], skeleton="face5")
    assert taken.skeleton.flippable
    assert not any("without names" in line for line in taken.inferred)
