"""Depths of points: read, written, joined, packed and mixed with points that have none."""

import json

import cv2
import numpy as np
import pytest

from posekit.data.batch import collate
from posekit.data.coco import read_coco, write_coco
from posekit.data.dataset import merged
from posekit.data.errors import DataError


def labels(folder, depths):
    """A COCO file of two figures on one image, with these values under ``depth``."""
    file = folder / "points.json"
    annotations = []
    for number, depth in enumerate(depths, 1):
        entry = {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "keypoints": [10, 10, 2, 20, 20, 2],
            "bbox": [5, 5, 30, 30],
        }
        annotations.append(entry | ({} if depth == "absent" else {"depth": depth}))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 40}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing", "keypoints": ["a", "b"], "flip_pairs": []}],
    }
    (folder / "images").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "images" / "a.png"), np.zeros((40, 40, 3), np.uint8))
    file.write_text(json.dumps(content))
    return file


def test_depths_are_read_and_written_back_the_same(tmp_path):
    data = read_coco(labels(tmp_path, [[-12.5, None], "absent", None]))
    assert data.depth.tolist() == [[-12.5, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert data.depth_known.tolist() == [[True, False], [False, False], [False, False]]
    again = read_coco(write_coco(data, tmp_path / "again.json"))
    assert np.array_equal(again.depth, data.depth)
    assert np.array_equal(again.depth_known, data.depth_known)
    assert "depth" not in json.loads((tmp_path / "again.json").read_text())["annotations"][1]


def test_a_file_without_depths_has_none(tmp_path):
    assert read_coco(labels(tmp_path, ["absent"])).depth is None


@pytest.mark.parametrize("bad", [[1.0], [1.0, "far"], 3, [1.0, True], [1.0, float("nan")]])
def test_a_bad_list_is_refused_with_its_number(tmp_path, bad):
    with pytest.raises(
        DataError, match=r"points.json: 'depth' must be a list of 2 numbers, .*null where unknown; annotations 2 have"
    ):
        read_coco(labels(tmp_path, [[1.0, 2.0], bad]))


def test_sets_with_and_without_depths_are_learnt_together(tmp_path):
    flat, deep = (tmp_path / name for name in ("flat", "deep"))
    flat.mkdir(), deep.mkdir()
    both = merged([read_coco(labels(flat, ["absent"])), read_coco(labels(deep, [[1.0, None]]))])
    assert both.depth.tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert both.depth_known.tolist() == [[False, False], [True, False]]
    batch = collate([both.instance(0), both.instance(1)])
    assert batch.instances.keypoints.depth_known.tolist() == [[[False, False]], [[True, False]]]
    assert batch.instances.keypoints.depth[1, 0, 0] == 1.0
