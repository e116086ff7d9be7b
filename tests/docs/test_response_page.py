"""The page of the responses is what the code says."""

import re

import polars as pl

from radiolocus.config import load_response
from radiolocus.response.assess import CRITERION_NAMES, assess
from radiolocus.response.recist11_rules import RECIST11
from reference.response_page import PAGE, page


def test_the_page_is_that_of_the_rules():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew: PYTHONPATH=tests python tests/reference/response_page.py"
    )


def test_every_criterion_has_its_section():
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"(`{name}`)" in text for name in CRITERION_NAMES)


def test_calls_by_recist_cite_rules_of_the_page():
    rows = [
        ("A", f"v{d}", float(d), k, kind, "lung", False, size, status)
        for d, k, kind, size, status in [
            (0, "T", "target", 50.0, "present"),
            (0, "N", "non-target", None, "present"),
            (56, "T", "target", 0.0, "absent"),
            (56, "N", "non-target", None, "absent"),
            (112, "T", "target", 2.0, "present"),
            (112, "N", "non-target", None, "progression"),
        ]
    ]
    names = ["subject", "visit", "day", "lesion", "kind", "organ", "node", "diameter_mm", "status"]
    found = assess(pl.DataFrame(rows, schema=names, orient="row"), "recist11").timepoints
    assert found["rule"].to_list() == [None, "recist11.CR", "recist11.AGAIN"]
    assert set(found["rule"].drop_nulls()) <= {r.key for r in RECIST11}


def test_the_section_of_the_study_file_is_valid(tmp_path):
    (block,) = re.findall(r"^```toml\n\[response\]\n(.*?)^```", page(), re.MULTILINE | re.DOTALL)
    (tmp_path / "response.toml").write_text(block, encoding="utf-8")
    options = load_response(tmp_path / "response.toml")
    assert options.criteria == ("recist11", "irecist")
    assert options.confirmation
