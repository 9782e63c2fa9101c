"""Tasks with distillation: the same as without where nothing is to be learnt, and a plain network in the end."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from figures import FOUR
from torch import nn

from posekit.codecs.regression import Regression
from posekit.data.batch import collate
from posekit.data.coco import write_results
from posekit.data.errors import DataError
from posekit.data.synthetic import Synthetic
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.losses.distillation import Okdhp, Teacher, okdhp_terms, ramp
from posekit.losses.weighting import AutoWeight
from posekit.models.backbones.hourglass import Hourglass
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.normalize import Normalize
from posekit.models.okdhp import BranchedHourglass
from posekit.recipe import RecipeError
from posekit.recipes import RECIPES
from posekit.training.distillation.okdhp import OkdhpTask
from posekit.training.distillation.student import StudentTask
from posekit.training.distillation.teacher import FileTeacher, NetworkTeacher
from posekit.training.distillation.wrap import wrap
from posekit.training.loader import Crops
from posekit.training.task import Task
from posekit.zoo.weights import load_weights, save_weights

TURNED = Skeleton("turned", ("end", "right_grip", "screw", "left_grip"), mirror=(("left_grip", "right_grip"),))
"""Three of `FOUR`'s points in another order."""


@pytest.fixture(scope="module")
def drawn():
    """Twelve synthetic people."""
    return Synthetic(FOUR, count=12, size=(64, 56), seed=4).dataset()


def recipe_of(kind="heatmap", size=(64, 32), skeleton=FOUR):
    recipe = RECIPES[f"topdown-{kind}-tiny"](skeleton, size=size)
    return replace(recipe, model=replace(recipe.model, backbone=ShuffleNetV2(0.5)))


def batch_of(recipe, dataset, epoch=0, count=12):
    crops = Crops(dataset, recipe)
    return collate([crops[epoch, index] for index in range(count)])


def task_of(recipe, seed=0):
    torch.manual_seed(seed)
    return Task(recipe, recipe.build())


def told(dataset, path, move=0.0, score=0.8):
    """The labels of a set as a file of results."""
    xy = dataset.xy + move
    poses = []
    for image in range(len(dataset.images)):
        rows = dataset.rows_of_image(image)
        said = (dataset.visibility[rows] > 0) * score
        poses.append(Poses(xy[rows], said, said.mean(1)))
    return str(write_results(poses, [record.id for record in dataset.images], path))


def saved(folder, recipe, seed=7):
    """A weights folder of a network whose norms have seen images."""
    torch.manual_seed(seed)
    net = recipe.build()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        net.train()(torch.randint(0, 256, (4, 3, *recipe.size), dtype=torch.uint8))
    save_weights(folder, net, recipe, {})
    return str(folder)


def slopes(task, terms):
    torch.stack(list(terms.values())).sum().backward()
    return {name: p.grad for name, p in task.net.named_parameters()}


def test_no_lesson_gives_the_task_back(drawn):
    recipe = recipe_of()
    task = task_of(recipe)
    assert wrap(task, recipe, None, drawn, 10) is task


@pytest.mark.parametrize("source", ["file", "network"])
def test_a_teacher_of_no_weight_changes_no_bit(drawn, tmp_path, source):
    recipe = recipe_of()
    place = told(drawn, tmp_path / "said.json") if source == "file" else saved(tmp_path, recipe)
    batch = batch_of(recipe, drawn)
    plain, taught = task_of(recipe), wrap(task_of(recipe), recipe, Teacher(place, points=0.0), drawn, 10)
    expected, found = plain(batch), taught(batch)
    assert list(found) == list(expected) and all(torch.equal(found[name], expected[name]) for name in expected)
    before, after = slopes(plain, expected), slopes(taught, found)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_peers_that_teach_nothing_leave_the_first_branch_its_own_terms(drawn):
    recipe = recipe_of()
    batch = batch_of(recipe, drawn)
    plain = task_of(recipe)
    taught = wrap(task_of(recipe), recipe, Okdhp(ensemble=0, distillation=0), drawn, 10)
    expected, found = plain(batch), taught(batch)
    assert list(found) == ["mse", "peer1.mse", "peer2.mse"]
    assert torch.equal(found["mse"], expected["mse"])
    before, after = slopes(plain, expected), slopes(taught, found)
    for name, slope in before.items():
        # Neck and head are the branch's own; the backbone hears of all.
        assert torch.equal(after[name], slope) == (not name.startswith("backbone."))


