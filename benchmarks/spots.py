"""Speed-ups outside the codecs, before and after in interleaved rounds: `python -m benchmarks.spots`.

`codec_spots` has the codecs, `coco_reader` the reader and the writer of COCO. Here: the moving average of the weights,
the network as it is loaded (batch norms folded, channels last), the format of drawn pictures, and the memory that a
training process keeps. Medians of process CPU time on one thread; a round runs both forms one after the other.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from benchmarks.record import write
from posekit.data.synthetic import Synthetic
from posekit.engines.torch import TorchEngine
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.averaging import averaged

ROUNDS = 15
COCO = SKELETONS["coco17"]
Pair = tuple[Callable[[], object], Callable[[], object]]


def by_tensor(net: nn.Module) -> AveragedModel:
    """The moving average as it was: one operation for each tensor."""

    def average(mean: torch.Tensor, current: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
        decay = min(0.999, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(mean, current, 1 - decay) if mean.is_floating_point() else current

    return AveragedModel(net, avg_fn=average, use_buffers=True)


def average() -> Pair:
    """One update of the moving average of a ResNet-50."""
    net = RECIPES["topdown-dark"](COCO).build()
    before, after = by_tensor(net), averaged(net, 0.999)
    return lambda: before.update_parameters(net), lambda: after.update_parameters(net)


def engine(name: str) -> Pair:
    """Eight crops through the network of a recipe: as trained, and as it is loaded for prediction."""
    recipe = RECIPES[name](COCO)
    net, spec = recipe.build().eval(), recipe.spec()
    plain, fast = (TorchEngine(net, recipe.codec, spec, optimise=optimise) for optimise in (False, True))
    images = np.random.default_rng(0).integers(0, 256, (8, *recipe.size, 3), dtype=np.uint8)
    return lambda: plain(images), lambda: fast(images)


def picture(folder: Path) -> Pair:
    """A picture of 512x512 pixels to disk."""
    image = Synthetic(COCO, 1, (512, 512), seed=1).dataset().instance(0).image
    png, jpeg = str(folder / "a.png"), str(folder / "a.jpg")
    return lambda: cv2.imwrite(png, image), lambda: cv2.imwrite(jpeg, image, [cv2.IMWRITE_JPEG_QUALITY, 95])


def step_time(keep: bool) -> float:
    """CPU seconds of a training step, over 15, in a process of its own, with or without kept memory."""
    code = (
        "import time, torch; torch.set_num_threads(1)\n"
        "from posekit.training.allocator import keep_freed_memory\n"
        f"if {keep}: keep_freed_memory()\n"
        "from posekit.recipes import RECIPES; from posekit.skeletons import SKELETONS\n"
        "net = RECIPES['topdown-dark-tiny'](SKELETONS['coco17'], size=(192, 192)).build().train()\n"
        "x = torch.rand(16, 3, 192, 192) * 255\n"
        "def step():\n"
        "    net.zero_grad(); net(x)['heatmap'].square().mean().backward()\n"
        "for _ in range(3): step()\n"
        "start = time.process_time()\n"
        "for _ in range(15): step()\n"
        "print(time.process_time() - start)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout) / 15


def timed(call: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def row(before: list[float], after: list[float]) -> dict[str, float]:
    """Medians in milliseconds and their ratio."""
    old, new = statistics.median(before) * 1e3, statistics.median(after) * 1e3
    return {"before_ms": round(old, 3), "after_ms": round(new, 3), "times_as_fast": round(old / new, 2)}


def main() -> None:
    """Measure all and write ``spots.json``."""
    torch.set_num_threads(1)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "moving average, ResNet-50": average(),
            "8 crops, topdown-dark-tiny": engine("topdown-dark-tiny"),
            "8 crops, topdown-dark": engine("topdown-dark"),
            "drawn picture, 512x512": picture(Path(folder)),
        }
        for name, (old, new) in cases.items():
            old(), new()
            pairs = [(timed(old), timed(new)) for _ in range(ROUNDS)]
            rows[name] = row(*map(list, zip(*pairs, strict=True)))
            print(name, rows[name], flush=True)
    steps = [(step_time(False), step_time(True)) for _ in range(3)]
    rows["training step, topdown-dark-tiny, 16 crops of 192x192"] = row(*map(list, zip(*steps, strict=True)))
    print(list(rows.items())[-1], flush=True)
    write("spots", {"rounds": ROUNDS, "rows": rows})


if __name__ == "__main__":
    main()
