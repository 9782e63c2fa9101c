"""A video from end to end: whatever interrupts a run, the resumed one gives what an unbroken one gives."""

import errno
import itertools
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from clips import BASE, STEP, Squares, picture, write_clip
from figures import FOUR

from posekit.data.errors import DataError
from posekit.data.raw_frames import RawFrame
from posekit.data.video import Frame, VideoFile, VideoInfo
from posekit.data.video_results import read_frames
from posekit.data.video_writer import SegmentWriter, segments
from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.pipelines.over_time import OverTime, keep_ids
from posekit.pipelines.unfinished import Unfinished
from posekit.pipelines.video import VideoTask, run_video
from posekit.visualize.tracks import draw_tracked

BLOCK, LENGTH, FRAMES = 4, 8, 43
SETTINGS = {"model": "squares", "lag": 40.0, "scales": (1.0, 2.0)}


class Numbers:
    """A tracker: ids from 1 by the order of the instances, from the third frame on."""

    def __init__(self):
        self.frames, self.time = 0, -1.0

    def __call__(self, poses, time):
        assert time > self.time
        self.frames, self.time = self.frames + 1, time
        shown = poses if self.frames > 2 else poses[:0]
        return replace(shown, ids=np.arange(1, len(shown) + 1))


class Mean:
    """A filter: the mean of all points so far, or of the complete track; ``tracks`` is what it was tuned on."""

    def __init__(self, causal, tracks):
        self.causal, self.tracks = causal, tracks

    def stream(self, points):
        seen = []

        def step(poses, time):
            if len(poses):
                seen.append(poses.xy)
            return replace(poses, xy=np.mean(seen, 0).astype(np.float32) if len(poses) else poses.xy)

        return step

    def track(self, track):
        xy = np.broadcast_to(track.poses.xy.mean(0), track.poses.xy.shape).astype(np.float32)
        return Track(track.id, track.frames, track.times, replace(track.poses, xy=xy))


WAYS = {
    "poses": OverTime(),
    "tracked": OverTime(Numbers),
    "causal": OverTime(Numbers, partial(Mean, True)),
    "offline": OverTime(Numbers, partial(Mean, False)),
}
draw = partial(draw_tracked, skeleton=FOUR)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", FRAMES)


def run(clip, folder, over="poses", resume=False, predictor=None, drawn=draw, drawing=True, settings=SETTINGS):
    """Run, and return what came of it, the lines, and the frames of the annotated video."""
    work = Unfinished(folder / "a.part", settings, 4, resume=resume, block=BLOCK, length=LENGTH)
    target = folder / "a.mp4"
    task = VideoTask(predictor or Squares(), WAYS[over], drawn)
    done = run_video(VideoFile(clip), task, work, target if drawing else None)
    frames = [(frame.pts, frame.image) for frame in VideoFile(target).frames()] if drawing else []
    return done, work.lines.read_bytes(), frames


