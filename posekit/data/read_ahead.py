"""Read images in a separate thread while the network processes earlier ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import ImageRecord


def read_ahead(records: Iterable[ImageRecord], ahead: int = 8) -> Iterator[NDArray[np.uint8]]:
    """Images in the order of their records, read at most ``ahead`` in advance.

    Args:
        records: of any set.
        ahead: images in memory besides the one in use.

    Yields:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: an image cannot be read.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[NDArray[np.uint8]]] = deque()
        try:
            for record in records:
                waiting.append(pool.submit(record.read))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
