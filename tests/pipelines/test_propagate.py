"""Detect-every-n: how often the finder runs, which boxes are read in between, and when an instance is lost."""

from __future__ import annotations

import numpy as np
import pytest
from figures import FOUR

from posekit.engines.spec import InferenceSpec
from posekit.geometry.framing import Crop, Letterbox
from posekit.geometry.keypoints import Poses
from posekit.pipelines.chain import Chain
from posekit.pipelines.predictor import Predictor
from posekit.pipelines.propagate import Propagation
from posekit.postprocess.track import Tracking
from posekit.skeletons import SKELETONS

H, W = 96, 128
CORNERS = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])


def scene(*boxes):
    """Bright rectangles x0 y0 x1 y1 on black, each of its own grey."""
    image = np.zeros((H, W, 3), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        image[y0:y1, x0:x1] = 250 - 20 * number
    return image


def blobs(image):
    """Boxes of the rectangles in an image, one for each grey."""
    boxes = []
    for grey in (250, 230, 210):
        rows, columns = np.nonzero(abs(image[..., 0].astype(int) - grey) < 6)
        if len(rows) > 8:
            boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    return np.array(boxes, np.float32).reshape(-1, 4)


def four(boxes):
    """(N, 4, 2) corners of boxes."""
    return boxes[:, None, :2] + CORNERS * (boxes[:, 2:] - boxes[:, :2])[:, None]


class Finder:
    """Finds the rectangles of an image of its own size."""

    spec = InferenceSpec(name="finder", skeleton=FOUR, size=(H, W), framing=Letterbox())

    def __call__(self, images):
        boxes = np.zeros((len(images), 3, 4), np.float32)
        score = np.zeros((len(images), 3), np.float32)
        for number, image in enumerate(images):
            found = blobs(image)
            boxes[number, : len(found)], score[number, : len(found)] = found, 0.8
        xy = np.stack([four(b) for b in boxes]).astype(np.float32)
        return Poses(xy=xy, score=np.repeat(score[..., None], 4, -1), instance_score=score, boxes=boxes)


class Reader:
    """The corners of the rectangle in a crop; a crop that is mostly black scores low."""

    spec = InferenceSpec(name="reader", skeleton=FOUR, size=(64, 64), framing=Crop(padding=1.5))

    def __call__(self, images):
        xy, score = np.zeros((len(images), 1, 4, 2), np.float32), np.zeros((len(images), 1, 4), np.float32)
        for number, image in enumerate(images):
            rows, columns = np.nonzero(image[..., 0] > 150)
            if len(rows) > 200:
                box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
                xy[number], score[number] = four(box), 0.9
        return Poses(xy=xy, score=score, instance_score=score.mean(-1))


def run(frames, **options):
    """Frames of rectangles through a propagation; all poses, and it."""
    chain = Chain(Predictor(Finder()), Predictor(Reader()))
    propagation = Propagation(chain, Tracking(score_threshold=0.3), **options)
    return list(propagation.stream((scene(*boxes) for boxes in frames), np.arange(len(frames)) / 10)), propagation


def walking(count):
    """Two rectangles of 20 x 30 pixels, one of which moves."""
    return [((10 + 3 * n, 10, 30 + 3 * n, 40), (20, 60, 40, 90)) for n in range(count)]


@pytest.mark.parametrize(("every", "calls"), [(1, 20), (2, 10), (5, 4), (20, 1), (50, 1)])
def test_the_finder_runs_on_every_nth_frame_only_and_the_points_stay_right(every, calls):
    frames = walking(20)
    found, propagation = run(frames, every=every)
    assert (propagation.frames, propagation.finder_calls, propagation.crops) == (20, calls, 40)
    for boxes, poses in zip(frames, found, strict=True):
        order = np.argsort(poses.ids)
        assert poses.ids[order].tolist() == [1, 2]
        np.testing.assert_allclose(poses.xy[order], four(np.array(boxes, float)), atol=1.5)
        np.testing.assert_allclose(poses.instance_score, 0.8 * 0.9, atol=0.02)
        # Boxes neither grow nor shrink from frame to frame.
        np.testing.assert_allclose(poses.boxes[order], np.array(boxes), atol=5)


def test_a_lost_instance_triggers_the_finder_at_once():
    frames = walking(10)
    # In the fourth frame the second one is elsewhere.
    frames[3:] = [(one, (90, 60, 110, 90)) for one, _ in frames[3:]]
    found, propagation = run(frames, every=10)
    assert propagation.finder_calls == 2
    assert sorted(found[3].ids.tolist()) == [1, 3]
    assert all(sorted(poses.ids.tolist()) == [1, 3] for poses in found[3:])


def test_who_leaves_the_image_is_not_searched_for():
    frames = [((70 + 10 * n, 10, 90 + 10 * n, 40), (20, 60, 40, 90)) for n in range(9)]
    found, propagation = run(frames, every=9)
    assert set(found[-1].ids.tolist()) < set(found[0].ids.tolist())
    assert len(found[0]) == 2 and len(found[-1]) == 1
    assert propagation.finder_calls <= 2


def test_who_enters_is_found_by_the_next_run_of_the_finder():
    frames = [boxes[1:] if n < 4 else boxes for n, boxes in enumerate(walking(12))]
    found, propagation = run([(b[-1], *b[:-1]) for b in frames], every=5)
    assert [len(poses) for poses in found] == [1] * 5 + [2] * 7
    assert propagation.finder_calls == 3


def test_two_tracks_on_one_instance_trigger_the_finder():
    # Both crops contain the one rectangle that is left; no score is too low.
    frames = [((40, 10, 60, 40), (64, 10, 84, 40)), ((52, 10, 72, 40),), ((52, 10, 72, 40),)]
    found, propagation = run(frames, every=10, lost=0.0)
    assert [len(poses) for poses in found] == [2, 1, 1] and propagation.finder_calls == 2


def test_nobody_in_the_image():
    found, propagation = run([()] * 7, every=3)
    assert [len(poses) for poses in found] == [0] * 7
    assert (propagation.finder_calls, propagation.crops) == (3, 0)
    assert list(propagation.stream([], [])) == []


def test_flow_and_every():
    chain = Chain(Predictor(Finder()), Predictor(Reader()))
    propagation = Propagation(chain, Tracking(flow=True), every=4)
    found = list(propagation.stream((scene(*boxes) for boxes in walking(8)), np.arange(8) / 10))
    assert propagation.finder_calls == 2 and all(sorted(poses.ids.tolist()) == [1, 2] for poses in found)


def test_what_cannot_be_propagated_is_refused():
    chain = Chain(Predictor(Finder()), Predictor(Reader()))
    with pytest.raises(
        ValueError, match=r"every of at least 1, lost in \[0, 1\] and same in \(0, 1\]; got 0, 0.6 and 0.9"
    ):
        Propagation(chain, Tracking(), every=0)
    with pytest.raises(ValueError, match=r"got 5, 1\.5 and 0\.9"):
        Propagation(chain, Tracking(), lost=1.5)
    with pytest.raises(ValueError, match=r"got 5, 0\.6 and 0$"):
        Propagation(chain, Tracking(), same=0)
    with pytest.raises(ValueError, match="expected a time in seconds after 0"):
        list(Propagation(chain, Tracking()).stream([scene()] * 2, [0, 0]))

    class Body(Finder):
        spec = InferenceSpec(name="body", skeleton=SKELETONS["coco17"], size=(H, W), framing=Letterbox())

    class Face(Reader):
        spec = InferenceSpec(name="face", skeleton=SKELETONS["face68"], size=(64, 64), framing=Crop(padding=1.5))

    with pytest.raises(ValueError, match=r"body\+face: a track of 'face68' says nothing about the next box"):
        Propagation(Chain(Predictor(Body()), Predictor(Face())), Tracking())
    assert repr(Propagation(chain, Tracking(), every=3)).startswith("Propagation(finder+reader, every 3 frames, ")
