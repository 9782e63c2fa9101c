"""Heads of whole images: one or several maps of the neck to many named ones."""

from posekit.models.heads.scenes.branches import Branches

SCENE_HEADS = {"branches": Branches}
