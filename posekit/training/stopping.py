"""Ctrl-C in the middle of a step: the step is finished and saved, then the run stops."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Stop:
    """Waits for an interrupt while a block runs; a second one stops at once.

    Outside the main thread nothing is caught, and an interrupt stops at once.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._caught)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def raise_if_asked(self) -> None:
        """End the run where an interrupt came.

        Raises:
            KeyboardInterrupt: one came.
        """
        if self.asked:
            raise KeyboardInterrupt
