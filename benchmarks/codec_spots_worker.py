"""One checkout's encodes and decodes, on demand: one line in, one line out. `benchmarks.codec_spots` asks.

A row is a codec and ``encode`` or ``decode``. A line is ``time ROW``, ``memory ROW``, ``output ROW`` or
``results ROW``; the answer is the process CPU time in milliseconds of one batch, the peak bytes of tensors
allocated inside the call, the bytes of its result, or the file to which the result was saved. Files are written to the
folder that is the only argument.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
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
SCORES = ("centre", "peaks", "class")
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
        codec = RECIPES[name](COCO17).codec
        # Of DEKR's recipes this follows other rules from one commit to another; codecs are compared, not recipes.
        codec = replace(codec, min_area=1024.0) if hasattr(codec, "min_area") else codec
        yield name if name not in REPRESENTATIONS else f"{name} full", (codec, people())


def people() -> Instances:
    """Eight people in each of eight images of 512x512, from 40 to 300 pixels tall."""
    draw = torch.Generator().manual_seed(0)
    height = 40 + 260 * torch.rand(FULL_B, PEOPLE, 1, generator=draw)
    size = torch.cat((0.4 * height, height), -1)
    corner = torch.rand(FULL_B, PEOPLE, 2, generator=draw) * (torch.tensor(FULL_SIZE[::-1]) - size)
    share = torch.rand(FULL_B, PEOPLE, len(COCO17.points), 2, generator=draw)
    return Instances(
        keypoints=Keypoints(corner[:, :, None] + share * size[:, :, None], torch.full(share.shape[:-1], 2)),
        boxes=torch.cat((corner, corner + size), -1),
        area=size.prod(-1),
        category=torch.zeros(FULL_B, PEOPLE, dtype=torch.long),
        role=torch.full((FULL_B, PEOPLE), INSTANCE),
    )


def raw_maps(codec: Any, labels: Instances) -> dict[str, torch.Tensor]:
    """Noise plus the target of each map it contains; all scores differ clearly."""
    draw = torch.Generator().manual_seed(1)
    maps = {}
    for name, shape in codec.shapes.items():
        noise = torch.rand(len(labels.boxes), *shape, generator=draw)
        maps[name] = noise.logit(eps=1e-6) if name.startswith(SCORES) else 0.02 * noise
    known = codec.encode(labels).maps
    maps = {name: value + known[name] if name in known else value for name, value in maps.items()}
    if hasattr(codec, "select"):
        maps["cell"] = codec.select(maps)
        shape = (*maps["cell"].shape, codec.points, *codec.shapes["refine"][1:])
        maps["point_maps"] = torch.rand(shape, generator=draw)
    return maps


def calls(row: Row) -> dict[str, Callable[[], Any]]:
    """Encode and decode of one row."""
    codec, labels = row
    maps = raw_maps(codec, labels)
    return {"encode": lambda: codec.encode(labels), "decode": lambda: codec.decode(maps)}


def tensors(result: Any) -> dict[str, torch.Tensor]:
    """What a target or poses hold, by name."""
    if hasattr(result, "maps"):
        parts = {"map": result.maps, "weight": result.weight}
        return {f"{what} {name}": value for what, named in parts.items() for name, value in named.items()}
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return {name: value for name, value in fields.items() if value is not None}


def held_bytes(result: Any) -> int:
    """Bytes of a result; shared memory counts once."""
    storages = [value.untyped_storage() for value in tensors(result).values()]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def answer(what: str, call: Callable[[], Any], file: Path) -> object:
    """A number, or the file to which a result was saved."""
    if what == "time":
        return cpu_ms(call)
    if what == "memory":
        return peak_bytes(call)
    result = call()
    if what == "output":
        return held_bytes(result)
    torch.save({name: value.contiguous() for name, value in tensors(result).items()}, file)
    return file


def main() -> None:
    """Answer until the input ends."""
    torch.set_num_threads(1)
    known, folder = dict(rows()), Path(sys.argv[1])
    made: tuple[str, dict[str, Callable[[], Any]]] = ("", {})
    print(", ".join(known), flush=True)
    for line in sys.stdin:
        what, _, row = line.strip().partition(" ")
        name, _, call = row.rpartition(" ")
        if name != made[0]:
            made = name, calls(known[name])
        print(answer(what, made[1][call], folder / f"{row}.pt"), flush=True)


if __name__ == "__main__":
    main()
