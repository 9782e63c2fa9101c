"""People of other files, under the points of the training data, for whole scenes."""

from dataclasses import replace

import numpy as np
import pytest
from figures import labelled_files

from posekit.cli.main import main
from posekit.data.synthetic import Synthetic
from posekit.evaluation.sets import read_sets
from posekit.recipe import Data
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS
from posekit.training.loader import FullImages

COCO, LSP = SKELETONS["coco17"], SKELETONS["lsp14"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Full images of one skeleton and single people of another."""
    scenes, people = (tmp_path_factory.mktemp(name) for name in ("scenes", "people"))
    return (
        Synthetic(COCO, 6, (64, 64), seed=1, people=2).to_files(scenes),
        Synthetic(LSP, 4, (64, 64), seed=2).to_files(people),
    )


def test_people_take_the_points_of_the_scenes(files):
    sets = read_sets(Data(train=(files[0],), people=(files[1],), skeleton="coco17"))
    assert sets.people.skeleton.points == COCO.points
    nose, ankle = COCO.points.index("nose"), COCO.points.index("left_ankle")
    assert (sets.people.visibility[:, nose] == 0).all()
    assert (sets.people.visibility[:, ankle] > 0).any()
    assert any(sentence.startswith("people to paste: ") for sentence in sets.said)


def test_pasted_scenes_hold_more_people(files):
    sets = read_sets(Data(train=(files[0],), people=(files[1],), skeleton="coco17"))
    recipe = RECIPES["centernet-tiny"](COCO, size=(64, 64))
    scene = replace(recipe.augment.scene, paste=1.0, pasted=1, scale=(1.0, 1.0), rotation=0, shift=0)
    recipe = replace(recipe, augment=replace(recipe.augment, scene=scene))
    with_, without = FullImages(sets.train, recipe, people=sets.people), FullImages(sets.train, recipe)
    more = [len(with_[0, i].instances.role) + len(with_[0, i].ignore) for i in range(len(with_))]
    plain = [len(without[0, i].instances.role) + len(without[0, i].ignore) for i in range(len(without))]
    assert sum(more) > sum(plain)
    # The same key gives the same sample.
    np.testing.assert_array_equal(with_[3, 1].image, with_[3, 1].image)


def test_people_are_for_scenes(files, tmp_path, capsys):
    assert main(["train", "topdown-dark-tiny", "--data.train", str(files[0]), "--data.people", str(files[1])]) == 1
    assert "trains on crops: leave out --data.people" in capsys.readouterr().err
    strangers = labelled_files(tmp_path)
    with pytest.raises(ValueError, match="tip"):
        read_sets(Data(train=(files[0],), people=(strangers,), skeleton="coco17"))
