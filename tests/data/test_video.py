"""Videos are read with exact times, upright, and as far as they can be read; what is missing is said."""

import sys
import threading
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from clips import BASE, STEP, picture, write_clip, write_sound

from posekit.data import video_camera
from posekit.data.errors import DataError
from posekit.data.video import Mark, VideoFile
from posekit.data.video_camera import Camera
from posekit.data.video_folder import ImageFolder
from posekit.data.video_sources import is_video, open_video, short_name, video_sources


def near(image, other, most=4.0):
    return image.shape == other.shape and np.abs(image.astype(int) - other.astype(int)).mean() < most


def test_frames_come_in_order_with_their_times(tmp_path):
    video = VideoFile(write_clip(tmp_path / "a.mp4"))
    frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.pts for frame in frames] == [n * STEP for n in range(12)]
    assert [frame.time for frame in frames] == [n * 0.04 for n in range(12)]
    assert all(near(frame.image, picture(frame.index)) for frame in frames)
    assert (video.info.height, video.info.width, video.info.frames) == (48, 64, 12)
    assert video.info.rate == pytest.approx(25, rel=0.01)
    assert video.info.time_base == BASE and video.faults == () and video.repeatable and not video.live


def test_a_variable_rate_is_kept_to_the_tick(tmp_path):
    times = [0, 3600, 3601, 12_345, 90_000, 90_007, 200_003]
    video = VideoFile(write_clip(tmp_path / "a.mp4", times=times))
    frames = list(video.frames())
    assert [frame.pts for frame in frames] == times
    assert [frame.time for frame in frames] == [float(t * BASE) for t in times]


def test_the_same_frames_again(tmp_path):
    video = VideoFile(write_clip(tmp_path / "a.mp4"))
    first, second = list(video.frames()), list(video.frames())
    assert all((a.image == b.image).all() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("index", [1, 4, 5, 11])
def test_reading_from_a_frame_gives_what_reading_from_the_start_gives(tmp_path, index, known):
    video = VideoFile(write_clip(tmp_path / "a.mp4"))
    every = list(video.frames())
    rest = list(video.frames(Mark(index, every[index].pts if known else None)))
    assert [frame.index for frame in rest] == list(range(index, 12))
    assert [frame.pts for frame in rest] == [frame.pts for frame in every[index:]]
    assert all((a.image == b.image).all() for a, b in zip(rest, every[index:], strict=True))
    assert video.faults == ()


def test_reading_from_a_frame_that_is_gone_is_an_error(tmp_path):
    video = VideoFile(write_clip(tmp_path / "a.mp4"))
    with pytest.raises(DataError, match="frame 40 was there before and cannot be read now: was the file changed"):
        list(video.frames(Mark(40, 40 * STEP)))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [(False, False), (True, False), (False, True)])
