"""The people that are pasted into scenes get a teacher's points where it agrees with their labels."""

import json

import cv2
import numpy as np
import pytest

from benchmarks import people
from posekit.data.coco import read_coco
from posekit.skeletons import SKELETONS

BODY = SKELETONS["coco17"]
LEFT = [BODY.points.index(f"left_{name}") for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
RIGHT = [BODY.flip[i] for i in LEFT]
POINTS = [*LEFT, *RIGHT]
TRUE = np.stack((20 + 5.0 * np.arange(17), 90 - 4.0 * np.arange(17)), -1)


def put(root, labelled, teacher):
    """Label files of one person an image: body points without a face, and a teacher's predictions of all points."""
    (root / "lspe" / "annotations").mkdir(parents=True)
    (root / "lspe" / "images").mkdir()
    names = [BODY.points[i] for i in POINTS]
    images, entries = [], []
    for n, xy in enumerate(labelled, 1):
        cv2.imwrite(str(root / "lspe" / "images" / f"{n}.jpg"), np.zeros((120, 120, 3), np.uint8))
        images.append({"id": n, "file_name": f"{n}.jpg", "width": 120, "height": 120})
        flat = np.concatenate((xy[POINTS], np.full((len(POINTS), 1), 2.0)), -1).ravel().tolist()
        entries.append(
            {"id": n, "image_id": n, "category_id": 1, "keypoints": flat, "bbox": [5, 5, 110, 110], "area": 12100}
        )
    category = {"id": 1, "name": "person", "keypoints": names, "skeleton": []}
    content = {"images": images, "annotations": entries, "categories": [category]}
    (root / "lspe" / "annotations" / "lspe_train.json").write_text(json.dumps(content))
    poses = {str(n): np.concatenate((xy, score[:, None]), -1).tolist() for n, (xy, score) in enumerate(teacher, 1)}
    (root / "lspe" / "teacher_movenet_thunder.json").write_text(json.dumps({"predictions": poses}))


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The file of the people, read back, of labels and what a teacher says."""
    monkeypatch.setattr(people, "root", lambda: tmp_path)

    def run(labelled, teacher):
        put(tmp_path, labelled, teacher)
        file = people.people(tmp_path / "made")
        assert people.people(tmp_path / "made") == file
        return read_coco(file)

    return run


def test_an_agreeing_teacher_brings_all_its_sure_points(made):
    sure = np.full(17, 0.9)
    sure[3] = 0.1
    near = TRUE + 2
    found = made([TRUE], [(near, sure)])
    assert found.skeleton.points == BODY.points
    known = found.visibility[0] > 0
    assert known.tolist() == [i != 3 for i in range(17)]
    np.testing.assert_allclose(found.xy[0][known], near[known] + 0.5, atol=1e-5)


def test_a_teacher_that_contradicts_most_is_not_believed_and_no_teacher_leaves_the_labels(made):
    found = made([TRUE, TRUE], [(TRUE[::-1] + np.array((0, 40)), np.full(17, 0.9))])
    for n in (0, 1):
        assert set(np.flatnonzero(found.visibility[n])) == set(POINTS)
        np.testing.assert_allclose(found.xy[n][POINTS], TRUE[POINTS] + 0.5, atol=1e-5)


def test_swapped_sides_are_put_right_where_the_teacher_is_unsure_too(made):
    wide = TRUE.copy()
    wide[RIGHT, 0] += 30
    swapped = wide[list(BODY.flip)]
    sure = np.full(17, 0.9)
    sure[LEFT[0]] = 0.1
    found = made([swapped], [(wide, sure)])
    np.testing.assert_allclose(found.xy[0][POINTS], wide[POINTS] + 0.5, atol=1e-5)
