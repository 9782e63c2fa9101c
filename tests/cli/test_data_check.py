"""`posekit data check`: all faults in one run, hints that name its own options, JSON, and its exit status."""

from __future__ import annotations

import json

import pytest
from broken import coco_content, write, yolo_set
from doubtful import DOUBTFUL

from posekit.cli.data import own_options
from posekit.cli.main import main


def run(capsys, *words):
    status = main(["data", "check", *map(str, words)])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, " ".join(out.split())


def test_sound_data_ends_well(tmp_path, capsys):
    status, out = run(capsys, write(tmp_path, coco_content()), "--out", tmp_path / "s.png")
    assert status == 0
    assert "error" not in out
    assert "warning" not in out
    assert (tmp_path / "s.png").is_file()


@pytest.mark.parametrize("name", DOUBTFUL)
def test_errors_alone_make_the_status(name, tmp_path, capsys):
    path, _ = DOUBTFUL[name](tmp_path)
    status, out = run(capsys, path, "--out", tmp_path / "s.png")
    assert status == (1 if out.startswith("error ") else 0)


def test_warnings_stand_before_the_figures_and_are_told_once(tmp_path, capsys):
    content = coco_content()
    content["categories"][0]["flip_pairs"] = [["nose", "left_paw"]]
    status, out = run(capsys, write(tmp_path, content), "--out", tmp_path / "s.png")
    assert status == 0
    assert out.startswith("warning ")
    assert out.count("contradict the names of the points") == 1
    assert "mirror pairs, from the file: nose/left_paw" in out


def test_names_of_which_only_some_pair_up_are_told_and_not_flipped(tmp_path, capsys):
    content = coco_content()
    content["categories"][0]["keypoints"] = ["left_ear", "right_ear", "left_hipp"]
    status, out = run(capsys, write(tmp_path, content), "--out", tmp_path / "s.png")
    assert status == 0
    assert out.startswith("warning ")
    assert "left_hipp looks left or right but has no partner, so images are not flipped in training" in out
    assert "mirror pairs, from the names: left_ear/right_ear (in no pair: left_hipp); left_hipp looks" in out


def test_hints_name_the_options_of_this_command(tmp_path, capsys):
    content = coco_content()
    content["categories"].append({"id": 2, "name": "rat", "keypoints": ["snout", "tail"]})
    file = write(tmp_path, content)
    status, out = run(capsys, file, "--json", tmp_path / "o.json")
    assert status == 1
    assert "choose one (--category NAME)" in out
    assert "--data." not in out + (tmp_path / "o.json").read_text()
    assert run(capsys, file, "--category", "mouse", "--out", tmp_path / "s.png")[0] == 0
    status = main(["data", "pack", str(file), "--size", "32"])
    assert status == 1
    assert "choose one (--category NAME)" in capsys.readouterr().err
    assert own_options("say --data.skeleton coco17, --data.images F") == "say --skeleton coco17, --images F"


def test_the_proposed_skeleton_can_be_taken(tmp_path, capsys):
    content = coco_content()
    content["categories"][0] |= {"keypoints": [f"point_{i}" for i in range(17)], "skeleton": []}
    flat = [value for i in range(17) for value in (3 + i, 4 + i % 9, 2)]
    content["annotations"] = [content["annotations"][0] | {"keypoints": flat}]
    file = write(tmp_path, content)
    status, out = run(capsys, file, "--out", tmp_path / "s.png")
    assert "17 points without names: if they are those of coco17" in out
    assert "say --skeleton coco17 or --skeleton ap10k17" in out
    status, out = run(capsys, file, "--skeleton", "coco17", "--out", tmp_path / "s.png")
    assert status == 0
    assert "without names" not in out
    assert "left and right are unknown" not in out
    status, out = run(capsys, file, "--skeleton", "face5", "--out", tmp_path / "s.png")
    assert status == 1
    assert "skeleton 'face5' has 5 points, the data 17" in out


def test_json_holds_findings_figures_and_what_was_inferred(tmp_path, capsys):
    content = coco_content()
    content["annotations"][1]["bbox"] = [0, 0, 0, 0]
    content["annotations"][2]["area"] = 1
    bad, good = write(tmp_path / "bad", content), write(tmp_path / "good", coco_content())
    out = tmp_path / "made" / "o.json"
    status, _ = run(capsys, bad, good, "--json", out, "--out", tmp_path / "s.png")
    assert status == 1
    told = json.loads(out.read_text())
    assert told["errors"] == 1
    first, second = told["files"]
    assert (first["file"], first["errors"], first["warnings"]) == (str(bad), 1, 1)
    assert [(f["code"], f["severity"], f["annotation"], f["count"]) for f in first["findings"]] == [
        ("box", "error", 2, 1),
        ("area", "warning", 3, 1),
    ]
    assert first["findings"][0]["image"] == str(tmp_path / "bad" / "9.jpg")
    assert first["findings"][0]["fix"].startswith("draw them around the instance")
    assert (second["errors"], second["findings"]) == (0, [])
    assert second["figures"]["instances"] == 3
    assert any(line.startswith("mirror pairs, from the names") for line in second["inferred"])


def test_a_file_that_cannot_be_read_is_in_the_json_as_well(tmp_path, capsys):
    status, _ = run(capsys, tmp_path / "nothing.json", "--json", tmp_path / "o.json")
    assert status == 1
    (file,) = json.loads((tmp_path / "o.json").read_text())["files"]
    assert file["figures"] is None
    assert "no such file" in file["findings"][0]["what"]


def test_another_split_is_checked_on_demand(tmp_path, capsys):
    file = yolo_set(tmp_path)
    status, out = run(capsys, file, "--split", "val")
    assert status == 1
    assert "no split 'val'; the file has ['train']" in out


def test_without_mirror_pairs_there_are_no_mirror_images_and_the_advice_is_given_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = coco_content()
    content["categories"][0] |= {"keypoints": ["a", "b", "c"], "skeleton": []}
    content["categories"][0].pop("flip_pairs", None)
    file = write(tmp_path / "one", content)
    for extra in ("", ", which replaces an earlier one"):
        assert main(["data", "check", str(file)]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert f"samples: data_check_{file.stem}.png{extra}" in out and "mirror images" not in out
        assert out.count("or give flip_pairs") == 1 and "mirror pairs: none found" in out
    other = write(tmp_path / "two", content)
    assert main(["data", "check", str(file), str(other)]) == 0
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"data_check_{file.stem}.png",
        f"data_check_two_{file.stem}.png",
    }


def test_a_folder_is_answered_with_the_label_files_in_it(tmp_path, capsys):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "train.json").write_text("{}")
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "got a folder; give a file in it: annotations/train.json" in " ".join(capsys.readouterr().out.split())


def test_no_file_is_said(capsys):
    assert main(["data", "check"]) == 1
    assert "no label file was named" in capsys.readouterr().err
