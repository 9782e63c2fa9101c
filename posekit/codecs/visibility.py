"""Any top-down codec with one more output: a logit for each point, whether it is seen or hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from posekit.codecs.base import Codec, Maps, Target
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.single import inside_image, one_labelled
from posekit.geometry.keypoints import SEEN, Instances, Poses

VISIBILITY = "visibility"
"""Name of the output: (B, K) logits, target 1 for seen and 0 for hidden points."""


@dataclass(frozen=True)
class WithVisibility:
    """A codec of one instance an image, and beside its maps ``visibility``, which fills `Poses.visible`.

    Labelled points inside the image are trained on: whether a point outside the crop is seen cannot be told from it.

    Args:
        codec: of the locations.
    """

    codec: Codec

    @property
    def kind(self) -> str:
        """That of the codec."""
        return self.codec.kind

    @property
    def points(self) -> int:
        """K, the number of points."""
        return self.codec.points

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.codec.image

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The codec's maps, and one number for each point."""
        return {**self.codec.shapes, VISIBILITY: (self.points,)}

    @property
    def gives(self) -> frozenset[str]:
        """The codec's names, and ``visibility``."""
        return self.codec.gives | {VISIBILITY}

    def encode(self, instances: Instances) -> Target:
        """The codec's target, and ``visibility`` (B, K), 1 for seen and 0 for hidden points, with weight (B, K)."""
        target = self.codec.encode(instances)
        xy, known = one_labelled(instances, self.points)
        weight = (known & inside_image(xy, self.image)).to(xy.dtype)
        seen = (instances.keypoints.visibility[:, 0] == SEEN).to(xy.dtype)
        return Target({**target.maps, VISIBILITY: seen * weight}, {**target.weight, VISIBILITY: weight})

    def activate(self, maps: Maps) -> Maps:
        """The codec's activated maps, and the logits."""
        return {**self.codec.activate(_without(maps)), VISIBILITY: maps[VISIBILITY]}

    def perfect(self, target: Target) -> Maps:
        """The codec's maps, and logits."""
        return {**self.codec.perfect(target), VISIBILITY: logits_of(target_map(target, VISIBILITY, self.kind))}

    def decode(self, maps: Maps) -> Poses:
        """The codec's points, with ``visible``: the probability of being seen, 0.5 for a logit that is not a number."""
        logits = maps[VISIBILITY].nan_to_num(0.0)
        return replace(self.codec.decode(_without(maps)), visible=logits.sigmoid()[:, None])

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """The codec's maps, mirrored; the logits with mirror points swapped."""
        return {**self.codec.flip(_without(maps), order), VISIBILITY: maps[VISIBILITY][:, list(order)]}


def _without(maps: Maps) -> Maps:
    return {name: value for name, value in maps.items() if name != VISIBILITY}


def without_visibility(target: Target) -> Target:
    """The target with nothing to learn about visibility, for points whose visibility is unknown."""
    weight = target.weight
    if VISIBILITY not in weight:
        return target
    return Target(target.maps, {**weight, VISIBILITY: weight[VISIBILITY] * 0})
