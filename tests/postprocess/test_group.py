"""Grouping finds all people of synthetic maps, in any arrangement."""

import numpy as np
import pytest
import torch
from codec_cases import instances

from posekit.codecs.grouping import affinities, candidates
from posekit.codecs.openpose import OpenPose
from posekit.geometry.grid import Grid
from posekit.postprocess.group import Link, assemble, group, match

# Head, neck, left hand, right hand, hip, foot: a tree.
K = 6
BONES = ((0, 1), (1, 2), (1, 3), (1, 4), (4, 5))
FIGURE = torch.tensor([[0.0, -60.0], [0.0, -36.0], [-36.0, -12.0], [36.0, -12.0], [0.0, 12.0], [6.0, 60.0]])
GRID = Grid.of((256, 480), 8)
CODEC = OpenPose(points=K, bones=BONES, grid=GRID)
# Where up to six people stand without covering each other's points.
LOCATIONS = torch.tensor([[50.0, 80.0], [150.0, 90.0], [250.0, 75.0], [350.0, 95.0], [430.0, 80.0], [200.0, 175.0]])


def scene(count, seed):
    """(1, count, K, 2) people with shaken points."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(LOCATIONS), generator=generator)[:count]
    shaken = (torch.rand(count, K, 2, generator=generator) - 0.5) * 12
    return (LOCATIONS[order][:, None] + FIGURE + shaken)[None]


def found(maps, **options):
    """People of perfect maps."""
    cells, score = candidates(maps["heatmap"][:, :K])
    affinity, share = affinities(maps["paf"], cells, BONES)
    return group(*(array[0].numpy() for array in (GRID.pixels(cells), score, affinity, share)), BONES, **options)


def apart(poses, xy):
    """(N,) for each person of ``poses`` the largest distance of a point from the nearest true person's."""
    distance = np.linalg.norm(poses.xy[:, None] - xy[0].numpy()[None], axis=-1).max(-1)
    assert sorted(distance.argmin(1).tolist()) == list(range(xy.shape[1])), "everybody is found once"
    return distance.min(1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("form", ["paper", "code"])
def test_everybody_is_found(count, form):
    codec = OpenPose(points=K, bones=BONES, grid=GRID, form=form)
    for seed in range(5):
        xy = scene(count, seed)
        poses = found(codec.encode(instances(xy)).maps)
        assert len(poses) == count
        assert apart(poses, xy).max() < 1.0
        assert poses.score.shape == (count, K)
        assert poses.score.min() > 0.5
        assert (np.diff(poses.instance_score) <= 0).all()
        assert poses.instance_score == pytest.approx(poses.score.mean(1))


def test_nobody_is_found_where_nobody_is():
    poses = found({"heatmap": torch.zeros(1, K + 1, 32, 60), "paf": torch.zeros(1, 2 * len(BONES), 32, 60)})
    assert (poses.xy.shape, poses.score.shape, poses.instance_score.shape) == ((0, K, 2), (0, K), (0,))


def test_people_whose_bones_cross_are_told_apart():
    # The second leans over the first: their bodies cross.
    first = FIGURE + torch.tensor([150.0, 100.0])
    second = FIGURE @ torch.tensor([[0.6, -0.8], [0.8, 0.6]]) + torch.tensor([165.0, 105.0])
    xy = torch.stack((first, second))[None]
    lines = [(xy[0, person, a], xy[0, person, b]) for person in (0, 1) for a, b in BONES]
    assert any(crosses(*one, *other) for one in lines[: len(BONES)] for other in lines[len(BONES) :])
    poses = found(CODEC.encode(instances(xy)).maps)
    assert len(poses) == 2
    assert apart(poses, xy).max() < 3.0


def crosses(a, b, c, d):
    """Whether the lines from a to b and from c to d meet."""

    def side(p, q, r):
        return torch.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return bool(side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b))


