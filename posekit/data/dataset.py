"""Labelled instances as arrays, one row for each instance; images are read on access."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from posekit.data.errors import DataError
from posekit.data.image import read_image
from posekit.data.sample import Sample
from posekit.geometry.keypoints import IGNORE, INSTANCE, Instances, Keypoints
from posekit.geometry.skeleton import Skeleton

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class ImageRecord:
    """Path and size of an image.

    Args:
        path: of the file, or a name for messages where ``load`` is given.
        width: pixels, upright; 0 if unknown.
        height: pixels, upright; 0 if unknown.
        id: in its label file.
        load: function that gives the (H, W, 3) uint8 RGB image, if it is not the file itself; must be picklable.
        to_source: (3, 3) float64, pixels of this image to pixels of the file it was cut from; ``None``: it is the file.
        source: name of the file it was cut from; empty: it is the file.
        source_id: original id of the image, or of the file it was cut from; ``None``: ``id``.
    """

    path: str
    width: int
    height: int
    id: int
    load: Callable[[], NDArray[np.uint8]] | None = None
    to_source: NDArray[np.float64] | None = None
    source: str = ""
    source_id: int | None = None

    @property
    def origin(self) -> tuple[str, int]:
        """Original name and id of the image, or of the file it was cut from."""
        return self.source or self.path, self.id if self.source_id is None else self.source_id

    def read(self) -> NDArray[np.uint8]:
        """The image.

        Raises:
            DataError: it cannot be read, or has another size than the label file says.
        """
        image = read_image(self.path) if self.load is None else self.load()
        height, width = image.shape[:2]
        if self.width and (height, width) != (self.height, self.width):
            turned = (height, width) == (self.width, self.height)
            why = "the labels seem to ignore the EXIF orientation of the image" if turned else ""
            fix = "save the image upright without EXIF" if turned else "use the image that was labelled"
            raise DataError(
                f"{self.path}: the label file says {self.width}x{self.height} (width x height), "
                f"the image is {width}x{height}; {why + ': ' if why else ''}{fix}, or correct the labels"
            )
        return image


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled instances of one skeleton, M rows over some images.

    ``dataset[3]`` is the `Sample` of a trainable instance, as `instance` gives it; ``dataset[:100]`` is a `subset`;
    iterating gives all samples and reads an image for each.

    Args:
        skeleton: of every row.
        images: images of the rows.
        xy: (M, K, 2) float64, pixels of the image; finite everywhere.
        visibility: (M, K) int8, 0 unlabelled, 1 hidden, 2 seen.
        boxes: (M, 4) float64 x0 y0 x1 y1, pixels of the image.
        area: (M,) float64 square pixels.
        category: (M,) int64 index of the category; all 0 where a file was read for one.
        role: (M,) int8 `INSTANCE` or `IGNORE`.
        image: (M,) int64 position in ``images``.
        annotation_id: (M,) int64 number in the label file.
        inferred: notes on what was inferred or converted.
        is_crowd: (M,) bool, COCO's ``iscrowd``; ``None``: none is set.
        depth: (M, K) float32 depth relative to the root, in any one unit, or ``None``.
        depth_known: (M, K) bool, which depths are known; ``None``: all, if there are depths.
        category_id: number of the category in its label file.
        file: label file, for messages.
    """

    skeleton: Skeleton
    images: tuple[ImageRecord, ...]
    xy: Array
    visibility: Array
    boxes: Array
    area: Array
    category: Array
    role: Array
    image: Array
    annotation_id: Array
    inferred: tuple[str, ...] = ()
    is_crowd: Array | None = None
    depth: Array | None = None
    depth_known: Array | None = None
    category_id: int = 1
    file: str = ""

    def __post_init__(self) -> None:
        rows, points = len(self.role), len(self.skeleton.points)
        if self.xy.shape != (rows, points, 2) or self.visibility.shape != (rows, points):
            raise ValueError(
                f"{rows} rows of {points} points need xy {(rows, points, 2)} and visibility {(rows, points)}; "
                f"got {self.xy.shape} and {self.visibility.shape}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Dataset: ...

    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} instances; got index {index}")
        return self.instance(index % len(self))

    def __iter__(self) -> Iterator[Sample]:
        return (self.instance(index) for index in range(len(self)))

    def __repr__(self) -> str:
        where = f" of {self.file}" if self.file else ""
        return f"Dataset({len(self)} instances in {self.scenes} images{where}, skeleton {self.skeleton.name!r})"

    @cached_property
    def rows(self) -> Array:
        """(len,) trainable rows: instances with a labelled point, in the order of the file."""
        return np.flatnonzero((self.role == INSTANCE) & (self.visibility > 0).any(1))

    @property
    def scenes(self) -> int:
        """Number of images."""
        return len(self.images)

    def image_of_instance(self) -> Array:
        """(len,) position in ``images`` of each trainable instance."""
        return np.asarray(self.image[self.rows])

    def instance(self, index: int) -> Sample:
        """The full image of one trainable instance, with this instance only (N = 1).

        Raises:
            IndexError: there is no such instance.
            DataError: the image cannot be read.
        """
        row = self.rows[index]
        return self._sample(int(self.image[row]), slice(row, row + 1), np.zeros((0, 4), np.float32), index)

    def scene(self, index: int) -> Sample:
        """A full image with all its instances; those with ``iscrowd`` and unlabelled ones are regions to ignore.

        Raises:
            IndexError: there is no such image.
            DataError: the image cannot be read.
        """
        if not -self.scenes <= index < self.scenes:
            raise IndexError(f"there are {self.scenes} images; got index {index}")
        index %= self.scenes
        rows = self.rows_of_image(index)
        ignored = self.role[rows] == IGNORE
        return self._sample(index, rows[~ignored], self.boxes[rows[ignored]].astype(np.float32), index)

    def rows_of_image(self, index: int) -> Array:
        """All rows of image ``index``, in the order of the file."""
        order, starts = self._by_image
        return np.asarray(order[starts[index] : starts[index + 1]])

    @cached_property
    def _by_image(self) -> tuple[Array, Array]:
        """Rows sorted by image, and where each image's rows start."""
        order = np.argsort(self.image, kind="stable")
        return order, np.searchsorted(self.image[order], np.arange(self.scenes + 1))

    def instances(self, rows: Any) -> Instances:
        """The instances of some rows for a sample: points, boxes and areas float32."""
        points = Keypoints(
            xy=self.xy[rows].astype(np.float32),
            visibility=self.visibility[rows],
            depth=None if self.depth is None else self.depth[rows],
            depth_known=None if self.depth is None or self.depth_known is None else self.depth_known[rows],
        )
        return Instances(
            keypoints=points,
            boxes=self.boxes[rows].astype(np.float32),
            area=self.area[rows].astype(np.float32),
            category=self.category[rows],
            role=self.role[rows],
        )

    def _sample(self, image: int, rows: Any, ignore: Array, index: int) -> Sample:
        record = self.images[image]
        return Sample(
            image=record.read(),
            instances=self.instances(rows),
            path=record.path,
            image_id=record.id,
            to_source=np.eye(3) if record.to_source is None else record.to_source,
            ignore=ignore,
            index=index,
        )

    def subset(self, indices: Sequence[int] | Array) -> Dataset:
        """Some of the trainable instances, and their images.

        Other instances of these images become regions to ignore, so that they are not trained as background.

        Args:
            indices: of trainable instances, in the wanted order, each once.

        Raises:
            IndexError: there is no such instance.
        """
        chosen = self.rows[np.asarray(indices, dtype=np.int64)]
        kept = np.unique(self.image[chosen])
        others = np.setdiff1d(np.flatnonzero(np.isin(self.image, kept)), chosen)
        role = self.role.copy()
        role[others] = IGNORE
        part = replace(self, role=role)._take(np.concatenate([chosen, others]))
        return replace(part, images=tuple(self.images[i] for i in kept), image=np.searchsorted(kept, part.image))

    def of_images(self, indices: Sequence[int] | Array) -> Dataset:
        """Some images with all their rows, ignored ones as well.

        Args:
            indices: positions in ``images``, rising, each once.
        """
        kept = np.asarray(indices, dtype=np.int64)
        part = self._take(np.flatnonzero(np.isin(self.image, kept)))
        return replace(part, images=tuple(self.images[i] for i in kept), image=np.searchsorted(kept, part.image))

    def _take(self, rows: Array) -> Dataset:
        return replace(
            self, **{name: a[rows] for name in (*_COLUMNS, *_OPTIONAL) if (a := getattr(self, name)) is not None}
        )


