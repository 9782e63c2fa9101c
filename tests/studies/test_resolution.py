"""Images at several sizes, maps of several strides, and where curves of errors cross."""

import numpy as np
import pytest
import torch

from posekit.data.synthetic import Synthetic
from posekit.skeletons import SKELETONS
from posekit.studies import resolution as study
from posekit.studies.crossing import crossing, crossing_at, sign_changes
from posekit.studies.sized import FULL, cropped, sized_faces, sized_people


@pytest.fixture(scope="module")
def some():
    return sized_people(4, 0)


def test_smaller_images_show_the_same(some):
    images, xy = some.at(64, torch.tensor([2, 0]))
    assert images.shape == (2, 3, 64, 64) and torch.equal(xy, some.xy[[2, 0]] / 4)
    full = some.images[[2, 0]].float()
    assert torch.allclose(images[..., 5, 7], full[..., 20:24, 28:32].mean((-1, -2)))
    same, points = some.at(FULL, torch.tensor([1]))
    assert torch.equal(same, some.images[1:2].float()) and torch.equal(points, some.xy[1:2])
    batch, _ = some.drawing(96)(torch.Generator().manual_seed(0), 5)
    assert batch.shape == (5, 3, 96, 96)


def test_faces_are_cropped_and_measured_by_their_eyes():
    made = cropped(Synthetic(SKELETONS["face68"], 3, size=(200, 180), seed=2, outside=0.0).dataset())
    assert made.images.dtype == torch.uint8 and made.images.shape[1:] == (3, FULL, FULL)
    assert torch.allclose(made.unit, (made.xy[:, 36] - made.xy[:, 45]).norm(dim=-1)) and (made.unit > 20).all()


def test_without_data_there_are_no_faces(monkeypatch, tmp_path):
    monkeypatch.setenv("POSEKIT_DATA", str(tmp_path))
    assert sized_faces("train") is None
    monkeypatch.setattr(study, "sized_people", lambda count, seed: (count, seed))
    assert study.data(False, 3) == ((study.TRAINED, 3), (study.HELD, 1003))


def test_errors_of_a_network(some):
    found = study.errors("dark", 64, 8, (some, some), 1, 0)
    assert found.shape == (4,) and (found > 0).all()
    guess = study.mean_pose((some, some))
    assert 5 < guess < 60


def test_changes_of_sign_and_where_they_are():
    rows = np.array([[-1.0, 3.0, 5.0], [1.0, 2.0, 3.0], [1.0, -1.0, 1.0]])
    assert sign_changes(rows).tolist() == [1, 0, 2]
    at = crossing_at(rows, np.array([64.0, 256.0, 512.0]))
    # A quarter of the two octaves from 64 to 256.
    assert at[0] == pytest.approx(64 * 2**0.5) and np.isnan(at[1:]).all()


def test_a_crossing_and_its_interval():
    noise = np.random.default_rng(0).normal(0, 0.5, (3, 200))
    second = np.full((3, 200), 5.0)
    first = second + np.array([[-1.0], [1.0], [2.0]]) + noise
    found = crossing(first, second, [64, 128, 256])
    assert (found["changes"], found["below"], found["share"]) == (1, -1, 1.0)
    assert 84 < found["low"] < found["at"] < found["high"] < 97
    apart = crossing(second + 1 + noise, second, [64, 128, 256])
    assert (apart["changes"], apart["below"], apart["at"]) == (0, 1, None) and apart["share"] == 1.0
    even = crossing(second + noise * 20, second, [64, 128, 256])
    assert even["share"] < 0.95
    assert crossing(second[:1], second[:1], [64])["changes"] == 0


def test_a_crossing_in_words():
    told = {"sizes": [64, 256], "changes": 1, "below": -1, "at": 90.0, "low": 80.0, "high": 99.0, "share": 0.97}
    text = study.crossing_text(told, "rle")
    assert (
        text == "crossing at 90 px [80, 99], rle better below and heatmap above; 97 % of the resamples of images agree"
    )
    none = study.crossing_text(told | {"changes": 0, "below": 1}, "rle")
    assert none.startswith("no crossing within the range measured: heatmap has the smaller error from 64 to 256 px")
    assert study.crossing_text(told | {"changes": 2}, "rle").startswith("2 crossings from 64 to 256 px, no order")
    assert study.crossing_text(told | {"sizes": [64]}, "rle") == "too few networks learned to tell"


def results(simcc=(3.0, 6.0), dsnt=(9.0, 9.0)):
    """Two sizes, errors of five images that are all the same."""

    def flat(*values):
        return {size: np.full(5, value) for size, value in zip((64, 128), values, strict=True)}

    each = {"heatmap": flat(4.0, 4.0), "dsnt": flat(*dsnt), "simcc": flat(*simcc), "rle": flat(5.0, 4.5)}
    coarse = {
        "heatmap": {64: {2: np.full(5, 2.0), 16: np.full(5, 12.0)}},
        "dsnt": {64: {2: np.full(5, 9.0), 16: np.full(5, 9.0)}},
    }
    return {"data": "x", "images": 5, "steps": 1, "guess": 20.0, **study.told(each, coarse, 20.0)}


def test_numbers_of_the_study():
    found = results()
    assert found["errors"]["simcc"] == {"64": 3.0, "128": 6.0} and found["gains"]["rle"]["rise"] == 0.5
    assert list(found["strides"]["dsnt"]["64"]) == ["2", "4", "16"]
    # A third of the octave.
    assert found["crossings"]["simcc"]["at"] == pytest.approx(64 * 2 ** (1 / 3))
    assert found["crossings"]["rle"]["changes"] == 0
    along = found["stride_crossings"]
    # Heatmaps go from 4 to 12 between strides 4 and 16; the others have 5 and 9.
    assert along["rle"]["at"] == pytest.approx(4 * 4 ** (1 / 8)) and along["dsnt"]["at"] == pytest.approx(
        4 * 4 ** (5 / 8)
    )


def test_networks_that_did_not_learn_are_not_compared():
    found = results(dsnt=(15.0, 9.0))
    assert found["crossings"]["dsnt"]["sizes"] == [128] and found["stride_crossings"]["dsnt"]["sizes"] == []
    said = study.verdict(found)
    assert said.count("too few networks learned to tell") == 2
