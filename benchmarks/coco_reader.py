"""CPU time and peak memory of reading and writing a large COCO keypoint file, compared with other readers.

    python -m benchmarks.coco_reader [--before CHECKOUT] [--rounds 5]

The file is generated at random with as many annotations, images and segmentation polygons as COCO's people. Every
measurement is a process of its own, the candidates alternate, and medians are kept. ``--before`` names a checkout of
an older posekit to compare with. Time is that of the call alone, without imports; memory is the peak resident size of
the process, from its start.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

COUNTS = (37_500, 75_000, 150_000)
IMAGES_A_PERSON = 0.4
POINTS = 17
AIMS = {"read seconds of 150,000 annotations": 4.0, "read MiB of 150,000 annotations": 700.0}


def draw(file: Path, annotations: int, seed: int = 0) -> Path:
    """Write a random COCO file with polygons, crowd regions and unlabelled points.

    Args:
        file: of the JSON.
        annotations: how many.
        seed: of the random numbers.
    """
    rng = np.random.default_rng(seed)
    count = int(annotations * IMAGES_A_PERSON)
    with file.open("w", encoding="utf-8") as out:
        out.write('{"info": {"description": "drawn"}, "licenses": [{"id": 1, "name": "none"}], "images": [')
        out.write(", ".join(json.dumps(_image(i)) for i in range(1, count + 1)))
        out.write('], "annotations": [')
        for i in range(annotations):
            out.write((", " if i else "") + json.dumps(_annotation(i + 1, int(rng.integers(1, count + 1)), rng)))
        names = [f"point_{i}" for i in range(POINTS)]
        out.write(f'], "categories": [{json.dumps({"id": 1, "name": "person", "keypoints": names})}]}}\n')
    return file


def _image(number: int) -> dict[str, Any]:
    name = f"{number:012d}.jpg"
    return {
        "license": 1,
        "file_name": name,
        "coco_url": f"http://images.example.org/train/{name}",
        "height": 480,
        "width": 640,
        "date_captured": "2013-11-14 16:28:13",
        "flickr_url": f"http://farm4.example.org/3153/{number}_cbd2a4c5a1_z.jpg",
        "id": number,
    }


def _annotation(number: int, image: int, rng: np.random.Generator) -> dict[str, Any]:
    x, y, width, height = (rng.random(4) * (320, 240, 300, 220)).round(2).tolist()
    seen = rng.choice(3, POINTS, p=(0.4, 0.1, 0.5))
    points = (rng.random((POINTS, 2)) * (width + 1, height + 1) + (x, y)).astype(int) * (seen > 0)[:, None]
    polygon = (rng.random(2 * int(rng.integers(8, 60))) * 400).round(2).tolist()
    return {
        "segmentation": [polygon],
        "num_keypoints": int((seen > 0).sum()),
        "area": round(width * height * 0.53, 4),
        "iscrowd": int(rng.random() < 0.01),
        "keypoints": np.concatenate([points, seen[:, None]], 1).ravel().tolist(),
        "image_id": image,
        "bbox": [x, y, width, height],
        "category_id": 1,
        "id": number,
    }


def _read_posekit(file: Path) -> Any:
    from posekit.data.coco import read_coco

    return lambda: read_coco(file)


def _write_posekit(file: Path) -> Callable[[], Any]:
    from posekit.data.coco import read_coco, write_coco

    dataset = read_coco(file)
    return lambda: write_coco(dataset, file.with_name(f"written_{os.getpid()}.json"))


def _read_pycocotools(file: Path) -> Callable[[], Any]:
    from pycocotools.coco import COCO

    return lambda: COCO(str(file))


def _read_hotcoco(file: Path) -> Callable[[], Any]:
    from hotcoco import COCO

    return lambda: COCO(str(file))


def _read_json(file: Path) -> Callable[[], Any]:
    return lambda: json.loads(file.read_text(encoding="utf-8"))


ACTIONS: dict[str, Callable[[Path], Callable[[], Any]]] = {
    "read posekit": _read_posekit,
    "write posekit": _write_posekit,
    "read pycocotools": _read_pycocotools,
    "read hotcoco": _read_hotcoco,
    "read json": _read_json,
}


def work(action: str, file: Path) -> None:
    """Run one task and print its cost as JSON on the last line."""
    call = ACTIONS[action](file)
    before = _peak(reset=True)
    start, wall = time.process_time(), time.perf_counter()
    kept = call()
    seconds, waited = time.process_time() - start, time.perf_counter() - wall
    cost = {"cpu_s": seconds, "wall_s": waited, "peak_mib": _peak(), "before_mib": before}
    if isinstance(kept, Path):
        kept.unlink()
    print("\n" + json.dumps(cost))


def _peak(reset: bool = False) -> float:
    """Largest resident size of this process in MiB since the last reset."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak


def _measure(action: str, checkout: Path, file: Path) -> dict[str, float]:
    words = [sys.executable, str(Path(__file__).resolve()), "--work", action, str(file)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=file.parent, check=False)
    if done.returncode:
        raise RuntimeError(f"{action} of {checkout} failed: {done.stderr.strip()[-400:]}")
    cost: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return cost


def main(before: Path | None = None, rounds: int = 5) -> dict[str, Any]:
    """Measure and write `coco_reader.json`."""
    from benchmarks.record import ROOT, write
    from posekit.studies.timing import aim

    runs = [(action, action, ROOT) for action in ACTIONS]
    if before is not None:
        runs += [(f"{action} before", action, before) for action in ("read posekit", "write posekit")]
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in COUNTS:
            file = draw(Path(folder) / f"{count}.json", count)
            costs: dict[str, list[dict[str, float]]] = {name: [] for name, _, _ in runs}
            for _ in range(rounds if count == COUNTS[-1] else max(1, rounds // 2)):
                for name, action, checkout in runs:
                    costs[name].append(_measure(action, checkout, file))
            figures[str(count)] = {
                "file_mib": round(file.stat().st_size / 2**20, 1),
                "rounds": len(costs["read posekit"]),
                **{name: _medians(cost) for name, cost in costs.items()},
            }
            print(json.dumps({count: figures[str(count)]}, indent=1))
    largest = figures[str(COUNTS[-1])]["read posekit"]
    values = dict(zip(AIMS, (largest["cpu_s"], largest["peak_mib"]), strict=True))
    aims = {name: aim(values[name], most=most) for name, most in AIMS.items()}
    result = {"points": POINTS, "annotations": figures, "aims": aims}
    words = f"python -m benchmarks.coco_reader --rounds {rounds}"
    about = {"command": words} if before is None else {"command": f"{words} --before CHECKOUT", "before": _head(before)}
    print(f"in {write('coco_reader', result, **about)}")
    return result


def _head(checkout: Path) -> str:
    """The commit that a checkout is at."""
    words = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, cwd=checkout, check=True).stdout.strip()


def _medians(costs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(cost[key] for cost in costs), 3) for key in costs[0]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", nargs=2)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], Path(options.work[1]))
    else:
        main(options.before, options.rounds)
