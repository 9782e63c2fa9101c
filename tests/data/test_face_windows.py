"""Windows of faces: how they are drawn and sorted, and that what should be said of them leads to the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.data import face_windows as fw
from posekit.data.sample import Sample
from posekit.data.synthetic import Synthetic
from posekit.geometry.boxes import iou
from posekit.geometry.keypoints import Instances, Keypoints
from posekit.models.mtcnn import ProposalNet
from posekit.pipelines.mtcnn.cascade import BETWEEN_CENTRES, proposals
from posekit.pipelines.mtcnn.windows import moved, placed
from posekit.skeletons.face import FACE5

M, N, K = 3, 7, 5
HEIGHT, WIDTH = 90, 130


def faces(seed=0, ignore=()):
    """Three faces, the last without its nose, in an image of 130 x 90."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 40, (M, 2))
    boxes = np.concatenate([low, low + rng.uniform(20, 50, (M, 2))], 1)
    xy = boxes[:, None, :2] + rng.random((M, K, 2)) * (boxes[:, None, 2:] - boxes[:, None, :2])
    labelled = np.ones((M, K), bool)
    labelled[2, 2] = False
    return fw.Faces(boxes, xy, labelled, np.array(ignore, np.float64).reshape(-1, 4))


def squares(count, seed=1):
    rng = np.random.default_rng(seed)
    low = rng.uniform(-10, 60, (count, 2))
    return np.concatenate([low, low + rng.uniform(12, 60, (count, 1))], 1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9999))
def test_what_should_be_said_leads_the_later_networks_to_the_truth(seed):
    truth, windows = faces(seed), squares(M, seed + 1)
    moves = fw.moves_to(truth.boxes, windows)
    np.testing.assert_allclose(moved(windows, moves), truth.boxes, atol=1e-9)
    points = fw.shares_of(truth.xy, windows)
    np.testing.assert_allclose(placed(points, windows), truth.xy, atol=1e-9)


@pytest.mark.parametrize("longer", [1, 2, 5])
def test_what_should_be_said_leads_the_first_network_to_the_truth(longer):
    # Cell (row, column) of an image made 1 / longer as large looks at 12 x 12 of its pixels.
    row, column = np.array([0, 3, 6]), np.array([4, 1, 0])
    low = np.stack([column, row], 1) * ProposalNet.stride * longer
    windows = np.concatenate([low, low + ProposalNet.side * longer], 1).astype(np.float64)
    truth = faces().boxes
    named = fw.named_by_first(windows, ProposalNet.side)
    moves = fw.moves_to(truth, named, BETWEEN_CENTRES)
    face, box = np.full((1, 2, 7, 5), -9.0), np.zeros((1, 4, 7, 5))
    face[:, 1, row, column], box[0, :, row, column] = 9.0, moves
    found = proposals(face, box, 1 / longer, 0.5)
    order = [found.boxes.tolist().index(one) for one in named.tolist()]
    reached = moved(found.boxes, found.moves, shorter=BETWEEN_CENTRES)[order]
    np.testing.assert_allclose(reached, truth, atol=1e-5)


def test_a_window_that_is_the_face_is_left_alone():
    box = np.array([[10.0, 20, 58, 68]])
    assert fw.moves_to(box, box).tolist() == [[0, 0, 0, 0]]
    assert fw.moves_to(box + np.array([0, 0, 12, -24]), box).tolist() == [[0, 0, 0.25, -0.5]]
    assert fw.shares_of(np.array([[[10.0, 20], [34, 80]]]), box).tolist() == [[[0, 0], [0.5, 1.25]]]
    # At twelve pixels a side the first network names its window as it is.
    small = np.array([[4.0, 6, 16, 18]])
    assert fw.named_by_first(small, 12).tolist() == small.tolist()
    assert fw.named_by_first(np.array([[0.0, 0, 48, 48]]), 12).tolist() == [[3, 3, 48, 48]]


