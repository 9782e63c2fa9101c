"""What teaches the networks of a cascade: windows cut as they are seen in use, mixed as published, learnt."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posekit.data import face_windows as fw
from posekit.data.synthetic import Synthetic
from posekit.losses.cascade import CascadeLoss
from posekit.models.mtcnn import Nets, OutputNet, ProposalNet, RefinementNet
from posekit.pipelines.mtcnn.area import resized, summed
from posekit.pipelines.mtcnn.cascade import BETWEEN_CENTRES, MTCNN, Cascade
from posekit.pipelines.mtcnn.windows import moved, pixels_of
from posekit.recipe import Train
from posekit.skeletons.face import FACE5
from posekit.training.mtcnn.stage import Taught, mixed, teach
from posekit.training.mtcnn.windows import Drawing, TrainingWindows, finder_of, training_windows, visits
from posekit.zoo.mtcnn import engines_of

CPU = torch.device("cpu")
FEW = Drawing(smallest=20, around=6, negatives=8, passes=2)
K = 5


@pytest.fixture(scope="module")
def drawn():
    return Synthetic(FACE5, count=3, size=(72, 90), seed=5, people=2).dataset()


@pytest.fixture(scope="module")
def lenient():
    torch.manual_seed(2)
    return MTCNN(engines_of(Nets.drawn()), Cascade(scores=(0.4, 0.4, 0.4)))


@pytest.fixture(scope="module")
def first(drawn):
    return training_windows(drawn, 12, None, FEW, (0, 0))


def test_windows_of_the_first_network_are_those_of_the_image(drawn):
    seen = []
    once = replace(FEW, passes=1)
    made = training_windows(drawn, 12, None, once, (0, 0), lambda: seen.append(1))
    assert len(seen) == 3
    assert made.pixels.shape == (len(made), 3, 12, 12) and made.pixels.dtype == np.uint8
    assert (made.box.dtype, made.points.dtype) == (np.float32, np.float32)
    assert made.points.shape == (len(made), K, 2)
    for kind in (fw.NEGATIVE, fw.PART, fw.POSITIVE, fw.POINTS):
        assert (made.kind == kind).any()
    assert (made.kind == fw.NEGATIVE).sum() <= 3 * FEW.negatives
    # What a face should say moves any window onto it: its sides are those of a true box, seen from the window.
    faces = made.box[made.kind == fw.POSITIVE]
    assert np.abs(faces).max() < 0.6
    assert made.points[made.kind == fw.POINTS].min() > -0.5


@pytest.mark.parametrize("stage", ["refinement", "output"])
def test_the_later_networks_learn_from_what_the_earlier_let_through(stage, drawn, lenient):
    finder = finder_of(lenient, stage)
    image = drawn.scene(0).image
    found = finder(summed(image[None]))
    assert len(found.boxes) > 3
    asked = []

    def spy(sums):
        asked.append(sums.shape)
        return finder(sums)

    net = {"refinement": RefinementNet, "output": OutputNet}[stage]
    made = training_windows(drawn, net.side, spy, replace(FEW, passes=1), (0, 1))
    assert asked == [(1, 73, 91, 3)] * 3
    assert made.pixels.shape[1:] == (3, net.side, net.side)
    # Every found window that shows no face is among the negatives, as many as are kept, and cut as it is in use.
    truth = fw.Faces.of(drawn.scene(0), 20)
    boxes = found.boxes.astype(np.float64)
    wrong = boxes[fw.sorted_out(boxes, truth).kind == fw.NEGATIVE][: FEW.negatives]
    cut = pixels_of(wrong, *image.shape[:2])
    pixels = resized(summed(image[None]), np.zeros(len(cut), np.int64), cut, (net.side,) * 2)
    known = {window.tobytes() for window in made.pixels[made.kind == fw.NEGATIVE]}
    inside = (cut[:, 2:] > cut[:, :2]).all(1)
    assert inside.sum() > 0
    assert {window.transpose(2, 0, 1).tobytes() for window in pixels[inside].round().astype(np.uint8)} <= known


def test_the_first_network_needs_no_finder(lenient):
    assert finder_of(lenient, "proposal") is None


def test_what_the_first_network_should_say_is_what_the_cascade_applies(drawn, monkeypatch):
    cut = []
    whole = fw.sorted_out
    monkeypatch.setattr(fw, "sorted_out", lambda boxes, faces: cut.append(whole(boxes, faces)) or cut[-1])
    made = training_windows(drawn, 12, None, replace(FEW, passes=1), (0, 0))
    windows = np.concatenate([told.boxes[told.kind == fw.POSITIVE] for told in cut[::2]])
    faces = np.concatenate([told.face[told.kind == fw.POSITIVE] for told in cut[::2]])
    moves = made.box[made.kind == fw.POSITIVE].astype(np.float64)
    named = fw.named_by_first(windows, 12)
    np.testing.assert_allclose(moved(named, moves, shorter=BETWEEN_CENTRES), faces, atol=1e-4)


def test_windows_follow_from_the_seed_and_every_second_pass_is_mirrored(drawn, first):
    again, other = training_windows(drawn, 12, None, FEW, (0, 0)), training_windows(drawn, 12, None, FEW, (1, 0))
    for name in ("pixels", "kind", "box", "points", "labelled"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert other.pixels.shape != first.pixels.shape or (other.pixels != first.pixels).any()
    turns = list(visits(drawn, (0, 0), 2))
    assert [turn for turn, _ in turns] == [0, 0, 0, 1, 1, 1]
    assert sorted(image for _, image in turns) == [0, 0, 1, 1, 2, 2]
    # The left eyes of synthetic faces are on the right; in a mirrored window as in any.
    eyes = first.points[first.kind == fw.POINTS][:, :2, 0]
    upright = np.abs(np.diff(first.points[first.kind == fw.POINTS][:, :2, 1])) < 0.2
    assert upright.sum() > 5
    assert (eyes[:, 1] < eyes[:, 0])[upright[:, 0]].all()


def test_enough_windows_end_the_visits(drawn, first):
    made = training_windows(drawn, 12, None, replace(FEW, max_windows=len(first) // 3), (0, 0))
    assert len(first) // 3 <= len(made) < len(first)
    np.testing.assert_array_equal(made.pixels, first.pixels[: len(made)])


def test_faces_that_are_too_small_are_told(drawn):
    with pytest.raises(
        ValueError, match=r"no window shows one of the \d labelled faces: .* at least 80 pixels .*smallest"
    ):
        training_windows(drawn, 12, None, replace(FEW, smallest=80), (0, 0))


def test_a_batch_says_where_each_term_counts(first):
    order = [int(np.flatnonzero(first.kind == kind)[0]) for kind in (fw.NEGATIVE, fw.PART, fw.POSITIVE, fw.POINTS)]
    image, wanted = first.batch(np.array(order), CPU)
    np.testing.assert_array_equal(image.numpy(), first.pixels[order])
    assert image.dtype == torch.float32
    assert wanted.face.tolist() == [0, 0, 1, 0]
    assert wanted.face_known.tolist() == [1, 0, 1, 0]
    assert wanted.box_known.tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(wanted.points_known[3].numpy(), first.labelled[order[3]])
    assert wanted.points_known[:3].sum() == 0
    np.testing.assert_array_equal(wanted.box.numpy(), first.box[order])


def test_batches_are_mixed_three_to_one_to_one_to_two():
    kind = np.repeat([fw.NEGATIVE, fw.PART, fw.POSITIVE, fw.POINTS], [50, 9, 30, 11]).astype(np.int8)
    chosen = mixed(kind, 28, 10, np.random.default_rng(0))
    assert chosen.shape == (10, 28)
    for row in kind[chosen]:
        assert np.bincount(row, minlength=4).tolist() == [12, 4, 4, 8]
    # 40 of 9 windows: each comes four or five times.
    times = np.bincount(chosen[kind[chosen] == fw.PART] - 50, minlength=9)
    assert set(times.tolist()) == {4, 5}


def test_a_kind_that_is_missing_leaves_its_share_to_the_others():
    kind = np.repeat([fw.NEGATIVE, fw.POSITIVE], [5, 4]).astype(np.int8)
    chosen = mixed(kind, 8, 3, np.random.default_rng(0))
    assert [np.bincount(row, minlength=4).tolist() for row in kind[chosen]] == [[6, 0, 2, 0]] * 3
    assert mixed(kind, 1, 2, np.random.default_rng(0)).shape == (2, 1)


@pytest.mark.parametrize("net", [ProposalNet, RefinementNet, OutputNet])
def test_in_training_every_network_has_points_and_says_else_what_it_says_in_use(net):
    own = net()
    task = Taught(own, K)
    image = torch.rand(3, 3, own.side, own.side) * 255
    maps, used = task(image), own(image)
    assert {name: tuple(value.shape) for name, value in maps.items()} == {
        "face": (3, 2),
        "box": (3, 4),
        "points": (3, K, 2),
    }
    for name, value in used.items():
        torch.testing.assert_close(maps[name], value.flatten(1) if name != "points" else value)
    extra = sum(p.numel() for p in task.parameters()) - sum(p.numel() for p in own.parameters())
    assert extra == {ProposalNet: 32 * 10 + 10, RefinementNet: 128 * 10 + 10, OutputNet: 0}[net]


def test_learning_lowers_the_loss_and_follows_from_the_seed(first):
    train = Train(epochs=4, batch=64, lr=3e-3, optimizer="adam", weight_decay=0)
    nets, last = [], []
    for seed in ((0, 0), (0, 0), (1, 0)):
        torch.manual_seed(7)
        nets.append(ProposalNet())
        values = []
        last.append(teach(nets[-1], CascadeLoss(), first, train, seed, CPU, values.append))
        assert len(values) == 4 * -(-len(first) // 64)
        assert last[-1] == pytest.approx(np.mean(values[-len(values) // 4 :]))
        assert last[-1] < 0.7 * values[0]
    state = [torch.cat([p.flatten() for p in net.parameters()]) for net in nets]
    assert torch.equal(state[0], state[1])
    assert not torch.equal(state[0], state[2])


def test_a_loss_that_is_not_finite_ends_the_training(first):
    box = np.full_like(first.box, np.inf)
    broken = TrainingWindows(first.pixels, first.kind, box, first.points, first.labelled)
    train = Train(epochs=1, batch=64, lr=1e-3, optimizer="adam", weight_decay=0)
    with pytest.raises(RuntimeError, match="the loss is not finite in epoch 1; try a lower --lr"):
        teach(ProposalNet(), CascadeLoss(), broken, train, (0, 0), CPU)
