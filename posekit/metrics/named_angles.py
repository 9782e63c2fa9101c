"""Angles and bone lengths by name: what a user writes, and the default sets of bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posekit.geometry.skeleton import Skeleton
from posekit.words import nearest

BODY_ANGLES: dict[str, tuple[str, str, str]] = {
    "elbow": ("shoulder", "elbow", "wrist"),
    "shoulder": ("elbow", "shoulder", "hip"),
    "hip": ("shoulder", "hip", "knee"),
    "knee": ("hip", "knee", "ankle"),
    "ankle": ("knee", "ankle", "foot"),
}
"""Angles of a body at their second point, for each side; foot is the first of `FEET` that the skeleton has."""
FEET = ("big_toe", "foot_index")
EVERY = "all"
"""The word for the whole default set."""


def default_angles(skeleton: Skeleton) -> dict[str, tuple[str, str, str]]:
    """The angles of `BODY_ANGLES` whose three points the skeleton has, left before right.

    >>> from posekit.skeletons import SKELETONS
    >>> default_angles(SKELETONS["coco17"])["left_knee"]
    ('left_hip', 'left_knee', 'left_ankle')
    """
    foot = next((name for name in FEET if f"left_{name}" in skeleton.points), "foot")
    found = {}
    for name, points in BODY_ANGLES.items():
        for side in ("left", "right"):
            a, b, c = (f"{side}_{foot if point == 'foot' else point}" for point in points)
            if {a, b, c} <= set(skeleton.points):
                found[f"{side}_{name}"] = (a, b, c)
    return found


def named_angles(words: Sequence[str], skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """Angles as a user writes them, as indices of points.

    Args:
        words: "all" for `default_angles`, a name of one of these, or ``NAME=A,B,C`` for the angle at B.
        skeleton: names the points.

    Raises:
        ValueError: a name or a point is unknown, or a word is written otherwise.

    >>> from posekit.skeletons import SKELETONS
    >>> named_angles(["left_knee", "lean=left_shoulder,left_hip,left_ankle"], SKELETONS["lsp14"])
    {'left_knee': (3, 4, 5), 'lean': (9, 3, 5)}
    """
    return _named(words, default_angles(skeleton), skeleton, "angle", "A,B,C for the angle at B", 3)


def named_lengths(words: Sequence[str], skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """Lengths as a user writes them, as indices of points.

    Args:
        words: "all" for the bones of the skeleton, a name of one of these (``left_hip-left_knee``), or ``NAME=A,B``.
        skeleton: names the points.

    Raises:
        ValueError: a name or a point is unknown, or a word is written otherwise.
    """
    bones = {f"{a}-{b}": (a, b) for a, b in skeleton.bones}
    return _named(words, bones, skeleton, "length", "A,B", 2)


def _named(
    words: Sequence[str],
    known: Mapping[str, tuple[str, ...]],
    skeleton: Skeleton,
    what: str,
    form: str,
    size: int,
) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for word in words:
        name, _, listed = word.partition("=")
        if word == EVERY:
            if not known:
                raise ValueError(
                    f"the points {', '.join(skeleton.points[:6])} of {skeleton.name!r} have no known {what}s: write "
                    f"NAME={form}, or name the points with --points"
                )
            chosen = dict(known)
        elif listed:
            chosen = {name.strip(): tuple(point.strip() for point in listed.split(","))}
            if not name.strip() or len(chosen[name.strip()]) != size:
                raise ValueError(f"{what} {word!r}: expected NAME={form}, {size} points")
        elif word in known:
            chosen = {word: known[word]}
        else:
            raise ValueError(f"{nearest(word, list(known), what)}; or write NAME={form}")
        for key, points in chosen.items():
            unknown = [point for point in points if point not in skeleton.points]
            if unknown:
                raise ValueError(f"{what} {key!r}: {nearest(unknown[0], list(skeleton.points), 'point')}")
            if len(set(points)) < size:
                raise ValueError(f"{what} {key!r}: a point stands twice in {', '.join(points)}")
            found[key] = skeleton.index(points)
    return found
