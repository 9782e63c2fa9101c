"""`posekit predict SOURCE... --model RUN`: pictures with the points drawn, and COCO results."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.progress import track

from posekit.geometry.skeleton import Skeleton

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
CHUNK = 16
"""Images held at once: enough to fill a batch, few enough for any memory."""

Boxes = dict[str, tuple[int, NDArray[np.float64]]]
"""For each file name the image's id and its boxes (N, 4)."""


@dataclass(frozen=True)
class Options:
    """Find the points in images; write a picture for each, and results.json in COCO's results format."""

    source: Annotated[tuple[str, ...], tyro.conf.Positional]
    "images, folders, or globs"
    model: str
    "a run folder, a weights folder, or a hub id; or mtcnn, which finds faces and their five points"
    weights: Path | None = None
    "of mtcnn: a folder it was trained to, or facenet-pytorch's wheel, zipped or not; none: what POSEKIT_MTCNN names"
    boxes: Path | None = None
    "COCO file with a box for each instance, matched by file name; none: the whole image is one box"
    out: Path = Path("predictions")
    "folder to write to"
    threshold: float = 0.3
    "points with a lower score are not drawn; results.json holds all"
    instances: float = 0.2
    "instances with a lower score are not drawn, where the model finds them itself"
    tiles: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    "also look at large images in tiles, for models of whole images and small instances"
    zooms: tuple[float, ...] = (1.0,)
    "times the size at which an image fits, for models of whole images; above 1 it is cut into tiles"
    batch: int = 32
    "crops at once"
    device: str = "cpu"
    "cpu, cuda, mps"
    pictures: bool = True
    "draw; off writes results.json only"


def run(argv: Sequence[str]) -> int:
    """Predict; status 1 when an image could not be read (the others are done all the same)."""
    options = tyro.cli(Options, args=list(argv), prog="posekit predict")
    files = expand(options.source)
    boxes = read_boxes(options.boxes) if options.boxes else None
    pipeline, skeleton, told = _loaded(options)
    if boxes is not None and not told:
        raise ValueError(f"{options.model} finds instances by itself: leave out --boxes")
    work = _Work(options, pipeline, skeleton, boxes, told)
    options.out.mkdir(parents=True, exist_ok=True)
    chunks = [files[i : i + CHUNK] for i in range(0, len(files), CHUNK)]
    for chunk in track(chunks, "predicting", disable=not sys.stderr.isatty()):
        work.do(chunk)
    target = options.out / "results.json"
    target.write_text(json.dumps(work.results) + "\n", encoding="utf-8")
    pictures = f"; pictures in {options.out}" if options.pictures else ""
    print(f"{len(files) - work.failed} images, {len(work.results)} instances; results in {target}{pictures}")
    if work.failed:
        print(f"posekit predict: {work.failed} of {len(files)} images could not be read, see above", file=sys.stderr)
    return 1 if work.failed else 0


def _loaded(options: Options) -> tuple[Callable[..., list[Any]], Skeleton, bool]:
    """The pipeline, its skeleton, and whether it is told where instances are."""
    from posekit.pipelines.views import Views

    views = Views(zooms=options.zooms, tiles=options.tiles) if options.tiles or options.zooms != (1.0,) else None
    if options.model == "mtcnn":
        from posekit.pipelines.mtcnn_weights import load_mtcnn

        if views is not None:
            raise ValueError("mtcnn looks at an image in all sizes: leave out --tiles and --zooms")
        faces = load_mtcnn(options.weights, device=options.device)
        return faces, faces.skeleton, False
    if options.weights:
        raise ValueError(f"--weights are of --model mtcnn; --model {options.model} has its own: leave them out")
    from posekit.pipelines.load import load
    from posekit.pipelines.topdown import TopDownPipeline

    pipeline = load(options.model, device=options.device, batch=options.batch, views=views)
    if isinstance(pipeline, TopDownPipeline):
        return pipeline, pipeline.recipe.skeleton, True
    return pipeline, pipeline.skeleton, False


def expand(sources: Sequence[str]) -> list[Path]:
    """The image files that paths, folders and globs mean, in order, each once.

    Raises:
        ValueError: a source means no image.
    """
    files: dict[Path, None] = {}
    for source in sources:
        found = sorted(_files(source))
        if not found:
            raise ValueError(f"{source}: no image there (looked for {', '.join(SUFFIXES)})")
        files |= dict.fromkeys(found)
    return list(files)


