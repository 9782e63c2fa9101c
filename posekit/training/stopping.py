"""Ctrl-C: finish the step, save a checkpoint, then stop the run."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Stop:
    """Defers an interrupt (Ctrl-C) while a block runs; a second one stops at once.

    Outside the main thread interrupts are not deferred.
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
        """Raise the deferred interrupt, if any.

        Raises:
            KeyboardInterrupt: there was an interrupt.
        """
        if self.asked:
            raise KeyboardInterrupt
