"""Files over time to tables and pictures of angles and lengths."""

import csv
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from clip_samples import SAMPLES, coco, npz, table

from posekit.api.angles import angles
from posekit.data.clip_files import read_clip
from posekit.data.errors import DataError
from posekit.metrics.angles import angle_spread
from posekit.metrics.angles import angles as angles_of
from posekit.metrics.named_angles import named_angles


def rows(file):
    return list(csv.DictReader(file.read_text().splitlines()))


def test_tables_and_pictures(tmp_path):
    source = npz(tmp_path)
    found = angles(source, tmp_path / "out" / "walk", angles=["all"], lengths=["all", "arm=left_shoulder,left_wrist"])
    assert [file.name for file in found.files] == [
        f"walk.{kind}.{suffix}" for kind in ("angles", "lengths") for suffix in ("csv", "svg")
    ]
    assert (found.frames, found.tracks, found.has_spread) == (4, 2, True)
    table = rows(found.files[0])
    assert list(table[0])[:5] == ["frame", "time", "id", "left_elbow", "left_elbow_sd"]
    assert [(row["frame"], row["time"], row["id"]) for row in table[:3]] == [
        ("0", "0", "3"),
        ("0", "0", "4"),
        ("1", "0.04", "3"),
    ]
    clip = read_clip(source)
    names = named_angles(["all"], clip.skeleton)
    poses = clip.frames[0]
    xy = np.where((poses.score > 0.3)[..., None], poses.xy, np.nan)
    values = angles_of(xy, list(names.values()))
    spread = angle_spread(xy, poses.spread, list(names.values()))
    for n, row in enumerate(table[:2]):
        for a, name in enumerate(names):
            for cell, value in ((row[name], values[n, a]), (row[f"{name}_sd"], spread[n, a])):
                assert cell == "" if np.isnan(value) else float(cell) == pytest.approx(value, abs=1e-4)
    assert any(row["left_elbow"] == "" for row in table) or any(row["right_knee"] == "" for row in table)
    assert "arm" in rows(found.files[2])[0]
    for picture in (found.files[1], found.files[3]):
        root = ElementTree.fromstring(picture.read_text())
        assert root.tag.endswith("svg") and len(list(root)) >= 2


def test_threshold_and_sign(tmp_path):
    source = npz(tmp_path)
    all_there = angles(source, threshold=0.0).series[0]
    assert np.isnan(angles(source, threshold=1.0).series[0].tracks[0].values).all()
    signed = angles(source, threshold=0.0, signed=True).series[0]
    plain = all_there.tracks[0].values
    turned = signed.tracks[0].values
    wrapped = np.abs((turned + 180) % 360 - 180)
    np.testing.assert_allclose(wrapped, plain, atol=1e-9)
    assert (turned[np.isfinite(turned)] < 0).any()


def test_without_ids_times_or_spread(tmp_path):
    found = angles(coco(tmp_path), tmp_path / "a", lengths=["left_hip-right_hip"])
    assert not found.has_spread and [one.kind for one in found.series] == ["lengths"]
    assert any("30 frames a second assumed" in note for note in found.notes)
    assert list(rows(found.files[0])[0]) == ["frame", "time", "id", "left_hip-right_hip"]
    assert not any("assumed" in note for note in angles(tmp_path / "results.json", fps=25).notes)


def test_tracking_gives_ids(tmp_path):
    entries = [
        {"image_id": n, "keypoints": [10 + n, 20, 1, 50, 60 + n, 1, 90, 20, 1], "score": 0.9} for n in range(1, 6)
    ]
    file = tmp_path / "r.json"
    file.write_text(json.dumps(entries))
    found = angles(file, angles=["bend=a,b,c"], points="a,b,c")
    assert found.tracks == 1 and any("tracking gave 1" in note for note in found.notes)
    assert found.files == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_has_lengths(name, tmp_path):
    source = SAMPLES[name](tmp_path)
    a, b = read_clip(source).skeleton.points[:2]
    found = angles(source, lengths=[f"mine={a},{b}"], threshold=0.0)
    assert found.series[0].names == ("mine",) and found.tracks >= 1


def test_what_cannot_be_measured(tmp_path):
    source = table(tmp_path)
    with pytest.raises(ValueError, match=r"have no known angles: write NAME=A,B,C"):
        angles(source)
    with pytest.raises(ValueError, match=r"angle 'a': no point 'tipp'; did you mean 'tip'"):
        angles(source, angles=["a=tipp,left_grip,end"])
    source.rename(tmp_path / "x.lengths.csv")
    with pytest.raises(DataError, match="is the file that is read"):
        angles(tmp_path / "x.lengths.csv", tmp_path / "x", lengths=["a=tip,end"])


def test_pictures_with_more_than_they_hold(tmp_path):
    entries = [
        {"image_id": n, "track_id": one, "keypoints": [one, n, 1, 5, 6, 1], "score": 1}
        for n in range(3)
        for one in range(12)
    ]
    file = tmp_path / "r.json"
    file.write_text(json.dumps(entries))
    found = angles(file, tmp_path / "o", lengths=["l=a,b"], points="a,b")
    assert any("no room for 4 more panels" in note for note in found.notes)
