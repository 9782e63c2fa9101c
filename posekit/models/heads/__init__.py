"""Heads: one map to the named maps that a codec asks for. One file a kind, holding its config and its module."""

from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC

HEADS = {"maps": Maps, "pooled": Pooled, "simcc": SimCC}