def test_a_missing_point_has_score_0_and_the_rest_holds():
    xy = scene(2, 1)
    visibility = torch.full((1, 2, K), 2)
    visibility[0, 0, 5] = 0
    # The maps as a network sees them: a hidden foot is on none, though a label that lacks it says nothing of its map.
    codec, labels = CODEC, instances(xy, visibility)
    maps = {name: value.clone() for name, value in codec.encode(instances(xy[:, 1:])).maps.items()}
    first = codec.encode(instances(xy[:, :1], visibility[:, :1])).maps
    maps["heatmap"][:, :5] = maps["heatmap"][:, :5].maximum(first["heatmap"][:, :5])
    maps["paf"] += first["paf"]
    assert codec.encode(labels).weight["heatmap"][0, 5] == 0
    poses = found(maps)
    assert len(poses) == 2
    # The whole person comes first.
    assert (poses.score[0] > 0.5).all()
    assert (poses.score[1] > 0).tolist() == [True] * 5 + [False]
    assert np.abs(poses.xy[1, :5] - xy[0, 0, :5].numpy()).max() < 1.0
    assert poses.xy[1, 5] == pytest.approx(poses.xy[1, :5].mean(0), abs=1e-3)
    assert poses.instance_score[1] == pytest.approx(poses.score[1, :5].sum() / K)


def test_who_has_too_few_points_is_left_out():
    maps = CODEC.encode(instances(scene(3, 2))).maps
    assert len(found(maps, fewest=K)) == 3
    assert len(found(maps, fewest=K + 1)) == 0
    # Without the fields of the neck's bones nobody is more than hip and foot.
    paf = maps["paf"].clone()
    paf[:, :8] = 0
    assert len(found({**maps, "paf": paf})) == 0
    legs = found({**maps, "paf": paf}, fewest=2)
    assert (legs.score > 0).sum(1).tolist() == [2, 2, 2]
    assert (legs.score[:, 4:] > 0).all()


def test_a_pair_is_joined_once_the_best_first():
    affinity = np.array([[0.9, 0.8, 0.1], [0.85, 0.2, 0.0], [0.3, 0.1, 0.4]])
    # 0-0 takes both of the best; 1-0 and 0-1 are gone, so 1 is left with its 0.2.
    links = match((2, 5), affinity, affinity > 0.05)
    assert links == [Link((2, 5), 0, 0, 0.9), Link((2, 5), 2, 2, 0.4), Link((2, 5), 1, 1, 0.2)]
    assert match((2, 5), affinity, affinity > 0.3) == links[:2]
    assert match((2, 5), affinity, affinity > 1) == []


def test_of_equal_pairs_the_lower_numbers_win():
    links = match((0, 1), np.full((3, 3), 0.5), np.ones((3, 3), bool))
    assert [(link.start, link.end) for link in links] == [(0, 0), (1, 1), (2, 2)]


def test_a_tie_gives_the_same_people_every_time():
    # Two heads and two necks at the corners of a square, every pair as good as the other.
    xy = np.array([[[0.0, 0.0], [8.0, 0.0]], [[0.0, 8.0], [8.0, 8.0]]])
    even = np.full((1, 2, 2), 0.7)
    results = [group(xy, np.full((2, 2), 0.9), even, np.ones((1, 2, 2)), ((0, 1),), fewest=2) for _ in range(3)]
    for poses in results:
        assert poses.xy.tolist() == xy.transpose(1, 0, 2).tolist()
        assert poses.instance_score.tolist() == pytest.approx([0.9, 0.9])


def test_candidates_without_a_score_are_never_joined():
    xy, score = np.zeros((2, 2, 2)), np.array([[0.9, 0.0], [0.8, 0.0]])
    poses = group(xy, score, np.full((1, 2, 2), 0.9), np.ones((1, 2, 2)), ((0, 1),), fewest=2)
    assert poses.score.tolist() == [[0.9, 0.8]]


