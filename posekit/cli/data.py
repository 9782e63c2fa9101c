"""`posekit data check`, `review` and `pack`: check labelled data, find wrong labels, or pack it into one file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from posekit.data.check import Report
    from posekit.data.dataset import Dataset
    from posekit.data.figures import Figures

USAGE = """usage: posekit data check FILE... | posekit data review FILE --by RUN | posekit data pack FILE --size N

  check   read everything, report all faults with file, annotation and fix; draw samples beside their mirror images
  review  find labels that a model disagrees with: left and right swapped, outliers; correct the swapped ones
  pack    write crops at training size and their labels into one archive: small to copy, fast to train from
"""


@dataclass(frozen=True)
class Check:
    """Read labelled data, report every fault, and draw samples beside their mirror images.

    The exit status is 1 if there are errors; warnings alone give 0.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    "label files: COCO JSON, YOLO data.yaml, or a pack"
    images: Path | None = None
    "folder of the images, if they are not where the label file says"
    category: str | None = None
    "category to use, if a file has several"
    skeleton: str | None = None
    "a known skeleton with the same number of points"
    out: Path = Path("data_check.png")
    "image file for the drawn samples"
    samples: int = 12
    "number of drawn samples, evenly spread over the data set"
    split: str = "train"
    "split of a YOLO data set"
    json: Path | None = None
    "also write all findings and statistics to this .json file"


@dataclass(frozen=True)
class Pack:
    """Write crops at training size and their labels into one archive."""

    file: Annotated[Path, tyro.conf.Positional]
    "label file: COCO JSON or YOLO data.yaml"
    size: int
    "longer side of the crops, pixels; a little above the training size leaves room for random rotation and shift"
    out: Path | None = None
    "archive to write; default: beside the label file"
    padding: float = 1.6
    "context around the box; 1 is none"
    images: Path | None = None
    "folder of the images, if they are not where the label file says"
    category: str | None = None
    "category to use, if a file has several"
    split: str = "train"
    "split of a YOLO data set"


def run(argv: Sequence[str]) -> int:
    """Check, review or pack; returns the exit status."""
    from posekit.data.errors import DataError

    commands = {"check": _check_words, "review": _review_words, "pack": _pack_words}
    if argv and argv[0] in commands:
        try:
            return commands[argv[0]](list(argv[1:]))
        except DataError as error:
            raise DataError(own_options(str(error))) from None
    asked_for_help = bool(argv) and argv[0] in ("-h", "--help")
    print(USAGE, file=sys.stdout if asked_for_help else sys.stderr)
    return 0 if asked_for_help else 2


def own_options(text: str) -> str:
    """A hint with the options of these commands, since readers name those of `posekit train`."""
    for name in ("category", "images", "skeleton"):
        text = text.replace(f"--data.{name}", f"--{name}")
    return text


def _check_words(argv: list[str]) -> int:
    return _check(tyro.cli(Check, args=argv, prog="posekit data check"))


def _review_words(argv: list[str]) -> int:
    from posekit.cli.review import review

    return review(argv)


def _pack_words(argv: list[str]) -> int:
    return _pack(tyro.cli(Pack, args=argv, prog="posekit data pack"))


def _check(options: Check) -> int:
    """Print findings and statistics of each file and draw its samples; status 1 if there are errors."""
    from posekit.data.check import inspect

    console = Console(highlight=False)
    reports = {}
    for file in options.files:
        report = inspect(
            file, options.images, category=options.category, split=options.split, skeleton=options.skeleton
        )
        reports[str(file)] = report
        for finding in report.findings:
            colour = {"error": "red", "warning": "yellow"}.get(finding.severity, "cyan")
            text = escape(own_options(str(finding)).partition(": ")[2])
            console.print(f"[{colour}]{finding.severity}[/{colour}] {text}", soft_wrap=True)
        if report.errors:
            console.print(f"{file}: {report.errors} errors, correct these first", soft_wrap=True, markup=False)
        elif report.dataset is not None:
            _print_sound(console, report.dataset, options, file)
    if options.json is not None:
        _write_json(reports, options.json)
    return 1 if any(report.errors for report in reports.values()) else 0


