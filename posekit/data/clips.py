"""`Clip`: the poses of a clip as a file has them, with all else that the file says, so that it can be written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.errors import DataError, listed
from posekit.data.known_skeletons import known_skeleton
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton, infer_skeleton
from posekit.skeletons import SKELETONS

Float = NDArray[np.float64]
FPS = 30.0
"""Frames a second of a file that has no times, if nobody says otherwise."""
DECIMALS = 6
"""Decimals of numbers that are written; those that did not change are written as they came."""
_SAME = 1e-9
"""Numbers that differ by less are the same one, in or out of another frame."""
_FURTHEST_GAP = 10
"""Frame numbers that spread over more than so many times the number of frames are no count of frames."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Poses over time, F frames in their order.

    A missing point has score 0 and a finite location without meaning. Locations are continuous pixels: the centre of
    the first is (0.5, 0.5), whatever the file says.

    Args:
        skeleton: names the K points.
        frames: `Poses` (N, K) of each frame, float64 NumPy arrays; all frames with instances have ``ids``, or none.
        numbers: (F,) number of each frame, from 0, increasing; frames without instances may be left out.
        times: (F,) seconds, increasing; ``None``: the file has none.
        heads: what the file says about each frame, for its writer.
        records: what the file says about each instance, for its writer; ``None`` for one that it does not have.
        source: what else the file says, for its writer.
        notes: sentences on what was assumed.
    """

    skeleton: Skeleton
    frames: tuple[Poses, ...]
    numbers: NDArray[np.int64]
    times: Float | None
    heads: tuple[Any, ...]
    records: tuple[tuple[Any, ...], ...]
    source: Any = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def has_ids(self) -> bool:
        """Whether every instance has an id; false without instances."""
        some = [poses for poses in self.frames if len(poses)]
        return bool(some) and all(poses.ids is not None for poses in some)

    def clock(self, fps: float | None = None) -> Float:
        """(F,) seconds of each frame: by the frames a second if given, else the file's, else by `FPS`.

        Raises:
            ValueError: ``fps`` is not a positive number.
        """
        if fps is not None and not 0 < fps < np.inf:
            raise ValueError(f"frames a second must be a positive number; got {fps}: give --fps 30")
        if fps is None and self.times is not None:
            return self.times
        return self.numbers / (fps or FPS)

    def with_frames(self, frames: Sequence[Poses]) -> Clip:
        """The clip with other poses; records follow their instances.

        Args:
            frames: for each frame; an instance has the record of the one with its id in the old frame, or, if the old
                frame has no ids, that of the one with the same points.

        Raises:
            ValueError: the number of frames differs.
        """
        if len(frames) != len(self):
            raise ValueError(f"expected poses of {len(self)} frames; got {len(frames)}")
        moved = zip(self.frames, frames, self.records, strict=True)
        records = tuple(tuple(_records(old, new, known)) for old, new, known in moved)
        return replace(self, frames=tuple(frames), records=records)


def _records(old: Poses, new: Poses, known: Sequence[Any]) -> Iterable[Any]:
    """The record of each new instance."""
    if not len(old) or not len(new):
        return [None] * len(new)
    if old.ids is not None and new.ids is not None:
        same = np.asarray(new.ids)[:, None] == np.asarray(old.ids)
    else:
        same = (np.asarray(new.xy)[:, None] == np.asarray(old.xy)).all((-1, -2))
        same &= (np.asarray(new.score)[:, None] == np.asarray(old.score)).all(-1)
    rows = np.where(same.any(1), same.argmax(1), -1)
    return [known[row] if row >= 0 else None for row in rows.tolist()]


def skeleton_of(
    file: Path, count: int, names: Sequence[str] | None = None, asked: Skeleton | None = None
) -> tuple[Skeleton, tuple[str, ...]]:
    """The skeleton of a file's points, and notes on what was assumed.

    Args:
        file: for messages.
        count: number of points.
        names: of the points, where the file has them.
        asked: the skeleton that the user named.

    Raises:
        DataError: the skeleton asked for has another number of points, or names repeat.
    """
    if asked is not None:
        if len(asked.points) != count:
            raise DataError(
                f"{file}: has {count} points, --points gives {len(asked.points)} ({listed(asked.points)}): name all "
                "points of the file, in its order"
            )
        return asked, ()
    if names is not None:
        known = known_skeleton(names)
        if known is not None and known.points == tuple(names):
            return known, ()
        try:
            return infer_skeleton(file.stem or "clip", names, known=known)[0], ()
        except ValueError as error:
            raise DataError(f"{file}: {error}") from None
    if count == len(SKELETONS["coco17"].points):
        return SKELETONS["coco17"], ("17 points without names: taken for COCO's; --points gives others",)
    points = tuple(f"point_{number}" for number in range(1, count + 1))
    note = f"{count} points without names: called point_1 to point_{count}; --points gives names"
    return Skeleton(name="points", points=points), (note,)


def poses_of(xy: Float, score: Float, instance_score: Float | None = None, **more: Any) -> Poses:
    """`Poses` of a frame, missing points made sound.

    Args:
        xy: (N, K, 2) continuous pixels; not finite where missing.
        score: (N, K); below 0 and NaN count as 0, above 1 as 1.
        instance_score: (N,); ``None``, or NaN: the mean score of the points that are there.
        more: further fields of `Poses`.
    """
    score = np.clip(np.nan_to_num(score, nan=0.0, posinf=1.0), 0, 1)
    there = np.asarray(np.isfinite(xy).all(-1))
    score = np.where(there, score, 0.0)
    if instance_score is None:
        instance_score = np.full(len(xy), np.nan)
    mean = score.sum(-1) / np.maximum((score > 0).sum(-1), 1)
    whole = np.where(np.isfinite(instance_score), instance_score, mean)
    return Poses(np.where(there[..., None], xy, 0.0), score, whole, **more)


def missing(poses: Poses) -> NDArray[np.bool_]:
    """(N, K) points without a location: score 0 and not filled in, or not finite."""
    lost = ~np.asarray(np.isfinite(poses.xy).all(-1))
    empty = np.asarray(poses.score) <= 0
    return np.asarray(lost | (empty if poses.filled is None else empty & ~np.asarray(poses.filled, bool)))


def as_before(values: Float, before: Any, shift: float = 0.0) -> Float:
    """Values as a file wants them: what came where it did not change, else rounded to `DECIMALS`.

    Args:
        values: new ones, continuous.
        before: as the file had them, broadcastable to ``values``; NaN where it had none.
        shift: what the reader added.
    """
    old = np.asarray(before, np.float64)
    same = np.isclose(old + shift, values, rtol=0, atol=_SAME)
    return np.where(same, old, np.round(np.asarray(values, np.float64) - shift, DECIMALS))


def points_as_before(poses: Poses, row: int, before: Float, shift: float, blank: float) -> Float:
    """(K, 3) x, y, score of an instance as a file wants them; what did not change is as it came.

    Args:
        poses: of the frame.
        row: of the instance.
        before: (K, 3) as the file had them, NaN where it had none.
        shift: what the reader added to x and y.
        blank: x, y and score of a point that is missing now and was not before.
    """
    xy, score, gone = poses.xy[row], np.asarray(poses.score[row], np.float64), missing(poses)[row]
    known = np.clip(np.nan_to_num(before[:, 2], nan=0.0, posinf=1.0), 0, 1)
    same = np.isclose(known, score, rtol=0, atol=_SAME) & np.isfinite(before[:, 2])
    kept = np.where(same, before[:, 2], np.round(score, DECIMALS))
    new = np.concatenate([as_before(xy, before[:, :2], shift), kept[:, None]], 1)
    empty = ~(np.isfinite(before[:, :2]).all(1) & (known > 0))
    nothing = np.where((empty & np.isfinite(before).any(1))[:, None], before, blank)
    return np.where(gone[:, None], nothing, new)


def numbered(values: Sequence[int]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(F,) frame numbers from 0 for increasing numbers of a file, such as image ids, and notes.

    The smallest common step is one frame, so that gaps are frames without instances.

    >>> numbered([7, 9, 13])[0].tolist()
    [0, 1, 3]
    """
    given = np.asarray(values, np.int64)
    if len(given) < 2:
        return np.zeros(len(given), np.int64), ()
    frames = (given - given[0]) // np.gcd.reduce(np.diff(given))
    if frames[-1] > _FURTHEST_GAP * len(given):
        note = f"frames are numbered {given[0]} to {given[-1]}, which counts no frames: taken one after another"
        return np.arange(len(given)), (note,)
    return frames, ()


def last_number(name: str) -> int | None:
    """The last number in a name, which counts frames.

    >>> last_number("clip2_000000000012"), last_number("frame")
    (12, None)
    """
    digits = re.findall(r"[0-9]{1,18}", name)
    return int(digits[-1]) if digits else None


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts names as people count: frame9 before frame10."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def unique_ids(file: Path, where: str, ids: Sequence[int]) -> None:
    """Refuse an id that occurs twice in a frame.

    Raises:
        DataError: one does.
    """
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise DataError(f"{file}: {where} has more than one instance with id {listed(twice)}; an id is one instance")


def example(clip: Clip) -> Mapping[int, Any]:
    """A record of each id, for instances that the file does not have."""
    found: dict[int, Any] = {}
    for poses, records in zip(clip.frames, clip.records, strict=True):
        if poses.ids is not None:
            for one, record in zip(np.asarray(poses.ids).tolist(), records, strict=True):
                if record is not None:
                    found.setdefault(int(one), record)
    return found


def written(file: Path, text: str) -> None:
    """Write a file that appears when it is complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
