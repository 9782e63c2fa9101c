"""Files over time made steady: every format, ids kept or found, nothing lost, the source never touched."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from clip_samples import SAMPLES

from posekit.api.smooth import smooth
from posekit.data.clip_files import FORMATS, read_clip
from posekit.data.errors import DataError
from posekit.postprocess.smooth import SMOOTHERS
from posekit.postprocess.smooth.ema import Ema
from posekit.postprocess.track import Tracking

F, K = 60, 17


def truth():
    """(F, 2, K, 2) two people who move, 300 pixels apart."""
    rng = np.random.default_rng(0)
    t = np.arange(F)[:, None, None] / 30
    base = rng.uniform(0, 100, (2, K, 2)) + np.array([[[0, 0]], [[300, 0]]])
    phase = np.arange(K)[None, :] / 5
    move = np.stack([60 * np.sin(4 * t + phase), 40 * np.cos(3 * t + phase)], -1)
    return base[None] + move


def results(folder, noise=1.5, score=0.9, ids=False, skip=()):
    """COCO results of them with noise; (frame, person) in ``skip`` are left out."""
    rng = np.random.default_rng(1)
    xy = truth() + rng.normal(0, noise, (F, 2, K, 2))
    entries = []
    for frame in range(F):
        for person in range(2):
            if (frame, person) in skip:
                continue
            points = np.concatenate([xy[frame, person], np.full((K, 1), 0.8)], 1)
            entry = {"image_id": frame + 1, "category_id": 1, "keypoints": points.ravel().tolist(), "score": score}
            entries.append({**entry, "mine": frame, **({"track_id": person + 4} if ids else {})})
    file = folder / "results.json"
    file.write_text(json.dumps(entries))
    return file


def digest(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written_as_it_was_read(name, tmp_path):
    source = SAMPLES[name](tmp_path)
    before = digest(source)
    found = smooth(source, tmp_path / "new" / source.name, filter=Ema(), tracking=Tracking(score_threshold=0.1))
    assert digest(source) == before
    old, new = read_clip(source), read_clip(found.out)
    assert new.skeleton == old.skeleton and new.numbers.tolist() == old.numbers.tolist()
    assert [len(poses) for poses in new.frames] == [len(poses) for poses in old.frames]
    assert found.format == FORMATS[name].about
    for poses, written in zip(found.clip.frames, new.frames, strict=True):
        np.testing.assert_allclose(written.xy[written.score > 0], poses.xy[written.score > 0], atol=1e-4)


QUICK = ("kalman", "two-pass")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SMOOTHERS]
)
def test_jitter_falls_and_the_truth_is_nearer(name, tmp_path):
    source = results(tmp_path)
    found = smooth(source, tmp_path / "new.json", filter=name, fps=30, lag=40 if SMOOTHERS[name]().causal else None)
    assert found.tracks == 2 and found.tracked and found.alone == 0
    before, after = found.jitter
    assert after < 0.8 * before and found.cut == pytest.approx(1 - after / before)
    assert abs(found.lag) < 60
    assert found.notes[0].startswith("17 points without names")


def test_the_default_looks_at_the_whole_recording(tmp_path):
    source = results(tmp_path)
    found = smooth(source, tmp_path / "new.json", fps=30)
    assert type(found.smoother) is SMOOTHERS["rts"]
    # In pixel indices of the file the truth is half a pixel further.
    xy = np.array([poses.xy for poses in found.clip.frames]) - 0.5
    raw = np.array([poses.xy for poses in read_clip(source).frames]) - 0.5
    off = [float(np.linalg.norm(points - truth(), axis=-1).mean()) for points in (xy, raw)]
    assert off[0] < 0.75 * off[1]
    assert abs(found.lag) < 5
    assert type(smooth(source, tmp_path / "new.json", lag=0, fps=30).smoother) is SMOOTHERS["kalman"]


def test_ids_of_tracking_are_written_and_those_of_the_file_are_kept(tmp_path):
    found = smooth(results(tmp_path), tmp_path / "new.json", filter="none")
    entries = json.loads((tmp_path / "new.json").read_text())
    assert {entry["track_id"] for entry in entries} == {1, 2} and len(entries) == 2 * F
    assert entries[0]["mine"] == 0
    source = json.loads((tmp_path / "results.json").read_text())
    assert [entry["keypoints"] for entry in entries] == [entry["keypoints"] for entry in source]
    assert found.smoother is None and found.jitter[0] == found.jitter[1]
    again = smooth(tmp_path / "new.json", tmp_path / "newer.json", filter="none")
    assert not again.tracked and json.loads((tmp_path / "newer.json").read_text()) == entries
    kept = smooth(results(tmp_path, ids=True), tmp_path / "new.json", filter=Ema())
    assert not kept.tracked
    assert {entry["track_id"] for entry in json.loads((tmp_path / "new.json").read_text())} == {4, 5}


def test_a_person_who_is_seen_once_stays_as_in_the_file(tmp_path):
    source = results(tmp_path, skip={(frame, 1) for frame in range(F) if frame != 30})
    entries = json.loads(source.read_text())
    lone = next(entry for entry in entries if entry["keypoints"][0] > 200)
    lone["score"] = 0.4
    source.write_text(json.dumps(entries))
    found = smooth(source, tmp_path / "new.json", filter=Ema(), fps=30)
    assert (found.tracks, found.alone) == (1, 1)
    new = json.loads((tmp_path / "new.json").read_text())
    assert len(new) == len(entries)
    (kept,) = [entry for entry in new if "track_id" not in entry]
    assert kept == lone


def test_a_filter_with_its_settings_is_taken_as_it_is(tmp_path):
    mine = Ema(tau=123.0)
    assert smooth(results(tmp_path), tmp_path / "new.json", filter=mine).smoother is mine


def test_missing_points_are_filled_in_and_marked(tmp_path):
    source = results(tmp_path, ids=True)
    entries = json.loads(source.read_text())
    entries[40]["keypoints"][15:18] = [0, 0, 0]
    source.write_text(json.dumps(entries))
    found = smooth(source, tmp_path / "new.json", fps=30)
    assert found.filled == 1
    new = json.loads((tmp_path / "new.json").read_text())[40]
    assert new["filled"] == [k == 5 for k in range(K)]
    np.testing.assert_allclose(new["keypoints"][15:17], truth()[20, 0, 5], atol=6)


def test_a_clip_on_which_nothing_can_be_measured(tmp_path):
    file = tmp_path / "r.json"
    file.write_text(json.dumps([{"image_id": n, "track_id": 1, "keypoints": [5, 5, 1], "score": 1} for n in (1, 2)]))
    found = smooth(file, tmp_path / "new.json", filter=Ema())
    assert np.isnan(found.jitter).all() and np.isnan(found.lag) and np.isnan(found.cut)


def test_what_cannot_be_smoothed(tmp_path):
    source = results(tmp_path, score=0.05)
    with pytest.raises(DataError, match=r"tracks begin with instances of a score of 0.3, the best has 0.05"):
        smooth(source, tmp_path / "new.json")
    assert not (tmp_path / "new.json").exists()
    with pytest.raises(ValueError, match=r"no filter 'emma'; did you mean 'ema'"):
        smooth(source, tmp_path / "new.json", filter="emma")
    with pytest.raises(ValueError, match=r"filter 'rts' looks at the whole recording .* or take .*kalman"):
        smooth(source, tmp_path / "new.json", filter="rts", lag=20)
    with pytest.raises(ValueError, match="has its lag: leave out lag"):
        smooth(source, tmp_path / "new.json", filter=Ema(), lag=20)
    with pytest.raises(DataError, match="is the file that is read"):
        smooth(source, source)
    entries = [{"image_id": n, "track_id": -1, "keypoints": [5, 5, 1], "score": 1} for n in (1, 2)]
    source.write_text(json.dumps([*entries]))
    with pytest.raises(DataError, match="no instance has an id that is not below 0"):
        smooth(source, tmp_path / "new.json")


def test_the_order_of_instances_in_a_frame_stays(tmp_path):
    source = results(tmp_path, ids=True)
    entries = json.loads(source.read_text())
    source.write_text(json.dumps([entry for n in range(0, len(entries), 2) for entry in (entries[n + 1], entries[n])]))
    smooth(source, tmp_path / "new.json", filter=Ema())
    new = json.loads((tmp_path / "new.json").read_text())
    assert [entry["track_id"] for entry in new] == [5, 4] * F


def test_gaps_between_frames_count(tmp_path):
    # Every person is missing for four frames, which are then not in the file at all.
    gap = {(frame, person) for frame in range(20, 24) for person in range(2)}
    found = smooth(results(tmp_path, ids=True, skip=gap), tmp_path / "new.json", fps=30)
    assert len(found.clip) == F - 4 and found.clip.numbers[20] == 24
    whole = replace(found.clip, times=None).clock(30)
    assert whole[20] - whole[19] == pytest.approx(5 / 30)
