"""The figure of docs/protocol.md is what its script makes, and the page says what it shows."""

import importlib.util
import re
from pathlib import Path

import polars as pl
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("selection_figure", DOCS / "figures" / "selection.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shown():
    return pl.read_csv(DOCS / "figures" / "selection.csv")


@pytest.mark.slow
def test_the_table_is_what_the_script_computes(script, shown):
    outside, inside = script.contrast(3)
    row = shown.row(3, named=True)
    assert outside == pytest.approx(row["outside"], abs=2e-3)
    assert inside == pytest.approx(row["inside"], abs=2e-3)


def test_selection_outside_the_folds_pretends_and_inside_does_not(shown):
    assert shown.height == 30
    assert shown["outside"].min() > 0.65
    assert shown["outside"].mean() == pytest.approx(0.79, abs=0.03)
    assert shown["inside"].mean() == pytest.approx(0.51, abs=0.03)


def test_the_page_says_what_the_table_holds(shown):
    page = " ".join((DOCS / "protocol.md").read_text(encoding="utf-8").split())
    said = re.search(r"reach a C of ([\d.]+) on average .* reach ([\d.]+)\.", page)
    assert said.groups() == (f"{shown['outside'].mean():.2f}", f"{shown['inside'].mean():.2f}")


def test_the_figure_shows_the_table(script, shown, tmp_path):
    script.draw(shown, tmp_path / "again.svg")
    words = [
        re.findall(r">([^<]*)</text>", file.read_text(encoding="utf-8"))
        for file in (tmp_path / "again.svg", DOCS / "figures" / "selection.svg")
    ]
    assert words[0] == words[1]
    assert f"mean {shown['outside'].mean():.2f}" in words[1]
