"""The scenes that the benchmark of the cascade makes: faces lie where their labels say."""

import numpy as np
import pytest

from benchmarks.faces import ABOVE, SIZE, SPREAD, face_box, ground, paste, patch, scenes
from posekit.data.readers import read
from posekit.data.synthetic import Synthetic
from posekit.skeletons.face import FACE5


def test_a_box_about_five_points():
    # Four corners two pixels from their middle, which is the fifth: a mean squared distance of 4 * 8 / 5.
    xy = np.array([[8.0, 18], [12, 18], [10, 20], [8, 22], [12, 22]])
    spread = np.sqrt(32 / 5)
    low, high = np.split(face_box(xy), 2)
    np.testing.assert_allclose(high - low, SPREAD * spread)
    np.testing.assert_allclose((low + high) / 2, [10, 20 - ABOVE * spread])


def test_a_ground_has_its_size_and_a_piece_covers_its_place():
    rng = np.random.default_rng(0)
    strips = [np.full((90, 200, 3), 7, np.uint8), np.full((400, 95, 3), 9, np.uint8)]
    for size in ((220, 290), (30, 100)):
        assert ground(strips, size, rng).shape == (*size, 3)
    scene, piece = np.zeros((50, 60, 3), np.uint8), np.full((24, 36, 3), 200, np.uint8)
    paste(scene, piece, 10, 20)
    assert (scene[26:38, 16:40] == 200).all()
    outside = scene.copy()
    outside[20:44, 10:46] = 0
    assert outside.sum() == 0


def test_a_white_eye_stays_under_its_point():
    image = np.zeros((80, 80, 3), np.uint8)
    xy = np.array([[32.5, 32.5], [48.5, 33.5], [40.5, 42.5], [33.5, 52.5], [47.5, 52.5]])
    image[32, 32] = 255
    for seed in range(5):
        piece, points = patch(image, xy, np.random.default_rng(seed))
        place = np.array(np.unravel_index(piece[..., 0].argmax(), piece.shape[:2]))[::-1] + 0.5
        assert np.abs(place - points[0]).max() < piece.shape[0] / 40


def test_scenes_of_two_faces(tmp_path):
    faces = Synthetic(FACE5, count=5, size=(80, 80), seed=1, outside=0).dataset()
    strips = [np.full((300, 300, 3), 128, np.uint8)]
    made = read([scenes(faces, strips, tmp_path, 0)])
    assert (made.scenes, len(made)) == (2, 4)
    assert made.images[0].read().shape == (*SIZE, 3)
    for row in range(4):
        assert made.boxes[row] == pytest.approx(face_box(made.xy[row]), abs=0.05)
    middle = made.xy.mean(1)
    assert (middle[::2, 0] < SIZE[1] / 2).all() and (middle[1::2, 0] > SIZE[1] / 2).all()
    again = read([scenes(faces, strips, tmp_path / "again", 0)])
    np.testing.assert_array_equal(again.xy, made.xy)
