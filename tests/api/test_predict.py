"""Files of images to poses: nothing is overwritten, boxes go by path, and what is broken is left out and said."""

import csv
import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from figures import FOUR

from posekit.api.predict import Drawing, predict
from posekit.cli.main import main
from posekit.data.errors import DataError
from posekit.data.image_files import image_files, output_names
from posekit.engines.spec import InferenceSpec
from posekit.geometry.framing import Crop
from posekit.geometry.keypoints import Poses
from posekit.pipelines.predictor import Predictor


class Corners:
    """The four points a quarter of the way in from the corners of a crop."""

    spec = InferenceSpec(name="corners", skeleton=FOUR, size=(32, 32), framing=Crop(padding=1.0))

    def __call__(self, images):
        xy = np.array([[8, 8], [24, 8], [8, 24], [24, 24]], np.float32)
        score = np.full((len(images), 1, 4), 0.9, np.float32)
        return Poses(np.tile(xy, (len(images), 1, 1, 1)), score, score[..., 0])


@pytest.fixture
def corners():
    return Predictor(Corners(), batch=4)


def picture(path, seed=0, size=(40, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))
    return path


def boxes_of(file, images, boxes):
    """A COCO file: images name to id, boxes as (id of the image, x, y, w, h)."""
    file.write_text(
        json.dumps(
            {
                "images": [{"id": number, "file_name": name} for name, number in images.items()],
                "annotations": [{"id": n, "image_id": i, "bbox": box} for n, (i, *box) in enumerate(boxes, 1)],
            }
        )
    )
    return file


def digests(folder):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def test_poses_drawings_and_results(corners, tmp_path):
    files = [picture(tmp_path / "in" / f"{n}.png", n) for n in range(6)]
    found = predict(tmp_path / "in", corners, out=tmp_path / "out")
    assert [image.path for image in found] == files
    assert found.instances == 6 and not found.faults
    assert all(image.drawing.is_file() for image in found)
    np.testing.assert_allclose(found.images[0].poses.xy[0, 0], [15, 5], atol=1e-4)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results == found.to_results()
    first = results[0]
    assert first["image_id"] == 1 and first["bbox"] == [0, 0, 60, 40]
    assert first["point_names"] == list(FOUR.points)
    assert (first["file_name"], first["path"], first["model"]) == ("0.png", str(files[0]), "corners")
    assert (first["width"], first["height"]) == (60, 40)
    np.testing.assert_allclose(first["keypoints"][:3], [14.5, 4.5, 0.9], atol=1e-4)


def test_a_table_has_one_row_a_point(corners, tmp_path):
    found = predict(picture(tmp_path / "a.png"), corners)
    with found.write_csv(tmp_path / "deep" / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["point"] for row in rows] == list(FOUR.points)
    assert (rows[0]["x"], rows[0]["y"], rows[0]["score"]) == ("15.000", "5.000", "0.90000")
    assert rows[0]["x1"] == "60.00" and not {"visible", "spread_x", "depth"} & rows[0].keys()
    assert float(rows[0]["x"]) == found.to_results()[0]["keypoints"][0] + 0.5


