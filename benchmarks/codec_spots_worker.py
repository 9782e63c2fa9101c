"""One checkout's encodes and decodes, on demand: one line in, one line out. `benchmarks.codec_spots` asks.

A line is ``time ROW`` or ``memory ROW``; the answer is the process CPU time in milliseconds of one batch, or the most
bytes that tensors made inside the call hold at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.memory import peak_bytes
from posekit.codecs.base import Codec
from posekit.codecs.ellipse import Ellipse
from posekit.geometry.grid import Grid
from posekit.geometry.keypoints import INSTANCE, Instances, Keypoints
from posekit.recipes import RECIPES, SYSTEMS
from posekit.recipes.representations import REPRESENTATIONS
from posekit.recipes.topdown import PLAIN, topdown
from posekit.skeletons.body import COCO17
from posekit.studies.codecs import inner_points
from posekit.studies.timing import cpu_ms

B, SIZE, STRIDE, MANY = 32, (256, 192), 4, 133
FULL_B, FULL_SIZE, PEOPLE = 8, (512, 512), 8
Row = tuple[Codec, Instances]


def rows() -> Iterator[tuple[str, Row]]:
    """Every representation and ellipses of many points on crops; every system on full images."""
    for name in REPRESENTATIONS:
        codec = topdown("spots", PLAIN, name, COCO17, size=SIZE, stride=None).codec
        yield name, (codec, inner_points(codec, B))
    grid, parents = Grid.of(SIZE, STRIDE), tuple(max(k - 1, -1) for k in range(MANY))
    shapes: tuple[Any, ...] = ("bone", "box", "point", "oks")
    for shape in shapes:
        codec = Ellipse(points=MANY, grid=grid, parents=parents, sigmas=(0.05,) * MANY, shape=shape)
        yield f"ellipse {shape} of {MANY}", (codec, inner_points(codec, B))
    for name in SYSTEMS:
        yield name if name not in REPRESENTATIONS else f"{name} full", (RECIPES[name](COCO17).codec, people())


def people() -> Instances:
    """Eight people in each of eight images of 512x512, from 40 to 300 pixels tall."""
    draw = torch.Generator().manual_seed(0)
    height = 40 + 260 * torch.rand(FULL_B, PEOPLE, 1, generator=draw)
    size = torch.cat((0.4 * height, height), -1)
    corner = torch.rand(FULL_B, PEOPLE, 2, generator=draw) * (torch.tensor(FULL_SIZE[::-1]) - size)
    chance = torch.rand(FULL_B, PEOPLE, len(COCO17.points), 2, generator=draw)
    return Instances(
        keypoints=Keypoints(corner[:, :, None] + chance * size[:, :, None], torch.full(chance.shape[:-1], 2)),
        boxes=torch.cat((corner, corner + size), -1),
        area=size.prod(-1),
        category=torch.zeros(FULL_B, PEOPLE, dtype=torch.long),
        role=torch.full((FULL_B, PEOPLE), INSTANCE),
    )


def raw_maps(codec: Any, labels: Instances) -> dict[str, torch.Tensor]:
    """Noise, and on it what the target says of the maps that it names."""
    draw = torch.Generator().manual_seed(1)
    maps = {name: 0.02 * torch.rand(len(labels.boxes), *shape, generator=draw) for name, shape in codec.shapes.items()}
    told = codec.encode(labels).maps
    maps = {name: value + told[name] if name in told else value for name, value in maps.items()}
    if hasattr(codec, "select"):
        maps["cell"] = codec.select(maps)
        shape = (*maps["cell"].shape, codec.points, *codec.shapes["refine"][1:])
        maps["joint_maps"] = torch.rand(shape, generator=draw)
    return maps


def calls(row: Row) -> dict[str, Callable[[], Any]]:
    """Encode and decode of one row."""
    codec, labels = row
    maps = raw_maps(codec, labels)
    return {"encode": lambda: codec.encode(labels), "decode": lambda: codec.decode(maps)}


def output_bytes(row: Row) -> int:
    """What the target's maps and weights hold, memory that several share counted once."""
    target = row[0].encode(row[1])
    storages = [value.untyped_storage() for value in (*target.maps.values(), *target.weight.values())]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def main() -> None:
    """Answer until the input ends."""
    torch.set_num_threads(1)
    known = dict(rows())
    made: dict[str, dict[str, Callable[[], Any]]] = {}
    print(", ".join(known), flush=True)
    for line in sys.stdin:
        what, _, where = line.strip().partition(" ")
        name, _, call = where.rpartition(" ")
        if name not in made:
            made.clear()
            made[name] = calls(known[name])
        if what == "output":
            print(output_bytes(known[name]), flush=True)
        elif what == "memory":
            print(peak_bytes(made[name][call]), flush=True)
        else:
            print(cpu_ms(made[name][call]), flush=True)


if __name__ == "__main__":
    main()
