"""Figures of predictions that are known, what must be beaten, and the two sets of a run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR, labelled_files
from stand_ins import Small, Told

from posekit.data.errors import DataError
from posekit.data.pack import pack, read_pack
from posekit.data.source import Data
from posekit.data.synthetic import Synthetic
from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import compared, mean_pose, measure
from posekit.evaluation.sets import read_set, read_sets
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.predictor import Predictor
from posekit.training.run import baselines
from posekit.transforms.geometric import still_crop


def of_net(net, recipe):
    return Predictor(TorchEngine(net, recipe.codec, recipe.spec()))


def knowing(recipe, dataset, off=(0.0, 0.0)):
    """A predictor that says the truth, or lies so many crop pixels beside it."""
    crops = [still_crop(dataset.instance(i), recipe.size) for i in range(len(dataset))]
    xy = torch.from_numpy(np.concatenate([crop.instances.keypoints.xy for crop in crops])) + torch.tensor(off)
    return of_net(Told((xy / torch.tensor([recipe.size[1], recipe.size[0]]) - 0.5).float()), recipe)


def test_true_predictions_are_perfect(small, drawn):
    measured = measure(knowing(small(), drawn), drawn)
    assert measured.figures["pck@0.05"] == 1.0
    assert measured.figures["epe"] == pytest.approx(0, abs=1e-4)
    assert measured.median_crop_error == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(measured.xy, drawn.xy[drawn.rows], atol=1e-3)
    assert measured.score.shape == (8, 4)


def test_a_pack_is_measured_in_its_own_pixels(small, tmp_path):
    large = Synthetic(FOUR, count=5, size=(96, 80), seed=2).dataset()
    packed = read_pack(pack(large, tmp_path / "set.zip", 32))
    measured = measure(knowing(small(), packed, (0.0, 3.0)), packed)
    boxes = packed.boxes[packed.rows]
    # Three crop pixels down; a crop pixel is max(w / 48, h / 64) * 1.25 pixels of the pack.
    side = np.maximum((boxes[:, 2] - boxes[:, 0]) / 48, (boxes[:, 3] - boxes[:, 1]) / 64) * 1.25
    off = measured.xy - packed.xy[packed.rows]
    np.testing.assert_allclose(off[..., 1], np.repeat(3 * side[:, None], 4, 1), atol=1e-3)
    np.testing.assert_allclose(off[..., 0], 0, atol=1e-3)
    assert measured.median_crop_error == pytest.approx(3, abs=1e-3)


def test_measuring_leaves_the_mode_of_the_network(small, drawn):
    net = Small(4).train()
    measure(of_net(net, small()), drawn)
    assert net.training


def test_better_follows_the_direction_of_the_figure(small, drawn):
    truth = drawn.xy[drawn.rows]
    up = compared(truth, np.ones((8, 4)), drawn, "pck@0.2")
    down = compared(truth + 5.0, np.ones((8, 4)), drawn, "epe")
    assert up.main == "pck@0.2"
    assert up.value == 1.0
    assert up.better_than(0.5) and not up.better_than(1.0)
    assert down.value == pytest.approx(50**0.5)
    assert down.better_than(8.0) and not down.better_than(7.0)
    assert not replace(up, figures={"pck@0.2": float("nan")}).better_than(0.0)


def test_among_equal_values_the_lower_error_is_better(drawn):
    truth = drawn.xy[drawn.rows]
    near = compared(truth + 0.5, np.ones((8, 4)), drawn, "pck@0.2")
    assert (near.value, near.tie) == (1.0, near.figures["nme_box"])
    assert near.better_than(1.0, near.tie * 1.01) and not near.better_than(1.0, near.tie)
    assert not near.better_than(1.0, near.tie * 0.99) and not near.better_than(1.0)
    assert near.better_than(0.9, near.tie * 0.99)
    assert not replace(near, figures={"pck@0.2": 1.0}).better_than(1.0, 0.5)


def test_hidden_points_are_measured_and_unlabelled_ones_are_not(drawn):
    visibility = np.tile(np.array([2, 1, 0, 2], np.int8), (8, 1))
    dataset = replace(drawn, visibility=visibility)
    off = np.zeros((8, 4, 2))
    off[:, 1, 0], off[:, 2, 0] = 6.0, 900.0
    measured = compared(dataset.xy + off, np.ones((8, 4)), dataset)
    assert measured.figures["epe"] == pytest.approx(6 / 3)
    side = (dataset.boxes[:, 2:] - dataset.boxes[:, :2]).max(1)
    np.testing.assert_allclose(measured.instance_error, 2 / side)


def test_the_mean_pose_by_hand(drawn):
    def two(xy, visibility, boxes):
        part = drawn.subset([0, 1])
        return replace(
            part, xy=np.array(xy, float), visibility=np.array(visibility, np.int8), boxes=np.array(boxes, float)
        )

    train = two(
        [[[5, 5], [0, 0], [10, 20], [1, 1]], [[15, 30], [20, 40], [30, 50], [0, 0]]],
        [[2, 1, 2, 0], [2, 2, 0, 0]],
        [[0, 0, 10, 20], [10, 10, 30, 50]],
    )
    # Fractions of the boxes: tip (0.5, 0.25) and (0.25, 0.5); grip (0, 0) and (0.5, 0.75); third (1, 1) alone.
    mean = np.array([[0.375, 0.375], [0.25, 0.375], [1.0, 1.0]])
    val = two(train.xy, [[2] * 4] * 2, [[0, 0, 8, 8], [10, 20, 18, 36]])
    guess = mean_pose(train, val)
    np.testing.assert_allclose(guess[0, :3], mean * 8)
    np.testing.assert_allclose(guess[1, :3], mean * [8, 16] + [10, 20])
    assert np.isfinite(guess).all()


def test_baselines_are_the_mean_pose_and_the_first_network(small, drawn, tmp_path):
    file = labelled_files(tmp_path, count=12)
    told = baselines(small(), read_sets(Data(train=(file,))), "cpu")
    assert list(told) == ["mean pose", "untrained"]
    assert set(told["mean pose"]) == set(told["untrained"])
    assert all(np.isfinite(list(figures.values())).all() for figures in told.values())


def test_every_tenth_image_is_held_out(tmp_path):
    file = Synthetic(FOUR, count=21, size=(48, 40), seed=1, people=3).to_files(tmp_path)
    sets = read_sets(Data(train=(file,)))
    ours, theirs = ({record.path for record in part.images} for part in (sets.train, sets.val))
    assert not ours & theirs, "an image is in one of the sets"
    assert len(theirs) == 2
    assert len(ours | theirs) == 21
    assert f"every 10th image is held out ({len(sets.val)} of {len(sets.train) + len(sets.val)}" in sets.said[-1]


def test_a_few_images_still_give_two_sets(tmp_path):
    sets = read_sets(Data(train=(labelled_files(tmp_path, count=3),)))
    assert (len(sets.train), len(sets.val)) == (2, 1)


def test_a_validation_file_is_taken_as_it_is(tmp_path):
    ours, theirs = labelled_files(tmp_path / "a", count=4), labelled_files(tmp_path / "b", count=3)
    sets = read_sets(Data(train=(ours,), val=(theirs,)))
    assert (len(sets.train), len(sets.val)) == (4, 3)
    assert not [sentence for sentence in sets.said if "held out" in sentence]


def test_sets_that_do_not_fit_are_refused(tmp_path):
    ours = labelled_files(tmp_path / "a", count=4)
    other = labelled_files(tmp_path / "b", count=4, skeleton=Skeleton(name="two", points=("tip", "end"), bones=()))
    with pytest.raises(DataError, match=r"training data has points \['tip', .*validation data \['tip', 'end'\]"):
        read_sets(Data(train=(ours,), val=(other,)))
    with pytest.raises(DataError, match=r"no training data: give --data\.train FILE"):
        read_sets(Data())
    with pytest.raises(DataError, match="the training data has no instance with a labelled point"):
        read_sets(Data(train=(labelled_files(tmp_path / "c", count=1),)))


def test_a_known_skeleton_is_checked(tmp_path):
    file = labelled_files(tmp_path, count=4)
    with pytest.raises(DataError, match=r"no skeleton 'coco71'; known: .*coco17"):
        read_set(Data(skeleton="coco71"), [file], "train")
    with pytest.raises(DataError, match="skeleton 'coco17' has 17 points, the data 4"):
        read_set(Data(skeleton="coco17"), [file], "train")


def test_a_known_skeleton_gives_its_names(tmp_path):
    nameless = Skeleton(name="it", points=tuple(f"p{i}" for i in range(17)))
    dataset = read_set(Data(skeleton="coco17"), [labelled_files(tmp_path, count=2, skeleton=nameless)], "train")
    assert dataset.skeleton.points[5] == "left_shoulder"
    assert "as asked" in dataset.inferred[-1]
