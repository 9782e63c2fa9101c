"""From images and boxes to points in the image, by networks whose answer is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from stand_ins import Centroids, Small

from posekit.data.synthetic import Synthetic
from posekit.engines.torch import TorchEngine, read_out
from posekit.evaluation.measure import predicted
from posekit.geometry.affine import crop_matrix, invert, transform
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.predictor import Predictor
from posekit.recipes import RECIPES

DOTS = Skeleton(name="dots", points=("nose", "left", "right"), mirror=(("left", "right"),))
SIZE = (64, 48)


def recipe(**train):
    made = RECIPES["topdown-regression-tiny"](DOTS, size=SIZE)
    return replace(made, train=replace(made.train, **train))


def dotted(size, *locations):
    """An image that is black but for a dot of each colour; locations are (x, y) of the dot's middle pixel."""
    image = np.zeros((*size, 3), np.uint8)
    for channel, (x, y) in enumerate(locations):
        image[y - 1 : y + 2, x - 1 : x + 2, channel] = 255
    return image


def predictor(net, batch=32, **train):
    made = recipe(**train)
    return Predictor(TorchEngine(net, made.codec, made.spec()), batch)


def pipeline(channels=(0, 1, 2), **options):
    return predictor(Centroids(channels), **options)


def test_without_boxes_the_whole_image_is_one():
    images = [dotted((50, 70), (10, 20), (30, 12), (60, 40)), dotted((90, 40), (20, 70), (9, 9), (30, 50))]
    first, second = pipeline()(images)
    # Shrinking picks some pixels of a dot more than others; half a pixel would still show.
    np.testing.assert_allclose(first.xy, [[[10.5, 20.5], [30.5, 12.5], [60.5, 40.5]]], atol=0.35)
    np.testing.assert_allclose(second.xy, [[[20.5, 70.5], [9.5, 9.5], [30.5, 50.5]]], atol=0.35)
    np.testing.assert_array_equal(first.boxes, [[0, 0, 70, 50]])
    assert first.score.shape == (1, 3)
    assert first.instance_score.shape == (1,)
    assert all(isinstance(value, np.ndarray) for value in (first.xy, first.score, first.boxes))


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_each_box_sees_its_own_part_in_its_own_order(batch):
    one = dotted((100, 120), (20, 30), (26, 40), (12, 34))
    two = one.copy()
    two[50:, 60:] = dotted((50, 60), (30, 20), (20, 30), (40, 34))
    boxes = [
        np.array([[65.0, 52.0, 115.0, 98.0], [5.0, 20.0, 35.0, 50.0]]),
        np.zeros((0, 4)),
        np.array([[5, 20, 35, 50]]),
    ]
    both, none, alone = pipeline(batch=batch)([two, one, one], boxes)
    small = [[20.5, 30.5], [26.5, 40.5], [12.5, 34.5]]
    np.testing.assert_allclose(both.xy, [[[90.5, 70.5], [80.5, 80.5], [100.5, 84.5]], small], atol=0.15)
    np.testing.assert_allclose(alone.xy, [small], atol=0.1)
    assert none.xy.shape == (0, 3, 2)
    assert none.boxes.shape == (0, 4)
    np.testing.assert_array_equal(both.boxes, boxes[0])


def test_no_box_anywhere_and_no_image_at_all():
    (poses,) = pipeline()([dotted((50, 70), (10, 20))], [[]])
    assert (poses.xy.shape, poses.score.shape, poses.boxes.shape) == ((0, 3, 2), (0, 3), (0, 4))
    assert pipeline()([]) == []


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 9), np.uint8), r"image 1: expected RGB uint8 .*; got uint8 \(8, 9\); repeat a grey image"),
        (
            np.zeros((8, 9, 3), np.float32),
            r"image 1: expected RGB uint8 .*; got float32 \(8, 9, 3\); values from 0 to 1",
        ),
        (np.zeros((8, 9, 4), np.uint8), r"image 1: .* got uint8 \(8, 9, 4\); leave out the fourth channel"),
        (None, "image 1: .* got NoneType"),
        ("photo.jpg", r"photo\.jpg: no such image"),
        (np.zeros((0, 9, 3), np.uint8), r"image 1: expected at least one pixel, got shape \(0, 9, 3\)"),
    ],
)
def test_what_is_no_image_is_refused_by_its_number(image, message):
    with pytest.raises(ValueError, match=message):
        pipeline()([dotted((20, 30)), image])


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([np.zeros((0, 4))], "2 images but boxes for 1"),
        ([np.zeros((0, 4)), np.array([1.0, 2.0, 5.0, 6.0])], r"boxes of image 1: expected \(N, 4\).* got shape \(4,\)"),
        ([np.zeros((0, 4)), np.ones((2, 5))], r"boxes of image 1: expected \(N, 4\)"),
        (
            [np.array([[5.0, 5.0, 5.0, 9.0]]), np.zeros((0, 4))],
            r"box 0 of image 0: expected finite x0 < x1 and y0 < y1; got \[5",
        ),
        ([np.zeros((0, 4)), np.full((1, 4), np.nan)], "box 0 of image 1: expected finite"),
    ],
)
def test_boxes_that_cannot_be_are_refused_by_their_image(boxes, message):
    with pytest.raises(ValueError, match=message):
        pipeline()([dotted((20, 30)), dotted((20, 30))], boxes)


