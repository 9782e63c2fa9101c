"""posekit's models beside published ones, timed in the same rounds: `python -m benchmarks.peers --wheel W --rtmpose F`.

MediaPipe's pose and hand landmark networks are read from the wheel of mediapipe 0.10.21 and run by LiteRT
(`pip install ai-edge-litert`). MediaPipe expects a turned square around the person or hand, which its own detector
gives; here it is given the labelled box, and once more the square that its rule makes of the first result (suffix "x2",
at twice the time), as in a video. RTMPose's ONNX files are made by `benchmarks/peer_rtmpose.py` with random
weights, so only their time counts. MoveNet's and posekit's files are those of `benchmarks.front`. One thread; people in
given boxes of `coco_person` val, hands of `hand_coco_wholebody` val; `benchmarks/results/peers.json`.
"""

import argparse
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

import posekit
from benchmarks.front import VAL
from benchmarks.ladder import root
from benchmarks.record import circumstances, write
from posekit.api.evaluate import Reading
from posekit.engines.spec import InferenceSpec
from posekit.geometry.affine import invert, transform
from posekit.geometry.framing import Crop
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.predictor import Predictor
from posekit.skeletons import SKELETONS
from posekit.studies.timing import interleaved, ratio, summary
from posekit.transforms.geometric import warp
from posekit.zoo.catalogue import folder_of
from posekit.zoo.load import load

Image = NDArray[np.uint8]
HANDS = "hand_coco_wholebody/annotations/hand_val.json"
BODY = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""MediaPipe's pose landmarks in COCO's order, which starts with nose, left and right eye, ears."""
PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Hand landmarks that MediaPipe's next square is put around."""
ROUNDS = 30
BASE = "MoveNet Lightning (ONNX)"
"""What times are compared with."""