def test_a_table_has_the_columns_that_the_model_gives(corners, tmp_path):
    found = predict(picture(tmp_path / "a.png"), corners)
    poses = found[0].poses
    deep = replace(poses, depth=np.full((1, 4), 2.0), spread=np.full((1, 4, 2), 0.5))
    with replace(found, images=(replace(found[0], poses=deep),)).write_csv(tmp_path / "a.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["spread_x"], row["spread_y"], row["depth"]) == ("0.5000", "0.5000", "2.0000")
    assert "visible" not in row


def test_texts_are_taken_as_paths(corners, tmp_path):
    picture(tmp_path / "in" / "a.png")
    file = boxes_of(tmp_path / "boxes.json", {"a.png": 7}, [(7, 1, 2, 10, 10)])
    found = predict(str(tmp_path / "in"), corners, boxes=str(file), out=str(tmp_path / "out"))
    assert (tmp_path / "out" / "results.json").is_file() and found.images[0].drawing.is_file()
    found.write_csv(str(tmp_path / "a.csv"))


def test_predictions_are_a_sequence(corners, tmp_path):
    for n in range(3):
        picture(tmp_path / f"{n}.png", n)
    found = predict(tmp_path, corners)
    assert found[1] is found.images[1] and found[-1] is found.images[2] and found[:2] == found.images[:2]
    assert [image.path.name for image in found] == ["0.png", "1.png", "2.png"]
    assert repr(found) == "Predictions(3 instances in 3 images, model 'corners')"


def test_images_without_boxes_are_one_line_and_not_drawn(corners, tmp_path):
    files = [picture(tmp_path / "in" / f"{n}.png", n) for n in range(9)]
    file = boxes_of(tmp_path / "boxes.json", {"3.png": 3, "4.png": 4}, [(3, 1, 2, 10, 10)])
    found = predict(tmp_path / "in", corners, boxes=file, out=tmp_path / "out")
    (note,) = found.notes
    assert "8 of 9 images have no boxes in" in note and note.endswith("0.png, 1.png, 2.png, 4.png, 5.png and 3 more")
    assert len(found) == 9 and [path.name for path in (tmp_path / "out").glob("*.png")] == [files[3].name]


def test_results_of_another_call_are_replaced_with_a_note(corners, tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
    out = tmp_path / "out"
    assert not predict(tmp_path / "a.png", corners, out=out).notes
    assert not predict(tmp_path / "a.png", corners, out=out).notes
    (note,) = predict(tmp_path / "b.png", corners, out=out).notes
    assert "results.json held results of 1 other image; their pictures stay in" in note
    old = (out / "results.json").read_text()
    (tmp_path / "c.png").write_bytes(b"no picture")
    found = predict(tmp_path / "c.png", corners, out=out)
    assert not found.notes and found.unread == 1
    assert (out / "results.json").read_text() == old


def test_a_legend_names_few_points(corners, tmp_path):
    found = predict(picture(tmp_path / "a.png", size=(300, 400)), corners, out=tmp_path / "out")
    assert cv2.imread(str(found[0].drawing)).shape[0] > 300


def test_points_below_the_threshold_are_counted(corners, tmp_path):
    image = picture(tmp_path / "a.png")
    for threshold, counts in ((0.5, (4, 0, 0)), (0.95, (4, 4, 0)), (3.0, (4, 0, 4))):
        found = predict(image, corners, out=tmp_path / "out", drawing=Drawing(points=threshold))
        assert (found.drawn.points, found.drawn.rings, found.drawn.hidden) == counts
        assert found.drawn.instances == 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_no_photo_is_overwritten(corners, tmp_path, suffix):
    photos = tmp_path / "photos"
    for name in ("a", "b", "a_pose"):
        picture(photos / f"{name}{suffix}")
    before = digests(photos)
    with pytest.raises(ValueError, match=r"is the folder of the images: choose another one, such as .*predictions"):
        predict(photos, corners, out=photos)
    # Files named one by one may lie where the results go.
    predict(sorted(before), corners, out=photos)
    after = digests(photos)
    assert {file: after[file] for file in before} == before
    assert len(after) == 2 * len(before) + 1


def test_results_inside_the_sources_are_not_taken_for_photos(corners, tmp_path):
    picture(tmp_path / "a.png")
    for _ in range(2):
        found = predict(tmp_path, corners, out=tmp_path / "predictions")
        assert [image.path.name for image in found] == ["a.png"]
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    assert len(predict(tmp_path, corners)) == 1


def test_as_many_drawings_as_images(corners, tmp_path):
    sources = [tmp_path / "one", tmp_path / "two"]
    for folder in sources:
        picture(folder / "0001.png")
        picture(folder / "deep" / "0001.jpg")
        picture(folder / "0001.jpg")
    found = predict(sources, corners, out=tmp_path / "out")
    drawn = [image.drawing for image in found]
    assert len(set(drawn)) == len(drawn) == 6
    assert {path.suffix for path in drawn} == {".png"}
    predict([tmp_path / "one" / "0001.jpg", tmp_path / "two" / "0001.jpg"], corners, out=tmp_path / "photos")
    assert len(list((tmp_path / "photos").rglob("*.jpg"))) == 2


def test_boxes_go_by_path(corners, tmp_path):
    for n, camera in enumerate(("cam1", "cam2")):
        picture(tmp_path / camera / "0001.png", n)
    file = boxes_of(
        tmp_path / "boxes.json",
        {"cam1/0001.png": 7, "cam2/0001.png": 9},
        [(7, 1, 2, 10, 10), (9, 20, 5, 8, 4), (9, 0, 0, 5, 5)],
    )
    found = predict(tmp_path, corners, boxes=file)
    assert [image.image_id for image in found] == [7, 9]
    np.testing.assert_allclose(found.images[0].poses.boxes, [[1, 2, 11, 12]])
    np.testing.assert_allclose(found.images[1].poses.boxes, [[20, 5, 28, 9], [0, 0, 5, 5]])


def test_names_that_could_be_two_images_are_refused(corners, tmp_path):
    for camera in ("cam1", "cam2"):
        picture(tmp_path / "in" / camera / "0001.png")
    file = boxes_of(tmp_path / "boxes.json", {"0001.png": 7}, [(7, 1, 2, 10, 10)])
    with pytest.raises(
        DataError, match=r"'0001\.png' could be any of .*cam1/0001\.png, .*cam2/0001\.png; write the fol"
    ):
        predict(tmp_path / "in", corners, boxes=file)
    file = boxes_of(tmp_path / "boxes.json", {"cam1/0001.png": 7, "in/cam1/0001.png": 8}, [(7, 1, 2, 10, 10)])
    with pytest.raises(DataError, match=r"'cam1/0001\.png' and 'in/cam1/0001\.png' are both"):
        predict(tmp_path / "in", corners, boxes=file)


@pytest.mark.parametrize("box", [[5, 5, 0, 9], [5, 5, 9, -2], [5, 5, float("nan"), 3], [1, 1, float("inf"), 3]])
def test_one_bad_box_is_left_out_and_said(corners, tmp_path, box):
    for n in range(20):
        picture(tmp_path / f"{n:03}.png", n)
    rows = [(n + 1, 1, 1, 20, 20) for n in range(20)]
    rows[17] = (18, *box)
    file = boxes_of(tmp_path / "boxes.json", {f"{n:03}.png": n + 1 for n in range(20)}, rows)
    found = predict(tmp_path, corners, boxes=file)
    assert (len(found), found.instances) == (20, 19)
    (fault,) = found.faults
    assert "017.png: annotation 18 of" in fault and "expected x y width height" in fault


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty; expected COCO JSON with images"),
        ('{"annotations": []}', "it has no 'images'"),
        (
            '{"images": [], "annotations": [{"id": 4, "image_id": 1}]}',
            "1 of its 1 annotations have no 'bbox', the first is 4",
        ),
        ("[1]", "expected COCO JSON with images and annotations"),
        ('{"images": [{"id": 1, "file_name": 5}], "annotations": []}', "has the file_name 5"),
        ('{"images": [], "annotations": [{"image_id": 1, "bbox": [1, 2, 3]}]}', "has 3 numbers as its bbox"),
        ('{"images": [], "annotations": [{"image_id": [1], "bbox": [1, 2, 3, 4]}]}', "unhashable"),
        ('{"images": [], "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 1e999]}]}', "does not list the image:"),
    ],
)
def test_a_box_file_that_is_none_is_told(corners, tmp_path, content, message):
    image, file = picture(tmp_path / "a.png"), tmp_path / "boxes.json"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        predict(image, corners, boxes=file)


