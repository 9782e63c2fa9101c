"""A folder of images as a video: in natural order, at a given rate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from posekit.data.errors import DataError
from posekit.data.image import read_image
from posekit.data.image_files import SUFFIXES
from posekit.data.video import Frame, Mark, VideoInfo


def natural(name: str | Path) -> list[tuple[int, int, str]]:
    """A key that sorts numbers in names by value: frame2 before frame10.

    >>> sorted(["f10.png", "f2.png", "F1.png"], key=natural)
    ['F1.png', 'f2.png', 'f10.png']
    """
    parts = re.findall(r"(\d+)|(\D+)", str(name).lower())
    return [(0, int(number), "") if number else (1, 0, text) for number, text in parts]


class ImageFolder:
    """The images in a folder, one frame each; images that cannot be read are left out, and their time with them.

    Args:
        folder: with the images; folders in it are not searched.
        rate: frames a second.

    Raises:
        DataError: there is no image that can be read.
        ValueError: the rate is not above 0.
    """

    repeatable, live = True, False

    def __init__(self, folder: Path, rate: float) -> None:
        if not rate > 0:
            raise ValueError(f"frames a second must be above 0; got {rate:g}")
        self.source, self.folder, self.rate = str(folder), folder, rate
        self.files = sorted(
            (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()),
            key=lambda file: natural(file.name),
        )
        if not self.files:
            raise DataError(f"{folder}: no image there (looked for {', '.join(SUFFIXES)})")
        self._faults: dict[Path, str] = {}
        first = next(self.frames(), None)
        if first is None:
            raise DataError(f"{folder}: none of its {len(self.files)} images could be read: {self.faults[0]}")
        height, width = first.image.shape[:2]
        base = 1 / Fraction(rate).limit_denominator(100_000)
        self.info = VideoInfo(height, width, base, rate, len(self.files))

    def __repr__(self) -> str:
        return f"ImageFolder({self.source}: {len(self.files)} images, {self.rate:g} frames a second)"

    @property
    def faults(self) -> tuple[str, ...]:
        """Images that could not be read so far."""
        return tuple(self._faults.values())

    def frames(self, start: Mark | None = None) -> Iterator[Frame]:
        """The images; the time of each is its position in the folder divided by the rate."""
        start = start or Mark()
        index = start.index
        for position in range(start.pts if start.pts is not None else start.index, len(self.files)):
            file = self.files[position]
            try:
                image = read_image(file)
            except DataError as error:
                self._faults[file] = str(error)
                continue
            yield Frame(index, position, position / self.rate, image)
            index += 1
