"""`make demo` overwrites neither photos nor its own pictures."""

import cv2
import numpy as np

from posekit.geometry.keypoints import Poses
from posekit.skeletons import SKELETONS
from posekit.studies import demo


class Nobody:
    """A chain that finds nobody."""

    skeleton, instance_threshold = SKELETONS["coco17"], 0.2

    def __call__(self, image):
        return [Poses.empty(17)]


def test_photos_of_the_same_name_and_narrow_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "load", lambda name: None)
    monkeypatch.setattr(demo, "Chain", lambda *models: Nobody())
    sources = ("a/demo.png", "b/photo.png", "c/photo.png", "demo/demo.jpg")
    for source, width in zip(sources, (30, 1, 20, 10), strict=True):
        (tmp_path / source).parent.mkdir()
        cv2.imwrite(source, np.zeros((2000 if width == 1 else 20, width, 3), np.uint8))
    before = (tmp_path / "demo" / "demo.jpg").read_bytes()
    assert demo.main(sources[:1]) == 1
    assert (tmp_path / "demo" / "demo.jpg").read_bytes() != before
    assert cv2.imread("demo/demo_1.jpg").shape == (demo.HEIGHT, 768, 3)
    photo = (tmp_path / "demo" / "demo.jpg").read_bytes()
    assert demo.main(["b/photo.png", "c/photo.png", "demo/demo.jpg"]) == 1
    assert (tmp_path / "demo" / "demo.jpg").read_bytes() == photo
    drawn = [line.split("drawn in ")[1] for line in capsys.readouterr().out.splitlines() if "drawn in" in line]
    assert len(set(drawn)) == len(drawn)
