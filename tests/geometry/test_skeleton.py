"""Skeletons: wrong metadata is refused, and mirror pairs are inferred from names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from posekit.geometry.sides import infer_mirror
from posekit.geometry.skeleton import DEFAULT_SIGMA, Skeleton, infer_skeleton

FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def test_indices_follow_from_names():
    skeleton = Skeleton(
        name="face",
        points=FACE,
        mirror=(("right_ear", "left_ear"), ("left_eye", "right_eye")),
        bones=(("nose", "left_eye"), ("right_ear", "right_eye")),
        sigmas={"nose": 0.026, "left_ear": 0.035},
    )
    assert skeleton.flip == (0, 2, 1, 4, 3)
    assert skeleton.edges == ((0, 1), (4, 2))
    assert skeleton.oks_sigmas == (0.026, DEFAULT_SIGMA, DEFAULT_SIGMA, 0.035, DEFAULT_SIGMA)
    assert skeleton.unknown_sigmas == ("left_eye", "right_eye", "right_ear")
    assert skeleton.index(("right_ear", "nose")) == (4, 0)
    assert skeleton.flippable


def test_no_mirror_is_a_flip_that_moves_nothing():
    skeleton = Skeleton(name="face", points=FACE)
    assert skeleton.flip == (0, 1, 2, 3, 4)
    assert not Skeleton(name="face", points=FACE, symmetry="none").flippable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": ("a", "b", "a")}, r"point names repeat: \['a'\]"),
        ({"mirror": (("nose", "tail"),)}, r"mirror names unknown points \['tail'\]; known: \['nose'"),
        ({"bones": (("wing", "tail"),)}, r"bones names unknown points \['tail', 'wing'\]"),
        ({"mirror": (("nose", "nose"),)}, r"mirror pairs \['nose'\] with itself"),
        ({"bones": (("nose", "nose"),)}, r"bones pairs \['nose'\] with itself"),
        (
            {"mirror": (("nose", "left_eye"), ("left_eye", "right_eye"))},
            r"points \['left_eye'\] are in two mirror pairs",
        ),
        ({"sigmas": {"tail": 0.1}}, r"sigmas names unknown points \['tail'\]"),
        ({"sigmas": {"nose": 0.0}}, r"sigmas of \['nose'\] are not between 0 and 10"),
        ({"sigmas": {"nose": float("nan")}}, r"sigmas of \['nose'\] are not between 0 and 10"),
        ({"points": ()}, "points"),
        ({"symmetry": "radial"}, "symmetry"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_metadata_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Skeleton(**{"name": "face", "points": FACE, **change})


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"skeleton 'face' has no points \['tail'\]; known: \['nose', 'left_eye'"):
        Skeleton(name="face", points=FACE).index(("nose", "tail"))


def test_a_skeleton_survives_json():
    adapter = TypeAdapter(Skeleton)
    skeleton = Skeleton(name="face", points=FACE, mirror=(("left_eye", "right_eye"),), sigmas={"nose": 0.026})
    assert adapter.validate_json(adapter.dump_json(skeleton)) == skeleton


@pytest.mark.parametrize(
    ("points", "pairs"),
    [
        (FACE, (("left_eye", "right_eye"), ("left_ear", "right_ear"))),
        (("leftear", "snout", "rightear"), (("leftear", "rightear"),)),
        (("LeftHand", "RightHand"), (("LeftHand", "RightHand"),)),
        (("EYE LEFT", "EYE RIGHT"), (("EYE LEFT", "EYE RIGHT"),)),
        (("l_eye", "r_eye"), (("l_eye", "r_eye"),)),
        (("eye_l", "eye_r"), (("eye_l", "eye_r"),)),
        (("L_Eye", "R_Eye", "Nose"), (("L_Eye", "R_Eye"),)),
        (("hand-l", "hand-r"), (("hand-l", "hand-r"),)),
        (("hand L", "hand R"), (("hand L", "hand R"),)),
        (("paw.l", "paw.r"), (("paw.l", "paw.r"),)),
        (("front_l_paw", "front_r_paw"), (("front_l_paw", "front_r_paw"),)),
        (("左眼", "右眼", "鼻"), (("左眼", "右眼"),)),
        (("right_eye", "left_eye"), (("left_eye", "right_eye"),)),
        (("left_eye", "nose"), ()),
        (("right_eye", "nose"), ()),
        (("Hand", "Finger1", "Tongue", "Joystick1", "Joystick2"), ()),
        (("tail", "roof"), ()),
        ((), ()),
    ],
)
def test_names_give_away_the_mirror(points, pairs):
    assert infer_mirror(points) == pairs


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(["eye", "ear", "hip", "paw", "leftover"]), unique=True), st.randoms())
def test_whatever_was_inferred_makes_a_skeleton(stems, random):
    points = [side + stem for stem in stems for side in ("left_", "right_", "")] + ["nose"]
    random.shuffle(points)
    skeleton = Skeleton(name="any", points=tuple(points), mirror=infer_mirror(points))
    for stem in stems:
        left, right = skeleton.index((f"left_{stem}", f"right_{stem}"))
        assert skeleton.flip[left] == right


def test_inferring_says_what_it_guessed():
    skeleton, sentences = infer_skeleton("cat", FACE, bones=(("nose", "left_eye"),), sigmas={"nose": 0.026})
    assert skeleton.name == "cat"
    assert skeleton.symmetry == "anatomical"
    assert skeleton.flip == (0, 2, 1, 4, 3)
    assert skeleton.edges == ((0, 1),)
    text = "\n".join(sentences)
    assert "5 points: nose, left_eye" in text
    assert "mirror pairs, from the names: left_eye/right_eye, left_ear/right_ear" in text
    assert "bones, from the file: nose-left_eye" in text
    assert "OKS sigmas: 0.05 (the declared default) for left_eye, right_eye, left_ear, right_ear" in text


def test_names_that_tell_nothing_forbid_flips():
    skeleton, sentences = infer_skeleton("screw", ("head", "tip"))
    assert skeleton.symmetry == "none"
    assert any("images are not flipped" in line for line in sentences)
    assert "bones: none given" in sentences
    assert any("for all points" in line for line in sentences)


def test_what_the_file_says_is_believed():
    skeleton, sentences = infer_skeleton("screw", ("head", "tip"), mirror=(), sigmas={"head": 0.1, "tip": 0.2})
    assert skeleton.symmetry == "anatomical"
    assert skeleton.flip == (0, 1)
    assert "mirror pairs, from the file: none" in sentences
    assert "OKS sigmas, from the file: 0.1, 0.2" in sentences
    odd, _ = infer_skeleton("face", FACE, mirror=(("nose", "left_eye"),))
    assert odd.flip == (1, 0, 2, 3, 4)
