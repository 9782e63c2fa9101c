"""Results of other libraries: points, scores, boxes, ids and half pixels arrive; what has no points is refused."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from stand_ins_of_others import (
    Landmark,
    Message,
    NewKeyPoints,
    OldKeyPoints,
    Tensor,
    ultralytics_boxes,
    ultralytics_result,
)

from posekit.adapters.mediapipe import from_mediapipe
from posekit.adapters.rtmlib import from_rtmlib, to_rtmlib
from posekit.adapters.supervision import from_supervision, to_supervision
from posekit.adapters.ultralytics import from_ultralytics
from posekit.geometry.keypoints import Poses

N, K = 2, 3
XY = np.array([[[10.0, 20], [30, 40], [0, 0]], [[1, 2], [3, 4], [5, 6]]])
SCORE = np.array([[0.5, 0.25, 0.0], [1.0, 0.5, 0.75]])


def poses(**more):
    return Poses(XY.copy(), SCORE.copy(), np.array([0.9, 0.8]), **more)


def test_ultralytics():
    boxes = ultralytics_boxes([[0, 1, 40, 50], [0, 0, 9, 9]], [0.9, 0.8], [0.0, 2.0], [4.0, 7.0])
    found = from_ultralytics(ultralytics_result(XY, SCORE, boxes))
    np.testing.assert_array_equal(found.xy, XY)  # continuous pixels already
    np.testing.assert_array_equal(found.score, SCORE)
    np.testing.assert_array_equal(found.instance_score, [0.9, 0.8])
    np.testing.assert_array_equal(found.boxes, [[0, 1, 40, 50], [0, 0, 9, 9]])
    assert found.category.tolist() == [0, 2] and found.ids.tolist() == [4, 7]
    assert (
        from_ultralytics(ultralytics_result(XY, SCORE, ultralytics_boxes(np.ones((2, 4)), [1, 1], [0, 0]))).ids is None
    )


def test_ultralytics_without_scores_or_boxes():
    found = from_ultralytics(ultralytics_result(XY))
    # A point at (0, 0) is one that was not found.
    assert found.score.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert found.instance_score.tolist() == [1, 1] and found.boxes is None


def test_ultralytics_without_instances():
    found = from_ultralytics(ultralytics_result(np.zeros((0, K, 2)), np.zeros((0, K))))
    assert found.xy.shape == (0, K, 2)
    assert len(from_ultralytics(ultralytics_result(np.zeros((0,))))) == 0


def test_what_is_no_result_of_ultralytics():
    with pytest.raises(TypeError, match="expected one result of Ultralytics, got 2"):
        from_ultralytics([1, 2])
    with pytest.raises(TypeError, match="this one has no keypoints"):
        from_ultralytics(SimpleNamespace(keypoints=None, boxes=None))
    with pytest.raises(ValueError, match=r"expected points \(N, K, 2\); got \(2, 3, 3\)"):
        from_ultralytics(ultralytics_result(np.ones((2, 3, 3))))
    with pytest.raises(ValueError, match=r"expected scores \(2, 3\)"):
        from_ultralytics(ultralytics_result(XY, SCORE[:, :2]))


def person(kind):
    return [kind(0.25, 0.5, -0.125, 0.75), kind(1.5, -0.25, 0.0, 0.0)]


@pytest.mark.parametrize(
    "result",
    [
        SimpleNamespace(pose_landmarks=[person(Landmark)], pose_world_landmarks=[]),
        SimpleNamespace(pose_landmarks=SimpleNamespace(landmark=person(Message)), pose_world_landmarks=None),
        SimpleNamespace(multi_hand_landmarks=[SimpleNamespace(landmark=person(Message))]),
        [person(Landmark)],
    ],
)
def test_mediapipe(result):
    found = from_mediapipe(result, size=(100, 200))
    np.testing.assert_array_equal(found.xy, [[[50, 50], [300, -25]]])  # fractions of width and height, also outside
    np.testing.assert_array_equal(found.depth, [[-25, 0]])
    assert found.instance_score.shape == (1,)
    np.testing.assert_array_equal(found.score, [[0.75, 0]])


def test_mediapipe_without_visibility_or_people():
    for kind in (Landmark, Message):
        found = from_mediapipe(SimpleNamespace(hand_landmarks=[[kind(0.5, 0.5, 0.0)] * 21] * 2), size=(10, 20))
        assert found.score.min() == 1 and found.xy.shape == (2, 21, 2)
    assert len(from_mediapipe(SimpleNamespace(pose_landmarks=None), size=(10, 20))) == 0
    assert len(from_mediapipe(SimpleNamespace(pose_landmarks=[]), size=(10, 20))) == 0


def test_what_is_no_result_of_mediapipe():
    with pytest.raises(TypeError, match="expected a result of MediaPipe with one of pose_landmarks"):
        from_mediapipe(3, size=(10, 20))
    with pytest.raises(ValueError, match=r"height and width of the image in pixels; got \(0, 20\)"):
        from_mediapipe([], size=(0, 20))
    with pytest.raises(ValueError, match=r"different numbers of landmarks: \[1, 2\]"):
        from_mediapipe([[Landmark(0, 0)], [Landmark(0, 0)] * 2], size=(10, 20))


def test_rtmlib_both_ways():
    found = from_rtmlib(XY, SCORE)
    np.testing.assert_array_equal(found.xy[0, :2], XY[0, :2] + 0.5)
    np.testing.assert_array_equal(found.score, SCORE)
    np.testing.assert_allclose(found.instance_score, [0.375, 0.75])
    for new, old in zip(to_rtmlib(found), (XY, SCORE), strict=True):
        np.testing.assert_array_equal(new, old)
    assert from_rtmlib(XY, SCORE * 2).score.max() == 1
    assert len(from_rtmlib(np.zeros((0, K, 2)), np.zeros((0, K)))) == 0


FULL = {
    "boxes": np.array([[0.0, 1, 2, 3], [4, 5, 6, 7]]),
    "category": np.array([0, 2]),
    "ids": np.array([5, 6]),
    "spread": np.arange(N * K * 2, dtype=np.float64).reshape(N, K, 2),
}


@pytest.mark.parametrize("kind", [OldKeyPoints, NewKeyPoints])
@pytest.mark.parametrize("more", [{}, FULL])
def test_supervision_both_ways(kind, more):
    given = to_supervision(poses(**more), kind)
    assert isinstance(given, kind) and given.xy.dtype == np.float32
    back = from_supervision(given)
    np.testing.assert_array_equal(back.xy, XY)
    np.testing.assert_array_equal(back.score, SCORE)
    np.testing.assert_allclose(back.instance_score, [0.9, 0.8], rtol=1e-6)
    for name in FULL:
        value = getattr(back, name)
        assert (value is None) == (name not in more)
        if name in more:
            np.testing.assert_allclose(value, more[name])


def test_supervision_of_others():
    found = from_supervision(NewKeyPoints(XY, visible=np.array([[True, False, True]] * 2)))
    assert found.score.tolist() == [[1, 0, 0], [1, 0, 1]] and found.instance_score.tolist() == [1, 1]
    assert len(from_supervision(NewKeyPoints(np.zeros((0, 2))))) == 0
    assert from_supervision(OldKeyPoints(XY, **{"confidence": SCORE})).score.tolist() == SCORE.tolist()
    with pytest.raises(TypeError, match="expected a KeyPoints of supervision; got list"):
        from_supervision([1])


def test_tensors_are_moved():
    assert from_rtmlib(Tensor(XY), Tensor(SCORE)).xy.shape == (N, K, 2)


def test_supervision_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ModuleNotFoundError, match="to_supervision needs supervision: pip install supervision"):
        to_supervision(poses())


def test_nothing_is_imported_of_others():
    code = (
        "import sys\n"
        "from posekit.adapters import arrays, mediapipe, rtmlib, supervision, ultralytics\n"
        "others = {'supervision', 'ultralytics', 'mediapipe', 'rtmlib', 'torch'}\n"
        "print(sorted(others & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
