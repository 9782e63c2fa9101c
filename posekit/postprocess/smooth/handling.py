"""What all filters share: which points count, how long a gap is filled, and when a filter starts anew."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Handling:
    """Settings of the part that all filters share.

    A point counts if it is finite and its score exceeds ``min_score``. One that does not, or that is rejected as an
    outlier, is predicted: for ``fill`` seconds it is marked in `Poses.filled`, and its last score falls linearly to 0;
    after that it keeps its last location with score 0 and is not marked. Lengths are fractions of the object's size,
    the mean of width and height of its box (without boxes: of the box around its points), smoothed over half a second.
    """

    min_score: float = Field(default=0.0, ge=0, lt=1)
    "points whose score does not exceed this are missing"
    fill: float = Field(default=0.2, ge=0)
    "missing points are filled in for so long, seconds"
    gap: float = Field(default=0.5, gt=0)
    "a point or an instance that was missing for longer starts anew, seconds"
    jump: float | None = Field(default=0.5, gt=0)
    "an instance starts anew if the median of its points moves further in one frame, fraction of its size; unset: never"
    outlier: float | None = Field(default=0.25, gt=0)
    "a point that moves further than this in one frame is rejected, fraction of the object's size; unset: never"
    patience: int = Field(default=2, ge=0)
    "so many frames a point is rejected; if it stays where it jumped to, it then starts anew there"
