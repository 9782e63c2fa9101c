"""Stages of a video that run beside each other: threads with bounded queues, and the time each stage takes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_POLL = 0.1
"""Seconds after which a waiting thread looks whether it should stop."""


class Clock:
    """Seconds that each stage was at work, not those it waited; a stage runs in one thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.frames: dict[str, int] = {}

    @contextmanager
    def __call__(self, stage: str, frames: int = 1) -> Iterator[None]:
        """Time a piece of work on some frames."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begin
            self.frames[stage] = self.frames.get(stage, 0) + frames


class ReadAhead(Generic[T]):
    """An iterator that works in a thread and waits when enough items are ready.

    Args:
        items: what is iterated over, in the thread.
        clock: counts the time as ``stage``.
        stage: name of the stage.
        ready: items in memory at most.
        drop: where nobody takes the items in time, drop the oldest instead of waiting.
    """

    def __init__(self, items: Iterator[T], clock: Clock, stage: str, ready: int, *, drop: bool = False) -> None:
        self.items, self.clock, self.stage, self.drop = items, clock, stage, drop
        self.dropped = 0
        self._queue: queue.Queue[T] = queue.Queue(ready)
        self._ended, self._stop = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"posekit-{stage}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while True:
            ended = self._ended.is_set()
            try:
                return self._queue.get(timeout=_POLL)
            except queue.Empty:
                if not ended:
                    continue
            if self._error is not None:
                raise self._error
            raise StopIteration

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self.clock(self.stage, 0):
                    item = next(self.items, None)
                if item is None:
                    break
                self.clock.frames[self.stage] += 1
                self._put(item)
        except BaseException as error:
            self._error = error
        finally:
            close = getattr(self.items, "close", None)
            if close is not None:
                close()
            self._ended.set()

    def _put(self, item: T) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL if not self.drop else 0)
                return
            except queue.Full:
                if self.drop:
                    self._drop_oldest()

    def _drop_oldest(self) -> None:
        try:
            self._queue.get_nowait()
            self.dropped += 1
        except queue.Empty:
            pass


class WriteBehind(Generic[T]):
    """A thread that does something with each item it is given, in order.

    Args:
        work: what it does.
        finish: is called in the thread after the last item, if all went well.
        abandon: is called in the thread after a fault, here or outside.
        name: of the thread.
        waiting: items in memory at most.
    """

    def __init__(
        self,
        work: Callable[[T], None],
        finish: Callable[[], None],
        abandon: Callable[[], None],
        name: str,
        waiting: int,
    ) -> None:
        self.work, self.finish, self.abandon = work, finish, abandon
        self._queue: queue.Queue[T] = queue.Queue(waiting)
        self._closed, self._stop = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"posekit-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *about: object) -> None:
        if kind is not None:
            self._stop.set()
        self._closed.set()
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        """Hand over an item; waits while enough are waiting.

        Raises:
            BaseException: what went wrong in the thread.
        """
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._queue.put(item, timeout=_POLL)
                return
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                closed = self._closed.is_set()
                try:
                    item = self._queue.get(timeout=_POLL / 5)
                except queue.Empty:
                    if closed:
                        self.finish()
                        return
                    continue
                self.work(item)
            self.abandon()
        except BaseException as error:
            self._error = error
            self.abandon()
