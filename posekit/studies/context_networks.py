"""Networks that learn synthetic people, and what they find with a point hidden or on another background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posekit.studies.context_photos import KINDS, SIZES, kind_of
from posekit.studies.discs import Draw, train
from posekit.studies.parts import part
from posekit.studies.people import SKELETON, PersonLearner, drawing, outlines, people, small_recipe
from posekit.studies.squares import box_of, elsewhere, filled, longer_side

TRAININGS = ("as it is", "with hidden points")
TRAINED = 512
"""Images in training."""
CLOSE = 5.0
"""Pixels within which a point counts as found."""


def points_of(kind: str) -> list[int]:
    """Indices of the points of a kind."""
    found: list[int] = np.flatnonzero(kind_of(SKELETON.points) == list(KINDS).index(kind)).tolist()
    return found


def by_kind(error: Tensor) -> dict[str, float]:
    """Mean of (B, K) errors over the points of each kind, and of all kinds."""
    found = {kind: float(error[:, points_of(kind)].mean()) for kind in KINDS}
    chosen = [k for kind in KINDS for k in points_of(kind)]
    return {**found, "all": float(error[:, chosen].mean())}


def hiding(draw: Draw) -> Draw:
    """Batches in which half of the images have a square, up to 0.4 of the box, over one of their points."""

    def hidden(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        images, xy = draw(generator, count)
        chosen = torch.randint(xy.shape[1], (count,), generator=generator)
        share = 0.1 + 0.3 * torch.rand(count, generator=generator)
        side = share * longer_side(box_of(xy)) * (torch.rand(count, generator=generator) < 0.5)
        return filled(images, xy[torch.arange(count), chosen], side), xy

    return hidden


Finder = Callable[[Tensor], Tensor]
"""(B, 3, H, W) images to (B, K, 2) points."""


def hidden_errors(find: Finder, images: Tensor, xy: Tensor, share: float, seed: int) -> dict[str, dict[str, float]]:
    """Errors of each point with a square over it (``own``), and with one elsewhere in the box (``elsewhere``).

    Args:
        find: of a network.
        images: (B, 3, H, W) in 0..255.
        xy: (B, K, 2) their points.
        share: side of the squares over the longer side of the box.
        seed: of the locations elsewhere.

    Returns:
        Mean error in pixels by kind of point.
    """
    generator = torch.Generator().manual_seed(seed)
    boxes = box_of(xy)
    side = share * longer_side(boxes)
    errors = {where: torch.zeros(xy.shape[:2]) for where in ("own", "elsewhere")}
    for k in range(xy.shape[1]):
        point = xy[:, k]
        for where, centre in (("own", point), ("elsewhere", elsewhere(point, boxes, side, generator))):
            errors[where][:, k] = (find(filled(images, centre, side))[:, k] - point).norm(dim=-1)
    return {where: by_kind(error) for where, error in errors.items()}


def backgrounds(images: Tensor, person: Tensor) -> dict[str, Tensor]:
    """The images with their background as it is, in grey, and with the background of the next image.

    Args:
        images: (B, 3, H, W).
        person: (B, H, W) bool, the pixels of the person. The next image's person is left out by repeating its mean
            background colour there.
    """
    here = person[:, None]
    empty = torch.where(here, (images * ~here).sum((2, 3), keepdim=True) / (~here).sum((2, 3), keepdim=True), images)
    return {
        "as it is": images,
        "grey": torch.where(here, images, torch.full_like(images, 128.0)),
        "of another image": torch.where(here, images, empty.roll(1, 0)),
    }


def guesses(known: Tensor, xy: Tensor) -> dict[str, dict[str, float]]:
    """Errors of two rules without an image: the mean pose, and a linear rule from the true locations of the others.

    Args:
        known: (M, K, 2) points in training.
        xy: (B, K, 2) points to find.
    """
    linear = torch.zeros(xy.shape[:2])
    for k in range(xy.shape[1]):
        others = [i for i in range(xy.shape[1]) if i != k]
        before, now = (torch.cat((p[:, others].flatten(1), torch.ones(len(p), 1)), 1).double() for p in (known, xy))
        rule = torch.linalg.lstsq(before, known[:, k].double(), driver="gelsd").solution
        linear[:, k] = (now @ rule - xy[:, k]).norm(dim=-1)
    return {"mean pose": by_kind((xy - known.mean(0)).norm(dim=-1)), "linear": by_kind(linear)}


@part
def measured(representation: str, training: str, steps: int, held_out: int, seed: int) -> dict[str, Any]:
    """Train one representation and measure it with squares and other backgrounds on some images."""
    images, xy = people(TRAINED, seed)
    learner = PersonLearner(small_recipe(representation), seed)
    draw = drawing(images, xy)
    train(learner, hiding(draw) if training == TRAININGS[1] else draw, steps, seed, lr=2e-3)
    held, truth = people(held_out, seed + 1000)
    other = backgrounds(held, outlines(held_out, seed + 1000))
    distances = {name: (learner.found(changed) - truth).norm(dim=-1) for name, changed in other.items()}
    return {
        "plain": by_kind(distances["as it is"]),
        "squares": {f"{share:g}": hidden_errors(learner.found, held, truth, share, seed) for share in SIZES},
        "background": {name: float((distance <= CLOSE).float().mean()) for name, distance in distances.items()},
    }