@pytest.mark.parametrize("flip", [False, True])
def test_a_box_is_predicted_as_it_is_measured(flip):
    dataset = Synthetic(DOTS, count=4, size=(60, 80), seed=5, people=2).dataset()
    torch.manual_seed(0)
    net = Small(3)
    measured = predicted(predictor(net, flip_test=flip), dataset)
    samples = [dataset.instance(i) for i in range(len(dataset))]
    poses = predictor(net, flip_test=flip)(
        [sample.image for sample in samples], [sample.instances.boxes for sample in samples]
    )
    np.testing.assert_allclose(np.concatenate([p.xy for p in poses]), measured.xy, atol=1e-3)
    np.testing.assert_allclose(np.concatenate([p.score for p in poses]), measured.score, atol=1e-6)
    assert measured.depth is None


def test_the_mirrored_crop_says_the_same_where_the_network_is_symmetric():
    images = [dotted((50, 70), (10, 20), (30, 12))]
    once, twice = (pipeline((0, 1, 1), flip_test=flip)(images)[0] for flip in (False, True))
    np.testing.assert_allclose(twice.xy, once.xy, atol=1e-4)


def test_the_mirrored_crop_is_averaged_by_hand():
    class Fixed(torch.nn.Module):
        def forward(self, image):
            return {"coords": torch.tensor([[0.2, 0.1], [0.3, 0.0], [-0.1, 0.4]]).expand(len(image), 3, 2)}

    image = torch.zeros(2, 3, *SIZE, dtype=torch.uint8)
    poses = read_out(Fixed(), recipe().codec, image, DOTS.flip)
    # The mirror says (-0.2, 0.1) for the nose, and of left what it said of right: (0.1, 0.4); of right (-0.3, 0).
    coords = np.array([[0.0, 0.1], [0.2, 0.2], [-0.2, 0.2]])
    np.testing.assert_allclose(poses.xy[:, 0].numpy(), [(coords + 0.5) * [48, 64]] * 2, atol=1e-4)


def test_flipping_follows_the_spec():
    assert recipe(flip_test=True).spec().flip == DOTS.flip
    assert recipe().spec().flip is None


def test_crops_lead_back_through_turns():
    box = np.array([10.0, 20.0, 70.0, 60.0])
    crops = [crop_matrix(box, SIZE, rotation=turn, scale=scale) for turn, scale in ((30, 1.0), (-75, 1.3))]
    back = np.stack([invert(m) for m in crops])
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 48, (2, 1, 3, 2)).astype(np.float32)
    ones = np.ones((2, 1, 3), np.float32)
    spread = np.full((2, 1, 3, 2), 2.0, np.float32)
    poses = Poses(xy=xy, score=ones, instance_score=ones[..., 0], spread=spread, depth=ones * 5)
    moved = poses.transformed(back)
    for i in range(2):
        np.testing.assert_allclose(transform(moved.xy[i].astype(float), crops[i]), xy[i], atol=1e-3)
        scale = np.sqrt(np.linalg.det(crops[i][:2, :2]))
        np.testing.assert_allclose(moved.spread[i], 2.0 / scale, rtol=1e-5)
        np.testing.assert_array_equal(moved[i].xy, poses[i].transformed(back[i]).xy)
    assert moved.score is poses.score
    assert moved.depth is poses.depth


def test_the_network_is_left_in_the_mode_it_was_in():
    net = Small(3).train()
    predictor(net)([dotted((20, 30))])
    assert net.training
    assert not TorchEngine(Small(3).train(), recipe().codec, recipe().spec(), optimise=True).net.training


def test_paths_and_single_images_are_taken(tmp_path):
    image = dotted((50, 70), (10, 20), (30, 12), (60, 40))
    file = tmp_path / "photo.png"
    cv2.imwrite(str(file), image[..., ::-1])
    expected = pipeline()([image])[0].xy
    for given in (image, file, str(file), [file], [image]):
        np.testing.assert_array_equal(pipeline()(given)[0].xy, expected)
    box = np.array([[0.0, 0, 70, 50]])
    for given, boxes in ((image, box), (image, [box]), ([image], [box]), (file, box.tolist())):
        np.testing.assert_array_equal(pipeline()(given, boxes)[0].xy, expected)


def test_images_are_taken_while_they_come():
    taken = []

    def images():
        for number in range(10):
            taken.append(number)
            yield dotted((50, 70), (10 + number, 20), (30, 12), (60, 40))

    found = pipeline(batch=2).stream(images())
    first = next(found)
    assert len(taken) <= 3
    rest = list(found)
    xs = [poses.xy[0, 0, 0] for poses in (first, *rest)]
    np.testing.assert_allclose(xs, 10.5 + np.arange(10), atol=0.4)


def test_a_predictor_says_what_it_is():
    assert repr(pipeline()).startswith(
        "Predictor(topdown-regression-tiny: 3 points of 'dots' in a box for each instance"
    )