def test_learned_weights_are_of_the_labels_terms_alone(drawn, tmp_path):
    recipe = replace(recipe_of("dsnt"), auto_weight=AutoWeight(kind="kendall"))
    batch = batch_of(recipe, drawn)
    distillation = Teacher(told(drawn, tmp_path / "said.json"))
    plain, taught = task_of(recipe), wrap(task_of(recipe), recipe, distillation, drawn, 10)
    expected, found = plain(batch), taught(batch)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    raw = set(task_of(recipe).terms(plain.net(batch.image), plain.codec.encode(batch.instances)))
    assert set(found) - set(expected) == {f"teacher.{name}" for name in raw}


def test_the_lesson_grows_with_the_steps_and_is_resumed(drawn):
    recipe = recipe_of()
    batch = batch_of(recipe, drawn, count=4)
    task = wrap(task_of(recipe), recipe, Okdhp(branches=2, ramp=0.5), drawn, 8)
    for _ in range(3):
        task(batch)
    task.eval()(batch)
    assert int(task.taken) == 3
    again = wrap(task_of(recipe, 5), recipe, Okdhp(branches=2, ramp=0.5), drawn, 8)
    again.load_state_dict(task.state_dict())
    full = wrap(task_of(recipe, 5), recipe, Okdhp(branches=2, ramp=0.0), drawn, 8)
    full.load_state_dict(task.state_dict())
    with torch.no_grad():
        ratio = again.eval()(batch)["okdhp"] / full.eval()(batch)["okdhp"]
    assert ratio.item() == pytest.approx(ramp(3, 4), rel=1e-5)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        OkdhpTask(task.task, task.peers, Okdhp(), 0)


@pytest.mark.parametrize("detach", [True, False])
def test_a_detached_ensemble_does_not_learn_from_its_lesson(drawn, detach):
    recipe = recipe_of()
    task = wrap(task_of(recipe), recipe, Okdhp(branches=2, detach=detach, ramp=0), drawn, 8)
    # Norms and pooling of a fresh unit pass gradients; the heads start so small that only their order counts.
    task(batch_of(recipe, drawn, count=4))["okdhp"].backward()
    grads = [p.grad for p in task.peers.aggregation.parameters()]
    assert all(grad is None for grad in grads) if detach else any(grad is not None and grad.any() for grad in grads)


@pytest.mark.parametrize("epoch", range(3))
def test_a_files_points_lie_on_the_crop_as_the_labels_do(drawn, tmp_path, epoch):
    recipe = recipe_of()
    batch = batch_of(recipe, drawn, epoch)
    task = wrap(task_of(recipe), recipe, Teacher(told(drawn, tmp_path / "said.json")), drawn, 10)
    said = task.teacher(batch)
    known = batch.instances.keypoints.visibility[:, 0] > 0
    assert (torch.linalg.det(batch.to_source) < 0).any() and known.any()
    # Half-body crops and drops hide labels; what is left agrees to the digits of the file.
    torch.testing.assert_close(said.xy[known], batch.instances.keypoints.xy[:, 0][known], atol=2e-2, rtol=0)
    assert (said.score[known] == 0.8).all()
    nowhere = replace(batch, index=torch.full_like(batch.index, -1))
    assert not task.teacher(nowhere).score.any()


def test_a_files_points_are_worth_their_labels(drawn, tmp_path):
    recipe = recipe_of()
    batch = batch_of(recipe, drawn)
    distillation = Teacher(told(drawn, tmp_path / "said.json", score=1.0), points=2.0)
    task = wrap(task_of(recipe), recipe, distillation, drawn, 10)
    hidden = replace(
        batch,
        instances=replace(
            batch.instances,
            keypoints=replace(
                batch.instances.keypoints, visibility=torch.zeros_like(batch.instances.keypoints.visibility)
            ),
        ),
    )
    found = task(hidden)
    assert found["mse"] == 0
    everything = replace(
        batch,
        instances=replace(
            batch.instances,
            keypoints=replace(
                batch.instances.keypoints,
                xy=task.teacher(batch).xy[:, None],
                visibility=(task.teacher(batch).score > 0).to(torch.int8)[:, None],
            ),
        ),
    )
    torch.testing.assert_close(found["teacher.mse"], 2 * task_of(recipe)(everything)["mse"])


