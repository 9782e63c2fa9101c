"""A temporal network is trained by the command, and steadies and lifts the points of files and videos."""

import json

import numpy as np
import pytest
from clip_samples import coco
from clips import Squares, write_clip
from small_temporal import CONFIG, SKELETON, small_folder

import posekit
from posekit.api.filters import check_filter
from posekit.api.temporal import tracks_to_learn
from posekit.cli.main import main
from posekit.data.clip_files import read_clip
from posekit.data.errors import DataError
from posekit.data.moving_people import turning_person
from posekit.exporting.temporal import write_temporal

SMALL = ["--steps", "2", "--batch", "2", "--frames", "4", "--model.channels", "4", "--model.dilations", "1"]
SMALL += ["--model.taps", "4", "--model.ahead", "0", "2", "--data.synthetic", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_folder(tmp_path_factory.mktemp("temporal"))


def track_file(folder, name="true.npz", people=2, frames=20, depth=True, noise=0.0, ids=True, points=SKELETON.points):
    """Points over time as .npz (T, N, ...)."""
    rng = np.random.default_rng(0)
    xy, deep = np.zeros((frames, people, 17, 2)), np.zeros((frames, people, 17))
    for person in range(people):
        _, xy[:, person], deep[:, person] = turning_person(SKELETON, frames / 25, 25, person)
    fields = {
        "xy": xy + rng.normal(0, 1, xy.shape) * noise,
        "score": np.ones(xy.shape[:3]),
        "times": np.arange(frames) / 25,
    }
    more = {"ids": np.tile(np.arange(people), (frames, 1))} if ids else {}
    np.savez(folder / name, points=np.array(points), **fields, **more, **({"depth": deep} if depth else {}))
    return folder / name


def test_train_then_smooth_and_lift(tmp_path, capsys):
    true = track_file(tmp_path)
    out = tmp_path / "net"
    assert main(["train", "temporal", "--out", str(out), *SMALL, "--data.train", str(true)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("4 tracks, ") and f"posekit smooth FILE --out NEW --filter temporal:{out}" in said
    about = json.loads((out / "config.json").read_text())
    assert about["tracks"]["files"] == {str(true): 2} and about["training"]["steps"] == 2
    assert {"model.onnx", "model.safetensors", "config.json"} == {file.name for file in out.iterdir()}
    noisy = track_file(tmp_path, "noisy.npz", depth=False, noise=3.0)
    for word, lag in (("temporal", ["--lag", "80"]), ("temporal-offline", [])):
        new = tmp_path / f"{word}.npz"
        words = ["smooth", str(noisy), "--out", str(new), "--filter", f"{word}:{out}", "--lift", *lag]
        assert main(words) == 0
        assert f"filter {word}: jitter" in capsys.readouterr().out
        clip = read_clip(new)
        assert clip.frames[0].depth.shape == (2, 17) and np.isfinite(clip.frames[-1].depth).all()


def test_without_a_folder_it_is_the_network_of_the_package(tmp_path, capsys):
    new = tmp_path / "new.json"
    assert main(["smooth", str(coco(tmp_path)), "--out", str(new), "--filter", "temporal"]) == 0
    assert "filter temporal: jitter" in capsys.readouterr().out and new.exists()


def test_depths_are_added_to_rows_of_instances(tmp_path, folder):
    held = np.load(track_file(tmp_path, depth=False))
    frames, people = held["xy"].shape[:2]
    rows = {name: held[name].reshape(frames * people, *held[name].shape[2:]) for name in ("xy", "score")}
    more = {"frame": np.repeat(np.arange(frames), people), "id": held["ids"].ravel(), "points": held["points"]}
    more["id"][4] = -1  # in no track: not smoothed, but lifted by itself
    source, new = tmp_path / "rows.npz", tmp_path / "new.npz"
    np.savez(source, times=held["times"], **rows, **more)
    posekit.smooth(source, new, filter=f"temporal-offline:{folder}", lift=True)
    depth = np.load(new)["depth"]
    assert depth.shape == (40, 17) and np.isfinite(depth).all() and np.abs(depth[4]).max() > 1
    np.testing.assert_array_equal(np.load(new)["xy"][4], rows["xy"][4])
    assert read_clip(new).frames[7].depth.shape == (2, 17)


def test_files_of_true_and_measured_points(tmp_path):
    true, seen = track_file(tmp_path), track_file(tmp_path, "seen.npz", depth=False, noise=2.0)
    both = tracks_to_learn([true], [seen], synthetic=0)
    assert len(both.tracks) == 2 and both.with_depth == 2 and both.files == {str(true): 2}
    first = np.stack([frame.xy[0] for frame in read_clip(seen).frames])
    np.testing.assert_allclose(both.tracks[0].xy, first)
    added = tracks_to_learn([true], synthetic=1, seed=1)
    assert len(added.tracks) == 3 and np.abs(added.tracks[1].xy - added.tracks[1].true).max() > 1
    plain = track_file(tmp_path, "plain.npz", depth=False)
    assert tracks_to_learn([plain], synthetic=0).with_depth == 0


def test_files_that_do_not_fit_are_refused(tmp_path):
    true = track_file(tmp_path)
    with pytest.raises(ValueError, match="1 files of true points and 2 of measured ones"):
        tracks_to_learn([true], [true, true])
    with pytest.raises(ValueError, match="nothing to train on: give files"):
        tracks_to_learn(synthetic=0)
    with pytest.raises(ValueError, match="no skeleton 'cat'; known: "):
        tracks_to_learn(skeleton="cat")
    with pytest.raises(DataError, match=r"no_ids.npz: instances have no ids: give them with posekit smooth"):
        tracks_to_learn([track_file(tmp_path, "no_ids.npz", ids=False)], synthetic=0)
    with pytest.raises(DataError, match=r"other.npz: has the points .*; expected those of coco17"):
        tracks_to_learn([track_file(tmp_path, "other.npz", points=[f"p{n}" for n in range(17)])], synthetic=0)
    late = track_file(tmp_path, "late.npz")
    held = dict(np.load(late))
    np.savez(late, **{**held, "times": held["times"] + 100})
    with pytest.raises(DataError, match="no instance with the same id has a frame at the same time in both"):
        tracks_to_learn([true], [late], synthetic=0)


def test_a_video_is_smoothed_and_lifted(tmp_path):
    clip, squares = write_clip(tmp_path / "a.mp4"), Squares()
    net = CONFIG.build(squares.skeleton.flip, (0,)).eval()
    write_temporal(net, tmp_path / "net", squares.skeleton, lifts=True)
    for word in ("temporal", "temporal-offline"):
        out = tmp_path / word
        found = posekit.predict_video(
            clip, squares, out=out, smooth=f"{word}:{tmp_path / 'net'}", lift=True, lag=80, pictures=False
        )
        frames = list(found)
        assert len(frames) == 12 and frames[3].poses.depth.shape == (1, 4) and frames[3].raw is not None
        line = json.loads((out / "a.jsonl").read_text().splitlines()[3])
        assert all("depth" in point for point in line["instances"][0]["points"].values())
        assert json.loads((out / "a.json").read_text())["settings"]["lift"] is True


def test_networks_for_other_points_are_refused(tmp_path, folder):
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"model.onnx: has 17 points, and the poses have 4: train one on these points"):
        posekit.predict_video(clip, Squares(), smooth=f"temporal:{folder}")
    points = list(SKELETON.points)
    points[3], points[4] = points[4], points[3]
    other = track_file(tmp_path, "other.npz", points=points)
    with pytest.raises(ValueError, match=r"has the point 'left_ear' where the poses have 'right_ear' \(number 3\)"):
        posekit.smooth(other, tmp_path / "new.npz", filter=f"temporal:{folder}")


def test_lifting_needs_a_network_and_a_place(tmp_path, folder, capsys):
    check_filter(f"temporal:{folder}", lift=True)
    with pytest.raises(ValueError, match="--lift is for a temporal network, and 'kalman' is none: take temporal"):
        check_filter("kalman", lift=True)
    with pytest.raises(ValueError, match="gives no depths: leave out lift, or train one that does"):
        check_filter(f"temporal:{small_folder(tmp_path, lifts=False)}", lift=True)
    with pytest.raises(ValueError, match="no filter 'temporl'; did you mean 'temporal'"):
        check_filter("temporl")
    source = coco(tmp_path)
    with pytest.raises(DataError, match=r"COCO results \(JSON\) has no place for depths: leave out --lift, or take"):
        posekit.smooth(source, tmp_path / "new.json", filter=f"temporal:{folder}", lift=True)
    with pytest.raises(
        ValueError, match=r"'temporal-offline:.*' looks at the whole recording and has no lag: leave out"
    ):
        posekit.smooth(source, tmp_path / "new.json", filter=f"temporal-offline:{folder}", lag=40)
    assert main(["predict", str(tmp_path / "photo.jpg"), "--lift"]) == 1
    assert "--lift is for videos" in capsys.readouterr().err