def _files(source: str) -> Iterator[Path]:
    path = Path(source)
    if path.is_dir():
        yield from (p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    elif path.exists():
        yield path
    else:
        yield from (Path(p) for p in glob.glob(source, recursive=True) if Path(p).suffix.lower() in SUFFIXES)  # noqa: PTH207


def read_boxes(file: Path) -> Boxes:
    """Boxes of a COCO file by file name; points are not needed.

    Raises:
        DataError: the file is no COCO JSON, or a box is not four numbers.
    """
    from posekit.data.errors import DataError

    try:
        content = json.loads(file.read_bytes())
        names = {image["id"]: Path(image["file_name"]).name for image in content["images"]}
        boxes: dict[str, list[list[float]]] = {name: [] for name in names.values()}
        for annotation in content["annotations"]:
            x, y, w, h = map(float, annotation["bbox"])
            boxes[names[annotation["image_id"]]].append([x, y, x + w, y + h])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: expected COCO JSON with images and annotations that have a bbox of four numbers; "
            f"{type(error).__name__}: {error}"
        ) from None
    ids = {name: number for number, name in names.items()}
    return {name: (ids[name], np.array(per).reshape(-1, 4)) for name, per in boxes.items()}


class _Work:
    """Prediction of one chunk after the other; results grow, failures are counted.

    Args:
        options: what was asked for.
        pipeline: images, and boxes where it is told them, to poses.
        skeleton: whose points it finds.
        boxes: by file name; ``None``: whole images.
        told: whether the pipeline is told where instances are, and does not find them itself.
    """

    def __init__(
        self,
        options: Options,
        pipeline: Callable[..., list[Any]],
        skeleton: Skeleton,
        boxes: Boxes | None,
        told: bool,
    ) -> None:
        self.options, self.pipeline, self.skeleton, self.boxes, self.told = options, pipeline, skeleton, boxes, told
        self.results: list[dict[str, Any]] = []
        self.failed = 0
        self.number = 0
        self.drawn: set[Path] = set()

    def do(self, files: Sequence[Path]) -> None:
        """Read, predict, draw, note."""
        read = [(file, image) for file in files if (image := self._read(file)) is not None]
        ids, boxes = [], []
        for file, image in read:
            self.number += 1
            whole = (self.number, np.array([[0.0, 0.0, image.shape[1], image.shape[0]]]))
            number, per = whole if self.boxes is None else self.boxes.get(file.name, (0, np.zeros((0, 4))))
            if self.boxes is not None and file.name not in self.boxes:
                print(f"{file}: not in {self.options.boxes}; no boxes, nothing predicted", file=sys.stderr)
            ids.append(number)
            boxes.append(per)
        images = [image for _, image in read]
        found = self.pipeline(images, boxes) if self.told else self.pipeline(images)
        for (file, image), number, poses in zip(read, ids, found, strict=True):
            self._note(file, number, poses)
            if self.options.pictures:
                self._draw(file, number, image, poses)

    def _read(self, file: Path) -> NDArray[np.uint8] | None:
        from posekit.data.errors import DataError
        from posekit.data.image import read_image

        try:
            return read_image(file)
        except DataError as error:
            self.failed += 1
            print(f"posekit predict: {error}", file=sys.stderr)
            return None

    def _note(self, file: Path, number: int, poses: Any) -> None:
        from posekit.data.coco import to_results

        self.results += [{**entry, "file_name": file.name} for entry in to_results(poses, number)]

    def _draw(self, file: Path, number: int, image: NDArray[np.uint8], poses: Any) -> None:
        from posekit.visualize.draw import draw_poses

        if not self.told:
            poses = poses.above(self.options.instances)
        drawn = draw_poses(image, poses.xy, poses.score, self.skeleton, threshold=self.options.threshold)
        target = self.options.out / f"{file.stem}.png"
        if target in self.drawn:
            # Folders may hold images of the same name; none of them is overwritten.
            target = self.options.out / f"{file.stem}_{number}.png"
        self.drawn.add(target)
        if not cv2.imwrite(str(target), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)):
            raise OSError(f"{target}: could not be written")
