"""Filters over time by the words of the command line: names, and temporal networks by their folder."""

from __future__ import annotations

from collections.abc import Sequence

from posekit.engines.temporal import OnnxTemporal
from posekit.geometry.skeleton import Skeleton
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth import SMOOTHERS
from posekit.postprocess.smooth.base import Smoother
from posekit.postprocess.smooth.temporal import Temporal, TemporalOffline
from posekit.postprocess.smooth.tune import tuned
from posekit.words import nearest
from posekit.zoo.temporal import load_temporal

NONE = "none"
"""The name of no filter."""
LIVE, OFFLINE = "temporal", "temporal-offline"
"""Temporal networks: with an accepted lag, and on finished clips. A folder may follow, as in ``temporal:FOLDER``;
without one it is the network in the package, for COCO's 17 points."""


def check_filter(word: str, lift: bool = False) -> None:
    """Check a filter's name, and if it is a temporal network, that it is there.

    Args:
        word: key of `SMOOTHERS`, "none", "temporal" or "temporal-offline", which may have a folder behind a colon.
        lift: whether depths are asked for.

    Raises:
        ValueError: there is no such filter, or it cannot lift.
        WeightsError: there is no network in the folder.
    """
    if word.partition(":")[0] in (LIVE, OFFLINE):
        _learned(word, 0.0, lift)
        return
    if word != NONE and word not in SMOOTHERS:
        raise ValueError(nearest(word, [*SMOOTHERS, LIVE, OFFLINE, NONE], "filter"))
    if lift:
        raise ValueError(f"--lift is for a temporal network, and {word!r} is none: take {LIVE} or {OFFLINE}")


def is_causal(word: str) -> bool:
    """Whether a filter that `check_filter` accepts has a lag to choose."""
    name = word.partition(":")[0]
    return name == LIVE or (name != OFFLINE and SMOOTHERS[name]().causal)


def filter_of(word: str, tracks: Sequence[Track], lag: float, skeleton: Skeleton, lift: bool = False) -> Smoother:
    """The filter, tuned on a clip unless it is a network.

    Args:
        word: that `check_filter` accepts, not "none".
        tracks: of the clip; none where it is not known, as of a camera.
        lag: accepted, ms.
        skeleton: of the tracks.
        lift: also give depths.

    Raises:
        ValueError: the network is for other points.
    """
    name = word.partition(":")[0]
    if name in (LIVE, OFFLINE):
        found = _learned(word, lag, lift)
        _check_names(found.network, skeleton)
        return found
    if tracks:
        return tuned(name, tracks, lag)
    plain: Smoother = SMOOTHERS[name]()
    return plain


def _learned(word: str, lag: float, lift: bool) -> Temporal | TemporalOffline:
    name, _, place = word.partition(":")
    network = load_temporal(place)
    return (
        Temporal(network=network, lift=lift, delay=lag) if name == LIVE else TemporalOffline(network=network, lift=lift)
    )


def _check_names(network: OnnxTemporal, skeleton: Skeleton) -> None:
    """Compare the points of a network with those of the tracks."""
    ours, theirs = network.spec.points, skeleton.points
    if ours == theirs:
        return
    if len(ours) != len(theirs):
        said = f"{len(ours)} points, and the poses have {len(theirs)}"
    else:
        first = next(number for number, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
        said = f"the point {ours[first]!r} where the poses have {theirs[first]!r} (number {first})"
    raise ValueError(f"{network.file}: has {said}: train one on these points with posekit train temporal")
