"""Rows, scenes, subsets and unions of data sets."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from broken import coco_content, picture, write

from posekit.api.evaluate import Reading, read_labels
from posekit.data.coco import read_coco
from posekit.data.dataset import merged
from posekit.data.errors import DataError
from posekit.data.readers import read
from posekit.geometry.keypoints import IGNORE, INSTANCE


@pytest.fixture
def dataset(tmp_path):
    """Six annotations: two in image 7, four in image 9, of which one is a crowd region and one has no label."""
    content = coco_content()
    first = content["annotations"][0]
    content["annotations"] += [
        first | {"id": 4, "image_id": 9, "iscrowd": 1},
        first | {"id": 5, "image_id": 9, "keypoints": [0] * 9},
        first | {"id": 6, "image_id": 7, "bbox": [1, 2, 7, 9]},
    ]
    return read_coco(write(tmp_path, content))


def test_trainable_instances_keep_the_order_of_the_file(dataset):
    assert len(dataset) == 4
    assert dataset.annotation_id[dataset.rows].tolist() == [1, 2, 3, 6]
    assert dataset.image_of_instance().tolist() == [0, 1, 1, 0]


def test_an_instance_comes_alone_in_its_whole_image(dataset):
    sample = dataset.instance(3)
    assert sample.instances.keypoints.xy.shape == (1, 3, 2)
    assert sample.instances.keypoints.xy.dtype == np.float32
    np.testing.assert_array_equal(sample.instances.boxes, [[1, 2, 8, 11]])
    assert (sample.image_id, sample.index, sample.image.shape) == (7, 3, (20, 30, 3))
    assert sample.ignore.shape == (0, 4)
    assert np.abs(sample.image.astype(int) - picture()[..., ::-1]).mean() < 8
    np.testing.assert_array_equal(sample.to_source, np.eye(3))
    with pytest.raises(IndexError):
        dataset.instance(4)


def test_a_set_is_a_sequence_of_its_instances(dataset):
    assert dataset[1].index == dataset[-3].index == 1
    assert [sample.index for sample in dataset] == [0, 1, 2, 3]
    assert len(dataset[1:3]) == 2 and dataset[1:3].annotation_id[:2].tolist() == [2, 3]
    for index in (4, -5):
        with pytest.raises(IndexError, match=f"there are 4 instances; got index {index}"):
            dataset[index]


def test_a_scene_has_all_instances_and_the_regions_to_ignore(dataset):
    scene = dataset.scene(1)
    assert scene.instances.role.tolist() == [INSTANCE, INSTANCE]
    assert scene.ignore.shape == (2, 4)
    assert dataset.scene(-1).image_id == 9
    assert dataset.scenes == 2
    with pytest.raises(IndexError, match="there are 2 images; got index 2"):
        dataset.scene(2)


def test_a_subset_ignores_what_it_leaves_out(dataset):
    part = dataset.subset([2, 1])
    assert part.annotation_id[part.rows].tolist() == [3, 2]
    assert [r.id for r in part.images] == [9]
    part = dataset.subset(np.array([3]))
    assert len(part) == part.scenes == 1
    assert part.scene(0).instances.role.tolist() == [INSTANCE]
    assert part.scene(0).ignore.shape == (1, 4)
    assert (part.role == IGNORE).sum() == 1
    with pytest.raises(IndexError):
        dataset.subset([4])


def test_a_data_set_pickles(dataset):
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.xy, dataset.xy)
    assert again.instance(0).path == dataset.instance(0).path


def test_arrays_must_fit_the_skeleton(dataset):
    with pytest.raises(ValueError, match=r"6 rows of 3 points need xy \(6, 3, 2\)"):
        replace(dataset, xy=dataset.xy[:, :2])


def test_files_are_joined_and_numbered_anew_where_numbers_collide(dataset):
    both = merged([dataset, dataset])
    assert len(both) == 8
    assert sorted(r.id for r in both.images) == [1, 2, 3, 4]
    assert len(np.unique(both.annotation_id)) == 12
    assert both.image.max() == 3
    assert "got new ids" in both.inferred[-1]
    np.testing.assert_array_equal(both.instance(5).image, dataset.instance(1).image)


def test_distinct_numbers_are_kept(dataset):
    other = replace(
        dataset,
        images=tuple(replace(r, id=r.id + 100) for r in dataset.images),
        annotation_id=dataset.annotation_id + 100,
        is_crowd=None,
    )
    both = merged([dataset, other])
    assert [r.id for r in both.images] == [7, 9, 107, 109]
    assert both.is_crowd.sum() == 1
    assert merged([dataset]) is dataset


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (
            {"points": ("nose", "left_paw", "tail"), "mirror": (), "bones": ()},
            r"points missing: \['right_paw'\], points too many: \['tail'\]",
        ),
        ({"points": ("left_paw", "nose", "right_paw")}, "the same points in another order"),
        ({"mirror": ()}, "mirror pairs .* give both the same flip_pairs and symmetry"),
        ({"symmetry": "none"}, "with symmetry 'none'"),
    ],
)
def test_sets_that_do_not_fit_say_how_they_differ(dataset, change, fragment):
    other = replace(dataset, skeleton=replace(dataset.skeleton, **change))
    with pytest.raises(DataError, match=fragment):
        merged([dataset, other])


def test_nothing_cannot_be_joined():
    with pytest.raises(ValueError, match="nothing to merge"):
        merged([])


def test_texts_are_taken_as_folders_of_images(tmp_path):
    file = write(tmp_path, coco_content())
    (tmp_path / "labels").mkdir()
    moved = file.rename(tmp_path / "labels" / file.name)
    for dataset in (read(str(moved), images=str(file.parent)), read_labels(str(moved), Reading(str(file.parent)))):
        assert dataset[0].image.shape == (20, 30, 3)