_COLUMNS = ("xy", "visibility", "boxes", "area", "category", "role", "image", "annotation_id")
_OPTIONAL = ("is_crowd", "depth", "depth_known")


def merged(datasets: Sequence[Dataset]) -> Dataset:
    """Several data sets as one; images and annotations get new ids if their ids collide.

    Args:
        datasets: at least one; bones, sigmas and category are those of the first.

    Raises:
        ValueError: there is none.
        DataError: their points or mirror pairs differ.
    """
    if not datasets:
        raise ValueError("there is nothing to merge; give at least one data set")
    first = datasets[0]
    if len(datasets) == 1:
        return first
    for other in datasets[1:]:
        _agree(first, other)
    offsets = np.cumsum([0, *(len(d.images) for d in datasets)])
    images = tuple(record for d in datasets for record in d.images)
    numbers = np.concatenate([d.annotation_id for d in datasets])
    inferred = tuple(dict.fromkeys(sentence for d in datasets for sentence in d.inferred))
    if len({record.id for record in images}) < len(images) or len(np.unique(numbers)) < len(numbers):
        images = tuple(replace(record, id=i, source_id=record.origin[1]) for i, record in enumerate(images, 1))
        numbers = np.arange(1, len(numbers) + 1)
        inferred += ("images and annotations got new ids, because ids of the files collide",)
    joined: dict[str, Any] = {name: np.concatenate([getattr(d, name) for d in datasets]) for name in _COLUMNS}
    joined |= {
        "image": np.concatenate([d.image + o for d, o in zip(datasets, offsets[:-1], strict=True)]),
        "annotation_id": numbers,
        "is_crowd": np.concatenate(
            [np.zeros(len(d.role), bool) if d.is_crowd is None else d.is_crowd for d in datasets]
        ),
        **_joined_depths(datasets),
    }
    file = ", ".join(d.file for d in datasets if d.file)
    return replace(first, images=images, inferred=inferred, file=file, **joined)


