"""What the light forms' narrower gaussians are worth: maps without any mistake, read from crowded small scenes."""

from dataclasses import replace

import pytest
from stand_ins import predictor_of
from torch import nn

from posekit.data.batch import collate
from posekit.data.synthetic import Synthetic
from posekit.evaluation.measure import measure
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

SIZE, SCENES = (96, 96), 24
PUBLISHED = {"sigma": 8.0, "centre_sigma": 16.0, "radius": 16.0}


class TeacherOutput(nn.Module):
    """A network that gives what it was told, image by image."""

    def __init__(self, maps):
        super().__init__()
        self.maps, self.shown = maps, 0

    def forward(self, image):
        now = slice(self.shown, self.shown + len(image))
        self.shown = now.stop
        return {name: value[now] for name, value in self.maps.items()}


def found(recipe, dataset):
    """AP of maps that say exactly what the targets say."""
    views = [recipe.augment.still_scene(dataset.scene(i), size=recipe.size) for i in range(SCENES)]
    target = recipe.codec.encode(collate(views).instances)
    maps = {name: value.float() for name, value in recipe.codec.perfect(target).items()}
    return measure(predictor_of(TeacherOutput(maps), recipe), dataset).figures["AP"]


@pytest.mark.parametrize("name", ["dekr", "dekr-first"])
def test_narrower_hills_keep_people_apart(name):
    skeleton = SKELETONS["face5"]
    dataset = Synthetic(skeleton, SCENES, SIZE, seed=3, people=3, outside=0.0).dataset()
    recipe = RECIPES[f"{name}-tiny"](skeleton, size=SIZE)
    narrow, wide = (found(replace(recipe, codec=replace(recipe.codec, **f)), dataset) for f in ({}, PUBLISHED))
    assert narrow >= 0.9
    assert narrow > wide + 0.05


@pytest.mark.parametrize("name", ["dekr", "dekr-first"])
@pytest.mark.parametrize(("form", "size", "area"), [("", (512, 512), 655.36), ("-tiny", (256, 256), 163.84)])
def test_the_least_area_is_that_of_a_file_of_640_pixels(name, form, size, area):
    """32 pixels of a file are 32 * 512 / 640 of a view of 512 that it is fitted into."""
    recipe = RECIPES[f"{name}{form}"](SKELETONS["face5"], size=size)
    assert recipe.codec.min_area == pytest.approx(area)
