"""Identity metrics of sequences that are counted by hand; other sequences are compared in `tests/parity`."""

from __future__ import annotations

import numpy as np
import pytest

from posekit.metrics.identity import Frame, clear_mot, hota, id_f1, identity_metrics
from posekit.skeletons import SKELETONS


def one(*found):
    """A true instance with id 7 that is found under each of the ids; ``None`` where it is missed."""
    return [Frame.of([7], [] if i is None else [i], [] if i is None else [[1.0]]) for i in found]


def test_perfect_tracks():
    frames = [Frame.of([1, 2], [20, 10], [[0.0, 1.0], [1.0, 0.0]])] * 4
    figures = identity_metrics(frames)
    assert {k: figures[k] for k in ("mota", "motp", "idf1", "hota", "ass_accuracy", "loc_accuracy")} == {
        "mota": 1, "motp": 1, "idf1": 1, "hota": 1, "ass_accuracy": 1, "loc_accuracy": 1
    }  # fmt: skip
    assert figures["id_switches"] == figures["fragmentations"] == figures["missed"] == figures["false"] == 0


def test_one_change_of_the_id():
    # Six frames, the id changes after four: one of 6 is an error of MOTA; the better id covers 4 of 6 in IDF1.
    frames = one(1, 1, 1, 1, 2, 2)
    figures = identity_metrics(frames)
    assert figures["id_switches"] == 1 and figures["fragmentations"] == 0
    assert figures["mota"] == pytest.approx(5 / 6)
    assert figures["idf1"] == figures["id_precision"] == figures["id_recall"] == pytest.approx(4 / 6)
    # Association: 4 frames with 4 of 6 in common, 2 with 2 of 6; detection is perfect.
    assert figures["ass_accuracy"] == pytest.approx((4 * 4 / 6 + 2 * 2 / 6) / 6)
    assert figures["hota"] == pytest.approx(((16 + 4) / 36) ** 0.5)


def test_a_gap_is_a_fragmentation_and_a_new_id_after_it_a_change_too():
    same, other = clear_mot(one(1, None, 1)), clear_mot(one(1, None, 2))
    assert (same["fragmentations"], same["id_switches"], same["missed"]) == (1, 0, 1)
    assert (other["fragmentations"], other["id_switches"]) == (1, 1)
    assert other["mota"] == pytest.approx(1 - 2 / 3)


def test_a_pair_of_the_frame_before_is_kept_if_it_is_near_enough():
    # Id 2 fits better in the second frame, but id 1 is still near enough.
    frames = [Frame.of([7], [1], [[1.0]]), Frame.of([7], [1, 2], [[0.6, 0.9]])]
    assert clear_mot(frames)["id_switches"] == 0 and clear_mot(frames)["motp"] == pytest.approx(0.8)
    assert clear_mot(frames, threshold=0.7)["id_switches"] == 1


def test_a_similarity_of_just_the_threshold_counts():
    frames = [Frame.of([7], [1], [[0.5]])]
    assert clear_mot(frames)["found"] == 1 and id_f1(frames)["idf1"] == 1
    assert clear_mot(frames, threshold=0.501)["found"] == 0
    # Ten of nineteen similarities, 0.05 to 0.5, find it.
    assert hota(frames)["hota"] == pytest.approx(10 / 19)


def test_nothing_true_and_nothing_found():
    figures = identity_metrics([Frame.of([], [], [])])
    assert all(np.isnan(figures[name]) for name in ("mota", "motp", "idf1", "id_recall", "hota"))
    only_false = identity_metrics([Frame.of([], [3], [])])
    assert np.isnan(only_false["mota"]) and only_false["false"] == 1
    assert only_false["idf1"] == only_false["hota"] == 0
    assert identity_metrics(one(None))["mota"] == 0


def test_similarity_of_boxes_and_of_points():
    boxes = Frame.of_boxes([1], [[0, 0, 10, 10]], [5, 6], [[0, 0, 10, 5], [20, 0, 30, 10]])
    np.testing.assert_allclose(boxes.similarity, [[0.5, 0.0]])
    xy = np.random.default_rng(0).uniform(0, 100, (2, 17, 2))
    labelled = np.array([[True] * 17, [False] * 17])
    area, sigmas = np.full(2, 1e4), SKELETONS["coco17"].oks_sigmas
    points = Frame.of_points([1, 2], xy, labelled, area, [5], xy[:1], sigmas)
    np.testing.assert_allclose(points.similarity, [[1.0], [0.0]])
    assert Frame.of_boxes([], [], [4], [[0, 0, 1, 1]]).similarity.shape == (0, 1)


def test_ids_of_any_size_and_order():
    frames = [Frame.of([1, 2], [10, 20], np.eye(2)), Frame.of([2, 1], [10, 20], np.eye(2))]
    renamed = [Frame.of([10**12, -5], [3, 0], np.eye(2)), Frame.of([-5, 10**12], [3, 0], np.eye(2))]
    assert identity_metrics(frames) == identity_metrics(renamed)


def test_frames_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"distinct ids of one frame in found; got \[3, 3\]"):
        Frame.of([1], [3, 3], [[0.0, 1.0]])
    with pytest.raises(ValueError, match=r"each true and found instance, \(1, 2\); got \(2, 1\)"):
        Frame.of([1], [3, 4], [[0.0], [1.0]])
    with pytest.raises(ValueError, match=r"similarities in \[0, 1\]; got 0.5 to 1.5"):
        Frame.of([1], [3, 4], [[0.5, 1.5]])
    with pytest.raises(ValueError, match=r"similarities in \[0, 1\]"):
        Frame.of([1], [3], [[np.nan]])