def test_kinds_by_overlap():
    face = fw.Faces(np.array([[0.0, 0, 100, 100]]), np.zeros((1, K, 2)), np.ones((1, K), bool), np.zeros((0, 4)))
    # As wide as the face, and shifted along x: overlap (100 - d) / (100 + d).
    shifts = np.array([0.0, 21, 22, 42, 43, 53, 54, 120])
    windows = np.stack([shifts, 0 * shifts, shifts + 100, 0 * shifts + 100], 1)
    np.testing.assert_allclose(
        iou(windows, face.boxes)[:, 0], np.maximum(100 - shifts, 0) / np.minimum(100 + shifts, 200)
    )
    kinds = [fw.POSITIVE, fw.POSITIVE, fw.PART, fw.PART, fw.UNUSED, fw.UNUSED, fw.NEGATIVE, fw.NEGATIVE]
    assert fw.sorted_out(windows, face).kind.tolist() == kinds


def test_each_window_goes_with_the_face_it_overlaps_most():
    truth, windows = faces(), squares(40)
    told = fw.sorted_out(windows, truth)
    nearest = iou(windows, truth.boxes).argmax(1)
    assert set(nearest) == {0, 1, 2}
    np.testing.assert_array_equal(told.face, truth.boxes[nearest])
    np.testing.assert_array_equal(told.xy, truth.xy[nearest])
    np.testing.assert_array_equal(told.labelled, truth.labelled[nearest])
    assert told.boxes is windows


def test_a_region_to_ignore_holds_no_negatives_and_keeps_its_faces():
    truth = faces()
    windows = np.array([[100.0, 60, 120, 80], [100, 60, 130, 90], *truth.boxes])
    open_ground, hidden = fw.sorted_out(windows, truth), fw.sorted_out(windows, faces(ignore=[[95, 55, 118, 82]]))
    assert open_ground.kind.tolist() == [fw.NEGATIVE] * 2 + [fw.POSITIVE] * 3
    # 18 of 20 columns, and 18 x 22 of 30 x 30 pixels.
    assert hidden.kind.tolist() == [fw.UNUSED] * 2 + [fw.POSITIVE] * 3
    np.testing.assert_allclose(fw.covered(windows[:2], np.array([[95.0, 55, 118, 82]])), [0.9, 18 * 22 / 900])
    assert fw.covered(windows, np.zeros((0, 4))).tolist() == [0] * 5


def test_an_image_without_a_face_gives_negatives_only():
    nobody = fw.Faces(np.zeros((0, 4)), np.zeros((0, K, 2)), np.zeros((0, K), bool), np.zeros((0, 4)))
    windows = squares(N)
    told = fw.sorted_out(windows, nobody)
    assert told.kind.tolist() == [fw.NEGATIVE] * N
    assert (told.xy.shape, told.labelled.shape) == ((N, K, 2), (N, K))
    assert fw.near(nobody.boxes, 4, np.random.default_rng(0)).shape == (0, 4)


def test_only_faces_with_a_known_point_teach_points():
    truth = faces()
    truth.labelled[1] = False
    told = fw.sorted_out(truth.boxes, truth)
    points = told.for_points()
    assert points.kind.tolist() == [fw.POINTS] * 2
    np.testing.assert_array_equal(points.boxes, truth.boxes[[0, 2]])
    np.testing.assert_array_equal(points.labelled, truth.labelled[[0, 2]])
    assert told.first(fw.POSITIVE, 2).boxes.tolist() == truth.boxes[:2].tolist()


def test_squares_about_faces():
    boxes = np.array([[10.0, 20, 50, 80], [100, 5, 110, 15]])
    drawn = fw.near(boxes, 500, np.random.default_rng(0))
    side = drawn[:, 2] - drawn[:, 0]
    np.testing.assert_allclose(drawn[:, 3] - drawn[:, 1], side)
    first, second = side[:500], side[500:]
    assert (first.min() >= 32, first.max() <= 75, second.min() >= 8, second.max() <= 12.5) == (True,) * 4
    assert (np.ptp(first) > 40, np.ptp(second) > 4) == (True, True)
    off = np.abs((drawn[:, :2] + drawn[:, 2:]) / 2 - np.repeat([[30, 50], [105, 10]], 500, 0)) / side[:, None]
    assert 0.19 < off.max() <= 0.2
    far = fw.near(boxes, 500, np.random.default_rng(0), shift=1.0)
    np.testing.assert_allclose(far[:, 2] - far[:, 0], side)


