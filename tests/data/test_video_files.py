"""Poses of a video as files: raw ones survive a kill to the bit; JSON lines, table and arrays say the same."""

import csv
import json
from dataclasses import fields

import numpy as np
import pytest
from figures import FOUR

from posekit.data.errors import DataError
from posekit.data.raw_frames import End, RawFrame, RawFrames, exact
from posekit.data.video_results import VideoFrame, frame_line, read_frames, write_csv, write_npz
from posekit.geometry.keypoints import Poses

B, K = 3, 4


def poses(count, seed=0, **more):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 99, (count, K, 2)).astype(np.float32)
    return Poses(xy, rng.random((count, K), np.float32), rng.random(count, np.float32), **more)


def raw_frames(count, first=0):
    boxes = np.arange(8, dtype=np.float32).reshape(2, 4)
    return [
        RawFrame(n, n * 3600, n * 3600 / 90_000, exact(poses(n % 3, n, boxes=boxes[: n % 3])))
        for n in range(first, first + count)
    ]


def equal(one, other):
    return all(
        (a is None) == (b is None) and (a is None or (a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)))
        for a, b in ((getattr(one, f.name), getattr(other, f.name)) for f in fields(Poses))
    )


def equal_frames(one, other):
    return len(one) == len(other) and all(
        (a.index, a.pts, a.time) == (b.index, b.pts, b.time) and equal(a.poses, b.poses)
        for a, b in zip(one, other, strict=True)
    )


def test_raw_poses_come_back_exactly(tmp_path):
    frames = raw_frames(7)
    frames[1] = RawFrame(1, 3600, 0.04, exact(poses(2, spread=np.full((2, K, 2), np.nan), ids=np.array([4, 9]))))
    log = RawFrames(tmp_path / "raw.jsonl", K, B)
    log.append(frames[:3])
    log.append(frames[3:6])
    log.append(frames[6:])
    log.finish(["something is missing"])
    again = RawFrames(tmp_path / "raw.jsonl", K, B)
    assert again.count == 7 and again.end == End(7, ("something is missing",))
    assert equal_frames(list(again), frames) and equal_frames(list(again), frames)


@pytest.mark.parametrize("lost", [1, 30, 600])
def test_what_is_no_complete_block_is_dropped(tmp_path, lost):
    file = tmp_path / "raw.jsonl"
    log = RawFrames(file, K, B)
    log.append(raw_frames(3))
    log.append(raw_frames(3, 3))
    file.write_bytes(file.read_bytes()[:-lost])
    again = RawFrames(file, K, B)
    assert again.count == 3 and again.end is None and equal_frames(list(again), raw_frames(3))
    again.append(raw_frames(3, 3))
    assert equal_frames(list(RawFrames(file, K, B)), raw_frames(6))


def test_a_damaged_line_is_an_error(tmp_path):
    file = tmp_path / "raw.jsonl"
    RawFrames(file, K, B).append(raw_frames(3))
    file.write_bytes(file.read_bytes().replace(b'"pts": 3600', b'"pts": oops'))
    with pytest.raises(DataError, match=r"a line is damaged .* and start again"):
        list(RawFrames(file, K, B))


def test_poses_without_instances_have_no_optional_fields():
    assert equal(exact(poses(0, boxes=np.zeros((0, 4)))), Poses.empty(K))


@pytest.fixture
def video(tmp_path):
    """Three frames, smoothed: two instances, none, one with a point that is filled in."""
    first = poses(2, 1, ids=np.array([3, 7]), boxes=np.array([[0, 1, 20, 30.5], [5, 6, 40, 50]], np.float32))
    raw = poses(2, 2, ids=np.array([3, 7]))
    filled = np.zeros((1, K), bool)
    filled[0, 2] = True
    last = poses(1, 3, ids=np.array([7]), boxes=np.ones((1, 4), np.float32), filled=filled)
    before = Poses(last.xy.copy(), last.score, last.instance_score, ids=last.ids)
    before.xy[0, 2] = np.nan
    frames = [
        VideoFrame(0, 0.0, first, raw),
        VideoFrame(1, 0.04, Poses.empty(K), Poses.empty(K)),
        VideoFrame(2, 0.1, last, before),
    ]
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"".join(frame_line(frame, FOUR) for frame in frames))
    return file, frames


