"""Packs: the way back to the file, the same bytes twice, crops that show what the image shows."""

from __future__ import annotations

import json
import zipfile

import cv2
import numpy as np
import pytest
from broken import coco_content, write
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.data.coco import read_coco
from posekit.data.errors import DataError
from posekit.data.pack import cut, pack, read_pack
from posekit.data.readers import read
from posekit.data.synthetic import Synthetic
from posekit.geometry.affine import transform
from posekit.geometry.skeleton import Skeleton

TOOL = Skeleton(name="tool", points=("tip", "left", "right"), mirror=(("left", "right"),), bones=(("tip", "left"),))


@pytest.fixture
def drawn():
    return Synthetic(TOOL, count=6, size=(80, 120), seed=3).dataset()


def test_to_source_leads_back(drawn, tmp_path):
    packed = read(pack(drawn, tmp_path / "new" / "set.zip", 48))
    assert len(packed) == len(drawn)
    assert packed.skeleton == drawn.skeleton
    np.testing.assert_array_equal(packed.annotation_id, drawn.annotation_id)
    for i in range(len(drawn)):
        crop, whole = packed.instance(i), drawn.instance(i)
        assert max(crop.image.shape) <= 49
        back = transform(crop.instances.keypoints.xy.astype(np.float64), crop.to_source)
        np.testing.assert_allclose(back, whole.instances.keypoints.xy, atol=1e-3)
        corners = transform(crop.instances.boxes.reshape(2, 2).astype(np.float64), crop.to_source)
        np.testing.assert_allclose(corners.ravel(), whole.instances.boxes[0], atol=1e-3)
        scale = np.linalg.det(crop.to_source[:2, :2])
        assert crop.instances.area[0] * scale == pytest.approx(whole.instances.area[0], rel=1e-4)


def test_a_pack_of_a_pack_still_leads_to_the_file(drawn, tmp_path):
    once = read_pack(pack(drawn, tmp_path / "a.zip", 64))
    twice = read_pack(pack(once, tmp_path / "b.zip", 32, padding=1.2))
    back = transform(twice.xy[0], twice.instance(0).to_source)
    np.testing.assert_allclose(back, drawn.xy[0], atol=1e-3)


def test_bytes_depend_on_content_alone(drawn, tmp_path):
    first, second = (pack(drawn, tmp_path / name, 48).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip"]


@settings(deadline=None, max_examples=25)
@given(
    x=st.floats(12, 80),
    y=st.floats(12, 50),
    side=st.floats(4, 40),
    padding=st.floats(1, 2),
    size=st.sampled_from([16, 31, 64, 200]),
)
def test_a_white_dot_stays_under_its_point(x, y, side, padding, size):
    image = np.zeros((60, 90, 3), np.uint8)
    cv2.circle(image, (int(x), int(y)), 2, (255, 255, 255), -1)
    dot = np.array([int(x) + 0.5, int(y) + 0.5])
    box = np.array([x - side, y - side / 2, x + side, y + side / 2])
    crop, matrix = cut(image, box, size, padding)
    weight = crop[..., 0].astype(float)
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]] + 0.5
    centre = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(centre, transform(dot, matrix), atol=0.35)
    assert max(crop.shape) <= max(size, 2 * 40 * 2) + 2


def test_a_small_region_is_not_enlarged():
    crop, matrix = cut(np.zeros((60, 90, 3), np.uint8), np.array([30.0, 20.0, 40.0, 30.0]), 64, 1.6)
    assert crop.shape == (16, 16, 3)
    np.testing.assert_allclose(matrix, [[1, 0, -27], [0, 1, -17], [0, 0, 1]])


def test_a_flat_box_is_told_with_its_annotation(tmp_path):
    content = coco_content()
    content["annotations"][1]["bbox"] = [3, 3, 0, 0]
    with pytest.raises(DataError, match=r"annotation 2 of .*9\.jpg: box \[3.0, 3.0, 3.0, 3.0\] has no extent"):
        pack(read_coco(write(tmp_path, content)), tmp_path / "a.zip", 32)
    assert not (tmp_path / "a.zip").exists()


def test_sizes_and_names_are_checked(drawn, tmp_path):
    with pytest.raises(ValueError, match=r"the name of a pack ends in \.zip; use a\.tar\.zip"):
        pack(drawn, tmp_path / "a.tar", 32)
    with pytest.raises(ValueError, match=r"size of 8 or more and padding of 1 or more; got 4 and 1\.6"):
        pack(drawn, tmp_path / "a.zip", 4)


def test_a_zip_without_crops_is_no_pack(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.json", json.dumps(coco_content()))
    with pytest.raises(DataError, match=r"not a pack: image 7 has None as 'to_source', the 3 x 3 matrix"):
        read_pack(path)
