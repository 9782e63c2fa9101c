"""MTCNN with the public weights against measured numbers, and against facenet-pytorch face by face.

`POSEKIT_MTCNN` names facenet-pytorch's wheel or the folder it was unzipped to, `POSEKIT_FACENET_PYTHON` the interpreter
of the environment that `reference/facenet_faces.py` describes.
"""

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from posekit.data.image import read_image
from posekit.geometry.boxes import iou
from posekit.zoo.mtcnn import load_mtcnn, read_mtcnn

pytestmark = pytest.mark.parity

FACES = Path.home() / ".cache" / "posekit" / "mtfl5_80px"
SCRIPT = Path(__file__).parent / "reference" / "facenet_faces.py"

NOTHING = {
    "proposal": ((-0.021401, -0.153777, 0.039427, 0.143962), 1.2659e-4),
    "refinement": ((-0.078014, -0.175952, 0.046893, 0.238436), 3.5560e-3),
    "output": ((-0.031649, -0.213724, 0.057655, 0.101849), 3.9128e-4),
}
"""Box and score of a picture that is all middle grey."""
RAMP = {
    "proposal": ((0.036074, -0.036159, 0.025501, 0.120772), 0.001548),
    "refinement": ((-0.14635, -0.227258, 0.152062, 0.387384), 0.000681),
    "output": ((-0.039364, -0.074977, -0.014943, 0.116689), 0.000142),
}
"""Of a picture that differs in each pixel, so that an order mixed up would show."""
POINTS = {
    "nothing": ((0.366456, 0.721164, 0.540469, 0.416701, 0.664281), (0.253252, 0.215999, 0.545463, 0.743139, 0.731713)),
    "ramp": ((0.363021, 0.69261, 0.516559, 0.346405, 0.585243), (0.260758, 0.293516, 0.504562, 0.735794, 0.770251)),
}
ASTRONAUT = (181.05, 62.16, 267.75, 172.05)
"""Counted from 1."""
ASTRONAUT_POINTS = ((205.01, 101.73), (246.76, 103.71), (224.67, 128.96), (201.72, 139.25), (245.27, 141.86))


@pytest.fixture(scope="module")
def weights():
    place = os.environ.get("POSEKIT_MTCNN")
    if not place:
        pytest.skip("POSEKIT_MTCNN does not name the public weights (facenet-pytorch's wheel, or unzipped)")
    return place


@pytest.fixture(scope="module")
def scenes():
    """Three pictures with faces of many sizes, enlarged and pasted on smooth grounds; two have one size."""
    if not FACES.is_dir():
        pytest.skip(f"{FACES} does not hold the faces to paste")
    images = json.loads((FACES / "annotations" / "mtfl5_test.json").read_bytes())["images"]
    files = sorted(FACES / "images" / Path(image["file_name"]).name for image in images)
    rng = np.random.default_rng(7)
    sides, made = (90, 120, 150, 200, 230), {}
    for name, (height, width) in {"one": (520, 700), "two": (520, 700), "three": (260, 900)}.items():
        scene = cv2.resize(rng.integers(60, 200, (4, 5, 3)).astype(np.uint8), (width, height))
        x = 5
        while True:
            side = int(rng.choice(sides))
            if x + side > width:
                break
            y = int(rng.integers(0, height - side + 1))
            face = read_image(files[int(rng.integers(len(files)))])
            scene[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
            x += side + 11
        made[name] = scene
    return made


@pytest.fixture(scope="module")
def theirs(scenes, tmp_path_factory):
    interpreter = os.environ.get("POSEKIT_FACENET_PYTHON")
    if not interpreter:
        pytest.skip(f"POSEKIT_FACENET_PYTHON does not name the interpreter of an environment for {SCRIPT.name}")
    folder = tmp_path_factory.mktemp("facenet")
    np.savez(folder / "scenes.npz", **scenes)
    words = [interpreter, str(SCRIPT), str(folder / "scenes.npz"), str(folder / "found.npz")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "found.npz") as found:
        return {name: found[name] for name in found}


def ours_of(boxes):
    """Boxes counted from 1, first and last pixel, in our frame."""
    return np.asarray(boxes, np.float64)[..., :4] - [1, 1, 0, 0]


def said(net, seen):
    maps = {name: value.flatten(1) for name, value in net(seen * 128 + 127.5).items()}
    return maps["box"][0], maps["face"].softmax(1)[0, 1], maps


@pytest.mark.parametrize("name", list(NOTHING))
@torch.no_grad()
def test_networks_on_nothing_and_on_a_ramp(name, weights):
    net = getattr(read_mtcnn(weights), name)
    ramp = torch.linspace(-1, 1, 3 * net.side**2).reshape(1, 3, net.side, net.side)
    for kind, seen, (box, score) in (("nothing", 0 * ramp, NOTHING[name]), ("ramp", ramp, RAMP[name])):
        moves, face, maps = said(net, seen)
        torch.testing.assert_close(moves, torch.tensor(box), atol=1e-5, rtol=0)
        torch.testing.assert_close(face, torch.tensor(score), atol=1e-5, rtol=1e-3)
        if name == "output":
            points = torch.tensor(POINTS[kind]).T.flatten()
            torch.testing.assert_close(maps["points"][0], points, atol=1e-5, rtol=0)


def test_the_astronaut_has_one_face_and_the_cat_and_the_cup_have_none(weights, theirs):
    finder = load_mtcnn(weights)
    poses, cat, cup = finder([theirs[f"picture.{name}"] for name in ("astronaut", "chelsea", "coffee")])
    assert (len(poses), len(cat), len(cup)) == (1, 0, 0)
    np.testing.assert_allclose(poses.boxes, ours_of([ASTRONAUT]), atol=0.02)
    np.testing.assert_allclose(poses.xy, [ASTRONAUT_POINTS], atol=0.02)
    np.testing.assert_allclose(poses.instance_score, [0.99999774], atol=1e-6)


@pytest.mark.parametrize("name", ["one", "two", "three", "astronaut", "chelsea", "coffee"])
def test_the_same_faces_as_facenet_pytorch(name, weights, scenes, theirs):
    pictures = scenes | {name[8:]: value for name, value in theirs.items() if name.startswith("picture.")}
    # All at once: two of one size run together.
    poses = dict(zip(pictures, load_mtcnn(weights)(list(pictures.values())), strict=True))[name]
    boxes, points = theirs[f"boxes.{name}"], theirs[f"points.{name}"]
    assert len(poses) == len(boxes)
    assert len(boxes) >= {"one": 3, "two": 3, "three": 3, "astronaut": 1}.get(name, 0)
    if not len(boxes):
        return
    overlap = iou(poses.boxes.astype(np.float64), ours_of(boxes))
    match = overlap.argmax(1)
    assert sorted(match) == list(range(len(boxes)))
    assert overlap.max(1).min() > 0.99
    assert np.abs(poses.xy - points[match]).max() < 0.5
    np.testing.assert_allclose(poses.instance_score, boxes[match, 4], atol=1e-4)