def sigmoid(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Logits to probabilities."""
    return 1 / (1 + np.exp(-np.asarray(values, np.float64)))


class LiteRT:
    """A network of MediaPipe as an engine: one instance in each image.

    Args:
        file: .tflite.
        spec: size, padding of the box and points.
        read: outputs of one image to points (K, 2), their scores (K,) and the score of the instance.
    """

    def __init__(self, file: Path, spec: InferenceSpec, read: Callable[[list[Any]], tuple[Any, Any, float]]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.spec, self.read = spec, read
        self.net = Interpreter(str(file), num_threads=1)
        self.net.allocate_tensors()
        self.input = self.net.get_input_details()[0]["index"]
        self.outputs = [each["index"] for each in self.net.get_output_details()]
        self.last: list[list[Any]] = []

    def __call__(self, images: Image) -> Poses:
        """Poses (B, 1, K)."""
        found, self.last = [], []
        for image in images:
            self.net.set_tensor(self.input, image[None].astype(np.float32) / 255)
            self.net.invoke()
            outputs = [self.net.get_tensor(index)[0] for index in self.outputs]
            self.last.append(outputs)
            found.append(self.read(outputs))
        return Poses(
            xy=np.stack([xy for xy, _, _ in found])[:, None].astype(np.float32),
            score=np.stack([score for _, score, _ in found])[:, None].astype(np.float32),
            instance_score=np.array([[score] for _, _, score in found], np.float32),
        )


def read_body(outputs: list[Any]) -> tuple[Any, Any, float]:
    """39 landmarks of x, y, z, visibility, presence in pixels, of which 17 are COCO's."""
    marks = outputs[0].reshape(39, 5)[list(BODY)]
    score = sigmoid(marks[:, 3])
    return marks[:, :2], score, float(outputs[1].ravel()[0] * score.mean())


def read_hand(outputs: list[Any]) -> tuple[Any, Any, float]:
    """21 landmarks of x, y, z in pixels; their score is that of the hand."""
    presence = float(outputs[1].ravel()[0])
    return outputs[0].reshape(21, 3)[:, :2], np.full(21, presence), presence


def body_square(outputs: list[Any]) -> tuple[Any, float, float]:
    """MediaPipe's next square in pixels of the crop: centre, side, angle; from its two auxiliary landmarks."""
    centre, top = outputs[0].reshape(39, 5)[33:35, :2]
    dx, dy = top - centre
    return centre, float(2 * np.hypot(dx, dy) * 1.25), float(np.pi / 2 - np.arctan2(-dy, dx))


def hand_square(outputs: list[Any]) -> tuple[Any, float, float]:
    """MediaPipe's next square of a hand: around the palm, turned so that the fingers point upwards."""
    marks = outputs[0].reshape(21, 3)[:, :2]
    knuckles = ((marks[5] + marks[13]) / 2 + marks[9]) / 2
    dx, dy = knuckles - marks[0]
    angle = float(np.pi / 2 - np.arctan2(-dy, dx))
    turn = np.array([[np.cos(-angle), -np.sin(-angle)], [np.sin(-angle), np.cos(-angle)]])
    palm = marks[list(PALM)] @ turn.T
    low, high = palm.min(0), palm.max(0)
    middle, side = (low + high) / 2, float((high - low).max())
    middle[1] -= 0.1 * float(high[1] - low[1])
    return middle @ turn, side * 2.0, angle


def of_square(centre: Any, side: float, angle: float, size: int) -> NDArray[np.float64]:
    """(3, 3) from the image to a turned square of so many pixels."""
    cos, sin, scale = np.cos(angle), np.sin(angle), size / side
    into = np.array([[cos, sin], [-sin, cos]]) * scale
    matrix = np.eye(3)
    matrix[:2, :2] = into
    matrix[:2, 2] = size / 2 - into @ np.asarray(centre)
    return matrix


class Twice:
    """MediaPipe as in a video: the given box first, then the turned square that its rule makes of what it found.

    Args:
        first: a predictor on a `LiteRT` engine.
        square: the rule, in pixels of the crop.
    """

    needs_boxes = True
    instance_threshold = 0.0

    def __init__(self, first: Predictor, square: Callable[[list[Any]], tuple[Any, float, float]]) -> None:
        self.first, self.square = first, square
        self.spec, self.skeleton, self.name = first.spec, first.skeleton, first.name + " x2"

    def __call__(self, images: Sequence[Image], boxes: Any = None) -> list[Poses]:
        """Poses of each image."""
        return list(self.stream(images, boxes))

    def stream(self, images: Iterable[Image], boxes: Any = None) -> Iterator[Poses]:
        """Poses of each image."""
        engine = self.first.engine
        assert isinstance(engine, LiteRT)
        size = self.spec.size
        for image, given in zip(images, boxes, strict=False):
            found = []
            for matrix in self.spec.framing.frames(image.shape[:2], np.asarray(given, np.float64), size):
                poses = engine(warp(image, matrix, size)[None])[0].transformed(invert(matrix))
                centre, side, angle = self.square(engine.last[0])
                back = invert(matrix)
                around = transform(np.asarray(centre, np.float64)[None], back)[0]
                again = of_square(around, side * float(np.hypot(*back[:2, 0])), angle, size[0])
                second = engine(warp(image, again, size)[None])[0].transformed(invert(again))
                better = second.instance_score[0] >= poses.instance_score[0]
                found.append(second if better else poses)
            empty = Poses.empty(len(self.skeleton.points))
            yield Poses.concatenate(found) if found else empty


@dataclass(frozen=True)
class Measured:
    """A model that is measured: the predictor, and whether its weights are real."""

    predictor: Any
    real: bool = True


class Random:
    """RTMPose with random weights: only its time counts."""

    def __init__(self, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.mean = np.array([123.675, 116.28, 103.53], np.float32)
        self.std = np.array([58.395, 57.12, 57.375], np.float32)
        self.size = (256, 192)

    def __call__(self, images: Image) -> tuple[Any, Any]:
        """Normalise, run, arg-max of both vectors."""
        image = ((images.astype(np.float32) - self.mean) / self.std).transpose(0, 3, 1, 2)
        x, y = self.session.run(None, {"image": np.ascontiguousarray(image)})
        return x.argmax(-1) / 2, y.argmax(-1) / 2


def mediapipe(wheel: Path, folder: Path) -> dict[str, Path]:
    """The networks in the wheel, unpacked."""
    names = {
        "pose": "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "hand": "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "hand lite": "mediapipe/modules/hand_landmark/hand_landmark_lite.tflite",
    }
    with zipfile.ZipFile(wheel) as file:
        return {name: Path(file.extract(inside, folder)) for name, inside in names.items()}


def spec_of(name: str, skeleton: Skeleton, size: int, padding: float) -> InferenceSpec:
    """The spec of a network of MediaPipe."""
    return InferenceSpec(name=name, skeleton=skeleton, size=(size, size), framing=Crop(padding=padding))


def measured(
    models: dict[str, Measured], data: Path, keys: Sequence[str], skeleton: str
) -> dict[str, dict[str, float]]:
    """Figures of the models with real weights."""
    rows = {}
    for name, one in models.items():
        if one.real:
            figures = posekit.evaluate(one.predictor, data, reading=Reading(skeleton=skeleton)).figures
            rows[name] = {key: round(float(figures[key]), 4) for key in keys if key in figures}
            print(name, rows[name], flush=True)
    return rows


def engine_of(one: Measured) -> Any:
    """What is timed: a call with a batch of one crop, or of a whole predictor of two steps."""
    predictor = one.predictor
    return predictor.engine if isinstance(predictor, Predictor) else predictor


def timed(models: dict[str, Measured], rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of the network with decoding on one crop, in every round."""
    rng = np.random.default_rng(0)
    calls = {}
    for name, one in models.items():
        engine = engine_of(one)
        if isinstance(engine, Twice):
            continue
        size = engine.size if isinstance(engine, Random) else engine.spec.size
        crop = rng.integers(0, 256, (1, *size, 3), dtype=np.uint8)

        def call(engine: Any = engine, crop: Any = crop) -> None:
            engine(crop)

        calls[name] = call
    return interleaved(calls, rounds)


def people(nets: dict[str, Path], asked: argparse.Namespace) -> dict[str, Measured]:
    """All models of people in given boxes."""
    body = SKELETONS["coco17"]
    pose = Predictor(
        LiteRT(nets["pose"], spec_of("MediaPipe Pose landmark, full", body, 256, asked.padding), read_body)
    )
    models = {
        "MediaPipe Pose landmark, full": Measured(pose),
        "MediaPipe Pose landmark, full x2": Measured(Twice(pose, body_square)),
    }
    for title, folder in (("MoveNet Lightning", asked.lightning), ("MoveNet Thunder", asked.thunder)):
        models[f"{title} (ONNX)"] = Measured(load(asked.front / f"{folder}.onnx", threads=1))
    for file in sorted(asked.rtmpose.glob("*.onnx")):
        models[f"{file.stem}, 256x192, random weights (ONNX)"] = Measured(Random(file), real=False)
    for name in ("body-crop-s-192", "body-crop-s", "body-crop-m"):
        models[f"{name} (ONNX)"] = Measured(load(asked.front / f"{name}.onnx", threads=1))
        for suffix, told in (("", "OpenVINO"), ("-int8", "OpenVINO INT8")):
            file = asked.front / f"{name}{suffix}.xml"
            if file.exists():
                models[f"{name} ({told})"] = Measured(load(file, threads=1))
    return models


def hands(nets: dict[str, Path], asked: argparse.Namespace) -> dict[str, Measured]:
    """All models of hands in given boxes."""
    skeleton = SKELETONS["hand21"]
    models = {}
    for name in ("hand", "hand lite"):
        told = f"MediaPipe Hand landmark, {'lite' if 'lite' in name else 'full'}"
        one = Predictor(LiteRT(nets[name], spec_of(told, skeleton, 224, asked.hand_padding), read_hand))
        models |= {told: Measured(one), f"{told} x2": Measured(Twice(one, hand_square))}
    own = folder_of("hand-s")
    assert own is not None, "hand-s is not here"
    models["hand-s (ONNX)"] = Measured(load(own, threads=1))
    return models


def table(models: dict[str, Measured], figures: dict[str, Any], rounds: int, base: str) -> dict[str, dict[str, Any]]:
    """Figures and times of every model."""
    times = timed(models, rounds)
    rows: dict[str, dict[str, Any]] = {name: dict(figures.get(name, {})) for name in models}
    for name, one in summary(times).items():
        rows[name] |= {"cpu_ms": round(one["median_ms"], 2), f"times {base}": round(ratio(times, name, base), 3)}
    return rows


def main() -> None:
    """Measure, time and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", required=True, type=Path, help="of mediapipe 0.10.21")
    parser.add_argument("--rtmpose", required=True, type=Path, help="folder that peer_rtmpose.py wrote")
    parser.add_argument("--front", type=Path, default=Path("runs/front"), help="folder that benchmarks.front wrote")
    parser.add_argument("--lightning", default="movenet-lightning", help="name of its file there")
    parser.add_argument("--thunder", default="movenet-thunder", help="name of its file there")
    parser.add_argument("--padding", type=float, default=1.25, help="of the person's box for MediaPipe")
    parser.add_argument("--hand-padding", type=float, default=1.5, help="of the hand's box for MediaPipe")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        nets = mediapipe(asked.wheel, Path(folder))
        bodies, palms = people(nets, asked), hands(nets, asked)
        body_figures = measured(bodies, root() / VAL, ("AP", "AP50", "pck@0.05", "pck@0.2"), "coco17")
        hand_figures = measured(palms, root() / HANDS, ("pck@0.2", "pck@0.05", "nme_box", "auc"), "hand21")
        found = {
            "people": table(bodies, body_figures, asked.rounds, BASE),
            "hands": table(palms, hand_figures, asked.rounds, "hand-s (ONNX)"),
        }
    write("peers", {"boxes": "given, of coco_person val and hand_coco_wholebody val", **found, **circumstances()})
    for rows in found.values():
        print(*(f"{name}: {row}" for name, row in rows.items()), sep="\n")


if __name__ == "__main__":
    main()
