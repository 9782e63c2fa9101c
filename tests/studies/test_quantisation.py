"""The closed forms of quantisation, as numbers."""

import pytest

from posekit.studies import quantisation as q


@pytest.mark.parametrize(
    ("scheme", "mean", "rms", "worst", "mean_2d", "rms_2d"),
    [
        ("floor", 0.5, 0.577350, 1.0, 0.765196, 0.816497),
        ("round", 0.25, 0.288675, 0.5, 0.382598, 0.408248),
        ("quarter", 0.125, 0.144338, 0.25, 0.191299, 0.204124),
    ],
)
def test_errors_of_points_anywhere_in_a_cell(scheme, mean, rms, worst, mean_2d, rms_2d):
    unit = q.closed_form(scheme, 1)
    wanted = {"mean": mean, "rms": rms, "worst": worst, "mean_2d": mean_2d, "rms_2d": rms_2d}
    assert unit == pytest.approx(wanted, abs=1e-6)
    assert q.closed_form(scheme, 4)["mean_2d"] == pytest.approx(4 * mean_2d, abs=4e-6)


def test_stride_4_loses_3_06_1_53_and_0_77_pixels_on_average():
    found = [round(q.closed_form(scheme, 4)["mean_2d"], 2) for scheme in ("floor", "round", "quarter")]
    assert found == [3.06, 1.53, 0.77]


@pytest.mark.parametrize(
    ("stride", "floor", "round_", "quarter"),
    [(2, (0.5, 1), (0.5, 1), (0.25, 0.5)), (4, (1.5, 3), (1.0, 2), (0.25, 1)), (8, (3.5, 7), (2.0, 4), (0.75, 2))],
)
def test_errors_of_whole_pixels(stride, floor, round_, quarter):
    for scheme, (mean, worst) in (("floor", floor), ("round", round_), ("quarter", quarter)):
        assert q.whole_pixels(scheme, stride) == pytest.approx({"mean": mean, "worst": worst}), scheme


def test_what_quantisation_costs_in_oks():
    assert [round(q.oks_after(s, 4), 3) for s in ("floor", "round", "quarter")] == [0.953, 0.987, 0.997]


def test_the_example_of_507_pixels():
    """507 of 512 on a map of 128: the cell is 126.75, floor gives 504 (3 px off), the nearest cell 508 (1 px off)."""
    assert 507 - 4 * (507 // 4) == 3
    assert 4 * round(507 / 4) - 507 == 1


def test_codecs_lose_what_the_closed_forms_say():
    found = {name: q.measured(codec, 64, 0) for name, codec in q.representations(4, 17).items()}
    assert found["nearest cell"]["mean"] == pytest.approx(1.0, rel=0.03)
    assert found["quarter step"]["mean"] == pytest.approx(0.5, rel=0.03)
    assert found["nearest cell"]["worst"] <= 2 and found["quarter step"]["worst"] <= 1.001
    for name in ("DARK", "UDP", "UDP, discs and offsets", "soft-argmax"):
        assert found[name]["worst"] < 0.02, name
    assert found["SimCC, 2 bins a pixel"]["mean"] == pytest.approx(0.125, rel=0.03)
