"""Left and right in the names of points: pairs, names without a partner, contradictions."""

from __future__ import annotations

import pytest

from posekit.geometry.side_names import counterpart, readings
from posekit.geometry.sides import contradictions, find_sides, infer_mirror
from posekit.geometry.skeleton import Skeleton, infer_skeleton, side_faults

# Names as they are written in sets and tools that people use, each with the pairs that they mean.
SCHEMES = {
    "COCO-WholeBody": ("left_big_toe right_big_toe left_thumb1 right_thumb1", "left_big_toe left_thumb1"),
    "DeepLabCut": ("snout leftear rightear tailbase", "leftear"),
    "SuperAnimal": ("front_left_paw front_right_paw mouth_end_left mouth_end_right", "front_left_paw mouth_end_left"),
    "SLEAP flies": ("head wingL wingR forelegL4 forelegR4 eyeR eyeL", "wingL forelegL4 eyeL"),
    "OpenPose": ("Nose RShoulder LShoulder MidHip RBigToe LBigToe REar LEar", "LShoulder LBigToe LEar"),
    "Mixamo": ("mixamorig:LeftArm mixamorig:RightArm mixamorig:Hips", "mixamorig:LeftArm"),
    "Blender": ("hand.L hand.R hand.L.001 hand.R.001", "hand.L hand.L.001"),
    "Vicon": ("LASI RASI LPSI RPSI LTHI RTHI CLAV C7 T10", "LASI LPSI LTHI"),
    "Human3.6M": ("Hip RHip LHip Head", "LHip"),
    "AP-10K's paper": ("L_Eye R_Eye L_F_Paw R_F_Paw Neck", "L_Eye L_F_Paw"),
    "capital glued to a word": ("Lhip Rhip nose", "Lhip"),
    "all glued": ("lear rear nose tailbase", "lear"),
    "letter in front of a capital": ("lHip rHip", "lHip"),
    "letter behind": ("eyel eyer nose", "eyel"),
    "letter with a number": ("leg_L1 leg_R1 leg_L2 leg_R2", "leg_L1 leg_L2"),
    "codes of legs": ("LF_paw RF_paw LH_paw RH_paw", "LF_paw LH_paw"),
    "codes within a word": ("pawFL pawFR pawHL pawHR", "pawFL pawHL"),
    "wheels": ("FL FR RL RR", "FL RL"),
    "corners": ("tl tr bl br", "tl bl"),
    "lower and upper": ("UL UR LL LR", "UL LL"),
    "words with spaces": ("Left Hip|Right Hip|EYE LEFT|EYE RIGHT", "Left Hip|EYE LEFT"),
    "German": ("auge_links auge_rechts linkes_ohr rechtes_ohr LinkeHand RechteHand", "auge_links linkes_ohr LinkeHand"),
    "French, whose words change": ("oeil_gauche oeil_droit main_gauche main_droite", "oeil_gauche main_gauche"),
    "Spanish": ("ojo_izquierdo ojo_derecho mano_izquierda mano_derecha", "ojo_izquierdo mano_izquierda"),
    "Swedish": ("vänster_öga höger_öga", "vänster_öga"),
    "Russian": ("левый_глаз правый_глаз", "левый_глаз"),
    "Chinese": ("左眼 右眼 鼻", "左眼"),
    "Korean": ("왼손 오른손", "왼손"),
    "written in two ways": ("left_ear right_ear left_hip RHip", "left_ear left_hip"),
    "right before left": ("right_eye left_eye", "left_eye"),
    "chambers of a heart": ("LV RV LA RA", "LV LA"),
    "corners of vertebrae": ("L1_tl L1_tr T12_tl T12_tr", "L1_tl T12_tl"),
    "vertebrae beside sides": ("left_L1 right_L1 left_L2 right_L2", "left_L1 left_L2"),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_way_of_naming_is_understood(scheme):
    names, lefts = ((text.split("|") if "|" in text else text.split()) for text in SCHEMES[scheme])
    found = find_sides(names)
    assert [left for left, _ in found.pairs] == lefts
    assert found.alone == ()
    assert len({name for pair in found.pairs for name in pair}) == 2 * len(lefts)


def test_partners_are_the_right_ones():
    names = "LeftHip RightHip left_ear right_ear UL UR LL LR main_gauche main_droite linkes_ohr rechtes_ohr".split()
    pairs = dict(find_sides(names).pairs)
    assert pairs["LeftHip"] == "RightHip"
    assert pairs["UL"] == "UR"
    assert pairs["LL"] == "LR"
    assert pairs["main_gauche"] == "main_droite"
    assert pairs["linkes_ohr"] == "rechtes_ohr"


@pytest.mark.parametrize(
    "names",
    [
        "lip rip",
        "leg reg low row lower rower",
        "Lip Rip Leg Reg",
        "tail roof",
        "rear root rib rump leg lip tail nail",
        "Hand Finger1 Tongue Joystick1 Joystick2",
        "leftover bright cleft upright copyright",
        "light slight",
        "L1 L2 L3 L4 L5 T11 T12",
        "links link_1 link_2",
        "port bow stern",
        "a b c d e f g h i j k l m n o p q r s",
        "corner_a corner_b corner_c corner_d corner_l corner_m corner_q corner_r",
        "Nearknee Offknee",
    ],
)
def test_accidents_of_spelling_are_no_sides(names):
    found = find_sides(names.split())
    assert found.pairs == ()
    assert found.alone == ()


def test_an_ordinary_word_is_no_side_even_beside_glued_letters():
    found = find_sides("lhip rhip lip rip leg reg".split())
    assert found.pairs == (("lhip", "rhip"),)
    assert found.alone == ()


def test_two_marks_in_a_name_change_together():
    # The left corner of the left eye is the right corner of the right eye in the mirror.
    names = [f"{eye}_eye_{corner}_corner" for eye in ("left", "right") for corner in ("left", "right")]
    assert find_sides(names).pairs == (
        ("left_eye_left_corner", "right_eye_right_corner"),
        ("left_eye_right_corner", "right_eye_left_corner"),
    )
    assert find_sides("LL LR RL RR".split()).pairs == (("LL", "RR"), ("LR", "RL"))


@pytest.mark.parametrize(
    ("names", "alone"),
    [
        ("left_ear right_ear left_hipp right_hip", "left_hipp right_hip"),
        ("left_ear right_ear Lhip", "Lhip"),
        ("Lear Rear Lhipp Rhip", "Lhipp Rhip"),
        ("left_ear right_ear hip_l", "hip_l"),
        ("earL earR tailL", "tailL"),
        ("leg_L1 leg_R1 leg_R2", "leg_R2"),
        ("l_1 r_1 l_2", "l_2"),
        ("left_eye nose", "left_eye"),
        ("左眼 右眼 左耳", "左耳"),
        ("auge_links auge_rechts ohr_links", "ohr_links"),
        ("LASI RASI LPSI RPSI RBAC", "RBAC"),
        ("paw1LH paw2LF paw3RF paw4RH", "paw1LH paw2LF paw3RF paw4RH"),
        ("pupil_top_r pupil_left_r pupil_right_r", "pupil_top_r"),
        ("lef_hip right_hip left_ear right_ear", "right_hip"),
        ("left_hip LHip right_hip", "LHip"),
    ],
)
def test_a_side_without_a_partner_is_named(names, alone):
    assert find_sides(names.split()).alone == tuple(alone.split())


def test_a_name_misspelt_is_proposed():
    assert find_sides("left_hipp right_hip".split()).similar == {"left_hipp": "right_hip", "right_hip": "left_hipp"}
    assert find_sides("lef_hip right_hip".split()).similar == {"right_hip": "lef_hip"}
    assert find_sides("HeadF HeadB HeadL".split()).similar == {}
    assert find_sides("left_hipp right_hip".split()).about_alone() == (
        "left_hipp, right_hip look left or right but have no partner (are left_hipp and right_hip one pair, misspelt?)"
    )
    many = find_sides([f"left_{i}" for i in range(20)])
    assert "left_11 and 8 more look left or right" in many.about_alone()
    assert find_sides(("nose",)).about_alone() == ""


@pytest.mark.parametrize(
    ("name", "partner"),
    [
        ("left_eye", "right_eye"),
        ("RHip", "LHip"),
        ("EYE LEFT", "EYE RIGHT"),
        ("linkes_ohr", "rechtes_ohr"),
        ("main_droite", "main_gauche"),
        ("左眼", "右眼"),
        ("오른손", "왼손"),
        ("left_eye_right_corner", "right_eye_left_corner"),
    ],
)
def test_the_counterpart_is_written_alike(name, partner):
    assert counterpart(readings(name, "marks")[0]) == partner


FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


@pytest.mark.parametrize(
    ("mirror", "clauses"),
    [
        ([("left_eye", "right_eye"), ("right_ear", "left_ear")], ()),
        ([("left_eye", "right_eye")], ("left_ear and right_ear are not paired",)),
        ([], ("left_eye and right_eye are not paired", "left_ear and right_ear are not paired")),
        (
            [("left_eye", "left_ear"), ("right_eye", "right_ear")],
            (
                "left_eye is paired with left_ear, not with right_eye",
                "left_ear is paired with left_eye, not with right_ear",
                "right_eye is paired with right_ear, not with left_eye",
                "right_ear is paired with right_eye, not with left_ear",
            ),
        ),
    ],
)
def test_pairs_against_the_names_are_reported(mirror, clauses):
    assert contradictions(FACE, mirror) == clauses


def test_pairs_know_more_than_names_without_partner():
    assert contradictions(("left_hipp", "right_hip"), [("left_hipp", "right_hip")]) == ()
    assert contradictions(("left_hipp", "right_hip"), []) == (
        "left_hipp is paired with none",
        "right_hip is paired with none",
    )
    assert contradictions(("left_eye", "left_ear"), [("left_eye", "left_ear")]) == (
        "left_eye is paired with left_ear, and both are left",
    )
    assert contradictions(("a", "b"), [("a", "b")]) == ()


def test_flips_are_off_where_the_names_tell_only_some_pairs():
    skeleton, sentences = infer_skeleton("cat", ("left_ear", "right_ear", "left_hipp", "right_hip"))
    assert not skeleton.flippable
    assert skeleton.mirror == (("left_ear", "right_ear"),)
    (line,) = [s for s in sentences if s.startswith("mirror pairs")]
    assert "left_hipp, right_hip look left or right but have no partner" in line
    assert "so images are not flipped in training; correct the names, or give flip_pairs" in line


def test_a_symmetry_that_is_said_makes_no_pairs_whole():
    names = ("left_ear", "right_ear", "left_hipp", "right_hip")
    assert infer_skeleton("cat", names, symmetry="anatomical")[0].symmetry == "none"
    assert infer_skeleton("cat", names[:2], symmetry="positional")[0].symmetry == "positional"
    skeleton, sentences = infer_skeleton("screw", ("head", "tip"), symmetry="anatomical")
    assert skeleton.symmetry == "anatomical"
    assert "mirror pairs: none found in the names" in sentences
    assert "symmetry, from the file: anatomical" in sentences
    with pytest.raises(ValueError, match="symmetry"):
        infer_skeleton("cat", names, symmetry="sideways")


def test_given_pairs_are_kept_and_doubted():
    names = ("left_ear", "right_ear", "left_hipp", "right_hip")
    skeleton, sentences = infer_skeleton("cat", names, mirror=(("left_ear", "right_ear"), ("left_hipp", "right_hip")))
    assert skeleton.flippable
    assert not any(s.startswith("warning") for s in sentences)
    skeleton, sentences = infer_skeleton("cat", FACE, mirror=(("left_eye", "left_ear"), ("right_eye", "right_ear")))
    assert skeleton.flippable
    assert skeleton.flip == (0, 3, 4, 1, 2)
    (line,) = [s for s in sentences if s.startswith("warning")]
    assert (
        "mirror pairs contradict the names of the points: left_eye is paired with left_ear, not with right_eye" in line
    )
    assert "correct flip_pairs (COCO) or flip_idx (YOLO)" in line


def test_faults_of_sides_of_any_skeleton():
    assert side_faults(Skeleton(name="face", points=FACE, mirror=infer_mirror(FACE))) == ()
    assert "are not paired" in side_faults(Skeleton(name="face", points=FACE))[0]
    assert side_faults(Skeleton(name="face", points=FACE, symmetry="none")) == ()
    odd = Skeleton(name="face", points=("left_eye", "nose"), symmetry="none")
    assert side_faults(odd)[0].startswith("left_eye looks left or right but has no partner, so images are not flipped")
