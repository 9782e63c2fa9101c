"""The adapters against supervision itself, where it is installed."""

import warnings

import numpy as np
import pytest

from posekit.adapters.supervision import from_supervision, to_supervision
from posekit.geometry.keypoints import Poses

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def supervision():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("supervision")


def some(count=2):
    rng = np.random.default_rng(0)
    return Poses(
        rng.uniform(1, 99, (count, 17, 2)).astype(np.float32),
        rng.uniform(0.1, 1, (count, 17)).astype(np.float32),
        rng.uniform(0.1, 1, count).astype(np.float32),
        boxes=rng.uniform(0, 99, (count, 4)).astype(np.float32),
        category=np.zeros(count, np.int64),
        ids=np.arange(count) + 3,
        spread=rng.uniform(1, 2, (count, 17, 2)).astype(np.float32),
    )


def test_both_ways(supervision):
    poses = some()
    given = to_supervision(poses)
    assert isinstance(given, supervision.KeyPoints) and len(given) == 2
    # Its own indexing carries every field along.
    for name in ("xy", "score", "instance_score", "boxes", "category", "ids", "spread"):
        for part, back in ((poses, from_supervision(given)), (poses[[1]], from_supervision(given[[1]]))):
            np.testing.assert_allclose(getattr(back, name), getattr(part, name), rtol=1e-5)


def test_it_draws_them(supervision):
    frame = np.zeros((100, 100, 3), np.uint8)
    drawn = supervision.VertexAnnotator(radius=3).annotate(frame.copy(), to_supervision(some()))
    assert drawn.any()


def test_old_names(supervision):
    poses = some()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            old = supervision.KeyPoints(xy=poses.xy, **{"confidence": poses.score})
        except TypeError:
            pytest.skip("this version has no old name")
    np.testing.assert_array_equal(from_supervision(old).score, poses.score)


def test_none(supervision):
    assert len(from_supervision(supervision.KeyPoints.empty())) == 0
    assert len(to_supervision(some(0))) == 0
