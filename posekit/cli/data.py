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

from posekit.cli.kinds import OneFile, Text
from posekit.words import plural

if TYPE_CHECKING:
    from posekit.data.check import Report
    from posekit.data.dataset import Dataset
    from posekit.data.figures import Figures

USAGE = """usage: posekit data check FILE... | posekit data review FILE --by RUN | posekit data pack FILE --size N

  check   read everything, report all faults with file, annotation and fix; draw samples
  review  find labels that a model disagrees with: left and right swapped, outliers; correct the swapped ones
  pack    write crops at training size and their labels into one archive: small to copy, fast to train from
"""


@dataclass(frozen=True)
class Check:
    """Read labelled data, report every fault, and draw samples, beside their mirror images if mirror pairs are known.

    The exit status is 1 if there are errors; warnings alone give 0.
    """

    files: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="FILE [FILE ...]", help_behavior_hint="(required)"),
    ]
    "label files: COCO JSON, YOLO data.yaml, or a pack"
    images: OneFile = None
    "folder of the images, if they are not where the label file says"
    category: Text = None
    "category to use, if a file has several"
    skeleton: Text = None
    "a known skeleton with the same number of points"
    out: OneFile = None
    "image file for the drawn samples; default: data_check_FILE.png for each label file"
    samples: int = 12
    "number of drawn samples, evenly spread over the data set"
    split: str = "train"
    "split of a YOLO data set"
    json: OneFile = None
    "also write all findings and statistics to this .json file"


@dataclass(frozen=True)
class Pack:
    """Write crops at training size and their labels into one archive."""

    file: Annotated[Path, tyro.conf.Positional]
    "label file: COCO JSON or YOLO data.yaml"
    size: int
    "longer side of the crops, pixels; a little above the training size leaves room for random rotation and shift"
    out: OneFile = None
    "archive to write; default: beside the label file"
    padding: float = 1.6
    "context around the box; 1 is none"
    images: OneFile = None
    "folder of the images, if they are not where the label file says"
    category: Text = None
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
    if not options.files:
        raise ValueError("no label file was named: give COCO JSON, YOLO's data.yaml, or a pack")
    targets = _targets(options)
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
            console.print(
                f"{file}: {plural(report.errors, 'error')}, correct {'it' if report.errors == 1 else 'these'} first",
                soft_wrap=True,
                markup=False,
            )
        elif report.dataset is not None:
            _print_sound(console, report, report.dataset, options.samples, targets[file])
    if options.json is not None:
        _write_json(reports, options.json)
    return 1 if any(report.errors for report in reports.values()) else 0


def _print_sound(console: Console, report: Report, dataset: Dataset, samples: int, target: Path) -> None:
    """Print what was inferred and the statistics, and draw the samples."""
    from posekit.data.figures import figures

    advised = any(finding.code == "sides" for finding in report.findings)
    for sentence in dataset.inferred:
        if sentence.startswith("warning: "):  # is among the findings
            continue
        if advised and sentence.startswith("mirror pairs: none"):  # the finding gives the advice
            sentence = sentence.partition(";")[0]
        console.print(f"  {own_options(sentence)}", soft_wrap=True, markup=False)
    _print_figures(console, figures(dataset))
    if len(dataset):
        replaces = ", which replaces an earlier one" if target.exists() else ""
        _write_sheet(dataset, samples, target)
        beside = " beside their mirror images" if dataset.skeleton.flippable else ""
        console.print(f"samples{beside}: {target}{replaces}", soft_wrap=True, markup=False)


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
        f"{plural(figures.images, 'image')}, {plural(figures.instances, 'instance')}, "
        f"{plural(figures.ignored, 'region')} to ignore; longer side of a box {low:.0f} / {middle:.0f} / {high:.0f} px "
        "(smallest, median, largest)",
        soft_wrap=True,
    )
    table = Table("point", "labelled", "hidden")
    for name, count in figures.labelled.items():
        table.add_row(escape(name), str(count), str(figures.hidden[name]))
    console.print(table)


def _targets(options: Check) -> dict[Path, Path]:
    """The image file for the drawn samples of each label file; no two are the same."""
    if options.out is not None and len(options.files) == 1:
        return {options.files[0]: options.out}
    out = options.out or Path("data_check.png")
    targets: dict[Path, Path] = {}
    for file in options.files:
        whole = file.resolve()
        names = (
            file.stem,
            f"{whole.parent.name}_{file.stem}",
            *(f"{file.stem}_{n}" for n in range(2, len(options.files) + 2)),
        )
        tries = (out.with_name(f"{out.stem}_{name}{out.suffix}") for name in names)
        targets[file] = next(target for target in tries if target not in targets.values())
    return targets


def _write_sheet(dataset: Dataset, samples: int, target: Path) -> None:
    """Draw instances, evenly spread over the set, beside their mirror images, which show a wrong mirror pair.

    Without known mirror pairs there are no mirror images. A legend below names the colours.
    """
    import cv2
    import numpy as np

    from posekit.transforms.geometric import Placement, place
    from posekit.visualize.draw import draw_poses, sheet
    from posekit.visualize.legend import entries, with_legend

    skeleton = dataset.skeleton
    which = np.unique(np.linspace(0, len(dataset) - 1, min(samples, len(dataset))).astype(int))
    pictures, captions = [], []
    for index in which:
        sample = dataset.instance(int(index))
        for flip in (False, True) if skeleton.flippable else (False,):
            crop = place(sample, Placement(sample.instances.boxes[0], flip=flip), (256, 256), skeleton)
            points = crop.instances.keypoints
            score = np.where(points.labelled, 1.0, 0.0)
            pictures.append(draw_poses(crop.image, points.xy, score, skeleton, threshold=0.5))
            captions.append(f"{Path(sample.path).name}{' flipped' if flip else ''}")
    drawn = with_legend(sheet(pictures, columns=6, captions=captions), entries(skeleton, sides=True))
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
    print(f"{plural(len(dataset), 'crop')} of at most {options.size} px, {out.stat().st_size / 2**20:.1f} MiB: {out}")
    return 0
