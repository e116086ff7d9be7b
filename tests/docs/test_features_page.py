"""The page of the features is what the registry says."""

from __future__ import annotations

from reference.features_page import PAGE, page

WRITE_ANEW = "write it anew: PYTHONPATH=tests python tests/reference/features_page.py"


def _without_consensus(text):
    return [line.rpartition(" | ")[0] if line.startswith("| `") else line for line in text.splitlines()]


def test_the_page_is_that_of_the_registry():
    assert _without_consensus(PAGE.read_text(encoding="utf-8")) == _without_consensus(page()), WRITE_ANEW


def test_the_page_tells_the_strength_of_the_consensus(reference):
    reference("ibsi/ibsi1_reference_values.csv")
    assert PAGE.read_text(encoding="utf-8") == page(), WRITE_ANEW
