"""One labelled image, or a crop of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Instances


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image and what is true of it, in the image's own pixels.

    Args:
        image: (H, W, 3) uint8 RGB, upright.
        instances: arrays (N, ...), NumPy; points and boxes float32.
        path: of the image's file, for messages.
        image_id: of the image in its label file.
        to_source: (3, 3) float64, pixels of this image to pixels of the file.
        ignore: (M, 4) float32 boxes of regions to ignore, which count neither way.
        index: position in the data set it came from; -1 where there is none.
    """

    image: NDArray[np.uint8]
    instances: Instances
    path: str
    image_id: int
    to_source: NDArray[np.float64]
    ignore: NDArray[np.float32]
    index: int = -1