def test_frames_are_turned_and_mirrored_as_the_file_says(tmp_path, degrees, mirror):
    file = write_clip(tmp_path / "a.mp4", 2, rotation=(degrees, *mirror))
    video = VideoFile(file)
    frames = list(video.frames())
    for frame in frames:
        want = np.rot90(picture(frame.index), degrees // 90)
        want = want[:, ::-1] if mirror[0] else want
        want = want[::-1] if mirror[1] else want
        assert near(frame.image, want)
        assert frame.image.flags.c_contiguous
    assert (video.info.height, video.info.width) == frames[0].image.shape[:2]


def test_odd_sizes(tmp_path):
    file = write_clip(tmp_path / "a.mp4", 3, size=(49, 63), pixels="yuv444p")
    video = VideoFile(file)
    assert (video.info.height, video.info.width) == (49, 63)
    assert all(near(frame.image, picture(frame.index, (49, 63))) for frame in video.frames())


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_file_that_is_cut_off_gives_the_frames_before(tmp_path, share):
    file = write_clip(tmp_path / "a.mp4", 40, container={"movflags": "+faststart"})
    whole = list(VideoFile(file).frames())
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    video = VideoFile(file)
    frames = list(video.frames())
    assert 0 < len(frames) < 40
    assert all((a.image == b.image).all() for a, b in zip(frames[:-1], whole, strict=False))
    (said,) = video.faults
    assert said.startswith(f"{file}: {len(frames)} of 40 frames could be read, the rest is missing or damaged")
    assert "is the download or the copy complete?" in said


def test_a_file_without_a_count_that_is_cut_off_says_its_end(tmp_path):
    file = write_clip(tmp_path / "a.mkv", 100)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    video = VideoFile(file)
    frames = list(video.frames())
    assert 0 < len(frames) < 100
    (said,) = video.faults
    assert f"and {len(frames)} frames, 4.0 s were announced" in said


def test_damage_in_the_middle_is_passed_over_and_said(tmp_path):
    file = write_clip(tmp_path / "a.mp4", 40, container={"movflags": "+faststart"})
    content = bytearray(file.read_bytes())
    middle = len(content) * 6 // 10
    content[middle : middle + 300] = bytes(300)
    file.write_bytes(content)
    video = VideoFile(file)
    frames = list(video.frames())
    assert len(frames) > 20 and frames[-1].pts == 39 * STEP
    (said,) = video.faults
    assert "damaged" in said


def test_an_mp4_without_its_index(tmp_path):
    file = write_clip(tmp_path / "a.mp4")
    file.write_bytes(file.read_bytes()[:600])
    with pytest.raises(DataError, match=r"a\.mp4: its index \(moov\) is missing or damaged.*get the file again"):
        VideoFile(file)


def test_a_video_without_frames(tmp_path):
    file = write_clip(tmp_path / "a.mp4", 0)
    with pytest.raises(DataError, match=r"a\.mp4: no video in it, it is empty: was the recording broken off"):
        VideoFile(file)
    file = write_clip(tmp_path / "b.mp4", 1)
    content = file.read_bytes()
    start = content.index(b"mdat") + 4
    file.write_bytes(content[:start] + bytes(200) + content[start + 200 :])
    with pytest.raises(DataError, match=r"b\.mp4: no frame in it could be decoded"):
        VideoFile(file)


def test_sound_alone(tmp_path):
    with pytest.raises(DataError, match=r"a\.mp4: no video in it, only audio; give a file with a video"):
        VideoFile(write_sound(tmp_path / "a.mp4"))


def test_a_codec_that_is_not_known(tmp_path):
    file = write_clip(tmp_path / "a.mp4")
    file.write_bytes(file.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(DataError, match=r"a\.mp4: its video codec is unknown to this build of FFmpeg: convert it"):
        VideoFile(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file; expected a video"), (b"", "the file is empty"), (b"hello" * 99, "not a video that FFmpeg")],
)
def test_what_is_no_video(tmp_path, content, said):
    file = tmp_path / "a.mp4"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=said):
        VideoFile(file)


def test_a_folder_is_no_video_file(tmp_path):
    with pytest.raises(DataError, match="expected a video, got a folder"):
        VideoFile(tmp_path)


def test_without_pyav_the_message_says_what_to_install(tmp_path, monkeypatch):
    file = write_clip(tmp_path / "a.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r"reading videos needs av: pip install 'posekit\[video\]'"):
        VideoFile(file)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *about):
        pass


@pytest.fixture
def served(tmp_path):
    """The address of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_stream_of_the_network_is_read_once_from_time_0(tmp_path, served):
    write_clip(tmp_path / "a.mp4", times=[9_000 + n * STEP for n in range(8)])
    video = open_video(f"{served}/a.mp4")
    assert not video.repeatable and not video.live
    frames = list(video.frames())
    assert [frame.pts for frame in frames] == [n * STEP for n in range(8)]
    with pytest.raises(DataError, match="a stream of the network is read once"):
        next(video.frames())


def test_a_stream_that_is_not_there(served):
    with pytest.raises(DataError, match=r"the stream cannot be opened.*check address"):
        open_video(f"{served}/none.mp4")


def images(folder, names):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), picture(number)[..., ::-1])
    return folder


def test_images_of_a_folder_in_natural_order(tmp_path):
    folder = images(tmp_path / "in", ["f1.png", "f2.png", "f10.png", "f11.png"])
    (folder / "f3.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("x")
    video = open_video(folder, 25)
    frames = list(video.frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.pts for frame in frames] == [0, 1, 3, 4]
    assert [frame.time for frame in frames] == [0, 0.04, 0.12, 0.16]
    assert all((frame.image == picture(frame.index)).all() for frame in frames)
    assert len(video.faults) == 1 and "f3.png" in video.faults[0]
    assert video.info.time_base == Fraction(1, 25) and video.info.frames == 5
    rest = list(video.frames(Mark(2, 3)))
    assert [(frame.index, frame.pts) for frame in rest] == [(2, 3), (3, 4)]


def test_folders_without_images(tmp_path):
    with pytest.raises(DataError, match="no image there"):
        open_video(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="none of its 1 images could be read"):
        open_video(tmp_path)
    with pytest.raises(ValueError, match="frames a second must be above 0; got 0"):
        ImageFolder(tmp_path, 0)


class Shown:
    """A camera of three images."""

    def __init__(self, number):
        self.left, self.released = 3 if number == 0 else 0, False

    def isOpened(self):  # noqa: N802
        return True

    def read(self):
        self.left -= 1
        return (True, picture(0)[..., ::-1].copy()) if self.left >= 0 else (False, None)

    def get(self, what):
        return 30.0

    def release(self):
        self.released = True


def test_a_camera_gives_frames_with_the_times_of_their_arrival(monkeypatch):
    monkeypatch.setattr(video_camera.cv2, "VideoCapture", Shown)
    camera = open_video("0")
    assert isinstance(camera, Camera) and camera.live and not camera.repeatable
    frames = list(camera.frames())
    assert [frame.index for frame in frames] == [0, 1]
    assert 0 <= frames[0].pts < frames[1].pts and (frames[0].image == picture(0)).all()
    with pytest.raises(DataError, match="camera 1 gives no image"):
        open_video("1")


def test_a_camera_that_is_not_there(capfd):
    with pytest.raises(DataError, match="no camera 97: is it plugged in"):
        open_video("97")


def test_which_sources_are_videos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "noname.mp4").rename(tmp_path / "noname")
    (tmp_path / "3").mkdir()
    (tmp_path / "text").write_text("no video")
    asked = ["a.mp4", "A.MKV", "rtsp://x/y", "http://x", "0", "noname", "clips/*.mp4", tmp_path / "b.avi"]
    assert all(map(is_video, asked))
    assert not any(map(is_video, ["a.jpg", "3", "1234", "photos", "*.png", "text", "."]))


def test_patterns_name_videos_in_natural_order(tmp_path):
    for name in ("c10.mp4", "c2.mp4"):
        (tmp_path / name).touch()
    found = video_sources([str(tmp_path / "*.mp4"), str(tmp_path / "c2.mp4"), "0"])
    assert found == [str(tmp_path / "c2.mp4"), str(tmp_path / "c10.mp4"), "0"]
    with pytest.raises(DataError, match="no file there"):
        video_sources([str(tmp_path / "*.mkv")])


def test_names_of_sources_hold_no_passwords():
    assert short_name("rtsp://me:secret@host:554/door?token=1") == "host-554-door"
    assert (short_name("0"), short_name("in/a.b.mp4")) == ("camera-0", "a.b")
