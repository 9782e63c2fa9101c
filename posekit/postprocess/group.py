"""People put together from candidates for their points: OpenPose's greedy grouping."""

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
    """Candidate ``start`` of a bone's first point joined with candidate ``end`` of its second."""

    bone: Bone
    start: int
    end: int
    affinity: float


@dataclass(slots=True, eq=False)
class Person:
    """Candidate of each point that was found."""

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
    """Put the people of one image together.

    For each bone the two candidates that fit best are joined, then the best two of the others, and so on. The links of
    all bones, strongest first, then make people: a link adds a point to a person or joins two people, and is dropped
    where that would give somebody two of one point. A candidate without a link belongs to nobody, and a person without
    any link between two parts becomes two.

    Args:
        xy: (K, M, 2) locations of candidates; kept as they are, so in any frame.
        score: (K, M) in [0, 1]; 0 is no candidate.
        affinity: (bones, M, M) how well candidate i of a bone's first point fits candidate j of its second.
        share: (bones, M, M) share of the line between them that agrees.
        bones: pairs of points.
        min_affinity: of a link; what does not exceed it is none.
        min_share: of a link.
        fewest: points of a person; who has fewer is left out.

    Returns:
        Poses (N, K) of NumPy arrays, the highest instance score first. A missing point has score 0 and lies in the
        middle of those found. The instance score is the mean score over all K points, so that of two equally clear
        people the more complete one is first.

    Raises:
        ValueError: the shapes do not belong together.

    Source: OpenPose, arXiv:1812.08008, section 3.3. Differs: people are made from the strongest link on, not bone after
    bone; two people who share a point are never joined; the length of a bone costs nothing.
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
    """Join the candidates of a bone's two ends, the best pair first, each at most once.

    Args:
        bone: pair of points.
        affinity: (M, M).
        fits: (M, M) bool: which pairs may be joined.

    Returns:
        Links, strongest first; of equal pairs the one with the lower numbers.
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
    """Make people from links, the strongest first and of equal ones the first given.

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
    # An index of -1 would be the last candidate, so what is missing reads the first and is overwritten.
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