def test_unsure_points_are_not_learnt_and_others_by_their_score(drawn, tmp_path):
    recipe = recipe_of()
    batch = batch_of(recipe, drawn, count=5)
    teacher = wrap(task_of(recipe), recipe, Teacher(told(drawn, tmp_path / "said.json")), drawn, 10).teacher
    said = teacher(batch)
    said = replace(said, score=torch.linspace(0, 1, said.score.numel()).reshape(said.score.shape))
    for graded in (True, False):
        config = Teacher("x", score_threshold=0.4, graded=graded)
        weight = StudentTask(task_of(recipe), config, teacher)._labels(batch, said).weight["heatmap"][..., 0, 0]
        seen = StudentTask(task_of(recipe), Teacher("x", score_threshold=0.0, graded=False), teacher)._labels(
            batch, said
        )
        drawn_at_all = seen.weight["heatmap"][..., 0, 0]
        expected = (said.score >= 0.4) * (said.score if graded else 1.0) * drawn_at_all
        torch.testing.assert_close(weight, expected)


def test_doubted_labels_weigh_less(drawn, tmp_path):
    recipe = recipe_of()
    wrong = drawn.xy.copy()
    row = drawn.rows[2]
    assert (drawn.visibility[row] > 0).all()
    wrong[row, 0] += 40
    labels = replace(drawn, xy=wrong)
    distillation = Teacher(told(drawn, tmp_path / "said.json"), points=0, outliers=0.0)
    task = wrap(task_of(recipe), recipe, distillation, labels, 10)
    batch = batch_of(recipe, labels)
    doubted = task.teacher.doubted(batch)
    assert doubted.nonzero().tolist() == [[2, 0]]
    visibility = batch.instances.keypoints.visibility.clone()
    visibility[2, 0, 0] = 0
    hidden = replace(
        batch, instances=replace(batch.instances, keypoints=replace(batch.instances.keypoints, visibility=visibility))
    )
    torch.testing.assert_close(task(batch)["mse"], task_of(recipe)(hidden)["mse"])
    flipped = replace(batch, to_source=batch.to_source @ torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64)))
    assert torch.equal(task.teacher.doubted(flipped), doubted[:, list(FOUR.flip)])


def test_swapped_sides_are_doubted_as_they_are_labelled(tmp_path):
    body = Synthetic(FOUR, count=4, size=(64, 56), seed=4).dataset()
    pairs = Skeleton(
        "pairs", ("a_left", "a_right", "b_left", "b_right"), mirror=(("a_left", "a_right"), ("b_left", "b_right"))
    )
    rows = len(body.xy)
    xy = np.tile(np.array([[10.0, 10], [50, 10], [10, 50], [50, 50]]), (rows, 1, 1))
    body = replace(
        body,
        skeleton=pairs,
        xy=xy,
        visibility=np.full((rows, 4), 2, np.int8),
        boxes=np.tile(np.array([5.0, 5, 55, 55]), (rows, 1)),
    )
    labels = replace(body, xy=np.where(np.arange(rows)[:, None, None] == 1, xy[:, [1, 0, 3, 2]], xy))
    recipe = recipe_of(skeleton=pairs)
    task = wrap(task_of(recipe), recipe, Teacher(told(body, tmp_path / "said.json"), outliers=0.5), labels, 10)
    assert task.teacher.contradicted.sum(1).tolist() == [0, 4, 0, 0]


class Centres(nn.Module):
    """A backbone, neck and head that find the centre of mass of each channel."""

    def __init__(self):
        super().__init__()
        self.normalize = self.neck = nn.Identity()
        self.backbone = Listed()
        self.head = Coords()


class Listed(nn.Module):
    def forward(self, image):
        return [image]


class Coords(nn.Module):
    def forward(self, maps):
        mass = maps[0].double()
        total = mass.sum((-1, -2)).clamp_min(1e-9)
        y, x = ((torch.arange(n, dtype=torch.float64) + 0.5) / n - 0.5 for n in mass.shape[-2:])
        return {
            "coords": (
                torch.stack([(mass.sum(-2) * x).sum(-1), (mass.sum(-1) * y).sum(-1)], -1) / total[..., None]
            ).float()
        }


