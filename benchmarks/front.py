"""Accuracy against time of models of crops: `python -m benchmarks.front --lightning FOLDER --thunder FOLDER`.

MoveNet's two published networks for one person (FOLDER is what `posekit models convert` wrote) beside posekit's models,
each by PyTorch, ONNX Runtime and OpenVINO, by the last in 8 bits as well. All artefacts are timed in the same rounds on
one thread, on the same crops of `coco_person`'s validation images, and measured on all of them; INT8 finds its ranges
on training images. Files lie in OUT; `benchmarks/results/front.json` and `front.svg`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import posekit
from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from benchmarks.shipped import PLANS, Stage, recipe
from posekit.api.export import ExportError
from posekit.data.coco import read_coco, write_coco
from posekit.exporting.images import from_labels, spread
from posekit.pipelines.predictor import Predictor
from posekit.skeletons import SKELETONS
from posekit.studies.timing import interleaved, ratio, summary
from posekit.visualize.charts import line_chart
from posekit.zoo.catalogue import folder_of
from posekit.zoo.load import load
from posekit.zoo.weights import load_weights, save_weights

TRAIN, VAL = (f"coco_person/annotations/person_keypoints_{split}.json" for split in ("train", "val"))
CALIBRATION = 200
ROUNDS = 30
TIMED = 4
"""Crops in a round."""
BASE = "movenet-lightning, onnx"
"""What times are compared with."""


def smaller(name: str, size: int, folder: Path) -> Path:
    """A model of posekit at another size of its input."""
    made = recipe(SKELETONS["coco17"], PLANS[name], Stage(size, 1, 1e-3), "")
    net = made.build(weights=False)
    net.load_state_dict(load_weights(name).net.state_dict())
    save_weights(folder, net, made, {})
    return folder


def artefacts(name: str, model: Path, out: Path, calibration: Path) -> dict[str, Path]:
    """The exported files of a model by name; those that are there already are not made again."""
    val = root() / VAL
    made = {f"{name}, torch": model}
    for to, ending in (("onnx", ".onnx"), ("openvino", ".xml")):
        file = out / f"{name}{ending}"
        if not file.exists():
            posekit.export(model, to, out=file, images=val)
        made[f"{name}, {to}"] = file
    file = out / f"{name}-int8.xml"
    if not file.exists():
        try:
            posekit.export(model, "openvino", out=file, int8=calibration, images=val, max_drop=0.005)
        except ExportError as error:
            print(error, flush=True)
    if file.exists():
        made[f"{name}, openvino int8"] = file
    return made


def few(out: Path) -> Path:
    """A label file of some training people, for the ranges of INT8."""
    file = out / "calibration.json"
    if not file.exists():
        dataset = read_coco(root() / TRAIN)
        write_coco(dataset.subset(spread(np.arange(len(dataset)), CALIBRATION)), file)
    return file


def timed(files: dict[str, Path]) -> dict[str, list[float]]:
    """CPU milliseconds of one crop by every artefact in every round."""
    dataset = read_coco(root() / VAL)
    clocks = {}
    for name, file in files.items():
        predictor = load(file, runtime="torch" if name.endswith("torch") else "auto", device="cpu", threads=1)
        assert isinstance(predictor, Predictor)
        engine = predictor.engine
        crops = from_labels(predictor.spec, dataset, TIMED)

        def once(engine: Any = engine, crops: Any = crops) -> None:
            for crop in crops:
                engine(crop[None])

        clocks[name] = once
    times = interleaved(clocks, ROUNDS)
    return {name: [value / TIMED for value in values] for name, values in times.items()}


def chart(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Each model as a curve from 8 bits to 32 bits, whichever runtime is faster there."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for name, row in rows.items():
        model, kind = name.split(", ")
        if kind in ("onnx", "openvino int8"):
            curves.setdefault(model, []).append((row["cpu_ms"], row["AP"]))
    return line_chart(
        "accuracy against time, INT8 to 32 bits",
        {model: sorted(points) for model, points in curves.items()},
        x_label="CPU ms of a crop, one thread: OpenVINO INT8, ONNX Runtime (dot)",
        y_label="AP in given boxes",
    )


def main() -> None:
    """Export, measure, time and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lightning", required=True, type=Path)
    parser.add_argument("--thunder", required=True, type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/front"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    models = {
        "movenet-lightning": args.lightning,
        "movenet-thunder": args.thunder,
        "body-crop-s": folder_of("body-crop-s"),
        "body-crop-s-192": smaller("body-crop-s", 192, args.out / "body-crop-s-192"),
        "body-crop-m": folder_of("body-crop-m"),
    }
    calibration = few(args.out)
    files: dict[str, Path] = {}
    for name, model in models.items():
        assert model is not None, f"{name} is not here"
        files |= artefacts(name, model, args.out, calibration)
    rows: dict[str, dict[str, Any]] = {}
    for name, file in files.items():
        predictor = load(file, runtime="torch" if name.endswith("torch") else "auto", device="cpu", threads=1)
        figures = posekit.evaluate(predictor, root() / VAL).figures
        rows[name] = {key: round(float(figures[key]), 4) for key in ("AP", "AP50", "pck@0.05", "nme_box")}
        print(name, rows[name], flush=True)
    times = timed(files)
    for name, one in summary(times).items():
        rows[name] |= {"cpu_ms": round(one["median_ms"], 2), f"times {BASE}": round(ratio(times, name, BASE), 3)}
    write("front", {"crops": "given boxes of coco_person val", "models": rows, **circumstances()})
    (RESULTS / "front.svg").write_text(chart(rows), encoding="utf-8")
    print(*(f"{name}: {row}" for name, row in rows.items()), sep="\n")


if __name__ == "__main__":
    main()
