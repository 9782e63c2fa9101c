"""Package and docs use the standard words of the field: what decision 014 replaced does not come back.

A word that has a second, plain meaning is looked for in its old sense alone, or carries the senses that are allowed.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("posekit", "docs", "benchmarks", "tests", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")
DECISION = ROOT / "docs" / "decisions" / "014-words.md"

# Old word: (pattern, what may stand there all the same).
OLD = {
    "trunk, for backbone": (r"trunk", r"runs/scenes/trunk"),
    "kit, for backbone overrides": (r"\bkits?\b|--kit\.", r"light.kit"),
    "lesson, for distillation": (r"\blessons?\b", None),
    "Said, for the teacher's output": (r"\bSaid\b", None),
    "hills, for Gaussian peaks": (r"\bhill(s|top|tops)?\b", r"(up|down)hill"),
    "summits, for local maxima": (r"\bsummits?\b", None),
    "ways, for offsets": (
        r"\bways? (to|from) (the |all |every |its |their )?(points?|joints?)\b|['\"`]ways?['\"`]",
        None,
    ),
    "crowd, for a batch": (
        r"\b[Cc]rowds?\b|crowd_of",
        # COCO's iscrowd: regions of many people that are not labelled one by one.
        r"iscrowd|[Cc]rowd regions?",
    ),
    "judged": (r"\bjudged(_and_peaks)?\b", None),
    "owners": (r"\bowners?\b", r"owner/name|owner_"),
    "zooms, for scales": (r"\bzoom(s|ed)?\b", None),
    "survey, surgery": (r"\bsurveys?\b|\bsurgery\b", None),
    "begun, for initial_net": (r"\bbegun\(", None),
    "speaking, wrapped": (r"\bspeaking\(|\bwrapped\(", None),
    "namesake": (r"\bnamesakes?\b", None),
    "whole images, for full images": (r"\b[Ww]hole[- ](images?|pictures?)\b", None),
    "by heart, for overfit": (r"by[ _]heart", None),
    "chance, for scratch or random": (r"from chance|\bchance\b", None),
    "idea and switch, for technique": (r"\bideas?\b|\bswitch(es|ed)?\b", r"[Ii]dentity switch(es)?"),
    "drawn figures, for synthetic people": (r"\b[Dd]rawn (figures?|people|faces|crops|sets?)\b|drawn_figures", None),
    "confidence, for score": (
        r"\bconfidences?\b",
        r"confidence (interval|band|limit)|keypoint_confidence|confidence intervals|['\"`]confidence['\"`]",
    ),
    "joint, for point": (
        r"\b[Jj]oints?\b",
        r"[Jj]oint(ly)? (training|bilateral|2-D|cost|loss)|NUM_JOINTS|[Jj]oint bilateral",
    ),
    # LSP's PCK is measured on "limb points"; the word list of `posekit.geometry.side_search` holds all words with an l.
    "limb, for bone": (r"\b[Ll]imbs?\b", r"limb points|limb limbs light"),
    "places, for locations": (r"\bplaces\b", r"trade places|change places|decimal places|takes? (the |its )?places"),
}


def texts():
    for room in ROOMS:
        path = ROOT / room
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.suffix in {".py", ".md", ""} and file.is_file() and file not in (Path(__file__), DECISION):
                yield file, file.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("old", OLD)
def test_old_words_are_gone(old):
    pattern, allowed = OLD[old]
    found = []
    for file, text in texts():
        for number, line in enumerate(text.splitlines(), 1):
            kept = re.sub(allowed, "", line) if allowed else line
            if re.search(pattern, kept):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, f"{len(found)} lines with {old}; decision 014 names the word to take:\n" + "\n".join(found[:20])