def test_json_lines_are_plain_json(video):
    file, frames = video
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["frame"], line["time"], len(line["instances"])) for line in lines] == [
        (0, 0, 2),
        (1, 0.04, 0),
        (2, 0.1, 1),
    ]
    one = lines[0]["instances"][1]
    assert (one["id"], one["box"]) == (7, [5, 6, 40, 50])
    point = one["points"][FOUR.points[2]]
    np.testing.assert_allclose([point["x"], point["y"]], frames[0].poses.xy[1, 2], atol=5.1e-4)
    assert point["score"] == pytest.approx(float(frames[0].poses.score[1, 2]), abs=5.1e-6)
    assert one["raw"][FOUR.points[2]]["x"] == pytest.approx(float(frames[0].raw.xy[1, 2, 0]), abs=5.1e-4)
    last = lines[2]["instances"][0]
    assert [name for name in FOUR.points if last["points"][name].get("filled")] == [FOUR.points[2]]
    assert last["raw"][FOUR.points[2]]["x"] is None


def test_json_lines_are_read_again(video):
    file, frames = video
    found = list(read_frames(file, FOUR))
    for one, other in zip(found, frames, strict=True):
        assert (one.index, one.time) == (other.index, other.time)
        np.testing.assert_allclose(one.poses.xy, other.poses.xy, atol=5.1e-4)
        if len(other.poses):
            np.testing.assert_allclose(one.raw.xy, other.raw.xy, atol=5.1e-4)
            assert one.poses.ids.tolist() == other.poses.ids.tolist()
    assert found[2].poses.filled.tolist() == [[False, False, True, False]]


@pytest.mark.parametrize(
    ("line", "said"), [(b'{"frame": 1}\n', "line 1 is not a frame"), (b"{oops\n", "line 1 is not JSON")]
)
def test_other_files_are_refused(tmp_path, line, said):
    (tmp_path / "a.jsonl").write_bytes(line)
    with pytest.raises(DataError, match=said):
        list(read_frames(tmp_path / "a.jsonl", FOUR))


def table_of(file):
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_table_has_a_row_for_each_point(video):
    file, frames = video
    table = write_csv(file, file.with_suffix(".csv"), "a.mp4", ["filled", "raw"])
    rows = table_of(table)
    assert len(rows) == 3 * K
    row = rows[K + 1]
    assert (row["path"], row["frame"], row["time"], row["id"], row["instance"]) == ("a.mp4", "0", "0.0", "7", "1")
    assert (row["point"], row["x1"], row["filled"]) == (FOUR.points[1], "40.0", "0")
    np.testing.assert_allclose([float(row["x"]), float(row["y"])], frames[0].poses.xy[1, 1], atol=5.1e-4)
    assert float(row["raw_x"]) == pytest.approx(float(frames[0].raw.xy[1, 1, 0]), abs=5.1e-4)
    assert (rows[2 * K + 2]["filled"], rows[2 * K + 2]["raw_x"]) == ("1", "")


def test_more_columns_of_the_table(tmp_path):
    more = {"visible": np.full((1, K), 0.25), "spread": np.full((1, K, 2), 1.5), "depth": np.full((1, K), -3.0)}
    file = tmp_path / "a.jsonl"
    file.write_bytes(frame_line(VideoFrame(0, 0.0, exact(poses(1, **more))), FOUR))
    rows = table_of(write_csv(file, tmp_path / "a.csv", "a", list(more)))
    assert (rows[0]["visible"], rows[0]["spread_x"], rows[0]["spread_y"], rows[0]["depth"]) == (
        "0.25",
        "1.5",
        "1.5",
        "-3.0",
    )
    assert (rows[0]["id"], rows[0]["x0"]) == ("", "")
    arrays = np.load(write_npz(file, tmp_path / "a.npz", FOUR))
    assert arrays["spread"].shape == (1, K, 2) and arrays["id"].tolist() == [-1] and np.isnan(arrays["box"]).all()


def test_arrays(video):
    file, frames = video
    arrays = np.load(write_npz(file, file.with_suffix(".npz"), FOUR))
    assert arrays["times"].tolist() == [0, 0.04, 0.1] and arrays["points"].tolist() == list(FOUR.points)
    assert (arrays["frame"].tolist(), arrays["id"].tolist()) == ([0, 0, 2], [3, 7, 7])
    assert arrays["time"].tolist() == [0, 0, 0.1]
    want = np.concatenate([frame.poses.xy for frame in frames])
    np.testing.assert_allclose(arrays["xy"], want, atol=5.1e-4)
    np.testing.assert_allclose(arrays["raw_xy"], np.concatenate([frame.raw.xy for frame in frames]), atol=5.1e-4)
    assert arrays["filled"].sum() == 1


def test_arrays_of_a_video_without_instances(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(frame_line(VideoFrame(0, 0.0, Poses.empty(K)), FOUR))
    arrays = np.load(write_npz(file, tmp_path / "a.npz", FOUR))
    assert arrays["xy"].shape == (0, K, 2) and arrays["times"].tolist() == [0]
