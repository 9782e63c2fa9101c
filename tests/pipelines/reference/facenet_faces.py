"""Run facenet-pytorch's MTCNN on pictures and store what it finds.

`python facenet_faces.py SCENES.npz TARGET.npz`

SCENES holds RGB uint8 arrays by name; scikit-image's astronaut, cat and cup are done too and stored as `picture.NAME`.
TARGET holds `boxes.NAME` (N, 5) with the score last and `points.NAME` (N, 5, 2), in facenet-pytorch's numbers.

Runs in an environment of its own: `pip install torch==2.13.0 numpy pillow requests tqdm scikit-image` and
`pip install --no-deps facenet-pytorch==2.6.0`. Of torchvision it needs the suppression alone, which stands here.
"""

from __future__ import annotations

import sys
import types

import numpy as np
import torch

PICTURES = ("astronaut", "chelsea", "coffee")


def suppressed(boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, threshold: float) -> torch.Tensor:
    """What ``torchvision.ops.boxes.batched_nms`` says, one box after the other."""
    stay: list[int] = []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for i in scores.argsort(descending=True, stable=True).tolist():
        rivals = torch.tensor([j for j in stay if groups[j] == groups[i]], dtype=torch.long)
        low, high = torch.maximum(boxes[i, :2], boxes[rivals, :2]), torch.minimum(boxes[i, 2:], boxes[rivals, 2:])
        common = (high - low).clamp(min=0).prod(-1)
        if not (common / (area[i] + area[rivals] - common) > threshold).any():
            stay.append(i)
    return torch.tensor(stay, dtype=torch.long)


def stand_in() -> None:
    """Give facenet-pytorch the parts of torchvision that it imports."""
    names = ("torchvision", "torchvision.ops", "torchvision.ops.boxes", "torchvision.transforms")
    modules = {name: types.ModuleType(name) for name in names}
    modules["torchvision.ops.boxes"].batched_nms = suppressed  # type: ignore[attr-defined]
    modules["torchvision.transforms"].functional = types.SimpleNamespace()  # type: ignore[attr-defined]
    modules["torchvision"].transforms = modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules |= modules


def main(scenes: str, target: str) -> None:
    """Run and store."""
    stand_in()
    import skimage.data
    from facenet_pytorch import MTCNN

    finder = MTCNN(keep_all=True, device="cpu")
    with np.load(scenes) as given:
        pictures = {name: given[name] for name in given}
    own = {name: getattr(skimage.data, name)() for name in PICTURES}
    values = {f"picture.{name}": picture for name, picture in own.items()}
    for name, picture in (pictures | own).items():
        boxes, scores, points = finder.detect(picture, landmarks=True)
        count = 0 if boxes is None else len(boxes)
        both = [[*map(float, box), float(score)] for box, score in zip(boxes, scores, strict=True)] if count else []
        values[f"boxes.{name}"] = np.array(both).reshape(count, 5)
        values[f"points.{name}"] = np.array([p.tolist() for p in points] if count else []).reshape(count, 5, 2)
    np.savez(target, **values)


if __name__ == "__main__":
    main(*sys.argv[1:])
