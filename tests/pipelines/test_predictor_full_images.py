"""Everyone in full images of any size, against a network that knows where they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from posekit.data.synthetic import Synthetic
from posekit.engines.torch import TorchEngine
from posekit.evaluation.matching import matched, precision
from posekit.evaluation.measure import found
from posekit.geometry.framing import Letterbox
from posekit.geometry.keypoints import Poses
from posekit.pipelines.predictor import Predictor
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

SKELETON = SKELETONS["lsp14"]


class Knowing(nn.Module):
    """Perfect maps of people whose first and last point are painted: red for the first, blue for the last.

    One person is a red and a blue pixel on black; all points lie evenly on the line between them.
    """

    def __init__(self, codec):
        super().__init__()
        self.codec = codec

    def forward(self, image):
        from posekit.geometry.keypoints import Instances, Keypoints

        K = self.codec.points
        rows = []
        for picture in image.float():
            ends = [torch.nonzero(picture[c] > 90).float() for c in (0, 2)]
            ends = [e.mean(0).flip(0) + 0.5 if len(e) else None for e in ends]
            rows.append(ends)
        xy = torch.zeros(len(image), 1, K, 2)
        role = torch.zeros(len(image), 1, dtype=torch.long)
        share = torch.linspace(0, 1, K)[:, None]
        for b, (start, end) in enumerate(rows):
            if start is not None and end is not None:
                xy[b, 0] = start + (end - start) * share
                role[b, 0] = 1
        boxes = torch.cat([xy.amin(2) - 6, xy.amax(2) + 6], -1)
        visible = torch.full((len(image), 1, K), 2)
        people = Instances(Keypoints(xy, visible), boxes, torch.full((len(image), 1), 900.0), role * 0, role)
        maps = self.codec.encode(people).maps
        return {
            name: maps[name].clamp(1e-4, 1 - 1e-4).logit() if name in ("centre", "peaks") else maps[name]
            for name in self.codec.shapes
        }


@pytest.fixture(scope="module")
def recipe():
    made = RECIPES["centernet-tiny"](SKELETON, size=(64, 96))
    # Points painted here share cells, where one heatmap cannot separate them; the network gives cells.
    return replace(made, codec=replace(made.codec, snap=False, unit=None))


def finder(net, recipe, **spec):
    return Predictor(TorchEngine(net, recipe.codec, replace(recipe.spec(), **spec)), batch=8)


def painted(height, width, start, end, size=5):
    """A picture with a red and a blue square, whose middles are the ends."""
    image = np.zeros((height, width, 3), np.uint8)
    for channel, (x, y) in ((0, start), (2, end)):
        image[y - size : y + size + 1, x - size : x + size + 1, channel] = 255
    return image


def test_points_come_back_in_pixels_of_each_image(recipe):
    pipeline = finder(Knowing(recipe.codec), recipe)
    images = [
        painted(64, 96, (20, 20), (60, 40)),
        painted(200, 150, (40, 60), (100, 150)),
        np.zeros((50, 50, 3), np.uint8),
    ]
    small, tall, empty = pipeline(images)
    np.testing.assert_allclose(small.xy[0, [0, -1]], [(20.5, 20.5), (60.5, 40.5)], atol=0.3)
    np.testing.assert_allclose(tall.xy[0, [0, -1]], [(40.5, 60.5), (100.5, 150.5)], atol=1.6)
    assert (tall.boxes[0, :2] < tall.xy[0].min(0)).all()
    assert (tall.boxes[0, 2:] > tall.xy[0].max(0)).all()
    assert (empty.instance_score < 0.02).all()


def test_tiles_find_what_is_small_and_nobody_twice(recipe):
    pipeline = finder(Knowing(recipe.codec), recipe, framing=Letterbox(tiles=True))
    image = painted(256, 384, (300, 200), (340, 220), size=3)
    (poses,) = pipeline([image])
    sure = poses.above(0.5)
    assert len(sure) == 1
    np.testing.assert_allclose(sure.xy[0, [0, -1]], [(300.5, 200.5), (340.5, 220.5)], atol=0.6)


class Scored:
    """An engine that finds the same people in every view, each as a single point at x on the diagonal."""

    def __init__(self, spec, *x):
        self.spec, self.x = spec, np.array(x, np.float32)

    def __call__(self, images):
        score = np.array([0.5, 0.25, 0.125, 0.0], np.float32)[: len(self.x)]
        xy = self.x[:, None, None] + np.zeros((14, 2), np.float32)
        one = Poses(xy, np.repeat(score[:, None], 14, 1), score)
        return one.each(lambda array: np.stack([array] * len(images)))


def test_a_score_of_just_the_threshold_is_kept(recipe):
    spec = recipe.spec()
    pipeline = Predictor(
        Scored(replace(spec, nms=replace(spec.nms, method="none", score_threshold=0.25)), 20, 30, 40, 50)
    )
    (poses,) = pipeline([np.zeros((64, 96, 3), np.uint8)])
    assert poses.instance_score.tolist() == [0.5, 0.25]
    np.testing.assert_allclose(poses.xy[:, 0], [[20, 20], [30, 30]])


def test_a_tile_keeps_only_who_is_nearest_to_its_own_centre(recipe):
    # Tiles show the image from x = 0 and from x = 64 on; x = 90 of the first is nearer to the centre of the second.
    spec = replace(recipe.spec(), framing=Letterbox(scales=(5 / 3,)))
    (poses,) = Predictor(Scored(spec, 20, 90))([np.zeros((64, 160, 3), np.uint8)])
    assert sorted(poses.xy[:, 0, 0].tolist()) == pytest.approx([20, 84, 154])


def test_boxes_are_refused(recipe):
    pipeline = finder(Knowing(recipe.codec), recipe)
    with pytest.raises(ValueError, match="leave out the boxes"):
        pipeline([np.zeros((8, 8, 3), np.uint8)], [np.zeros((1, 4))])
    with pytest.raises(ValueError, match="image 0: expected RGB uint8"):
        pipeline([np.zeros((8, 8), np.uint8)])


def test_measuring_counts_what_is_found(recipe):
    """Poses that are the truth have AP 1; without one person of two it falls, and that person lies in its box."""
    dataset = Synthetic(SKELETON, count=6, size=(96, 96), seed=2, people=3, outside=0.0).dataset()

    def truth(drop=0):
        everyone = []
        for image in range(dataset.scenes):
            rows = dataset.rows_of_image(image)[drop if image == 0 else 0 :]
            xy = dataset.xy[rows].astype(np.float32)
            everyone.append(Poses(xy, np.ones(xy.shape[:2]), np.ones(len(xy))))
        return everyone

    assert precision(truth(), dataset)["AP"] == pytest.approx(1.0)
    found = matched(truth(), dataset)
    xy, score = found.xy, found.score
    np.testing.assert_allclose(xy, dataset.xy[dataset.rows], atol=1e-4)
    assert (score == 1).all()
    assert precision(truth(drop=1), dataset)["AR"] == pytest.approx(1 - 1 / len(dataset))
    found = matched(truth(drop=1), dataset)
    xy, score = found.xy, found.score
    box = dataset.boxes[dataset.rows[0]]
    np.testing.assert_allclose(xy[0], np.tile((box[:2] + box[2:]) / 2, (14, 1)))
    assert (score[0] == 0).all()


def test_an_untrained_network_is_measured_in_the_images_own_pixels(recipe):
    """Every pose found lies where the same view, decoded by hand, puts it."""
    torch.manual_seed(0)
    dataset = Synthetic(SKELETON, count=3, size=(80, 60), seed=4, people=2).dataset()
    net = recipe.build().eval()
    pipeline = finder(net, recipe, nms=replace(recipe.nms, score_threshold=0.0))
    everyone = found(pipeline, dataset)
    direct = pipeline([record.read() for record in dataset.images])
    for measured, predicted in zip(everyone, direct, strict=True):
        np.testing.assert_allclose(measured.xy, predicted.xy, atol=2e-2)
        np.testing.assert_allclose(measured.boxes, predicted.boxes, atol=2e-2)
