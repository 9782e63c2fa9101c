"""Squares over points, other backgrounds, and what is still found."""

import numpy as np
import pytest
import torch

from posekit.data.synthetic import Synthetic
from posekit.engines.spec import InferenceSpec
from posekit.geometry.framing import Crop
from posekit.geometry.keypoints import Poses
from posekit.pipelines.predictor import Predictor
from posekit.skeletons import SKELETONS
from posekit.studies import context_networks as networks
from posekit.studies import context_photos as photos
from posekit.studies import squares
from posekit.studies.paired import contrast
from posekit.studies.people import SKELETON, outlines, people
from posekit.studies.real_sets import real_set

COUNT = 5


@pytest.fixture(scope="module")
def some():
    return people(COUNT, 3)


def test_a_square_has_the_mean_colour_and_its_size():
    images = torch.rand(2, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    centres, side = torch.tensor([[10.0, 6.0], [3.0, 3.0]]), torch.tensor([4.0, 0.0])
    made = squares.filled(images, centres, side)
    assert torch.equal(made[1], images[1])
    inside = made[0, :, 4:8, 8:12]
    assert torch.allclose(inside, images[0].mean((1, 2))[:, None, None].expand(3, 4, 4))
    assert int((made[0] != images[0]).any(0).sum()) == 16


def test_the_other_square_is_in_the_box_and_apart_from_the_point():
    boxes = torch.tensor([[10.0, 5.0, 50.0, 60.0]]).expand(200, 4)
    point, side = torch.tensor([[30.0, 30.0]]).expand(200, 2), torch.full((200,), 12.0)
    centre = squares.elsewhere(point, boxes, side, torch.Generator().manual_seed(0))
    assert (centre >= boxes[:, :2]).all() and (centre <= boxes[:, 2:]).all()
    assert ((centre - point).abs().amax(-1) >= 12.0).all() and centre.std(0).min() > 5
    # No location is far enough: the farthest of those tried.
    far = squares.elsewhere(point[:3], boxes[:3], torch.full((3,), 500.0), torch.Generator().manual_seed(0))
    assert ((far - point[:3]).abs().amax(-1) > 20).all()


def test_kinds_of_points():
    named = {kind: {SKELETON.points[k] for k in networks.points_of(kind)} for kind in photos.KINDS}
    assert named["distal"] == {f"{s}_{p}" for s in ("left", "right") for p in ("wrist", "ankle")}
    assert named["middle"] == {f"{s}_{p}" for s in ("left", "right") for p in ("elbow", "knee")}
    assert len(named["proximal"]) == 4
    kinds = photos.kind_of(SKELETONS["coco17"].points)
    assert kinds.tolist() == [-1] * 5 + [2, 2, 1, 1, 0, 0, 2, 2, 1, 1, 0, 0]
    error = torch.zeros(2, 14)
    error[:, networks.points_of("distal")] = 3.0
    assert networks.by_kind(error) == {"distal": 3.0, "middle": 0.0, "proximal": 0.0, "all": 1.0}


def test_errors_under_the_square_and_elsewhere(some):
    images, xy = some
    at = xy.floor().long().clamp(0, 63)
    rows = torch.arange(COUNT)[:, None]

    def find(changed):
        # Wrong by (3, 4) where the pixel of a point was changed.
        gone = (changed != images).any(1)[rows, at[..., 1], at[..., 0]]
        return xy + gone[..., None] * torch.tensor([3.0, 4.0])

    found = networks.hidden_errors(find, images, xy, 0.1, 0)
    assert found["own"] == pytest.approx(dict.fromkeys(found["own"], 5.0), abs=1e-4)
    assert found["elsewhere"] == pytest.approx(dict.fromkeys(found["own"], 0.0), abs=1e-4)


def test_half_of_the_batches_have_a_square():
    images = torch.rand(400, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    xy = 4 + 16 * torch.rand(400, 14, 2, generator=torch.Generator().manual_seed(1))
    made, points = networks.hiding(lambda generator, count: (images, xy))(torch.Generator().manual_seed(0), 400)
    changed = (made != images).flatten(1).any(1)
    assert torch.equal(points, xy) and 0.35 < changed.float().mean() < 0.55


def test_backgrounds_keep_the_person(some):
    images, _ = some
    person = outlines(COUNT, 3)
    made = networks.backgrounds(images, person)
    here = person[:, None].expand_as(images)
    assert all(torch.equal(changed[here], images[here]) for changed in made.values())
    assert (made["grey"][~here] == 128).all()
    # Where neither has a person, the pixels are those of the image before.
    apart = ~here & ~here.roll(1, 0)
    assert torch.equal(made["of another image"][apart], images.roll(1, 0)[apart])
    assert 0.03 < float(person.float().mean()) < 0.4


def test_rules_without_an_image():
    known = 64 * torch.rand(200, 14, 2, generator=torch.Generator().manual_seed(0))
    wrist = SKELETON.index(["left_wrist"])[0]
    known[:, wrist] = 0.5 * known[:, SKELETON.index(["left_elbow"])[0]] + 7
    # All others are random: nothing is known of them.
    found = networks.guesses(known[:150], known[150:])
    alone = networks.points_of("proximal")
    assert found["linear"]["proximal"] > 0.8 * found["mean pose"]["proximal"] and len(alone) == 4
    rest = [k for k in networks.points_of("distal") if k != wrist]
    assert found["linear"]["distal"] < found["mean pose"]["distal"] and len(rest) == 3


def test_a_difference_and_its_interval():
    first, second = np.array([3.0, 5.0, 2.0, 4.0] * 10), np.array([1.0, 1.0, 2.0, 2.0] * 10)
    found = contrast(first, second, np.repeat(np.arange(20), 2), 20, ("a", "b"))
    assert (found["a"], found["b"], found["rise"]) == (3.5, 1.5, 2.0)
    assert 1.4 < found["low"] < 2.0 < found["high"] < 2.6


class Centre:
    """An engine that finds all points in the centre of the crop."""

    spec = InferenceSpec(name="centre", skeleton=SKELETONS["coco17"], size=(64, 64), framing=Crop())

    def __call__(self, images):
        shape = (len(images), 1, 17)
        return Poses(np.full((*shape, 2), 32.0), np.ones(shape), np.ones(shape[:2]))


def test_people_in_photographs(monkeypatch):
    dataset = Synthetic(SKELETONS["coco17"], count=12, size=(160, 160), seed=1, outside=0.0).dataset()
    monkeypatch.setattr(photos, "real_set", lambda file: dataset)
    monkeypatch.setattr(photos, "load", lambda *args, **options: Predictor(Centre()))
    found = photos.measured_on_photos(0, count=6)
    assert found["people"] == 6 and list(found["squares"]) == ["0.1", "0.2", "0.4"]
    for by_kind in found["squares"].values():
        for kind, numbers in by_kind.items():
            # The engine does not look at the image.
            assert numbers["own"] == pytest.approx(numbers["elsewhere"]) == pytest.approx(found["plain"][kind])
            assert numbers["low"] == numbers["high"] == 0 and 5 < numbers["own"] < 70


def test_without_data_there_are_no_photographs(monkeypatch, tmp_path):
    monkeypatch.setenv("POSEKIT_DATA", str(tmp_path))
    assert real_set(photos.SET) is None and photos.measured_on_photos(0) is None