def test_a_network_of_another_size_and_other_points_tells_places_of_the_crop(drawn):
    recipe = recipe_of()
    batch = batch_of(recipe, drawn, count=3)
    image = torch.zeros_like(batch.image)
    image[:, 0, 10:14, 20:24] = 255
    image[:, 1, 40:44, 6:10] = 255
    image[:, 2, 20:24, 12:16] = 255
    # The student's second point is the teacher's last, its first the teacher's first; two it does not know.
    teacher = NetworkTeacher(Centres(), Regression(points=3, size=(32, 48)), torch.tensor([0, 2, -1, -1]))
    said = teacher(replace(batch, image=image))
    torch.testing.assert_close(
        said.xy[:, :2], torch.tensor([[22.0, 12.0], [14.0, 22.0]]).expand(3, 2, 2), atol=0.1, rtol=0
    )
    assert said.score[:, :2].min() > 0 and said.score[:, 2:].max() == 0
    values, knows = said.maps["coords"]
    assert values.shape == (3, 4, 2) and knows.tolist() == [True, True, False, False]


def test_the_maps_of_a_teacher_go_by_the_names_of_points(drawn, tmp_path):
    recipe = recipe_of()
    folder = saved(tmp_path, recipe_of(skeleton=TURNED, size=(64, 64)))
    task = wrap(task_of(recipe), recipe, Teacher(folder, points=0, maps=1.0), drawn, 10)
    batch = batch_of(recipe, drawn, count=4)
    values, knows = task.teacher(batch).maps["heatmap"]
    assert task.teacher.order.tolist() == [-1, 3, 1, 0]
    assert knows.tolist() == [False, True, True, True] and values.shape == (4, 4, 16, 16)
    found = task(batch)["teacher.maps"]
    with torch.no_grad():
        grown = nn.functional.interpolate(values, (16, 8), mode="bilinear", align_corners=False)
        expected = (task_of(recipe).net(batch.image)["heatmap"] - grown)[:, 1:].square().mean()
    torch.testing.assert_close(found.detach(), expected)


def test_a_student_that_says_what_its_teacher_says_learns_nothing_more(drawn, tmp_path):
    recipe = recipe_of("simcc")
    folder = saved(tmp_path, recipe)
    task = wrap(
        Task(recipe, load_weights(folder).net), recipe, Teacher(folder, points=0, maps=1.0, temperature=2.0), drawn, 9
    )
    assert task.eval()(batch_of(recipe, drawn, count=4))["teacher.maps"].item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "distillation", "message"),
    [
        ("heatmap", Teacher("FILE", maps=1.0, features=1.0), "holds points and no maps or features"),
        ("heatmap", Teacher("NET", outliers=0.5), "--distill.outliers needs a .json of predictions"),
        ("simcc", Teacher("NET", maps=1.0), "gives maps of 'heatmap' .*the student of 'simcc'"),
        ("udp-combined", Teacher("SAME", maps=1.0), "'offset' is .* cannot be compared"),
    ],
)
def test_distillations_that_do_not_fit_are_refused(drawn, tmp_path, kind, distillation, message):
    recipe = recipe_of(kind)
    place = {
        "FILE": lambda: told(drawn, tmp_path / "said.json"),
        "NET": lambda: saved(tmp_path, recipe_of()),
        "SAME": lambda: saved(tmp_path, recipe_of(kind, skeleton=TURNED)),
    }[distillation.source]()
    with pytest.raises(RecipeError, match=message):
        wrap(task_of(recipe), recipe, replace(distillation, source=place), drawn, 10)


def test_networks_without_parts_and_files_of_others_are_refused(drawn, tmp_path):
    recipe = recipe_of()
    for distillation in (Okdhp(), Teacher(told(drawn, tmp_path / "said.json"))):
        with pytest.raises(RecipeError, match="kind 'topdown'"):
            wrap(Task(recipe, nn.Sequential(nn.Conv2d(3, 4, 1))), recipe, distillation, drawn, 10)
        scenes = RECIPES["centernet-tiny"](FOUR, size=(64, 64))
        with pytest.raises(RecipeError, match="kind 'topdown'"):
            wrap(task_of(scenes), scenes, distillation, drawn, 10)
    (tmp_path / "other.json").write_text(json.dumps([{"image_id": 999, "keypoints": [1, 2, 1] * 4}]))
    with pytest.raises(DataError, match="none of its 1 predictions"):
        wrap(task_of(recipe), recipe, Teacher(str(tmp_path / "other.json")), drawn, 10)


def test_a_teacher_is_neither_trained_nor_saved(drawn, tmp_path):
    recipe = recipe_of()
    folder = saved(tmp_path, recipe)
    task = wrap(task_of(recipe), recipe, Teacher(folder, features=1.0), drawn, 10)
    plain = {f"task.{name}" for name in task_of(recipe).state_dict()}
    assert set(task.state_dict()) - plain == {"adapter.conv.weight", "adapter.conv.bias"}
    before = {name: value.clone() for name, value in task.teacher.net.state_dict().items()}
    torch.stack(list(task.train()(batch_of(recipe, drawn)).values())).sum().backward()
    assert all(torch.equal(before[name], value) for name, value in task.teacher.net.state_dict().items())
    assert all(p.grad is None for p in task.teacher.net.parameters())
    assert task.adapter.conv.weight.grad.any()


