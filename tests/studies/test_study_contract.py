"""Every study: its claim, its committed results, and a verdict that follows from the numbers."""

import json
from pathlib import Path

import pytest
from study_flips import FLIPS, changed

from posekit.studies.catalogue import STUDIES
from posekit.studies.study import page

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "studies"
CASES = [(name, number) for name, pairs in FLIPS.items() for number in range(len(pairs))]


def told(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_the_studies_are_the_listed_ones():
    assert list(STUDIES) == [
        "quantisation",
        "mse-trap",
        "spatial-generalisation",
        "gradients",
        "head-cost",
        "resolution",
        "grids",
        "gaussians",
        "robustness",
        "context",
        "normalisation",
        "mixed-3d",
        "smoothing",
        "int8",
    ]
    assert set(FLIPS) == set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_claim_is_one_plain_sentence(name):
    claim = STUDIES[name].CLAIM
    assert claim.endswith(".") and ". " not in claim and len(claim) <= 130


@pytest.mark.parametrize("name", STUDIES)
def test_committed_results_say_how_they_were_made(name):
    found = told(name)
    form = " --quick" if found["quick"] else ""
    assert found["study"] == name and found["command"] == f"posekit study {name}{form} --seed 0"
    assert found["commit"] and found["machine"] and found["date"] and found["seconds"] >= 0
    assert found["verdict"] == STUDIES[name].verdict(found["results"])


@pytest.mark.parametrize(("name", "number"), CASES)
def test_each_finding_follows_from_its_numbers(name, number):
    study, results = STUDIES[name], told(name)["results"]
    assert len(study.findings(results)) == len(FLIPS[name])
    verdicts = set()
    for changes, holds in zip(FLIPS[name][number], (True, False), strict=True):
        other = changed(results, changes)
        finding = study.findings(other)[number]
        assert finding.holds is holds, finding.text
        said = study.verdict(other)
        first, second = said.split("\n\n")
        assert finding.text in (first if holds else second)
        verdicts.add(said)
    assert len(verdicts) == 2


@pytest.mark.parametrize("name", STUDIES)
def test_picture_table_and_page_are_made_from_the_results(name, tmp_path):
    found = told(name)
    file = tmp_path / f"{name}.svg"
    STUDIES[name].plot(found["results"], file)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<svg ") and text.count("<svg ") >= 2 and "nan" not in text
    table = STUDIES[name].table(found["results"])
    assert table.rows and all(len(row) == len(table.header) for row in table.rows)
    said = page(found, STUDIES[name])
    for part in (STUDIES[name].CLAIM, f"({name}.svg)", "**Holds here.**", "**Does not hold here.**", found["command"]):
        assert part in said


@pytest.mark.parametrize("name", ["quantisation", "grids"])
@pytest.mark.parametrize("other", [0, 1])
def test_the_seed_decides_the_numbers(name, other):
    first, second = (json.dumps(STUDIES[name].run(True, seed)) for seed in (0, other))
    assert (first == second) == (other == 0)
