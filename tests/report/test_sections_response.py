"""The section of the responses, from the tables of a real assessment."""

import polars as pl
import pytest

from radiolocus.report.html import build
from radiolocus.report.sections_response import _kind, response
from radiolocus.report.source import Artefacts
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.respond import respond
from radiolocus.store import write_json, write_table


def study(root, criteria):
    rows = [
        (s, f"v{k}", 56.0 * k, "T", "target", "lung", False, 50.0 * f, "present", 8.0 * f)
        for s, factors in {"A": (1, 0.5, 0.4), "B": (1, 1.3, 1.5), "C": (1, 0.95, 0.9)}.items()
        for k, f in enumerate(factors)
    ]
    names = ["subject", "visit", "day", "lesion", "kind", "organ", "node", "diameter_mm", "status", "uptake"]
    found = respond(pl.DataFrame(rows, schema=names, orient="row"), criteria, CriteriaOptions())
    for name, table in found.tables.items():
        write_table(root, name, table)
    write_json(root / "study.json", {"settings": {"response": {"criterion": criteria[0]}}})
    return response(Artefacts(root))


@pytest.mark.parametrize(
    ("criteria", "verdict"),
    [(("recist11", "percist"), "3 subjects: PR 1, SD 1, PD 1"), (("percist",), "3 subjects: PMD 1, PMR 1, SMD 1")],
)
def test_the_section_follows_the_criterion_of_the_study(tmp_path, criteria, verdict):
    section = study(tmp_path, criteria)
    assert section.verdict[0] == verdict
    titles = [getattr(b, "caption", "") for b in section.blocks]
    assert "Progression-free survival and duration of response" in titles
    assert ("Best responses by the other criteria" in titles) is (len(criteria) > 1)
    assert "Treatment response" in build(tmp_path)


@pytest.mark.parametrize(
    ("name", "growth", "fall"),
    [
        ("recist11", 20, -30),
        ("who", 25, -50),
        ("percist", 30, -30),
        ("eortc", 25, -25),
        ("choi", 10, -10),
        ("irecist", 20, -30),
        ("rano", 25, -50),
        ("pcwg3", None, None),
    ],
)
def test_lines_of_the_figures_are_the_numbers_of_the_rules(name, growth, fall):
    kind = _kind(name)
    assert (kind.growth, kind.fall) == (growth, fall)