@pytest.mark.parametrize(("affinity", "share", "count"), [(0.06, 0.8, 1), (0.05, 0.8, 0), (0.9, 0.79, 0), (-0.5, 1, 0)])
def test_what_makes_a_link(affinity, share, count):
    xy, score = np.zeros((2, 1, 2)), np.ones((2, 1))
    poses = group(xy, score, np.full((1, 1, 1), affinity), np.full((1, 1, 1), share), ((0, 1),), fewest=2)
    assert len(poses) == count


def people_of(*links):
    return [person.found for person in assemble([Link(*link) for link in links])]


def test_links_join_parts_of_a_person():
    # Two parts first, then the link between them, from either side.
    assert people_of(((0, 1), 0, 0, 0.9), ((2, 3), 4, 5, 0.8), ((1, 2), 0, 4, 0.7)) == [{0: 0, 1: 0, 2: 4, 3: 5}]
    assert people_of(((0, 1), 0, 0, 0.9), ((2, 3), 4, 5, 0.8), ((2, 1), 4, 0, 0.7)) == [{0: 0, 1: 0, 2: 4, 3: 5}]
    # What was joined is one person for the links after.
    assert people_of(
        ((0, 1), 0, 0, 0.9), ((2, 3), 4, 5, 0.8), ((1, 2), 0, 4, 0.7), ((3, 4), 5, 2, 0.6), ((0, 4), 0, 3, 0.5)
    ) == [{0: 0, 1: 0, 2: 4, 3: 5, 4: 2}]


def test_the_weaker_link_of_a_contradiction_is_dropped():
    # A ring of three bones: 0-1 and 1-2 are sure, so the weak 2-0 to another head is none.
    ring = (((0, 1), 0, 0, 0.9), ((1, 2), 0, 0, 0.8), ((2, 0), 0, 1, 0.3))
    assert people_of(*ring) == [{0: 0, 1: 0, 2: 0}]
    assert people_of(*reversed(ring)) == [{0: 0, 1: 0, 2: 0}]
    # A link that closes the ring changes nothing.
    assert people_of(*ring[:2], ((2, 0), 0, 0, 0.3)) == [{0: 0, 1: 0, 2: 0}]
    # Two people who both have point 0 are never made one.
    two = (((0, 1), 0, 0, 0.9), ((0, 2), 1, 0, 0.8), ((1, 2), 0, 0, 0.7))
    assert people_of(*two) == [{0: 0, 1: 0}, {0: 1, 2: 0}]


def test_nothing_given_is_changed_and_types_are_kept():
    maps = CODEC.encode(instances(scene(2, 3).double())).maps
    cells, score = candidates(maps["heatmap"][:, :K])
    affinity, share = affinities(maps["paf"], cells, BONES)
    given = [array[0].numpy() for array in (cells, score, affinity, share)]
    before = [array.copy() for array in given]
    for dtype in (np.float32, np.float64):
        poses = group(*(array.astype(dtype) for array in given), BONES)
        assert {poses.xy.dtype, poses.score.dtype, poses.instance_score.dtype} == {np.dtype(dtype)}
    group(*given, BONES)
    assert all((now == then).all() for now, then in zip(given, before, strict=True))


def test_shapes_that_do_not_fit_are_refused():
    xy, score, pairs = np.zeros((2, 3, 2)), np.ones((2, 3)), np.zeros((1, 3, 3))
    with pytest.raises(ValueError, match=r"affinity should be \(1, 3, 3\), got \(2, 3, 3\)"):
        group(xy, score, np.zeros((2, 3, 3)), pairs, ((0, 1),))
    with pytest.raises(ValueError, match=r"xy should be .*; take one image of the batch"):
        group(xy[None], score[None], pairs[None], pairs[None], ((0, 1),))
    with pytest.raises(ValueError, match=r"bones \[\(0, 2\)\] name points beyond the 2"):
        group(xy, score, pairs, pairs, ((0, 2),))