DISTILLATIONS = {
    "branches": ("heatmap", Okdhp(ramp=0.2)),
    "branches of bins": ("simcc", Okdhp(branches=2, form="mse")),
    "points": ("rle", Teacher("FILE")),
    "maps and features": ("heatmap", Teacher("NET", points=0.5, maps=1.0, features=0.01)),
    "distributions": ("dfl", Teacher("NET", points=0.0, maps=1.0, form="kl", temperature=2.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTILLATIONS)
def test_sixty_steps_bring_every_term_down_and_leave_a_plain_network(drawn, tmp_path, name):
    kind, distillation = DISTILLATIONS[name]
    recipe = recipe_of(kind)
    if isinstance(distillation, Teacher):
        place = (
            told(drawn, tmp_path / "said.json") if distillation.source == "FILE" else trained(tmp_path, recipe, drawn)
        )
        distillation = replace(distillation, source=place)
    task = wrap(task_of(recipe), recipe, distillation, drawn, 60)
    history = train(task, recipe, drawn)
    falling = {term: values for term, values in history.items() if term != "okdhp"}
    assert {term for term, values in falling.items() if not np.mean(values[-10:]) < np.mean(values[:5])} == set()
    # The deployed folder is that of a run without distillation, and says what the branch says.
    save_weights(tmp_path / "student", task.net, recipe, {})
    plain, image = load_weights(tmp_path / "student").net, batch_of(recipe, drawn).image
    assert list(plain.state_dict()) == list(recipe.build().state_dict())
    branch = task.branch(0) if isinstance(task, OkdhpTask) else task.net
    with torch.no_grad():
        expected = branch.eval()(image)
        for key, value in plain(image).items():
            assert torch.equal(value, expected[key])


def train(task, recipe, dataset, steps=60):
    """Terms of each step."""
    optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=2e-3)
    history = {}
    for step in range(steps):
        optimizer.zero_grad()
        terms = task.train()(batch_of(recipe, dataset, epoch=step % 4))
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(task.parameters(), 5.0)
        optimizer.step()
        for name, value in terms.items():
            history.setdefault(name, []).append(value.item())
    return history


def trained(folder, recipe, dataset):
    """A weights folder of a network that learnt the same set alone."""
    task = task_of(recipe, seed=9)
    train(task, recipe, dataset, steps=80)
    save_weights(folder / "teacher", task.net, recipe, {})
    return str(folder / "teacher")


@pytest.mark.slow
def test_the_published_network_learns_and_leaves_a_plain_hourglass(drawn):
    torch.manual_seed(0)
    recipe = recipe_of(size=(64, 64))
    net = BranchedHourglass(points=4, shared=1, own=(1, 1, 1), channels=32).build()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    history = {}
    for step in range(60):
        batch = batch_of(recipe, drawn, epoch=step % 4)
        target = recipe.codec.encode(batch.instances)
        told_now = net.train()(Normalize()(batch.image))
        weight = target.weight["heatmap"][..., 0, 0]
        terms = okdhp_terms(
            told_now.outputs, told_now.ensemble, target.maps["heatmap"], weight, Okdhp(), ramp(step, 24)
        )
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        for name, value in terms.items():
            history.setdefault(name, []).append(value.item())
    for name in ("labels", "ensemble"):
        assert np.mean(history[name][-5:]) < 0.5 * np.mean(history[name][:5])
    plain = Hourglass(points=4, stacks=2, channels=32).build().eval()
    plain.load_state_dict(net.branch(0).state_dict())
    image = Normalize()(batch.image)
    with torch.no_grad():
        told_now = net.eval()(image)
        assert torch.equal(plain(image)[-1], told_now.branches[0][-1])


def test_files_and_networks_are_told_apart(drawn, tmp_path):
    recipe = recipe_of()
    by_file = wrap(task_of(recipe), recipe, Teacher(told(drawn, tmp_path / "said.json")), drawn, 10)
    by_net = wrap(task_of(recipe), recipe, Teacher(saved(tmp_path, recipe)), drawn, 10)
    assert isinstance(by_file.teacher, FileTeacher) and isinstance(by_net.teacher, NetworkTeacher)
