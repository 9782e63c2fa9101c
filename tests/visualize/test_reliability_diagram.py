import numpy as np
import pytest

from posekit.visualize.reliability import COLOURS, SIDE, reliability_diagram


def locations(picture, colour):
    """Rows and columns that have exactly a colour."""
    return np.argwhere((picture == np.array(colour, np.uint8)).all(-1))


def drawn(curves):
    return reliability_diagram("title", curves, "score", "share")


def test_discs_lie_where_score_and_share_say():
    plain, one, two = (drawn({"a": bins}) for bins in ([], [(0.25, 0.75, 10)], [(0.5, 0.75, 10)]))
    mark = locations(plain, COLOURS[0])
    added = [locations(p, COLOURS[0])[len(mark) :].mean(0) for p in (one, two)]
    np.testing.assert_allclose(added[1] - added[0], [0, SIDE / 4], atol=1)
    assert plain.dtype == np.uint8 and plain.shape[2] == 3


def test_a_disc_grows_with_its_points_and_bins_without_any_are_left_out():
    sizes = [len(locations(drawn({"a": [(0.2, 0.5, n), (0.8, 0.5, 100)]}), COLOURS[0])) for n in (100, 40)]
    assert sizes[0] > sizes[1] + 20
    empty = drawn({"a": [(np.nan, np.nan, 0)]})
    np.testing.assert_array_equal(empty, drawn({"a": []}))


def test_every_curve_has_its_colour():
    picture = drawn({"before": [(0.2, 0.4, 3), (0.4, 0.9, 3)], "after": [(0.5, 0.5, 3)]})
    assert all(len(locations(picture, colour)) > 50 for colour in COLOURS[:2])
    assert not len(locations(picture, COLOURS[2]))


def test_too_many_curves_are_refused():
    with pytest.raises(ValueError, match="room for 4 curves; got 5"):
        drawn({str(i): [] for i in range(5)})
