"""Small labelled sets drawn on the fly, as files, for tests of the command line and of training."""

from pathlib import Path

from posekit.data.synthetic import Synthetic
from posekit.geometry.skeleton import Skeleton

FOUR = Skeleton(
    name="tool",
    points=("tip", "left_grip", "right_grip", "end"),
    mirror=(("left_grip", "right_grip"),),
    bones=(("tip", "left_grip"), ("tip", "right_grip"), ("left_grip", "end")),
)


def labelled_files(folder: Path, count: int = 20, size: tuple[int, int] = (64, 64), skeleton: Skeleton = FOUR) -> Path:
    """Images and a COCO file of synthetic people; the path of the COCO file."""
    return Synthetic(skeleton, count=count, size=size, seed=3).to_files(folder)
