"""The data.yaml of a YOLO-pose set: its classes, and the skeleton it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from posekit.data.errors import DataError, listed, plain, read_text, shown
from posekit.data.json_values import decimal, is_number, is_text, kind, whole
from posekit.data.known_skeletons import known_skeleton
from posekit.data.yolo_images import split_images as split_images
from posekit.geometry.sides import infer_mirror
from posekit.geometry.skeleton import MIRROR_FIX, PAIRS_FIX, PARTNER_FIX, Skeleton, infer_skeleton

EXPECTED = "a YOLO data.yaml with kpt_shape, names and train or val"
MOST = 10_000
"""Largest number of points of an instance, and of classes of a set."""


def load_yaml(file: Path) -> dict[str, Any]:
    """The content of a data.yaml; ``kpt_shape`` in it is two whole numbers.

    Raises:
        DataError: it is not a mapping, or has no points.
    """
    content = _parsed(file, read_text(file, EXPECTED))
    if not isinstance(content, dict):
        raise DataError(f"{file}: expected {EXPECTED}, got {type(content).__name__}")
    if "kpt_shape" not in content:
        raise DataError(f"{file}: 'kpt_shape' is missing; give [number of points, 2 or 3] (a set without points?)")
    given = content["kpt_shape"]
    shape = list(map(whole, given)) if isinstance(given, list) else []
    if len(shape) != 2 or shape[0] is None or not 1 <= shape[0] <= MOST or shape[1] not in (2, 3):
        raise DataError(f"{file}: expected 'kpt_shape' to be [number of points, 2 or 3], got {shown(given)}")
    return content | {"kpt_shape": shape}


def _parsed(file: Path, text: str) -> Any:
    """The value of a YAML text."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise DataError(f"{file}: not YAML{where} ({problem}); expected {EXPECTED}") from None
    except RecursionError:
        raise DataError(f"{file}: the YAML is nested too deeply; expected {EXPECTED}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Values that do not fit their type, such as invalid dates.
        problem = " ".join(str(error).split())
        raise DataError(
            f"{file}: the YAML has a value that cannot be read ({type(error).__name__}: {problem[:200]}); "
            f"expected {EXPECTED}"
        ) from None


def class_names(file: Path, content: dict[str, Any]) -> dict[int, str]:
    """Number of each class to its name.

    Without ``names`` they come from a ``classes.txt`` beside the file (Label Studio), or are class_0, class_1, ... if
    ``nc`` is given, else a single class "object".

    Raises:
        DataError: ``names`` is neither a list nor a mapping from numbers.
    """
    names = content.get("names")
    if names is None:
        return dict(enumerate(_without_names(file, content)))
    if isinstance(names, list):
        names = dict(enumerate(names))
    numbers = list(map(whole, names)) if isinstance(names, dict) else []
    known = [number for number in numbers if number is not None and number >= 0]
    if not known or len(set(known)) < len(numbers) or not all(map(_is_name, names.values())):
        expected = "expected 'names' to be a list, or a mapping from class numbers to names"
        raise DataError(f"{file}: {expected}; got {shown(content['names'])}")
    return {number: str(name) for number, name in zip(known, names.values(), strict=True)}


def _is_name(value: Any) -> bool:
    return is_text(value) or isinstance(value, int | float)


def _without_names(file: Path, content: dict[str, Any]) -> list[str]:
    beside = file.parent / "classes.txt"
    if beside.is_file():
        return [line.strip() for line in read_text(beside, "names of classes, one a line").splitlines() if line.strip()]
    count = content.get("nc")
    if count is None:
        return ["object"]
    number = whole(count)
    if number is None or not 1 <= number <= MOST:
        raise DataError(f"{file}: expected 'nc' to be the number of classes, got {kind(count)}; give 'names'")
    return [f"class_{i}" for i in range(number)]


def read_skeleton(file: Path, content: dict[str, Any], number: int, name: str) -> tuple[Skeleton, tuple[str, ...]]:
    """The skeleton of one class, and what was inferred.

    Raises:
        DataError: names, ``flip_idx`` or sigmas do not fit ``kpt_shape`` or each other.
    """
    k = content["kpt_shape"][0]
    points, notes = _points(file, content.get("kpt_names"), number, k)
    mirror: list[tuple[str, str]] | None = None
    doubt: tuple[str, ...] = ()
    if content.get("flip_idx") not in (None, []):
        order = _flip(file, content["flip_idx"], k)
        mirror, doubt = _sided(points, order), flip_idx_against_names(points, order)
    try:
        skeleton, more = infer_skeleton(
            name,
            points,
            mirror=mirror,
            sigmas=_sigmas(file, content.get("kpt_oks_sigmas"), points),
            known=known_skeleton(points),
        )
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file}: {plain(error)}") from None
    # Reported once, with the keys of this format.
    more = tuple(sentence for sentence in more if not (doubt and sentence.startswith("warning: ")))
    return skeleton, (*notes, *doubt, *(_in_our_words(sentence, k) for sentence in more))


