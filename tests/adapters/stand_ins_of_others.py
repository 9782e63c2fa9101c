"""Objects with the documented attributes of other libraries, which the tests do not install."""

from dataclasses import dataclass, field, make_dataclass
from types import SimpleNamespace

import numpy as np


class Tensor:
    """A tensor on a device: it must be detached and moved before it is an array."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def detach(self):
        return SimpleNamespace(cpu=lambda: SimpleNamespace(numpy=lambda: self.values))

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert a tensor on a device to numpy")


def ultralytics_result(xy, conf=None, boxes=None):
    """A result of a pose model: ``keypoints`` with ``xy``, ``conf``, ``data``; ``boxes``."""
    keypoints = SimpleNamespace(xy=Tensor(xy), conf=None if conf is None else Tensor(conf), data=Tensor(xy))
    return SimpleNamespace(keypoints=keypoints, boxes=boxes, names={0: "person"})


def ultralytics_boxes(xyxy, conf, cls, ids=None):
    return SimpleNamespace(
        xyxy=Tensor(xyxy), conf=Tensor(conf), cls=Tensor(cls), id=None if ids is None else Tensor(ids)
    )


@dataclass
class Landmark:
    """A normalised landmark of MediaPipe's tasks."""

    x: float
    y: float
    z: float | None = None
    visibility: float | None = None
    presence: float | None = None


class Message:
    """A landmark of MediaPipe's solutions: a message that says 0 for what it was never told."""

    def __init__(self, x, y, z, visibility=None):
        self.x, self.y, self.z = x, y, z
        self.told = visibility is not None
        self.visibility = visibility or 0.0

    def HasField(self, name):  # noqa: N802
        return self.told


_ARRAYS = ("xy", "class_id", "confidence")
OldKeyPoints = make_dataclass(
    "OldKeyPoints",
    [
        *((name, np.ndarray | None, field(default=None)) for name in _ARRAYS),
        ("data", dict, field(default_factory=dict)),
    ],
)
"""supervision's KeyPoints before 0.29."""


@dataclass
class NewKeyPoints:
    """supervision's KeyPoints from 0.32, without the old name."""

    xy: np.ndarray
    class_id: np.ndarray | None = None
    keypoint_confidence: np.ndarray | None = None
    detection_confidence: np.ndarray | None = None
    visible: np.ndarray | None = None
    data: dict = field(default_factory=dict)
