"""Synthetic people with depths: a perspective camera with a light beside it: near parts are large and bright."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posekit.data.articulation import Articulation
from posekit.data.painting import point_colours, point_radius
from posekit.geometry.keypoints import Instances
from posekit.studies.discs import SIDE, labels
from posekit.studies.people import SKELETON

Float = NDArray[np.floating]
Image = NDArray[np.uint8]

MILLIMETRES = 850.0
"""Of a person unit, half the height of a person."""
CAMERA = 3.0
"""Distance of the camera from the person's centre, person units."""
YAW, ROLL = 40.0, 15.0
"""Largest rotation about the vertical axis and in the image, degrees."""
PIECES = 4
"""Parts of a bone, each with its own depth, size and brightness."""
THICKNESS = 0.13
"""Of a bone, person units."""
SHIFT = 4
"""Fractional bits of a pixel in OpenCV's drawing functions."""


@dataclass(frozen=True, slots=True, eq=False)
class DeepPeople:
    """Images of one person each.

    Args:
        images: (B, 3, 64, 64) floating point in 0..255.
        points: (B, K, 3) x and y in image pixels, depth in millimetres away from the camera, from the person's centre.
    """

    images: Tensor
    points: Tensor


def deep_people(count: int, seed: int) -> DeepPeople:
    """People that depend on the seed and their number alone; all points lie within the image."""
    body = Articulation.of(SKELETON)
    made = [_person(body, np.random.default_rng([seed, number])) for number in range(count)]
    images = np.stack([image for image, _ in made]).transpose(0, 3, 1, 2)
    points = np.stack([points for _, points in made])
    return DeepPeople(torch.from_numpy(images).float(), torch.from_numpy(points).float())


def deep_labels(points: Tensor, known: Tensor) -> Instances:
    """Labels of one person in each image.

    Args:
        points: (B, K, 3) as in `DeepPeople`.
        known: (B,) bool, images whose depths are known.
    """
    made = labels(points[..., :2])
    depth = torch.where(known[:, None], points[..., 2], 0.0)[:, None]
    deep = known[:, None, None].expand_as(depth)
    return replace(made, keypoints=replace(made.keypoints, depth=depth, depth_known=deep))


def _person(body: Articulation, rng: np.random.Generator) -> tuple[Image, Float]:
    """(H, W, 3) image and (K, 3) points."""
    flat, away = body.pose(rng.random((1, 3, len(SKELETON.points))))
    solid = turned(np.concatenate([flat[0], away[0][:, None]], -1), *np.deg2rad((2 * rng.random(2) - 1) * (YAW, ROLL)))
    near = CAMERA / (CAMERA + solid[:, 2])
    plane = solid[:, :2] * near[:, None]
    low, high = plane.min(0), plane.max(0)
    scale = (0.6 + 0.25 * rng.random()) * SIDE / float((high - low).max())
    room = (SIDE - scale * (high - low)) / 2 - 0.04 * SIDE
    centre = SIDE / 2 + np.maximum(room, 0) * (2 * rng.random(2) - 1)
    xy = (plane - (low + high) / 2) * scale + centre
    image = _background(rng)
    _figure(image, xy, solid[:, 2], scale, body, rng)
    return image, np.concatenate([xy, MILLIMETRES * solid[:, 2:]], -1)


def turned(solid: Float, yaw: float, roll: float) -> Float:
    """(K, 3) points turned about the vertical axis, then in the image plane; radians."""
    c, s = np.cos(yaw), np.sin(yaw)
    x, y, z = solid.T
    x, z = c * x + s * z, c * z - s * x
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * x - s * y, s * x + c * y, z], -1)


def _background(rng: np.random.Generator) -> Image:
    """Dark, smooth and coloured."""
    coarse = rng.integers(10, 90, (int(rng.integers(2, 6)), int(rng.integers(2, 6)), 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _figure(image: Image, xy: Float, away: Float, scale: float, body: Articulation, rng: np.random.Generator) -> None:
    """Draw a person, the farthest parts first.

    Args:
        image: changed.
        xy: (K, 2) pixels.
        away: (K,) depth in person units.
        scale: pixels for a person unit at the person's centre.
        body: how the person is built.
        rng: of colours and noise.
    """
    cloth = rng.uniform(120, 150) * rng.uniform(0.9, 1.1, 3)
    looks = 0.65 * np.array(point_colours(body, rng), np.float64)
    parts: list[tuple[float, int, int]] = [(float(depth) - 0.02, -1, k) for k, depth in enumerate(away)]
    along = (np.arange(PIECES) + 0.5) / PIECES
    for number, (a, b) in enumerate(body.bones.tolist()):
        parts += [(float(away[a] + t * (away[b] - away[a])), number, piece) for piece, t in enumerate(along)]
    if body.torso:
        parts.append((float(away[list(body.torso)].mean()) + 0.02, -2, 0))
    for depth, kind, at in sorted(parts, reverse=True):
        near = CAMERA / (CAMERA + depth)
        bone = THICKNESS * scale * near
        if kind == -1:
            colour, radius = looks[at] * near**2, round(float(point_radius(bone)) * (1 << SHIFT))
            cv2.circle(image, _fixed(xy[at]), radius, _rgb(colour), -1, cv2.LINE_AA, SHIFT)
        elif kind == -2:
            corners = np.array([_fixed(xy[k]) for k in body.torso], np.int32)
            cv2.fillConvexPoly(image, corners, _rgb(cloth * near**2), cv2.LINE_AA, SHIFT)
        else:
            a, b = xy[body.bones[kind]]
            start, end = (_fixed(a + (b - a) * t) for t in (at / PIECES, (at + 1) / PIECES))
            cv2.line(image, start, end, _rgb(cloth * near**2), max(1, round(bone)), cv2.LINE_AA, SHIFT)
    noise = rng.integers(-6, 7, image.shape)
    image[:] = np.clip(image.astype(np.int64) + noise, 0, 255).astype(np.uint8)


def _fixed(xy: Float) -> tuple[int, int]:
    """A location for OpenCV, whose pixel centres are whole numbers."""
    x, y = np.rint((xy - 0.5) * (1 << SHIFT)).astype(int).tolist()
    return x, y


def _rgb(colour: Float) -> tuple[float, ...]:
    return tuple(float(value) for value in np.clip(colour, 0, 255))
