"""A sample whose image can show where one of its points is: a bright dot, centred on an integer pixel."""

import numpy as np

from posekit.data.sample import Sample
from posekit.geometry.keypoints import INSTANCE, Instances, Keypoints
from posekit.geometry.skeleton import Skeleton

BODY = Skeleton(
    name="body",
    points=("nose", "left_hand", "right_hand", "left_knee", "right_knee"),
    mirror=(("left_hand", "right_hand"), ("left_knee", "right_knee")),
    bones=(("nose", "left_hand"), ("nose", "right_hand"), ("left_hand", "left_knee"), ("right_hand", "right_knee")),
)
HEIGHT, WIDTH = 90, 110
# Integer pixels k; a point in the middle of one is k + 0.5.
PIXELS = np.array([[[55, 20], [72, 38], [38, 41], [66, 70], [45, 68]], [[5, 6], [9, 8], [2, 11], [14, 30], [12, 50]]])


def dotted(point: int = 0, visibility: int = 2) -> Sample:
    """Two instances; the dot stands at ``point`` of instance 0."""
    x, y = np.arange(WIDTH), np.arange(HEIGHT)
    cx, cy = PIXELS[0, point]
    dot = np.exp(-((x - cx) ** 2)[None] / 4.5 - ((y - cy) ** 2)[:, None] / 4.5)
    image = np.repeat((dot * 255).round().astype(np.uint8)[..., None], 3, axis=-1)
    keypoints = Keypoints(
        xy=(PIXELS + 0.5).astype(np.float32),
        visibility=np.full((2, 5), visibility),
        depth=np.arange(10, dtype=np.float32).reshape(2, 5),
        depth_known=np.ones((2, 5), bool),
    )
    instances = Instances(
        keypoints=keypoints,
        boxes=np.array([[30, 12, 82, 80], [1, 2, 20, 60]], np.float32),
        area=np.array([1500, 700], np.float32),
        category=np.zeros(2, np.int64),
        role=np.full(2, INSTANCE),
    )
    ignore = np.array([[0, 0, 10, 20], [90, 5, 100, 15], [3, 60, 30, 88]], np.float32)
    return Sample(image=image, instances=instances, path="a/b.png", image_id=7, to_source=np.eye(3), ignore=ignore)


def centroid(image: np.ndarray) -> np.ndarray:
    """Continuous (x, y) of the brightness of an image."""
    light = image[..., 0].astype(float)
    assert light.sum() > 500, "the dot left the picture"
    x, y = np.arange(light.shape[1]) + 0.5, np.arange(light.shape[0]) + 0.5
    return np.array([(light.sum(0) * x).sum(), (light.sum(1) * y).sum()]) / light.sum()
