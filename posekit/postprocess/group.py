"""Bottom-up grouping of candidate points into people: OpenPose's greedy matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posekit.geometry.keypoints import Poses

Array = NDArray[Any]
Bone = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Link:
    """Candidate ``start`` of a bone's first point connected to candidate ``end`` of its second."""

    bone: Bone
    start: int
    end: int
    affinity: float


@dataclass(slots=True, eq=False)
class Person:
    """The candidate chosen for each point that was found."""

    found: dict[int, int] = field(default_factory=dict)


def group(
    xy: ArrayLike,
    score: ArrayLike,
    affinity: ArrayLike,
    share: ArrayLike,
    bones: Sequence[Bone],
    *,
    min_affinity: float = 0.05,
    min_share: float = 0.8,
    fewest: int = 3,
) -> Poses:
    """Group the candidates of one image into people.

    For each bone the two candidates with the highest affinity are linked, then the best two of the rest, and so on. The
    links of all bones, strongest first, are then merged into people: a link adds a point to a person or merges two
    people, and is dropped where a person would get the same point twice. A candidate without a link is left out, and a
    person whose parts are not linked becomes two people.

    Args:
        xy: (K, M, 2) locations of candidates, in any frame; returned unchanged.
        score: (K, M) in [0, 1]; 0: no candidate.
        affinity: (bones, M, M) how well candidate i of a bone's first point fits candidate j of its second.
        share: (bones, M, M) share of the line between them where the field agrees.
        bones: pairs of points.
        min_affinity: a link needs an affinity above it.
        min_share: least share of a link.
        fewest: least number of points; people with fewer are left out.

    Returns:
        Poses (N, K) of NumPy arrays, the highest instance score first. A missing point has score 0 and lies at the mean
        of the points found. The instance score is the mean score over all K points, so that a more complete person
        comes first.

    Raises:
        ValueError: the shapes do not fit each other.

    Source: OpenPose, arXiv:1812.08008, section 3.3. Differs: links are merged from the strongest on, not bone by bone;
    two people who share a point are never merged; there is no penalty on the length of a bone.
    """
    xy, score = np.asarray(xy), np.asarray(score)
    affinity, share = np.asarray(affinity), np.asarray(share)
    _refuse_other_shapes(xy, score, affinity, share, bones)
    links: list[Link] = []
    for number, bone in enumerate(bones):
        there = (score[bone[0]] > 0)[:, None] & (score[bone[1]] > 0)
        fits = there & (affinity[number] > min_affinity) & (share[number] >= min_share)
        links += match(bone, affinity[number], fits)
    people = [person for person in assemble(links) if len(person.found) >= fewest]
    return _poses(people, xy, score)


def match(bone: Bone, affinity: Array, fits: Array) -> list[Link]:
    """Link the candidates of a bone's two ends, the best pair first, each candidate at most once.

    Args:
        bone: pair of points.
        affinity: (M, M).
        fits: (M, M) bool: which pairs may be linked.

    Returns:
        Links, strongest first; of equal pairs the one with the lower indices first.
    """
    starts, ends = np.nonzero(fits)
    order = np.argsort(-affinity[starts, ends], kind="stable")
    links: list[Link] = []
    taken: set[tuple[int, int]] = set()
    for start, end in zip(starts[order].tolist(), ends[order].tolist(), strict=True):
        if taken.isdisjoint({(0, start), (1, end)}):
            taken |= {(0, start), (1, end)}
            links.append(Link(bone, start, end, float(affinity[start, end])))
    return links


def assemble(links: Sequence[Link]) -> list[Person]:
    """Merge links into people, the strongest first and of equal links the first given.

    Returns:
        People in the order of their strongest link.
    """
    people: list[Person] = []
    assigned: dict[tuple[int, int], Person] = {}
    for link in sorted(links, key=lambda link: -link.affinity):
        ends = ((link.bone[0], link.start), (link.bone[1], link.end))
        parts = [assigned.get(end) or Person({end[0]: end[1]}) for end in ends]
        first, second = parts
        if first is second or first.found.keys() & second.found.keys():
            continue
        if second in people and first not in people:
            first, second = second, first
        if first not in people:
            people.append(first)
        if second in people:
            people.remove(second)
        first.found |= second.found
        assigned |= dict.fromkeys(first.found.items(), first)
    return people


def _poses(people: Sequence[Person], xy: Array, score: Array) -> Poses:
    K = len(score)
    # Missing points read the first candidate instead of index -1 and are overwritten below.
    at = np.array([[person.found.get(k, -1) for k in range(K)] for person in people], dtype=int).reshape(-1, K)
    found = at >= 0
    points = np.arange(K)
    scores = np.where(found, score[points, at.clip(0)], 0)
    locations = xy[points, at.clip(0)]
    total = (locations * found[..., None]).sum(1, keepdims=True)
    locations = np.where(found[..., None], locations, total / np.maximum(found.sum(1), 1)[:, None, None])
    order = np.argsort(-scores.mean(1), kind="stable")
    locations, scores = locations[order].astype(xy.dtype), scores[order].astype(score.dtype)
    return Poses(xy=locations, score=scores, instance_score=scores.mean(1))


def _refuse_other_shapes(xy: Array, score: Array, affinity: Array, share: Array, bones: Sequence[Bone]) -> None:
    K, M = score.shape if score.ndim == 2 else (0, 0)
    wanted = {"xy": (xy, (K, M, 2)), "affinity": (affinity, (len(bones), M, M)), "share": (share, (len(bones), M, M))}
    for name, (array, shape) in wanted.items():
        if score.ndim != 2 or array.shape != shape:
            raise ValueError(
                f"people are grouped image by image: with score (points, candidates) {score.shape} and {len(bones)} "
                f"bones, {name} should be {shape}, got {array.shape}; take one image of the batch"
            )
    outside = [bone for bone in bones if not all(0 <= end < K for end in bone)]
    if outside:
        raise ValueError(f"bones {outside} name points beyond the {K} that have candidates")
