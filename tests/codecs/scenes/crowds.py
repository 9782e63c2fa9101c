"""Scenes to try codecs on: people as boxes with points inside."""

import torch

from posekit.geometry.keypoints import EMPTY, IGNORE, INSTANCE, Instances, Keypoints

POINTS = 5
MIRROR = (0, 2, 1, 4, 3)
"""Order of the points in a mirrored image."""
SPREAD = torch.tensor([(0.5, 0.1), (0.3, 0.35), (0.7, 0.4), (0.25, 0.9), (0.8, 0.85)], dtype=torch.float64)
"""Where the points lie in a box, in its sides."""


def scene(*images, dtype=torch.float64, unknown=(), ignored=()):
    """People of each image by their boxes (x0, y0, x1, y1), padded with empty slots.

    Args:
        images: boxes of each.
        dtype: of the numbers.
        unknown: (image, person, point) that are not labelled.
        ignored: (image, person) that are regions to ignore.
    """
    slots = max(1, *(len(boxes) for boxes in images))
    corners = torch.zeros(len(images), slots, 4, dtype=dtype)
    role = torch.full((len(images), slots), EMPTY)
    for number, boxes in enumerate(images):
        corners[number, : len(boxes)] = torch.tensor(boxes, dtype=dtype).reshape(-1, 4)
        role[number, : len(boxes)] = INSTANCE
    for image, person in ignored:
        role[image, person] = IGNORE
    size = corners[..., 2:] - corners[..., :2]
    visibility = torch.where((role == INSTANCE)[..., None], 2, 0).repeat(1, 1, POINTS)
    for image, person, point in unknown:
        visibility[image, person, point] = 0
    return Instances(
        keypoints=Keypoints(corners[:, :, None, :2] + size[:, :, None] * SPREAD.to(dtype), visibility),
        boxes=corners,
        area=size.prod(-1),
        category=torch.zeros(len(images), slots, dtype=torch.long),
        role=role,
    )


def mirrored(instances, width):
    """The same people in the mirrored image."""
    x0, y0, x1, y1 = instances.boxes.unbind(-1)
    points = instances.keypoints
    xy = torch.stack((width - points.xy[..., 0], points.xy[..., 1]), -1)[:, :, list(MIRROR)]
    return Instances(
        keypoints=Keypoints(xy, points.visibility[:, :, list(MIRROR)]),
        boxes=torch.stack((width - x1, y0, width - x0, y1), -1),
        area=instances.area,
        category=instances.category,
        role=instances.role,
    )


def moved(instances, x, y):
    """The same people elsewhere."""
    step = instances.boxes.new_tensor((x, y))
    points = instances.keypoints
    return Instances(
        keypoints=Keypoints(points.xy + step, points.visibility),
        boxes=instances.boxes + step.repeat(2),
        area=instances.area,
        category=instances.category,
        role=instances.role,
    )
