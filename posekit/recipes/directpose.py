"""DirectPose. Tian et al. 2019, arXiv:1911.07451."""

from __future__ import annotations

from itertools import pairwise

from posekit.codecs.one_stage.directpose import DirectPose
from posekit.geometry.skeleton import Skeleton
from posekit.losses.classes import Bce, SigmoidFocal
from posekit.losses.offsets import Offset
from posekit.models.heads.one_stage.directpose import DirectPoseHead
from posekit.models.onestage import OneStage
from posekit.recipes.fcos import pyramid, strides_of, suppressed
from posekit.recipes.onestage import Form, Parts

HEAD = ("nose", "eye", "ear", "mouth", "head", "neck")
"""Words in the names of points that move with the head."""

MOST = 16
"""Largest number of groups."""


def directpose(skeleton: Skeleton, form: Form) -> Parts:
    """DirectPose: points from features sampled near them; the tiny form has fewer channels."""
    neck = pyramid(form)
    groups = groups_of(skeleton)
    head = DirectPoseHead(groups=groups, width=16, channels=64, convs=2, side=64) if form.tiny else None
    return Parts(
        codec=DirectPose(points=len(skeleton.points), size=form.size, strides=strides_of(neck)),
        model=OneStage(size=form.size, backbone=form.backbone, neck=neck, head=head or DirectPoseHead(groups=groups)),
        losses={
            "class": SigmoidFocal(),
            "centreness": Bce(),
            "points": Offset(of="points", smooth=1 / 9),
            "peaks": SigmoidFocal(of="peaks", weight=4.0),
        },
        nms=suppressed(),
    )


def groups_of(skeleton: Skeleton) -> tuple[tuple[int, ...], ...]:
    """Groups of points that move together: the head, the last two points of each chain, and all others alone.

    If that gives more than sixteen groups, the connected parts of the skeleton are the groups or, if these are too many
    too, consecutive points.

    Returns:
        Point indices of each group, each point once; groups are sorted by their first point.
    """
    names, count = skeleton.points, len(skeleton.points)
    head = [k for k, name in enumerate(names) if any(word in name.lower().split("_") for word in HEAD)]
    # In a face all points belong to the head, which would be one group.
    head = head if len(head) < count else []
    near = _neighbours(skeleton.edges, count)
    ends = [(k, *near[k]) for k in range(count) if len(near[k]) == 1 and k not in head]
    bones = [pair for pair in ends if len(near[pair[1]]) == 2 and pair[1] not in head]
    groups = [*([head] if head else []), *bones]
    taken = [k for group in groups for k in group]
    if len(taken) != len(set(taken)) or len(groups) + count - len(taken) > MOST:
        groups = [*_parts(near)]
        taken = [k for group in groups for k in group]
    groups = [*groups, *([k] for k in range(count) if k not in taken)]
    if len(groups) > MOST:
        steps = [count * n // MOST for n in range(MOST + 1)]
        groups = [range(a, b) for a, b in pairwise(steps)]
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def _neighbours(edges: tuple[tuple[int, int], ...], count: int) -> list[set[int]]:
    near: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges:
        near[a].add(b)
        near[b].add(a)
    return near


def _parts(near: list[set[int]]) -> list[list[int]]:
    """Connected components of the skeleton."""
    parts: list[list[int]] = []
    for first in range(len(near)):
        if any(first in part for part in parts):
            continue
        part, ahead = {first}, [first]
        while ahead:
            new = near[ahead.pop()] - part
            part |= new
            ahead += new
        parts.append(sorted(part))
    return parts
