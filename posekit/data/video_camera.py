"""A camera of this machine, by number, opened with OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2

from posekit.data.errors import DataError
from posekit.data.video import Frame, Mark, VideoInfo

TICKS = 90_000
"""Ticks of a second."""


class Camera:
    """A camera; the time of a frame is that of its arrival, from 0.

    Args:
        number: 0 is the first camera.

    Raises:
        DataError: there is no such camera, or it gives no image.
    """

    repeatable, live = False, True

    def __init__(self, number: int) -> None:
        self.source = str(number)
        self._camera: Any = _opened(number)
        there, first = self._camera.read()
        if not there:
            self._camera.release()
            raise DataError(f"camera {number} gives no image: is another program using it?")
        rate = float(self._camera.get(cv2.CAP_PROP_FPS)) or 0.0
        self.info = VideoInfo(first.shape[0], first.shape[1], Fraction(1, TICKS), max(rate, 0.0))

    @property
    def faults(self) -> tuple[str, ...]:
        """None: a camera ends when it is stopped."""
        return ()

    def frames(self, start: Mark | None = None) -> Iterator[Frame]:
        """The frames from now on, until the camera is unplugged."""
        begin, index, last = time.monotonic(), 0, -1
        try:
            while True:
                there, image = self._camera.read()
                if not there:
                    return
                last = max(last + 1, round((time.monotonic() - begin) * TICKS))
                yield Frame(index, last, last / TICKS, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                index += 1
        finally:
            self._camera.release()


def _opened(number: int) -> Any:
    """OpenCV's camera, without its warnings.

    Raises:
        DataError: there is none of this number.
    """
    logging: Any = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        camera = cv2.VideoCapture(number)
    finally:
        logging.setLogLevel(level)
    if not camera.isOpened():
        raise DataError(
            f"no camera {number}: is it plugged in, and may this program use it? (it is taken as the number of a "
            "camera because there is no file or folder of that name)"
        )
    return camera
