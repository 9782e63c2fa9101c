"""What kinds of errors the shipped models make: `python -m benchmarks.errors [NAME...]`.

Each model is measured on the data of its card (`POSEKIT_DATA`). Besides shares and costs, ``errors.json`` keeps the
points of the worst instances of three kinds, from which `make docs` draws stick figures: the photos may not be shown.
"""

import argparse
import json
from typing import Any

import numpy as np
import torch

import posekit
from benchmarks.ladder import root
from benchmarks.pack_models import CARDS
from benchmarks.record import RESULTS, circumstances, write
from posekit.api.evaluate import Reading, read_labels
from posekit.data.dataset import Dataset
from posekit.engines.spec import known
from posekit.evaluation.diagnosed import diagnosed
from posekit.evaluation.measure import Measured
from posekit.metrics.diagnosis import KINDS, Diagnosis

SHOWN = ("inversion", "swap", "miss")
EACH = 2
"""Pictures of each kind."""
LEAST = 0.5
"""Share of points that must be labelled in an instance that is shown."""


def worst(diagnosis: Diagnosis, measured: Measured, dataset: Dataset) -> list[dict[str, Any]]:
    """The instances with most points of each kind; of equals those whose points lie farthest away first."""
    taken: set[int] = set()
    shown = []
    full = measured.labelled.mean(1) >= LEAST
    for kind in SHOWN:
        here = diagnosis.kinds == list(KINDS).index(kind)
        rank = here.sum(1) + np.nan_to_num(measured.instance_error).clip(0, 0.99)
        for i in map(int, np.argsort(-np.where(full, rank, 0.0), kind="stable")):
            if i not in taken and here[i].any():
                taken.add(i)
                shown.append(kept(i, kind, diagnosis, measured, dataset))
                if sum(one["kind"] == kind for one in shown) == EACH:
                    break
    return shown


def kept(i: int, kind: str, diagnosis: Diagnosis, measured: Measured, dataset: Dataset) -> dict[str, Any]:
    """Label and prediction of an instance, in widths of a square around its box."""
    row = dataset.rows[i]
    box = dataset.boxes[row]
    middle, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())

    def within(xy: Any) -> list[list[float]]:
        return np.round((xy - middle) / side + 0.5, 3).tolist()  # type: ignore[no-any-return]

    return {
        "kind": kind,
        "labelled": measured.labelled[i].tolist(),
        "wrong": (diagnosis.kinds[i] == list(KINDS).index(kind)).tolist(),
        "label": within(dataset.xy[row]),
        "predicted": within(measured.xy[i]),
    }


def main() -> None:
    """Measure the named models, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(CARDS), help="names in the catalogue")
    torch.set_num_threads(1)
    for name in parser.parse_args().models:
        card = CARDS[name]
        dataset = read_labels(root() / card.test, Reading(skeleton=card.skeleton))
        measured = posekit.evaluate(name, dataset)
        diagnosis = diagnosed(measured, dataset)
        found = {
            "data": card.test,
            "sigmas_fit": card.sigmas_fit,
            "share": known(diagnosis.share()),
            "oks_lost": known(diagnosis.lost()),
            "worst": worst(diagnosis, measured, dataset),
            **circumstances(),
        }
        file = RESULTS / "errors.json"
        before = json.loads(file.read_text(encoding="utf-8"))["models"] if file.is_file() else {}
        models = before | {name: found}
        write("errors", {"models": {one: models[one] for one in CARDS if one in models}})
        told = ", ".join(f"{kind} {share:.1%}" for kind, share in found["share"].items())
        print(f"{name}: {told}", flush=True)


if __name__ == "__main__":
    main()
