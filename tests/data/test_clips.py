"""Points over time: what is read is written unchanged, in every format; half pixels, missing points, ids, errors."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from clip_samples import SAMPLES, coco, dlc, lines, npz, openpose, rows_npz, table

from posekit.data.clip_files import FORMATS, format_of, read_clip, write_clip
from posekit.data.clips import Clip, missing
from posekit.data.errors import DataError
from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import frames_of, tracks_of
from posekit.skeletons import SKELETONS


def content(path):
    """What a file or folder holds, comparable."""
    if path.is_dir():
        return {file.name: json.loads(file.read_text()) for file in sorted(path.iterdir())}
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: (arrays[name].dtype.str, arrays[name].tobytes()) for name in sorted(arrays.files)}
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return path.read_bytes()


def target(tmp_path, source):
    return tmp_path / "new" / source.name


@pytest.mark.parametrize("name", FORMATS)
def test_read_and_written_is_the_same_file(name, tmp_path):
    source = SAMPLES[name](tmp_path)
    assert format_of(source) == name
    clip = read_clip(source)
    assert write_clip(clip, target(tmp_path, source), source) == target(tmp_path, source)
    assert content(target(tmp_path, source)) == content(source)


@pytest.mark.parametrize("name", FORMATS)
def test_by_tracks_and_back_it_is_the_same_file(name, tmp_path):
    source = SAMPLES[name](tmp_path)
    clip = read_clip(source)
    if not clip.has_ids:
        frames = [replace(poses, ids=np.arange(len(poses)) - 100) for poses in clip.frames]
        clip = clip.with_frames(frames)
    # In reversed order, so that records must follow their ids.
    tracks = tracks_of(clip.frames, clip.clock())
    frames = [poses[::-1] for poses in frames_of(tracks, len(clip), len(clip.skeleton.points))]
    moved = clip.with_frames(frames)
    write_clip(moved, target(tmp_path, source), source)
    again = read_clip(target(tmp_path, source))
    for old, new in zip(clip.frames, again.frames, strict=True):
        # Ids below 0 are not written, so these are in the order that they were written in.
        order = np.argsort(old.ids) if len(old) and old.ids[0] >= 0 else slice(None, None, -1)
        back = np.argsort(new.ids) if len(new) and new.ids is not None and new.ids[0] >= 0 else slice(None)
        np.testing.assert_array_equal(old.xy[order], new.xy[back])
        np.testing.assert_array_equal(old.score[order], new.score[back])


@pytest.mark.parametrize("name", FORMATS)
def test_points_that_moved_are_written_where_they_are(name, tmp_path):
    source = SAMPLES[name](tmp_path)
    clip = read_clip(source)
    ids = [np.arange(len(poses)) if poses.ids is None else poses.ids for poses in clip.frames]
    frames = [
        replace(poses, xy=poses.xy + np.float64([1.25, -2.5]), ids=one)
        for poses, one in zip(clip.frames, ids, strict=True)
    ]
    write_clip(clip.with_frames(frames), target(tmp_path, source), source)
    again = read_clip(target(tmp_path, source))
    seen = 0
    for old, new, one in zip(clip.frames, again.frames, ids, strict=True):
        there = ~missing(old)
        np.testing.assert_array_equal(there, ~missing(new))
        np.testing.assert_allclose(new.xy[there], old.xy[there] + [1.25, -2.5], atol=1e-5)
        np.testing.assert_array_equal(new.score[there], old.score[there])
        assert not len(new) or new.ids.tolist() == one.tolist()
        seen += int(there.sum())
    assert seen >= 8


def test_pixels_of_the_formats(tmp_path):
    # Pixel indices get half a pixel; our own formats are continuous.
    first = json.loads(coco(tmp_path).read_text())[0]["keypoints"]
    np.testing.assert_allclose(read_clip(tmp_path / "results.json").frames[0].xy[0, 0], np.add(first[:2], 0.5))
    folder = openpose(tmp_path)
    first = content(folder)["clip_000000000000_keypoints.json"]["people"][0]["pose_keypoints_2d"]
    np.testing.assert_allclose(read_clip(folder).frames[0].xy[0, 0], np.add(first[:2], 0.5))
    rows = list(csv.reader(dlc(tmp_path).read_text().splitlines()))
    np.testing.assert_allclose(
        read_clip(tmp_path / "poses.csv").frames[0].xy[0, 0], [float(c) + 0.5 for c in rows[3][1:3]]
    )
    rows = list(csv.DictReader(table(tmp_path).read_text().splitlines()))
    np.testing.assert_allclose(
        read_clip(tmp_path / "points.csv").frames[0].xy[0, 0], [float(rows[0]["x"]), float(rows[0]["y"])]
    )
    with np.load(npz(tmp_path)) as arrays:
        np.testing.assert_allclose(read_clip(tmp_path / "poses.npz").frames[0].xy, arrays["xy"][0])
    point = content(lines(tmp_path))[1]["instances"][0]["points"]["tip"]
    np.testing.assert_allclose(read_clip(tmp_path / "poses.jsonl").frames[0].xy[0, 0], [point["x"], point["y"]])


def test_frames_ids_times_and_names(tmp_path):
    clip = read_clip(coco(tmp_path))
    assert clip.skeleton is SKELETONS["coco17"]
    assert clip.numbers.tolist() == [0, 1, 3]  # image ids 10, 12, 16
    assert [poses.ids.tolist() for poses in clip.frames] == [[1, 2]] * 3 and clip.has_ids
    np.testing.assert_allclose(clip.clock(), [0, 1 / 30, 3 / 30])
    np.testing.assert_allclose(clip.clock(10), [0, 0.1, 0.3])
    np.testing.assert_allclose(clip.frames[0].boxes[0], [1.1, 2.2, 31.4, 42.6])
    assert missing(clip.frames[0])[0].nonzero()[0].tolist() == [3]
    assert np.isfinite(clip.frames[0].xy).all() and clip.frames[0].score[0, 3] == 0

    clip = read_clip(openpose(tmp_path))
    assert clip.skeleton.points[:25] == SKELETONS["body25"].points
    assert clip.skeleton.points[25:27] == ("left_hand_0", "left_hand_1") and len(clip.skeleton.points) == 46
    assert [len(poses) for poses in clip.frames] == [2, 0, 2] and not clip.has_ids
    assert missing(clip.frames[0])[0].sum() == 1 + 21 and missing(clip.frames[0])[1].sum() == 1

    clip = read_clip(table(tmp_path))
    assert clip.times.tolist() == [0, 0.04, 0.12] and clip.numbers.tolist() == [0, 1, 3]
    assert clip.frames[0].ids.tolist() == [5, 6]
    np.testing.assert_array_equal(clip.frames[0].spread[0, 0], [0.5, 0.25])

    clip = read_clip(npz(tmp_path))
    assert [poses.ids.tolist() for poses in clip.frames] == [[3, 4], [3], [3, 4], [3, 4]]
    assert clip.frames[0].spread.shape == (2, 17, 2)

    clip = read_clip(lines(tmp_path))
    assert [len(poses) for poses in clip.frames] == [2, 2, 0, 2]
    assert clip.skeleton.points == ("tip", "left_grip", "right_grip", "end")
    np.testing.assert_array_equal(clip.frames[3].boxes[0], [1, 2, 3, 4])


@pytest.mark.parametrize("individuals", [("mouse",), ("a", "b")])
@pytest.mark.parametrize("likelihood", [True, False])
@pytest.mark.parametrize("index", [1, 3])
def test_layouts_of_deeplabcut(individuals, likelihood, index, tmp_path):
    source = dlc(tmp_path, individuals, likelihood, index)
    clip = read_clip(source)
    assert clip.skeleton.points == ("snout", "left_ear", "tail")
    assert clip.frames[0].ids.tolist() == list(range(len(individuals)))
    assert missing(clip.frames[1])[-1].tolist() == [True, False, False]
    assert likelihood or (clip.frames[0].score == 1).all()
    write_clip(clip, target(tmp_path, source), source)
    assert content(target(tmp_path, source)) == content(source)


def test_an_individual_that_is_not_there_is_no_instance_and_may_come_back(tmp_path):
    source = dlc(tmp_path, ("a", "b"))
    rows = list(csv.reader(source.read_text().splitlines()))
    rows[5][10:] = [""] * 9  # b in the second frame
    with source.open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
    clip = read_clip(source)
    assert [poses.ids.tolist() for poses in clip.frames] == [[0, 1], [0], [0, 1]]
    back = clip.frames[1]
    filled = replace(clip.frames[0][1], xy=np.full((1, 3, 2), 7.0), score=np.full((1, 3), 0.25))
    clip = clip.with_frames([clip.frames[0], Poses.concatenate([back, filled]), clip.frames[2]])
    write_clip(clip, target(tmp_path, source), source)
    assert list(csv.reader(target(tmp_path, source).read_text().splitlines()))[5][10:13] == ["6.5", "6.5", "0.25"]
    with pytest.raises(DataError, match=r"instances have ids \[0, 7\]; the file has 2 individuals"):
        odd = clip.with_frames([*clip.frames[:2], replace(clip.frames[2], ids=np.array([0, 7]))])
        write_clip(odd, target(tmp_path, source), source)


def test_instances_that_are_filled_in_are_written_with_the_fields_of_their_frame(tmp_path):
    source = coco(tmp_path)
    entries = json.loads(source.read_text())
    source.write_text(json.dumps([entries[0], entries[1], entries[3], entries[4], entries[5]]))
    clip = read_clip(source)
    extra = replace(
        clip.frames[0][0], filled=np.ones((1, 17), bool), boxes=np.array([[0.0, 0, 8, 8]]), score=np.zeros((1, 17))
    )
    more = replace(clip.frames[1], filled=np.zeros((1, 17), bool))
    new = clip.with_frames([clip.frames[0], Poses.concatenate([extra, more]), clip.frames[2]])
    write_clip(new, target(tmp_path, source), source)
    found = content(target(tmp_path, source))
    assert [(e["image_id"], e["track_id"]) for e in found] == [(10, 1), (10, 2), (12, 1), (12, 2), (16, 1), (16, 2)]
    assert found[2]["bbox"] == [0, 0, 8, 8] and found[2]["category_id"] == 1 and "mine" not in found[2]
    assert found[2]["filled"] == [True] * 17 and found[2]["keypoints"][:2] == entries[0]["keypoints"][:2]
    for name in ("table", "npz", "lines", "openpose"):
        source = SAMPLES[name](tmp_path)
        clip = read_clip(source)
        ids = [np.arange(len(poses)) + 1 if poses.ids is None else poses.ids for poses in clip.frames]
        clip = clip.with_frames([replace(p, ids=i) for p, i in zip(clip.frames, ids, strict=True)])
        lone = clip.with_frames([clip.frames[0], clip.frames[1][:0], *clip.frames[2:]])
        again = lone.with_frames(clip.frames)
        write_clip(again, target(tmp_path, source), source)
        back = read_clip(target(tmp_path, source))
        np.testing.assert_allclose(back.frames[1].xy, clip.frames[1].xy, atol=1e-5)
        assert len(back.frames[1]) == 0 or back.frames[1].ids.tolist() == ids[1].tolist()


def test_a_point_that_is_lost_is_written_as_missing(tmp_path):
    for name in FORMATS:
        source = SAMPLES[name](tmp_path)
        clip = read_clip(source)
        first = clip.frames[0]
        score = first.score.copy()
        score[0, 1] = 0
        ids = np.arange(len(first)) if first.ids is None else first.ids
        frames = [replace(first, score=score, ids=ids), *clip.frames[1:]]
        write_clip(clip.with_frames(frames), target(tmp_path, source), source)
        again = read_clip(target(tmp_path, source)).frames[0]
        assert missing(again)[0, 1] and not missing(again)[0, 0], name


def test_instances_without_a_track_stay_without_one(tmp_path):
    source = coco(tmp_path)
    entries = json.loads(source.read_text())
    del entries[1]["track_id"], entries[3]["track_id"]
    source.write_text(json.dumps(entries))
    clip = read_clip(source)
    assert clip.has_ids
    loose = [one for poses in clip.frames for one in poses.ids.tolist() if one < 0]
    assert len(set(loose)) == 2
    write_clip(clip, target(tmp_path, source), source)
    assert content(target(tmp_path, source)) == entries


def test_frames_by_name_and_alphapose(tmp_path):
    entry = {"category_id": 1, "keypoints": [1, 2, 0.5] * 17, "score": 2.5}
    entries = [{"image_id": f"frame{n}.jpg", **entry, "idx": [1.0]} for n in (10, 9, 12)]
    source = tmp_path / "alphapose-results.json"
    source.write_text(json.dumps(entries))
    clip = read_clip(source)
    assert [head["image_id"] for head in clip.heads] == ["frame9.jpg", "frame10.jpg", "frame12.jpg"]
    assert clip.numbers.tolist() == [0, 1, 3] and clip.frames[0].ids.tolist() == [1]
    write_clip(clip, target(tmp_path, source), source)
    assert content(target(tmp_path, source)) == [entries[1], entries[0], entries[2]]
    assert "17 points without names" in clip.notes[0]


def test_scores_above_one_come_back(tmp_path):
    source = coco(tmp_path)
    entries = json.loads(source.read_text())
    entries[0]["keypoints"][2] = 2
    source.write_text(json.dumps(entries))
    clip = read_clip(source)
    assert clip.frames[0].score[0, 0] == 1
    write_clip(clip, target(tmp_path, source), source)
    assert content(target(tmp_path, source)) == entries


def test_points_are_named_by_the_user(tmp_path):
    source = tmp_path / "r.json"
    source.write_text(json.dumps([{"image_id": 1, "keypoints": [1, 2, 0.5] * 3, "score": 1}]))
    assert read_clip(source).skeleton.points == ("point_1", "point_2", "point_3")
    assert read_clip(source, "nose, tail ,paw").skeleton.points == ("nose", "tail", "paw")
    with pytest.raises(DataError, match=r"has 3 points, --points gives 17"):
        read_clip(source, "coco17")
    with pytest.raises(ValueError, match=r"no skeleton 'coco71'; did you mean 'coco17'"):
        read_clip(source, "coco71")


def test_image_ids_that_count_no_frames(tmp_path):
    entries = [{"image_id": n, "keypoints": [1, 2, 0.5] * 3, "score": 1} for n in (17, 100003, 500001)]
    source = tmp_path / "r.json"
    source.write_text(json.dumps(entries))
    clip = read_clip(source)
    assert clip.numbers.tolist() == [0, 1, 2]
    assert any("taken one after another" in note for note in clip.notes)


def entry(**changes):
    return {"image_id": 1, "keypoints": [1, 2, 0.5] * 3, "score": 1, **changes}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[]", "holds no results"),
        ("{}", "got the object"),
        ('{"annotations": [], "images": []}', "label file"),
        ("[1, 2]", "got the list"),
        ("nonsense", "not JSON at line 1"),
        (json.dumps([entry(keypoints=[1, 2])]), "three numbers a point"),
        (json.dumps([entry(), entry(keypoints=[1, 2, 3])]), "has 1 points, the first has 3"),
        (json.dumps([entry(keypoints=[1, 2, "x"] * 3)]), r"has text 'x' as keypoints\[2\]"),
        (json.dumps([entry(image_id=None)]), "has nothing as 'image_id'"),
        (json.dumps([entry(image_id=10**30)]), "has the number 10+ as 'image_id'"),
        (json.dumps([entry(track_id=1), entry(track_id=1)]), "more than one instance with id 1"),
        (json.dumps([entry(track_id="a")]), "has text 'a' as 'track_id'"),
        (json.dumps([entry(bbox=[1, 2, "x", 3])]), "a 'bbox' is not four numbers"),
        (json.dumps([entry(spread=[1])]), "'spread' should have a number for each point"),
    ],
)
def test_what_is_wrong_with_coco_results(text, match, tmp_path):
    file = tmp_path / "r.json"
    file.write_text(text)
    with pytest.raises(DataError, match=match):
        read_clip(file)


@pytest.mark.parametrize(
    ("person", "match"),
    [
        ({"pose_keypoints_2d": [1, 2]}, "person 0 has the list"),
        ({}, "no person has 'pose_keypoints_2d'"),
        ({"pose_keypoints_2d": "x"}, "person 0 has text 'x'"),
    ],
)
def test_what_is_wrong_with_openpose(person, match, tmp_path):
    (tmp_path / "a_0_keypoints.json").write_text(json.dumps({"people": [person]}))
    with pytest.raises(DataError, match=match):
        read_clip(tmp_path)


def test_what_is_wrong_with_openpose_folders(tmp_path):
    with pytest.raises(DataError, match=r"has no file \*_keypoints.json"):
        read_clip(tmp_path)
    file = tmp_path / "a_0_keypoints.json"
    file.write_text(json.dumps({"people": []}))
    with pytest.raises(DataError, match="no person in 1 files"):
        read_clip(tmp_path)
    file.write_text("[]")
    with pytest.raises(DataError, match="expected an object with a list 'people'"):
        read_clip(tmp_path)
    person = {"pose_keypoints_2d": [1, 2, 0.5] * 18, "person_id": [1]}
    file.write_text(json.dumps({"people": [person, {**person, "person_id": [2], "pose_keypoints_2d": [1, 2, 1] * 25}]}))
    with pytest.raises(DataError, match="person 1 has 25 points in 'pose_keypoints_2d', others have 18"):
        read_clip(tmp_path)
    file.write_text(json.dumps({"people": [person, person]}))
    with pytest.raises(DataError, match="more than one instance with id 1"):
        read_clip(tmp_path)
    file.write_text(json.dumps({"people": [person, {**person, "person_id": [-1]}]}))
    clip = read_clip(tmp_path)
    assert clip.frames[0].ids.tolist()[0] == 1 and clip.frames[0].ids[1] < 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "b_0_keypoints.json").write_text("{}")
    with pytest.raises(DataError, match=r"has frames of another clip \(b_0_keypoints.json\)"):
        write_clip(clip, other, tmp_path)


HEAD = "scorer,net,net\nbodyparts,a,a\ncoords,x,y\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("scorer,a\nx,b\n", "the first column begins"),
        (HEAD, "has no row after the header"),
        (HEAD + "0,1\r,2\n", "new-line character seen"),
        (HEAD + "0,1\n", "lines 4 do not have 3 cells"),
        (HEAD + "0,1,x\n", "line 4, cell 3 is 'x'"),
        (HEAD.replace("x,y", "x,z") + "0,1,2\n", "bodyparts a have no x and y"),
    ],
)
def test_what_is_wrong_with_deeplabcut(text, match, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=match):
        read_clip(file)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n", "expected posekit's CSV"),
        ("frame,id,point,x,y\n", "has no row"),
        ("frame,id,point,x,y\n1,1,a,2\n", "lines 2 do not have 5 cells"),
        ("frame,id,point,x,y\n1,1,a,2\r3,4\n", "line [12]: new-line character seen"),
        ("frame,id\rpoint,x,y\n1,1,a,2,4\n", "line 1: new-line character seen"),
        ("frame,id,point,x,y\n1,1,a,2,z\n", "column 'y' has 'z' at point 'a'"),
        ("frame,id,point,x,y\n1,u,a,2,3\n", "column 'id' has 'u'"),
        ("frame,id,point,x,y\n1,1,a,2,3\n1,1,a,2,3\n", "line 3 repeats point 'a' of id 1 in frame 1"),
        ("frame,id,instance,point,x,y\n1,1,0,a,2,3\n1,1,1,a,2,3\n", "frame 1 has more than one instance with id 1"),
        (
            "frame,time,id,point,x,y\n1,0.2,1,a,2,3\n2,0.1,1,a,2,3\n",
            "times must increase from frame to frame; frame 0 has 0.2 s",
        ),
    ],
)
def test_what_is_wrong_with_tables(text, match, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=match):
        read_clip(file)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({}, "it has no xy among"),
        ({"xy": np.zeros((2, 3))}, r"it has xy \(2, 3\) of float64"),
        ({"xy": np.zeros((2, 1, 3, 2)), "score": np.zeros((2, 3))}, r"'score' should be \(2, 1, 3\)"),
        ({"xy": np.zeros((2, 1, 3, 2)), "times": np.zeros(2)}, "'times' must increase"),
        ({"xy": np.zeros((2, 1, 3, 2)), "points": np.array(["a"])}, "'points' names 1 points, xy has 3"),
        ({"xy": np.zeros((2, 1, 3, 2)), "points": np.array(["a", "a", "b"])}, "point names repeat"),
        ({"xy": np.zeros((1, 2, 3, 2)), "ids": np.array([[1, 1]])}, "more than one instance with id 1"),
    ],
)
def test_what_is_wrong_with_archives(arrays, match, tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, **arrays)
    with pytest.raises(DataError, match=match):
        read_clip(file)


def test_archives_by_instances(tmp_path):
    source = rows_npz(tmp_path)
    clip = read_clip(source)
    assert [len(poses) for poses in clip.frames] == [2, 1, 0, 2] and clip.times.tolist() == [0, 0.04, 0.08, 0.12]
    assert [poses.ids.tolist() for poses in clip.frames if len(poses)] == [[1, 2], [-3], [1, 2]]
    assert missing(clip.frames[0])[1].nonzero()[0].tolist() == [2]
    write_clip(clip, target(tmp_path, source), source)
    assert content(target(tmp_path, source)) == content(source)
    # Reversed, moved, and one instance more: everything of an instance goes with it.
    new = replace(clip.frames[3][1], ids=np.array([9]), filled=np.ones((1, 17), bool))
    frames = [clip.frames[0][::-1], clip.frames[1], new, replace(clip.frames[3], xy=clip.frames[3].xy + 5)]
    frames[:2] = [replace(poses, filled=np.zeros(poses.score.shape, bool)) for poses in frames[:2]]
    frames[3] = replace(frames[3], filled=np.zeros((2, 17), bool))
    write_clip(clip.with_frames(frames), target(tmp_path, source), source)
    with np.load(source) as old, np.load(target(tmp_path, source)) as found:
        assert found["frame"].tolist() == [0, 0, 1, 2, 3, 3] and found["id"].tolist() == [2, 1, -1, 9, 1, 2]
        np.testing.assert_allclose(found["time"], found["frame"] / 25)
        np.testing.assert_array_equal(found["raw_xy"][[0, 1, 2, 4, 5]], old["raw_xy"][[1, 0, 2, 3, 4]])
        assert np.isnan(found["raw_xy"][3]).all()
        np.testing.assert_allclose(found["xy"][4:], old["xy"][3:] + 5, rtol=1e-6)
        np.testing.assert_array_equal(found["xy"][1], old["xy"][0])
        assert found["filled"].any(1).tolist() == [False, False, False, True, False, False]


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({}, r"there is no 'frame' \(3,\)"),
        ({"frame": np.array([0, 1, 2]), "score": np.zeros((3, 1))}, r"'score' should be \(3, 2\); got \(3, 1\)"),
        ({"frame": np.array([0, 2, 1])}, "'frame' must be indices of 'times' that do not decrease"),
        ({"frame": np.array([0, 1, 2]), "times": np.arange(2)}, "'frame' must be indices of 'times'"),
        ({"frame": np.array([0, 0, 2]), "id": np.array([1, 1, 2])}, "frame 0 has more than one instance with id 1"),
    ],
)
def test_what_is_wrong_with_archives_by_instances(arrays, match, tmp_path):
    np.savez(tmp_path / "a.npz", xy=np.ones((3, 2, 2)), **arrays)
    with pytest.raises(DataError, match=match):
        read_clip(tmp_path / "a.npz")


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no")
    with pytest.raises(DataError, match="cannot be read"):
        read_clip(tmp_path / "a.npz")
    with pytest.raises(DataError, match="no such file"):
        read_clip(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[1]\n", "line 1: expected an object"),
        ('{"frame": 0}\n', "has no line of a frame"),
        ('{"frame": 0, "instances": [{"points": {}}]}\n', "line 1: expected 'instances' with 'points' by name"),
        ('{"frame": 0, "instances": []}\n', "no instance in 1 frames"),
        (
            '{"frame": 3, "instances": [{"points": {"a": {"x": 1, "y": 2, "spread": [1]}}}]}\n',
            r"frame 3: 'spread' should be \(2,\) for each point",
        ),
        (
            '{"frame": 0, "instances": [{"points": {"a": {"x": 1, "y": 2}}}]}\n{"frame": 0, "instances": []}\n',
            "'frame' must be a whole number that increases",
        ),
        (
            '{"frame": 0, "instances": [{"id": 1, "points": {"a": {"x": 1, "y": 2}}},'
            '{"id": 1, "points": {"a": {"x": 1, "y": 2}}}]}\n',
            "frame 0 has more than one instance with id 1",
        ),
    ],
)
def test_what_is_wrong_with_json_lines(text, match, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(text)
    with pytest.raises(DataError, match=match):
        read_clip(file)


def test_formats_that_are_not_read(tmp_path):
    for name, match in (("a.h5", "save it as csv"), ("a.mp4", "find its points first"), ("a.txt", "no such file")):
        with pytest.raises(DataError, match=match):
            read_clip(tmp_path / name)
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"a file \.txt is not read; expected one of: COCO results"):
        read_clip(tmp_path / "a.txt")


def test_nothing_is_written_over_the_source_or_in_another_format(tmp_path):
    source = coco(tmp_path)
    clip = read_clip(source)
    with pytest.raises(DataError, match="is the file that is read"):
        write_clip(clip, tmp_path / "." / "results.json", source)
    with pytest.raises(DataError, match=r"which is written as it was read; give --out .*new.json"):
        write_clip(clip, tmp_path / "new.csv", source)
    with pytest.raises(DataError, match=r"is a folder; .* give a file"):
        write_clip(clip, tmp_path, source)
    folder = openpose(tmp_path)
    with pytest.raises(DataError, match=r"is a file; .* give a folder"):
        write_clip(read_clip(folder), source, folder)
    shutil.rmtree(folder)


def test_a_clip_says_what_it_wants(tmp_path):
    clip = read_clip(coco(tmp_path))
    assert isinstance(clip, Clip)
    with pytest.raises(ValueError, match="expected poses of 3 frames; got 1"):
        clip.with_frames(clip.frames[:1])
    with pytest.raises(ValueError, match="must be a positive number; got 0"):
        clip.clock(0)