def test_squares_anywhere_lie_inside():
    drawn = fw.anywhere((HEIGHT, WIDTH), 2000, 15, np.random.default_rng(0))
    side = drawn[:, 2] - drawn[:, 0]
    assert drawn.min() >= 0 and (drawn[:, 2:] <= (WIDTH, HEIGHT)).all()
    assert 15 <= side.min() < 16 and 85 < side.max() <= 90
    # Half are below the geometric mean of 15 and 90.
    assert abs((side < np.sqrt(15 * 90)).mean() - 0.5) < 0.05
    assert fw.anywhere((14, 200), 5, 15, np.random.default_rng(0)).shape == (0, 4)


def test_whole_squares_lie_in_the_image():
    windows = np.array([[2.6, 3.4, 22.7, 23.5], [-0.4, 0, 12, 12.4], [-0.6, 0, 12, 12], [110, 70, 130.6, 90]])
    assert fw.whole(windows, (HEIGHT, WIDTH)).tolist() == [[3, 3, 23, 23], [0, 0, 12, 12]]


def sample(boxes, ignore=()):
    boxes = np.array(boxes, np.float32)
    keypoints = Keypoints(np.zeros((len(boxes), K, 2), np.float32), np.ones((len(boxes), K), np.int8))
    zeros = np.zeros(len(boxes))
    instances = Instances(keypoints, boxes, zeros, zeros, zeros)
    return Sample(
        np.zeros((9, 9, 3), np.uint8), instances, "x.png", 1, np.eye(3), np.array(ignore, np.float32).reshape(-1, 4)
    )


def test_small_faces_are_regions_to_ignore():
    told = fw.Faces.of(sample([[0, 0, 10, 30], [5, 5, 24, 24], [0, 0, 20, 3]], [[1, 2, 3, 4]]), 20)
    assert told.boxes.tolist() == [[0, 0, 10, 30], [0, 0, 20, 3]]
    assert told.ignore.tolist() == [[1, 2, 3, 4], [5, 5, 24, 24]]
    assert (told.xy.shape, told.labelled.shape) == ((2, K, 2), (2, K))


def test_a_mirrored_image_has_its_faces_mirrored():
    drawn = Synthetic(FACE5, count=1, size=(80, 100), seed=3, people=2).dataset().scene(0)
    truth = fw.Faces.of(drawn, 20)
    other = truth.mirrored(100, FACE5)
    np.testing.assert_allclose(other.boxes[:, [2, 1, 0, 3]], truth.boxes * [-1, 1, -1, 1] + [100, 0, 100, 0])
    # The picture's left eye is the mirrored right one.
    np.testing.assert_allclose(other.xy[:, 0], truth.xy[:, 1] * [-1, 1] + [100, 0])
    np.testing.assert_array_equal(other.labelled[:, [1, 0, 2, 4, 3]], truth.labelled)
    again = other.mirrored(100, FACE5)
    np.testing.assert_allclose(again.boxes, truth.boxes)
    np.testing.assert_allclose(again.xy, truth.xy)


def test_parts_are_joined_in_order():
    truth = faces()
    one, two = fw.sorted_out(squares(4), truth), fw.sorted_out(squares(3, 5), truth)
    both = fw.FaceWindows.joined([one, two])
    np.testing.assert_array_equal(both.boxes, np.concatenate([one.boxes, two.boxes]))
    np.testing.assert_array_equal(both[np.array([5, 0])].face, np.stack([two.face[1], one.face[0]]))