def same(one, other):
    return len(one) == len(other) and all(
        a == b and (image == again).all() for (a, image), (b, again) in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def unbroken(clip, tmp_path_factory):
    return {over: run(clip, tmp_path_factory.mktemp(over), over) for over in WAYS}


def test_every_frame_has_its_poses_and_its_picture(clip, unbroken, tmp_path):
    done, lines, frames = unbroken["poses"]
    assert (done.frames, done.instances, done.faults) == (FRAMES, FRAMES, ())
    (tmp_path / "a.jsonl").write_bytes(lines)
    found = list(read_frames(tmp_path / "a.jsonl", FOUR))
    for number, (frame, image) in enumerate(zip(found, VideoFile(clip).frames(), strict=True)):
        assert frame.index == number and frame.time == pytest.approx(number * 0.04)
        np.testing.assert_allclose(frame.poses.xy, Squares().poses(image.image).xy, atol=1e-3)
    assert [pts for pts, _ in frames] == [n * STEP for n in range(FRAMES)]
    assert np.abs(frames[5][1].astype(int) - picture(5)).max() > 100
    assert set(done.seconds) == {"read", "predict", "draw", "write"}
    assert all(done.counts[stage] == FRAMES for stage in ("read", "predict", "draw", "write"))


def test_tracking_gives_ids(unbroken):
    lines = [json.loads(line) for line in unbroken["tracked"][1].splitlines()]
    assert [[one["id"] for one in line["instances"]] for line in lines] == [[], [], *[[1]] * (FRAMES - 2)]
    assert unbroken["tracked"][0].instances == FRAMES - 2


@pytest.mark.parametrize("over", ["causal", "offline"])
def test_smoothing_keeps_the_raw_points_beside(unbroken, over):
    lines = [json.loads(line) for line in unbroken[over][1].splitlines()]
    found = np.array([[p["x"] for p in line["instances"][0]["points"].values()] for line in lines[2:]])
    raw = np.array([[p["x"] for p in line["instances"][0]["raw"].values()] for line in lines[2:]])
    plain = [json.loads(line) for line in unbroken["tracked"][1].splitlines()]
    assert raw.tolist() == [[p["x"] for p in line["instances"][0]["points"].values()] for line in plain[2:]]
    count = np.arange(1, len(raw) + 1)[:, None]
    want = np.cumsum(raw, 0) / count if over == "causal" else np.broadcast_to(raw.mean(0), raw.shape)
    np.testing.assert_allclose(found, want, atol=2e-3)


class Interrupted(Squares):
    """Is interrupted after some frames, in the middle of a block."""

    def __init__(self, frames):
        super().__init__()
        self.frames = frames

    def poses(self, image):
        if self.seen > self.frames:
            raise KeyboardInterrupt
        return super().poses(image)


@pytest.mark.parametrize("frames", [0, 10, 42])
@pytest.mark.parametrize("over", WAYS)
def test_a_run_interrupted_while_predicting_is_continued(clip, unbroken, tmp_path, over, frames):
    with pytest.raises(KeyboardInterrupt):
        run(clip, tmp_path, over, predictor=Interrupted(frames))
    rest = Squares()
    done, lines, pictures = run(clip, tmp_path, over, resume=True, predictor=rest)
    stored = frames // BLOCK * BLOCK
    assert rest.seen == FRAMES - stored
    assert done.frames == FRAMES and done.instances == unbroken[over][0].instances
    assert lines == unbroken[over][1] and same(pictures, unbroken[over][2])


@pytest.mark.parametrize("frames", [2, 20])
@pytest.mark.parametrize("over", WAYS)
def test_a_run_interrupted_while_drawing_is_continued(clip, unbroken, tmp_path, over, frames):
    drawn = itertools.count()

    def interrupted(image, poses):
        if next(drawn) == frames:
            raise MemoryError("as if")
        return draw(image, poses)

    with pytest.raises(MemoryError, match="as if"):
        run(clip, tmp_path, over, drawn=interrupted)
    done, lines, pictures = run(clip, tmp_path, over, resume=True)
    assert done.counts["draw"] == FRAMES - frames // LENGTH * LENGTH
    assert lines == unbroken[over][1] and same(pictures, unbroken[over][2])


def test_a_run_interrupted_while_joining_neither_reads_nor_predicts_again(clip, unbroken, tmp_path, monkeypatch):
    run(clip, tmp_path)
    (tmp_path / "a.mp4").unlink()
    again = Squares()
    done, lines, pictures = run(clip, tmp_path, resume=True, predictor=again)
    assert again.seen == 0 and "read" not in done.seconds and "draw" not in done.seconds
    assert lines == unbroken["poses"][1] and same(pictures, unbroken["poses"][2])


def test_only_frames_that_are_needed_are_read_again(clip, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(clip, tmp_path, predictor=Interrupted(38))
    drawn = LENGTH * len(segments(tmp_path / "a.part" / "segments"))
    done, _, _ = run(clip, tmp_path, resume=True)
    # The last frame that is not needed is read to find the place.
    assert done.counts["read"] == FRAMES - max(drawn - 1, 0)


def test_a_full_disk_keeps_what_is_finished(clip, unbroken, tmp_path, monkeypatch):
    write = SegmentWriter.write

    def full(self, pts, image):
        if pts >= 20 * STEP:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, pts, image)

    monkeypatch.setattr(SegmentWriter, "write", full)
    with pytest.raises(OSError, match=r"the disk is full; \d+ frames are stored: free some space.*--resume"):
        run(clip, tmp_path)
    assert sorted(file.name for file in (tmp_path / "a.part" / "segments").iterdir()) == ["000000.nut", "000001.nut"]
    monkeypatch.undo()
    _, lines, pictures = run(clip, tmp_path, resume=True)
    assert lines == unbroken["poses"][1] and same(pictures, unbroken["poses"][2])


def test_other_faults_of_writing_are_told_as_they_are(clip, tmp_path, monkeypatch):
    def broken(self, pts, image):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(SegmentWriter, "write", broken)
    with pytest.raises(OSError, match="Input/output error"):
        run(clip, tmp_path)


def test_an_unfinished_run_is_not_overwritten(clip, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(clip, tmp_path, predictor=Interrupted(10))
    with pytest.raises(ValueError, match=r"a\.part holds an unfinished run: add --resume"):
        run(clip, tmp_path)


def test_a_run_with_other_settings_is_not_continued(clip, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(clip, tmp_path, predictor=Interrupted(10))
    with pytest.raises(ValueError, match=r"other settings: lag was 40\.0 and is 80\.0\. Give the same source"):
        run(clip, tmp_path, resume=True, settings={**SETTINGS, "lag": 80.0})
    (tmp_path / "a.part" / "settings.json").write_text("{oops")
    with pytest.raises(ValueError, match=r"settings\.json is damaged: remove the folder"):
        run(clip, tmp_path, resume=True)


def test_resume_without_an_unfinished_run_begins(clip, unbroken, tmp_path):
    _, lines, pictures = run(clip, tmp_path, resume=True)
    assert lines == unbroken["poses"][1] and same(pictures, unbroken["poses"][2])


def test_a_changed_clip_is_noticed(clip, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(clip, tmp_path, predictor=Interrupted(38))
    other = write_clip(tmp_path / "b.mp4", times=[n * 1000 for n in range(FRAMES)])
    with pytest.raises(DataError, match="was the file changed"):
        run(other, tmp_path, resume=True)


def test_without_pictures_stored_frames_are_not_read(clip, unbroken, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(clip, tmp_path, predictor=Interrupted(30), drawing=False)
    done, lines, _ = run(clip, tmp_path, resume=True, drawing=False)
    assert done.counts["read"] == FRAMES - 27 and lines == unbroken["poses"][1]
    assert not (tmp_path / "a.part" / "segments").exists()


def test_progress_is_told(clip, tmp_path):
    told = []
    work = Unfinished(tmp_path / "a.part", {}, 4, resume=False, block=BLOCK, length=LENGTH)
    task = VideoTask(Squares(), WAYS["causal"], draw, seen=lambda *about: told.append(about))
    run_video(VideoFile(clip), task, work, tmp_path / "a.mp4")
    assert [about for about in told if about[0] == "predict"] == [("predict", n, FRAMES) for n in range(1, FRAMES + 1)]
    assert [about for about in told if about[0] == "draw"] == [("draw", n, FRAMES) for n in range(1, FRAMES + 1)]


class Live:
    """A camera that never ends; frames are made when they are asked for."""

    source, repeatable, live, faults = "camera", False, True, ()
    info = VideoInfo(48, 64, BASE, 25.0)

    def frames(self, start=None):
        for number in itertools.count():
            yield Frame(number, number * STEP, number * 0.04, picture(number))


class Stopped(Squares):
    """Sets an event after some frames."""

    def __init__(self, stop, frames):
        super().__init__()
        self.stop, self.frames = stop, frames

    def poses(self, image):
        if self.seen == self.frames:
            self.stop.set()
        return super().poses(image)


def live(folder, task, resume=False):
    work = Unfinished(folder / "a.part", {}, 4, resume=resume, block=1, length=LENGTH)
    return run_video(Live(), task, work, folder / "a.mp4"), work


@pytest.mark.parametrize("over", ["poses", "causal"])
def test_a_camera_is_recorded_until_it_is_stopped(tmp_path, over):
    task = VideoTask(Squares(), WAYS[over], draw)
    task = replace(task, predictor=Stopped(task.stop, 21))
    done, _ = live(tmp_path, task)
    assert done.frames == 21
    assert len(list(VideoFile(tmp_path / "a.mp4").frames())) == 21


def test_frames_of_a_camera_that_come_too_fast_are_left_out(tmp_path):
    task = VideoTask(Squares(), OverTime(), None)
    task = replace(task, predictor=Stopped(task.stop, 100))
    done, work = live(tmp_path, task)
    lines = [json.loads(line) for line in work.lines.read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(100))
    assert (np.diff([line["time"] for line in lines]) > 0).all() and done.dropped >= 0


def test_a_filter_that_looks_ahead_cannot_follow_a_camera(tmp_path):
    with pytest.raises(ValueError, match="Mean looks at later frames, which a camera or stream does not have"):
        live(tmp_path, VideoTask(Squares(), WAYS["offline"], draw))


def test_a_recording_that_was_killed_is_finished_as_it_was_stored(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        live(tmp_path, VideoTask(Interrupted(29), OverTime(Numbers), draw))
    done, work = live(tmp_path, VideoTask(Squares(), OverTime(Numbers), draw), resume=True)
    assert done.frames == 29 and "was broken off; it is finished as it was stored" in done.faults[0]
    assert len(work.lines.read_bytes().splitlines()) == 29
    if parts := segments(tmp_path / "a.part" / "segments"):
        assert len(list(VideoFile(tmp_path / "a.mp4").frames())) == LENGTH * len(parts)


def test_smoothing_needs_ids():
    with pytest.raises(ValueError, match="smoothing needs ids: track as well"):
        OverTime(None, partial(Mean, True))


def test_a_filter_is_tuned_on_the_tracks_of_the_clip(clip, tmp_path):
    tuned = []

    def smooth(tracks):
        tuned.append(tracks)
        return Mean(True, tracks)

    work = Unfinished(tmp_path / "a.part", {}, 4, resume=False, block=BLOCK, length=LENGTH)
    run_video(VideoFile(clip), VideoTask(Squares(), OverTime(Numbers, smooth)), work)
    ((track,),) = tuned
    assert (track.id, len(track), track.frames[0]) == (1, FRAMES - 2, 2)


def test_instances_that_a_filter_fills_in_have_no_raw_points(clip, tmp_path):
    class Longer(Mean):
        def track(self, track):
            end = len(track) - 1
            times = np.append(track.times, track.times[-1] + 0.04)
            poses = Poses.concatenate([track.poses, track.poses[end]])
            return Track(track.id, np.append(track.frames, track.frames[-1] + 1), times, poses)

    class Vanishing(Numbers):
        def __call__(self, poses, time):
            found = super().__call__(poses, time)
            return found if self.frames < FRAMES else found[:0]

    work = Unfinished(tmp_path / "a.part", {}, 4, resume=False, block=BLOCK, length=LENGTH)
    run_video(VideoFile(clip), VideoTask(Squares(), OverTime(Vanishing, partial(Longer, False))), work)
    last = json.loads(work.lines.read_bytes().splitlines()[-1])["instances"][0]
    assert last["id"] == 1 and last["points"][FOUR.points[0]]["x"] is not None
    assert last["raw"][FOUR.points[0]] == {"x": None, "y": None, "score": 0.0}


def test_a_raw_frame_is_what_the_network_gave(clip, tmp_path):
    work = Unfinished(tmp_path / "a.part", {}, 4, resume=False, block=BLOCK, length=LENGTH)
    run_video(VideoFile(clip), VideoTask(Squares()), work)
    images = [frame.image for frame in VideoFile(clip).frames()]
    stored = list(work.raw)
    assert all(isinstance(frame, RawFrame) for frame in stored) and len(stored) == FRAMES
    for frame, poses in zip(stored, Squares().stream(images), strict=True):
        np.testing.assert_array_equal(frame.poses.xy, poses.xy)


class Followed:
    """Stands for propagation: the id is the number of frames so far, so that each frame depends on those before."""

    def __init__(self, stop=None):
        self.stop = stop

    def stream(self, images, times):
        squares, last = Squares(), -1.0
        for number, (image, time) in enumerate(zip(images, times, strict=True), 1):
            assert time > last
            if number == self.stop:
                raise KeyboardInterrupt
            last = time
            poses = squares.poses(image)
            yield replace(poses, ids=np.full(len(poses), number))


@pytest.mark.parametrize("frames", [7, 30])
def test_what_depends_on_frames_before_is_predicted_from_the_first_again(clip, tmp_path, frames):
    def follow(folder, stop=None, resume=False):
        work = Unfinished(folder, {}, 4, resume=resume, block=BLOCK, length=LENGTH, restart=True)
        task = VideoTask(Squares(), OverTime(keep_ids), draw, Followed(stop))
        return run_video(VideoFile(clip), task, work, tmp_path / "a.mp4"), work.lines.read_bytes()

    _, whole = follow(tmp_path / "whole")
    assert [json.loads(line)["instances"][0]["id"] for line in whole.splitlines()] == list(range(1, FRAMES + 1))
    with pytest.raises(KeyboardInterrupt):
        follow(tmp_path / "part", frames)
    done, lines = follow(tmp_path / "part", resume=True)
    assert lines == whole and done.counts["predict"] == FRAMES
    done, lines = follow(tmp_path / "part", resume=True)
    assert lines == whole and "predict" not in done.counts


def test_ids_that_are_there_are_kept():
    kept = keep_ids()
    tracked = replace(Squares().poses(picture(0)), ids=np.array([5]))
    assert kept(tracked, 0.0) is tracked
    assert kept(Poses.empty(4), 0.1).ids.shape == (0,)
