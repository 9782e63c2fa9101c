"""Batches for tests of codecs: people as boxes with points inside."""

import numpy as np
import torch

from posekit.geometry.keypoints import EMPTY, IGNORE, INSTANCE, Instances, Keypoints
from posekit.postprocess.nms import box_nms

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


def laid(levels, row, name):
    """A row (B, C, L) as the maps of its levels."""
    parts = row.split(levels.counts, -1)
    return {
        key: part.unflatten(-1, grid.shape)
        for key, part, grid in zip(levels.named(name), parts, levels.grids, strict=True)
    }


def perfect(codec, target):
    """Raw maps of a perfect detector; background cells have a score near 0."""
    values, levels = target.maps, codec.levels
    maps = laid(levels, 20 * values["class"] - 10, "class")
    maps |= laid(levels, values["centreness"].clamp(1e-6, 1 - 1e-6).logit(), "centreness")
    if "box" in values:
        maps |= laid(levels, values["box"] / levels.scale(values["box"]), "box")
    if "points" in values:
        maps |= laid(levels, values["points"], "points")
    return maps


def thinned(poses, image, threshold=0.6, least=0.05):
    """One image's poses after non-maximum suppression."""
    one = poses.each(lambda a: a[image].numpy()).above(least)
    kept = box_nms(one.boxes, one.instance_score, threshold=threshold)
    return one.each(lambda a: a[kept])


def people(instances, image):
    """Boxes (n, 4) and points (n, K, 2) of those who are there."""
    there = instances.role[image] == INSTANCE
    return instances.boxes[image][there].numpy(), instances.keypoints.xy[image][there].numpy()


def matched(found, truth):
    """Distance of each true pose (n, K, 2) to the nearest found one, over all its points."""
    return np.abs(found[:, None] - truth[None]).max((2, 3)).min(0)
