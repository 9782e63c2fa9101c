"""`posekit data review`: wrong labels are found, told, drawn, and swapped sides put right."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posekit.cli.main import main
from posekit.data.coco import read_coco, write_coco, write_results
from posekit.data.synthetic import Synthetic
from posekit.geometry.keypoints import Poses
from posekit.skeletons import SKELETONS

COCO = SKELETONS["coco17"]
SWAPPED, MOVED, ELSEWHERE, NOSE = 1, 4, 6, COCO.points.index("nose")


@pytest.fixture
def wrong(tmp_path):
    """Labels with three faults, the file of what is true, and predictions that say the truth."""
    file = Synthetic(COCO, count=8, size=(96, 96), seed=5, outside=0.0).to_files(tmp_path / "set")
    dataset = read_coco(file)
    xy, visibility = dataset.xy.copy(), np.full_like(dataset.visibility, 2)
    right = replace(dataset, xy=xy.copy(), visibility=visibility)
    xy[SWAPPED], visibility[SWAPPED] = xy[SWAPPED][list(COCO.flip)], visibility[SWAPPED][list(COCO.flip)]
    side = (dataset.boxes[:, 2:] - dataset.boxes[:, :2]).max(1)
    xy[MOVED, NOSE, 0] += 0.5 * side[MOVED]
    xy[ELSEWHERE, :, 1] -= 0.6 * side[ELSEWHERE]
    labels = write_coco(replace(dataset, xy=xy, visibility=visibility), tmp_path / "set" / "wrong.json")
    poses = [Poses(p[None], np.full((1, len(p)), 0.9), np.array([0.9])) for p in right.xy]
    said = write_results(poses, [image.id for image in dataset.images], tmp_path / "said.json")
    return labels, said, right


def test_wrong_labels_are_told_drawn_and_put_right(wrong, tmp_path, capsys):
    labels, said, right = wrong
    out = tmp_path / "out"
    assert main(["data", "review", str(labels), "--by", str(said), "--out", str(out)]) == 0
    assert "8 instances, 3 of them in question" in capsys.readouterr().out
    told = {doubt["index"]: doubt for doubt in json.loads((out / "review.json").read_text())}
    assert {index: doubt["kind"] for index, doubt in told.items()} == {
        SWAPPED: "swapped",
        MOVED: "outlier",
        ELSEWHERE: "opposed",
    }
    assert told[MOVED]["points"] == ["nose"]
    assert told[MOVED]["distance"] == pytest.approx(0.5, abs=1e-3)
    assert told[SWAPPED]["annotation"] == right.annotation_id[SWAPPED]
    assert "nose" not in told[SWAPPED]["points"]
    assert len(told[ELSEWHERE]["points"]) == len(COCO.points)
    mended = read_coco(out / "labels.json")
    np.testing.assert_allclose(mended.xy[SWAPPED], right.xy[SWAPPED], atol=1e-5)
    # What nobody can decide stays as it was.
    assert not np.allclose(mended.xy[MOVED, NOSE], right.xy[MOVED, NOSE])
    # Three instances, each twice, in one row.
    drawn = cv2.imread(str(out / "review.png"))
    assert drawn.shape[1] > 4 * drawn.shape[0]


def test_a_trained_model_reviews_labels_too(data, trained, tmp_path, capsys):
    out = tmp_path / "out"
    words = [
        "data",
        "review",
        str(data),
        "--by",
        str(trained),
        "--out",
        str(out),
        "--score-threshold",
        "0",
        "--samples",
        "3",
    ]
    assert main([*words, "--apart", "0.05"]) == 0
    assert "24 instances" in capsys.readouterr().out
    told = json.loads((out / "review.json").read_text())
    # After one epoch it is wrong about nearly everything, the worst first.
    assert len(told) > 12
    assert [doubt["distance"] for doubt in told] == sorted((doubt["distance"] for doubt in told), reverse=True)
    assert (out / "review.png").exists()


def test_labels_that_agree_leave_nothing_to_mend(wrong, tmp_path, capsys):
    _, said, right = wrong
    labels = write_coco(right, tmp_path / "set" / "right.json")
    out = tmp_path / "out"
    assert main(["data", "review", str(labels), "--by", str(said), "--out", str(out)]) == 0
    assert ", 0 of them in question" in capsys.readouterr().out
    assert json.loads((out / "review.json").read_text()) == []
    assert not (out / "labels.json").exists()
    assert not (out / "review.png").exists()