def test_a_broken_image_is_left_out_and_the_others_are_done(corners, tmp_path):
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.jpg").write_bytes(b"\xff\xd8 not a picture")
    found = predict(tmp_path / "in", corners, out=tmp_path / "out")
    assert (len(found), found.unread) == (1, 1)
    assert "b.jpg" in found.faults[0]


def test_a_folder_named_like_a_file_is_refused(corners, tmp_path):
    with pytest.raises(ValueError, match=r"--out .*x\.csv is the folder for results, .* for a table use --csv x\.csv"):
        predict(picture(tmp_path / "a.png"), corners, out=tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_nothing_is_written_if_no_image_can_be_read(corners, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("posekit.api.predict.load", lambda *_, **__: corners)
    (tmp_path / "a.png").write_bytes(b"no picture")
    words = ["predict", str(tmp_path / "a.png"), "--model", "corners", "--csv", str(tmp_path / "a.csv")]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    assert "the image could not be read; no file was written" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() and not (tmp_path / "a.csv").exists()
    assert main(["predict"]) == 1
    assert "no image was named" in capsys.readouterr().err


def test_sources_without_an_image_are_told(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    for source in (tmp_path, tmp_path / "nothing.png", f"{tmp_path}/*.txt"):
        with pytest.raises(DataError, match=r"no image there \(looked for \.jpg"):
            image_files([source])
    assert image_files([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]


def test_new_names_never_meet(tmp_path):
    files = [tmp_path / name for name in ("a.png", "A.jpg", "a_pose.png", "b/a.png")]
    names = output_names(files, tmp_path, ".png")
    assert len({str(name).lower() for name in names}) == 4
    assert not {*names} & {*files}


def test_the_command_says_that_nothing_was_above_the_threshold(corners, tmp_path, monkeypatch, capsys):
    image = picture(tmp_path / "a.png")
    monkeypatch.setattr("posekit.api.predict.load", lambda *_, **__: corners)
    words = ["predict", str(image), "--model", "corners", "--out", str(tmp_path / "out")]
    assert main([*words, "--threshold", "0.95"]) == 0
    assert "no point reaches the score 0.95, the best has 0.9: try" in (out := capsys.readouterr().out)
    assert "4 of 4 points are below --threshold 0.95: 4 drawn as rings" in out and "1 image, 1 instance;" in out
    assert main([*words, "--csv", str(tmp_path / "a.csv")]) == 0
    assert f"table in {tmp_path / 'a.csv'}" in capsys.readouterr().out
