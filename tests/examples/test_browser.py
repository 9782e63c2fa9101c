"""The browser's page finds the points that Python finds, on a photo and in a webcam's picture."""

import base64
import os
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import find_chromium, opened

import posekit
from posekit.transforms.geometric import warp

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "browser"
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
PHOTOS = ROOT / "examples" / "photos"
MODELS = ROOT / "posekit" / "zoo" / "shipped"

pytestmark = pytest.mark.slow


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


def runtime():
    """The folder with ONNX Runtime Web's two files, or ``None``."""
    inside = Path("node_modules") / "onnxruntime-web" / "dist"
    named = os.environ.get("POSEKIT_ORT_WEB")
    folders = [Path(named)] if named else [EXAMPLE, EXAMPLE / inside, ROOT / inside]
    return next((folder for folder in folders if all((folder / name).is_file() for name in RUNTIME)), None)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page, served from this machine."""
    if runtime() is None:
        pytest.skip(f"no {' and '.join(RUNTIME)} (examples/browser/README.md says how to get them; POSEKIT_ORT_WEB)")
    folder = tmp_path_factory.mktemp("page")
    for file in [*EXAMPLE.glob("*.html"), *EXAMPLE.glob("*.js"), *(runtime() / name for name in RUNTIME)]:
        shutil.copy(file, folder / file.name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser():
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium (on Debian: apt-get install chromium-headless-shell; POSEKIT_CHROMIUM)")
    return found


def table(page):
    """Points (N, K, 2) and scores (N, K) as the page lists them."""
    rows = page.run("[...document.querySelectorAll('#points tr')].map((r) => [...r.cells].map((c) => c.innerText))")
    count = sum(row[0].startswith("instance ") for row in rows)
    assert rows[0] == ["point", "x", "y", "score"]
    numbers = np.array([row[1:] for row in rows[1:] if not row[0].startswith("instance ")], float)
    numbers = numbers.reshape(count, -1, 3)
    return numbers[..., :2], numbers[..., 2]


def expected(file, image):
    predictor = posekit.load(file)
    poses = predictor(image)[0]
    return poses if predictor.needs_boxes else poses[poses.instance_score >= predictor.instance_threshold]


def status(page):
    return page.run("document.getElementById('status').innerText")


@pytest.mark.parametrize("photo", ["astronaut.jpg", "camera.jpg"])
@pytest.mark.parametrize("name", ["body-crop-s", "body-s", "face-s"])
def test_points_on_a_photo_are_those_of_python(name, photo, address, browser, tmp_path):
    file = MODELS / name / "model.onnx"
    with opened(browser, address, tmp_path) as page:
        page.choose("#model", file)
        page.until(f"document.getElementById('status').innerText.startsWith('{name}:')")
        page.choose("#photo", PHOTOS / photo)
        page.until("/network [0-9]+ ms/.test(document.getElementById('status').innerText)")
        xy, score = table(page)
        picture = os.environ.get("POSEKIT_SCREENSHOT")
        if picture and (name, photo) == ("body-crop-s", "astronaut.jpg"):
            Path(picture).write_bytes(base64.b64decode(page.call("Page.captureScreenshot", format="png")["data"]))
    poses = expected(file, PHOTOS / photo)
    assert xy.shape == poses.xy.shape
    assert len(poses)
    np.testing.assert_allclose(xy, poses.xy, atol=0.05)
    np.testing.assert_allclose(score, poses.score, atol=2e-3)


def test_another_model_finds_its_points_in_the_same_photo(address, browser, tmp_path):
    with opened(browser, address, tmp_path) as page:
        page.choose("#photo", PHOTOS / "astronaut.jpg")
        page.until("document.getElementById('canvas').width == 512")
        for name in ("body-crop-s", "face-s"):
            file = MODELS / name / "model.onnx"
            page.choose("#model", file)
            page.until(
                f"document.getElementById('status').innerText.startsWith('{name}: the image as one box; network')"
            )
            np.testing.assert_allclose(table(page)[0], expected(file, PHOTOS / "astronaut.jpg").xy, atol=0.05)


@pytest.mark.parametrize("size", [(512, 512), (301, 512), (480, 333), (64, 100)])
def test_pixels_of_the_input_are_those_of_python(size, address, browser, tmp_path):
    width, height = size
    file = tmp_path / "cut.png"
    image = np.ascontiguousarray(posekit.read_image(PHOTOS / "astronaut.jpg")[:height, :width])
    cv2.imwrite(str(file), image[..., ::-1])
    spec = posekit.load(MODELS / "body-s" / "model.onnx").spec
    with opened(browser, address, tmp_path / "profile") as page:
        page.choose("#photo", file)
        page.until(f"document.getElementById('canvas').width == {width}")
        made = page.run(
            """(async () => {
                const { frameOf, warp } = await import("./posekit.js");
                const canvas = document.getElementById("canvas");
                const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const spec = { size: [384, 384], framing: { kind: "letterbox" } };
                const view = warp(image, frameOf(spec, image.width, image.height), spec.size);
                return btoa(Array.from(view, (value) => String.fromCharCode(value)).join(""));
            })()"""
        )
    view = np.frombuffer(base64.b64decode(made), np.uint8).reshape(*spec.size, 3).astype(int)
    matrix = spec.framing.frames((height, width), None, spec.size)[0]
    difference = np.abs(view - warp(image, matrix, spec.size))
    assert difference.max() <= 1
    # OpenCV rounds values halfway between two levels as its build for this processor does.
    assert (difference > 0).mean() < 0.03


def test_points_in_a_webcam_picture_are_found_frame_after_frame(address, browser, tmp_path):
    file, video = MODELS / "body-crop-s" / "model.onnx", tmp_path / "webcam.mjpeg"
    video.write_bytes((PHOTOS / "astronaut.jpg").read_bytes())
    words = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    )
    with opened(browser, address, tmp_path / "profile", *words) as page:
        page.choose("#model", file)
        page.until("document.getElementById('status').innerText.startsWith('body-crop-s:')")
        page.run("document.getElementById('webcam').click()")
        times = "document.getElementById('status').innerText.match(/network [0-9]+ ms, all [0-9]+ ms/)"
        page.until(times)
        first = status(page)
        page.until(f"({times}) && document.getElementById('status').innerText != {first!r}")
        page.run("document.getElementById('webcam').click()")
        assert page.run("document.getElementById('webcam').innerText") == "Webcam"
        xy, score = table(page)
        size = page.run("[document.getElementById('canvas').width, document.getElementById('canvas').height]")
    poses = expected(file, PHOTOS / "astronaut.jpg")
    # The webcam may scale or cut the picture, but the nose is where it was.
    assert xy.shape == poses.xy.shape
    assert score[0, 0] > 0.3
    assert 0.2 < xy[0, 0, 0] / size[0] < 0.7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x08\x08\x12\x00", "no metadata of posekit"),
        (b"not a model", "damaged, or not an ONNX file"),
        (b'r\x29\n\x07posekit\x12\x1e{"spec": {}, "format": 999999}', "metadata of format 999999"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_in_words(content, message, address, browser, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with opened(browser, address, tmp_path / "profile") as page:
        page.choose("#model", file)
        page.until("document.getElementById('status').classList.contains('error')")
        assert message in status(page)


def test_a_file_that_is_no_image_is_refused_in_words(address, browser, tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"not an image")
    with opened(browser, address, tmp_path / "profile") as page:
        page.choose("#photo", file)
        page.until("document.getElementById('status').classList.contains('error')")
        assert re.search(r"photo\.jpg is not an image", status(page))
