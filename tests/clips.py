"""Small videos made with PyAV, and a predictor that finds the bright square in their frames."""

from fractions import Fraction

import av
import numpy as np
from figures import FOUR

from posekit.geometry.keypoints import Poses

BASE = Fraction(1, 90_000)
STEP = 3_600


def square_at(index, size):
    """Left and top edge of the square in a frame."""
    height, width = size
    return (3 * index) % (width - 12), (2 * index) % (height - 12)


def picture(index, size=(48, 64)):
    """A dark frame with a bright square of 10 pixels."""
    x, y = square_at(index, size)
    image = np.full((*size, 3), 20, np.uint8)
    image[y : y + 10, x : x + 10] = (250, 240, 230)
    return image


def write_clip(
    path,
    count=12,
    size=(48, 64),
    times=None,
    rotation=None,
    codec="libx264",
    pixels="yuv420p",
    options=None,
    container=None,
    keyframe=5,
):
    """Write a clip; ``times`` are ticks of 1/90000 s."""
    times = list(times) if times is not None else [n * STEP for n in range(count)]
    options = {"g": str(keyframe), "bf": "0", "crf": "10"} if options is None else options
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, options=options)
        stream.height, stream.width, stream.pix_fmt = size[0], size[1], pixels
        stream.time_base = stream.codec_context.time_base = BASE
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1], vflip=rotation[2])
        out.start_encoding()
        for number, pts in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
            frame.pts, frame.time_base = pts, BASE
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def write_sound(path):
    """A file with sound alone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 16_000, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return path


class Squares:
    """Finds the bright square: one instance with its four corners; ``seen`` counts frames that the network saw."""

    name, skeleton, needs_boxes, instance_threshold = "squares", FOUR, False, 0.3

    def __init__(self):
        self.seen = 0

    def __call__(self, images, boxes=None):
        return list(self.stream(images, boxes))

    def stream(self, images, boxes=None):
        for image in images:
            self.seen += 1
            yield self.poses(image)

    def poses(self, image):
        rows, columns = np.nonzero(image[..., 0] > 128)
        if not len(rows):
            return Poses.empty(4)
        x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        xy = np.array([[[x0, y0], [x1, y0], [x0, y1], [x1, y1]]], np.float32)
        # Something of every pixel, so that another frame gives another score.
        score = np.full((1, 4), 0.5 + image.astype(np.float64).mean() % 0.4, np.float32)
        return Poses(xy, score, score.mean(-1), boxes=np.array([[x0, y0, x1, y1]], np.float32))
