"""The labelled frames of the pedestrian clip are complete, and the measure of identities is right on them."""

import numpy as np

from benchmarks import tracking
from posekit.geometry.boxes import extent
from posekit.geometry.keypoints import Poses


def as_found(ids, boxes):
    """Poses of one point with ids and boxes."""
    N = len(ids)
    ones = np.ones((N, 1))
    return Poses(xy=np.zeros((N, 1, 2)), score=ones, instance_score=ones[:, 0], ids=np.array(ids), boxes=boxes)


def test_sixty_frames_with_boxes_inside_the_image():
    truth = tracking.labelled()
    assert list(truth) == list(range(80, 140))
    for ids, boxes in truth.values():
        assert len(set(ids)) == len(ids) == len(boxes) >= 7
        assert (boxes >= 0).all() and (boxes <= (576, 432, 576, 432)).all() and (extent(boxes) > 7).all()
    assert {i for ids, _ in truth.values() for i in ids} == set(range(1, 10))


def test_boxes_move_little_from_frame_to_frame():
    truth = tracking.labelled()
    for n in range(80, 139):
        (ids, boxes), (later, after) = truth[n], truth[n + 1]
        assert set(ids) <= set(later)
        step = np.abs(after[[later.index(i) for i in ids]] - boxes)
        assert (step < 18).all(), (n, step.max())


def test_what_is_labelled_is_found_without_an_error_and_a_renamed_person_is_one():
    truth = tracking.labelled()
    found = [as_found([], np.zeros((0, 4)))] * 80 + [as_found(*truth[n]) for n in truth]
    perfect = tracking.identities(found)
    assert perfect["iou_0.5"]["hota"] == perfect["iou_0.5"]["mota"] == perfect["iou_0.3"]["idf1"] == 1
    assert perfect["ids_of_each_person"] == {str(i): 1 for i in range(1, 10)}
    for n in range(110, 140):
        ids, boxes = truth[n]
        found[n] = as_found([99 if i == 6 else i for i in ids], boxes)
    renamed = tracking.identities(found)
    assert renamed["iou_0.5"]["id_switches"] == 1 and renamed["ids_of_each_person"]["6"] == 2


def test_the_people_of_the_cost_are_tracked():
    frames = list(tracking.walkers(30, 3))
    assert len(frames) == 3 and all(len(poses) == 30 for poses in frames)
    assert set(tracking.cost(5, frames=3)) == {"median_ms", "least_ms"}
