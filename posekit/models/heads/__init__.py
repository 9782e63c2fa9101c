"""Heads: from one map to the named maps of a codec. One file for each kind, with its config and module."""

from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC

HEADS = {"maps": Maps, "pooled": Pooled, "simcc": SimCC}
