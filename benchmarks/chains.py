"""Two models in a row on full images: `python -m benchmarks.chains body-s body-s+body-crop-s body-s+body-crop-m`.

AP on `coco_person` val of `POSEKIT_DATA`, without flip test; areas of that set are estimates.
"""

import json
import sys
import time

import torch

import posekit
from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from posekit.engines.spec import known

DATA = "coco_person/annotations/person_keypoints_val.json"


def main() -> None:
    """Measure the models that are named, and keep the figures of the others."""
    torch.set_num_threads(1)
    file = RESULTS / "chains.json"
    results = json.loads(file.read_text(encoding="utf-8"))["chains"] if file.is_file() else {}
    for name in sys.argv[1:]:
        start = time.perf_counter()
        figures = known(posekit.evaluate(posekit.load(name), root() / DATA).figures)
        seconds = round(time.perf_counter() - start, 1)
        results[name] = {"data": DATA, "figures": figures, "seconds": seconds, **circumstances()}
        write("chains", {"chains": results})
        print(f"{name}: AP {figures['AP']:.4f}, AP50 {figures['AP50']:.4f}", flush=True)


if __name__ == "__main__":
    main()
