from dataclasses import replace

import numpy as np
import tyro
from dotted import BODY, centroid, dotted
from pydantic import TypeAdapter

from posekit.transforms.compose import Augment
from posekit.transforms.drop import Drop
from posekit.transforms.geometric import Geometry
from posekit.transforms.photometric import Photometric

SIZE = (96, 64)
EVERYTHING = Augment(
    geometry=Geometry(half_body=0.5),
    colour=Photometric(saturation=0.3, hue=10, grey=0.2, blur=0.5, noise=0.5, jpeg=0.5),
    drop=Drop(probability=0.5),
)


def test_without_chance_training_sees_what_evaluation_sees():
    sample = dotted()
    still = Augment.none().still(sample, size=SIZE, padding=1.1)
    for seed in range(3):
        train = Augment.none().train(sample, np.random.default_rng(seed), BODY, size=SIZE, padding=1.1)
        np.testing.assert_array_equal(train.image, still.image)
        np.testing.assert_array_equal(train.instances.keypoints.xy, still.instances.keypoints.xy)


def test_a_training_sample_follows_from_its_generator_alone():
    sample = dotted()
    one, two = (EVERYTHING.train(sample, np.random.default_rng([1, 2, 3]), BODY, size=SIZE) for _ in range(2))
    other = EVERYTHING.train(sample, np.random.default_rng([1, 2, 4]), BODY, size=SIZE)
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.to_source, two.to_source)
    assert (one.to_source != other.to_source).any()


def test_the_dot_stays_under_its_point_through_the_default_chain():
    for seed in range(6):
        augment = Augment(geometry=Geometry(shift=0.03), colour=Photometric(brightness=0.3, contrast=0))
        out = augment.train(dotted(), np.random.default_rng(seed), BODY, size=SIZE)
        assert np.abs(out.instances.keypoints.xy[0, 0] - centroid(out.image)).max() < 0.3


def test_evaluation_ignores_every_chance():
    sample = dotted()
    still = [a.still(sample, size=SIZE) for a in (Augment(), EVERYTHING, Augment.none())]
    np.testing.assert_array_equal(still[0].image, still[1].image)
    np.testing.assert_array_equal(still[0].image, still[2].image)


def test_dropping_starts_exactly_at_its_share_of_the_run():
    late = replace(EVERYTHING, drop=Drop(probability=0.75, start=0.5))
    assert [late.at(done).drop.probability for done in (0.0, 0.4999, 0.5, 1.0)] == [0, 0, 0.75, 0.75]


def test_it_survives_json():
    adapter = TypeAdapter(Augment)
    assert adapter.validate_json(adapter.dump_json(EVERYTHING)) == EVERYTHING


def test_the_command_line_reaches_every_part():
    flags = ["--geometry.rotation", "40", "--colour.blur", "0.2", "--drop.probability", "1", "--drop.kind", "coarse"]
    told = tyro.cli(Augment, default=Augment(), args=flags)
    assert told == replace(
        Augment(), geometry=Geometry(rotation=40), colour=Photometric(blur=0.2), drop=Drop(probability=1, kind="coarse")
    )
