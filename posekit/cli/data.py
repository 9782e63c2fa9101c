"""`posekit data check`, `review` and `pack`: look at labelled data, doubt it, or put it into one file."""

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

  check   read everything, report all faults with file, annotation and fix; draw samples beside their flipped selves
  review  find labels that a model contradicts: left and right swapped, points that lie elsewhere; mend the swapped
  pack    crops at training size and their labels in one archive: small enough to carry, fast to train from
"""


@dataclass(frozen=True)
class Check:
    """Read labelled data, report every fault, and draw samples beside their flipped selves.

    Ends with status 1 where there are errors; warnings leave it at 0.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    "label files: COCO JSON, YOLO data.yaml, or a pack"
    images: Path | None = None
    "folder of the images, where the label file does not lead to it"
    category: str | None = None
    "whose points, where a file has several categories"
    skeleton: str | None = None
    "a known skeleton with as many points"
    out: Path = Path("data_check.png")
    "picture sheet"
    samples: int = 12
    "instances on the sheet, evenly spread"
    split: str = "train"
    "part of a YOLO data set"
    json: Path | None = None
    "file for all findings and figures as JSON"


@dataclass(frozen=True)
class Pack:
    """Write crops at training size and their labels into one archive."""

    file: Annotated[Path, tyro.conf.Positional]
    "label file: COCO JSON or YOLO data.yaml"
    size: int
    "longer side of the crops in pixels; a little more than the training size leaves room to turn and shift"
    out: Path | None = None
    "archive; default beside the label file"
    padding: float = 1.6
    "context around the box"
    images: Path | None = None
    "folder of the images, where the label file does not lead to it"
    category: str | None = None
    "whose points, where a file has several categories"
    split: str = "train"
    "part of a YOLO data set"


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
    """A hint with the options of these commands: readers speak of those of `posekit train`."""
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
    """Print findings and figures of each file, draw its sheet; status 1 when something is wrong."""
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
            console.print(f"{file}: {report.errors} errors, mend these first", soft_wrap=True, markup=False)
        elif report.dataset is not None:
            _print_sound(console, report.dataset, options, file)
    if options.json is not None:
        _write_json(reports, options.json)
    return 1 if any(report.errors for report in reports.values()) else 0


def _print_sound(console: Console, dataset: Dataset, options: Check, file: Path) -> None:
    """What was inferred, figures, and the sheet."""
    from posekit.data.figures import figures

    for sentence in dataset.inferred:
        if not sentence.startswith("warning: "):  # is among the findings
            console.print(f"  {own_options(sentence)}", soft_wrap=True, markup=False)
    _print_figures(console, figures(dataset))
    if len(dataset):
        target = _target(options, file)
        _write_sheet(dataset, options, target)
        console.print(f"each sample beside its flipped self: {target}", soft_wrap=True, markup=False)


def _write_json(reports: dict[str, Report], target: Path) -> None:
    """Findings, figures and what was inferred of each file, and how many errors and warnings there are."""
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
        f"longer side of a box {low:.0f} / {middle:.0f} / {high:.0f} px (least, median, most)"
    )
    table = Table("point", "labelled", "of them hidden")
    for name, count in figures.labelled.items():
        table.add_row(escape(name), str(count), str(figures.hidden[name]))
    console.print(table)


def _target(options: Check, file: Path) -> Path:
    """Where a file's sheet goes: several files must not overwrite each other's."""
    if len(options.files) == 1:
        return options.out
    return options.out.with_name(f"{options.out.stem}_{file.stem}{options.out.suffix}")


def _write_sheet(dataset: Dataset, options: Check, target: Path) -> None:
    """Draw instances, evenly spread over the set, beside their mirror images: a wrong pair shows at once."""
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
    """Write the archive and say how large it became."""
    from posekit.data.pack import pack
    from posekit.data.readers import read

    dataset = read(options.file, images=options.images, category=options.category, split=options.split)
    out = options.out or options.file.with_name(f"{options.file.stem}_{options.size}.zip")
    pack(dataset, out, options.size, options.padding)
    print(f"{len(dataset)} crops of at most {options.size} px, {out.stat().st_size / 2**20:.1f} MiB: {out}")
    return 0