def _print_sound(console: Console, dataset: Dataset, options: Check, file: Path) -> None:
    """Print what was inferred and the statistics, and draw the samples."""
    from posekit.data.figures import figures

    for sentence in dataset.inferred:
        if not sentence.startswith("warning: "):  # is among the findings
            console.print(f"  {own_options(sentence)}", soft_wrap=True, markup=False)
    _print_figures(console, figures(dataset))
    if len(dataset):
        target = _target(options, file)
        _write_sheet(dataset, options, target)
        console.print(f"samples beside their mirror images: {target}", soft_wrap=True, markup=False)


def _write_json(reports: dict[str, Report], target: Path) -> None:
    """Write findings, statistics and inferences for each file, and the numbers of errors and warnings."""
    from posekit.data.figures import figures

    files = []
    for name, report in reports.items():
        findings = [asdict(finding) for finding in report.findings]
        for finding in findings:
            finding |= {key: own_options(finding[key]) for key in ("what", "fix")}
        dataset = report.dataset
        files.append(
            {
                "file": name,
                "errors": report.errors,
                "warnings": sum(finding["severity"] == "warning" for finding in findings),
                "findings": findings,
                "inferred": [] if dataset is None else [own_options(sentence) for sentence in dataset.inferred],
                "figures": None if dataset is None else asdict(figures(dataset)),
            }
        )
    content = {"errors": sum(file["errors"] for file in files), "files": files}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _print_figures(console: Console, figures: Figures) -> None:
    low, middle, high = figures.box_sides
    console.print(
        f"{figures.images} images, {figures.instances} instances, {figures.ignored} regions to ignore; "
        f"longer side of a box {low:.0f} / {middle:.0f} / {high:.0f} px (smallest, median, largest)"
    )
    table = Table("point", "labelled", "hidden")
    for name, count in figures.labelled.items():
        table.add_row(escape(name), str(count), str(figures.hidden[name]))
    console.print(table)


def _target(options: Check, file: Path) -> Path:
    """File for the drawn samples of a label file; each label file has its own."""
    if len(options.files) == 1:
        return options.out
    return options.out.with_name(f"{options.out.stem}_{file.stem}{options.out.suffix}")


def _write_sheet(dataset: Dataset, options: Check, target: Path) -> None:
    """Draw instances, evenly spread over the set, beside their mirror images, which show a wrong mirror pair."""
    import cv2
    import numpy as np

    from posekit.transforms.geometric import Placement, place
    from posekit.visualize.draw import draw_poses, sheet

    skeleton = dataset.skeleton
    which = np.unique(np.linspace(0, len(dataset) - 1, min(options.samples, len(dataset))).astype(int))
    pictures, captions = [], []
    for index in which:
        sample = dataset.instance(int(index))
        for flip in (False, True) if skeleton.flippable else (False,):
            crop = place(sample, Placement(sample.instances.boxes[0], flip=flip), (256, 256), skeleton)
            points = crop.instances.keypoints
            score = np.where(points.labelled, 1.0, 0.0)
            pictures.append(draw_poses(crop.image, points.xy, score, skeleton, threshold=0.5))
            captions.append(f"{Path(sample.path).name}{' flipped' if flip else ''}")
    drawn = sheet(pictures, columns=6, captions=captions)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(target), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{target}: could not be written; name a .png or .jpg")


def _pack(options: Pack) -> int:
    """Write the archive and print its size."""
    from posekit.data.pack import pack
    from posekit.data.readers import read

    dataset = read(options.file, images=options.images, category=options.category, split=options.split)
    out = options.out or options.file.with_name(f"{options.file.stem}_{options.size}.zip")
    pack(dataset, out, options.size, options.padding)
    print(f"{len(dataset)} crops of at most {options.size} px, {out.stat().st_size / 2**20:.1f} MiB: {out}")
    return 0