def _joined_depths(datasets: Sequence[Dataset]) -> dict[str, Array | None]:
    """Depths of all sets, unknown where a set has none; ``None`` if no set has any."""
    if all(d.depth is None for d in datasets):
        return {"depth": None, "depth_known": None}
    depth = [np.zeros(d.visibility.shape, np.float32) if d.depth is None else d.depth for d in datasets]
    known = [
        np.full(d.visibility.shape, d.depth is not None) if d.depth_known is None else d.depth_known for d in datasets
    ]
    return {"depth": np.concatenate(depth), "depth_known": np.concatenate(known)}


def _agree(first: Dataset, other: Dataset) -> None:
    a, b = first.skeleton, other.skeleton
    where = f"{other.file or 'the second data set'} does not fit {first.file or 'the first'}"
    if a.points != b.points:
        missing, extra = [p for p in a.points if p not in b.points], [p for p in b.points if p not in a.points]
        how = (
            f"points missing: {missing}, points too many: {extra}"
            if missing or extra
            else f"the same points in another order: {list(b.points)}, not {list(a.points)}"
        )
        raise DataError(f"{where}: {how}; files that are joined need the same points in the same order")
    if a.flip != b.flip or a.symmetry != b.symmetry:
        raise DataError(
            f"{where}: mirror pairs {list(b.mirror)} with symmetry {b.symmetry!r}, not {list(a.mirror)} with "
            f"{a.symmetry!r}; give both the same flip_pairs and symmetry"
        )