def _in_our_words(sentence: str, k: int) -> str:
    """Notes on what was inferred, with the keys of a data.yaml instead of those of COCO."""
    identity = "[0]" if k == 1 else f"[0, ..., {k - 1}]"
    for advice, ours in (
        (MIRROR_FIX, f"give flip_idx ({identity} where flipping needs no swap), or kpt_names with left_.../right_..."),
        (PARTNER_FIX, "correct kpt_names, or give flip_idx"),
        (PAIRS_FIX, "correct flip_idx, or leave it out where kpt_names are right"),
    ):
        sentence = sentence.replace(advice, ours)
    return sentence


def _sigmas(file: Path, sigmas: Any, points: Sequence[str]) -> dict[str, float] | None:
    if sigmas is None or sigmas == []:
        return None
    numbers = [decimal(v) if is_number(v) else None for v in sigmas] if isinstance(sigmas, list) else []
    positive = [number for number in numbers if number is not None and number > 0]
    if len(positive) != len(points) or len(numbers) != len(points):
        raise DataError(f"{file}: expected 'kpt_oks_sigmas' to be {len(points)} numbers above 0, got {shown(sigmas)}")
    return dict(zip(points, positive, strict=True))


def _points(file: Path, names: Any, number: int, k: int) -> tuple[list[str], tuple[str, ...]]:
    """Names of the points: for each class, or the same for all."""
    if isinstance(names, dict):
        by_number = {whole(key): value for key, value in names.items()}
        if all(map(_is_name, names.values())) and sorted(by_number, key=str) == sorted(range(k), key=str):
            names = [by_number[i] for i in range(k)]
        else:
            names = by_number.get(number)
    if names is None:
        return [f"point_{i}" for i in range(k)], (f"names of points: none given, called point_0 to point_{k - 1}",)
    if not isinstance(names, list) or len(names) != k or not all(map(_is_name, names)):
        raise DataError(
            f"{file}: expected 'kpt_names' of class {number} to be {k} names (kpt_shape), got {shown(names)}"
        )
    return [str(name) for name in names], ()


def _flip(file: Path, given: Any, k: int) -> list[int]:
    """The index of each point's mirror."""
    numbers = list(map(whole, given)) if isinstance(given, list) else []
    order = [number for number in numbers if number is not None]
    if len(numbers) != k or sorted(order) != list(range(k)):
        raise DataError(f"{file}: expected 'flip_idx' to hold each of 0 to {k - 1} once, got {kind(given)}")
    wrong = [i for i in range(k) if order[order[i]] != i]
    if wrong:
        i = wrong[0]
        raise DataError(
            f"{file}: 'flip_idx' sends {i} to {order[i]}, but {order[i]} to {order[order[i]]}; "
            "a mirror twice must lead back: points trade places in pairs"
        )
    return order


def _sided(points: Sequence[str], order: Sequence[int]) -> list[tuple[str, str]]:
    """Mirror pairs, the left point first if the names have sides."""
    pairs = [(points[i], points[j]) for i, j in enumerate(order) if i < j]
    return [(b, a) if "right" in a.lower() else (a, b) for a, b in pairs]


def flip_idx_against_names(points: Sequence[str], order: Sequence[int]) -> tuple[str, ...]:
    """A warning if ``flip_idx`` contradicts the names of the points; a note if it swaps no points; else empty.

    Args:
        points: names of the points.
        order: index of each point's mirror.

    >>> flip_idx_against_names(["nose", "left_eye", "right_eye"], [0, 2, 1])
    ()
    >>> flip_idx_against_names(["nose", "left_eye", "right_eye"], [0, 1, 2])[0][:76]
    'warning: flip_idx contradicts the names of the points: left_eye stays where '
    """
    place = {name: i for i, name in enumerate(points)}
    clauses = []
    for pair in infer_mirror(points):
        for name, partner in (pair, pair[::-1]):
            other = points[order[place[name]]]
            if other != partner:
                where = "stays where it is" if other == name else f"becomes {other}"
                clauses.append(f"{name} {where}, not {partner}")
    if not clauses and list(order) == list(range(len(points))):
        return (
            "flip_idx leaves every point in its place, as Roboflow writes where it is not set: images are "
            "flipped in training and no points trade places; correct flip_idx if some are left and right",
        )
    if not clauses:
        return ()
    return (
        f"warning: flip_idx contradicts the names of the points: {listed(clauses)}; it is used as it is given: "
        "correct flip_idx or kpt_names, or leave flip_idx out and the names decide",
    )
