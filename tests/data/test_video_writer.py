"""Videos are written in segments that last, with their times, and joined without loss."""

import errno
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import BASE, picture

from posekit.data import video_writer
from posekit.data.video import VideoFile, VideoInfo
from posekit.data.video_writer import SegmentWriter, join, segments

TIMES = [0, 3600, 3601, 12_345, 90_000, 90_007, 200_003, 203_000, 206_600, 210_200, 213_800]


def written(folder, times=TIMES, size=(48, 64), base=BASE, first=0, length=4, close=True):
    writer = SegmentWriter(folder, VideoInfo(*size, base, 25.0), first, length)
    for number, pts in list(enumerate(times))[first:]:
        writer.write(pts, picture(number, size))
    if close:
        writer.close()
    return writer


def decoded(file):
    return [(frame.pts, frame.image) for frame in VideoFile(file).frames()]


def same(one, other):
    return len(one) == len(other) and all(
        a == b and (image == again).all() for (a, image), (b, again) in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(
    "base", [BASE, Fraction(1, 10_240), Fraction(1, 1000), Fraction(1001, 30_000), Fraction(1, 10)]
)
def test_times_are_those_of_the_frames(tmp_path, base):
    times = [7 + t for t in TIMES]
    written(tmp_path / "parts", times, base=base)
    video = VideoFile(join(segments(tmp_path / "parts"), tmp_path / "a.mp4"))
    found = [frame.pts * video.info.time_base for frame in video.frames()]
    assert found == [t * base for t in times]


def test_pixels_stay_near_and_odd_sizes_are_padded(tmp_path):
    written(tmp_path / "parts", size=(49, 63))
    found = decoded(join(segments(tmp_path / "parts"), tmp_path / "a.mp4"))
    assert found[0][1].shape == (50, 64, 3)
    for number, (_, image) in enumerate(found):
        assert np.abs(image[:49, :63].astype(int) - picture(number, (49, 63))).mean() < 3
        assert np.abs(image[49].astype(int) - image[48]).mean() < 3


def test_colours_are_kept(tmp_path):
    writer = SegmentWriter(tmp_path / "parts", VideoInfo(48, 64, BASE, 25.0))
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)]
    for number, colour in enumerate(colours):
        writer.write(number * 3600, np.full((48, 64, 3), colour, np.uint8))
    writer.close()
    found = decoded(join(segments(tmp_path / "parts"), tmp_path / "a.mp4"))
    for colour, (_, image) in zip(colours, found, strict=True):
        np.testing.assert_allclose(image.mean((0, 1)), colour, atol=4)


def test_frames_of_another_size_are_scaled(tmp_path):
    writer = SegmentWriter(tmp_path / "parts", VideoInfo(48, 64, BASE, 25.0))
    writer.write(0, picture(0))
    writer.write(3600, picture(1, (96, 128)))
    writer.close()
    assert [image.shape for _, image in decoded(segments(tmp_path / "parts")[0])] == [(48, 64, 3)] * 2


def test_complete_segments_stay_and_the_rest_is_written_again(tmp_path):
    written(tmp_path / "once")
    whole = decoded(join(segments(tmp_path / "once"), tmp_path / "once.mp4"))
    assert [len(decoded(file)) for file in segments(tmp_path / "once")] == [4, 4, 3]
    broken = written(tmp_path / "twice", TIMES[:6], close=False)
    broken.abandon()
    assert [file.name for file in (tmp_path / "twice").iterdir()] == ["000000.nut"]
    written(tmp_path / "twice", first=4)
    assert same(decoded(join(segments(tmp_path / "twice"), tmp_path / "twice.mp4")), whole)


def test_a_missing_segment_ends_what_is_complete(tmp_path):
    written(tmp_path)
    (tmp_path / "000001.nut").unlink()
    assert [file.name for file in segments(tmp_path)] == ["000000.nut"]
    assert segments(tmp_path / "none") == []


def test_a_segment_begins_at_its_first_frame(tmp_path):
    with pytest.raises(ValueError, match="segments have 4 frames, so one cannot begin at frame 6"):
        SegmentWriter(tmp_path, VideoInfo(48, 64, BASE, 25.0), 6, 4)


def test_the_shape_of_pixels_is_kept(tmp_path):
    writer = SegmentWriter(tmp_path / "parts", VideoInfo(48, 64, BASE, 25.0, aspect=Fraction(4, 3)))
    writer.write(0, picture(0))
    writer.close()
    assert VideoFile(join(segments(tmp_path / "parts"), tmp_path / "a.mp4")).info.aspect == Fraction(4, 3)


def test_without_an_encoder_the_message_says_what_to_do(tmp_path, monkeypatch):
    def missing(name, mode):
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(av.codec, "Codec", missing)
    with pytest.raises(RuntimeError, match=r"no H.264 encoder.*pip install --force-reinstall av.*--no-pictures"):
        SegmentWriter(tmp_path, VideoInfo(48, 64, BASE, 25.0))


def test_a_file_that_cannot_be_written_leaves_nothing_half(tmp_path, monkeypatch):
    written(tmp_path / "parts")
    target = tmp_path / "a.mp4"
    target.write_bytes(b"before")

    def full(self, *about):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(video_writer.Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        join(segments(tmp_path / "parts"), target)
    assert target.read_bytes() == b"before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "parts"]
