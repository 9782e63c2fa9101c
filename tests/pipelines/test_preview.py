"""The live preview: the newest frame on a page of this machine."""

import threading
import urllib.error
import urllib.request
from functools import partial

import cv2
import numpy as np
import pytest
from clips import Squares, write_clip

import posekit
from posekit.cli.main import main
from posekit.geometry.keypoints import Poses
from posekit.pipelines.preview import Preview
from posekit.visualize.tracks import draw_tracked

EMPTY = Poses.empty(4)


def picture(value):
    return np.full((48, 64, 3), value, np.uint8)


def drawn(image, poses):
    return draw_tracked(image, poses, Squares.skeleton)


def read(address, host=None):
    request = urllib.request.Request(address, headers={} if host is None else {"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def colour(jpeg):
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (48, 64, 3)
    return image.mean()


def test_the_page_shows_the_newest_frame_and_no_older_one():
    with Preview(drawn, 0) as preview:
        assert b'src="/stream"' in read(preview.address)
        for value in (10, 90, 200):
            preview.show(picture(value), EMPTY)
        assert colour(read(f"{preview.address}frame.jpg")) == pytest.approx(200, abs=2)
        with urllib.request.urlopen(f"{preview.address}stream", timeout=10) as stream:
            assert stream.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
            for value in (200, 40):
                assert stream.readline() == b"--frame\r\n"
                stream.readline()
                size = int(stream.readline().split()[1])
                stream.readline()
                assert colour(stream.read(size)) == pytest.approx(value, abs=2)
                stream.readline()
                preview.show(picture(40), EMPTY)
    with pytest.raises(urllib.error.URLError):
        read(preview.address)
    assert not [thread for thread in threading.enumerate() if thread.name == "preview"]


def test_a_frame_that_nobody_looks_at_is_not_drawn():
    seen = []

    def draw(image, poses):
        seen.append(image)
        return image

    with Preview(draw, 0) as preview:
        assert preview.newest(wait=0.01) is None
        for value in range(50):
            preview.show(picture(value), EMPTY)
        assert not seen
        first, again = preview.newest(), preview.newest()
        assert first == again and first[0] == 50 and len(seen) == 1
        assert preview.newest(after=50, wait=0.01) is None
    assert preview.newest() is None


def test_other_pages_and_other_names_of_the_machine_are_refused():
    with Preview(drawn, 0) as preview:
        preview.show(picture(9), EMPTY)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            read(f"{preview.address}else")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            read(preview.address, host="elsewhere.example:80")
        assert read(preview.address, host=preview.address.split("/")[2].replace("127.0.0.1", "localhost"))


def test_a_port_that_is_taken(tmp_path, capsys):
    with Preview(drawn, 0) as preview:
        port = int(preview.address.rstrip("/").rpartition(":")[2])
        with pytest.raises(OSError, match=f"port {port} is taken; choose another one with --preview PORT, or 0"):
            Preview(drawn, port)
        clip = write_clip(tmp_path / "a.mp4")
        with pytest.raises(OSError, match=f"port {port} is taken"):
            posekit.predict_video(clip, Squares(), out=tmp_path / "out", preview=port)
    with pytest.raises(ValueError, match="a port is a number from 0 to 65535; got 70000"):
        Preview(drawn, 70000)
    assert main(["predict", str(tmp_path / "photo.jpg"), "--preview"]) == 1
    assert "--preview is for videos" in capsys.readouterr().err
    assert main(["predict", str(clip), "--preview", "1", "2"]) == 1
    assert "--preview takes one port; got 1 2" in capsys.readouterr().err


@pytest.mark.parametrize("smooth", ["none", "savgol"])
def test_a_run_shows_its_frames_and_writes_what_it_writes_without(smooth, tmp_path):
    clip, found = write_clip(tmp_path / "a.mp4"), []
    addresses = []

    def seen(stage, done, total):
        if done == 9:
            found.append(colour(read(f"{addresses[0]}frame.jpg")))

    run = partial(posekit.predict_video, clip, smooth=smooth)
    watched = run(Squares(), out=tmp_path / "one", preview=0, at=addresses.append, seen=seen)
    plain = run(Squares(), out=tmp_path / "two")
    assert found and all(value > 15 for value in found)
    assert watched.lines.read_bytes() == plain.lines.read_bytes()
    with pytest.raises(urllib.error.URLError):
        read(addresses[0])
