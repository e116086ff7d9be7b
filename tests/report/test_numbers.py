"""How numbers are written."""

from __future__ import annotations

import doctest
import math

import pytest

from radiolocus.report import numbers
from radiolocus.report.numbers import interval, number, number_cell, p_html, p_text, percent, small_cell


def test_examples_in_the_docs():
    assert doctest.testmod(numbers).failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12, "12"),
        (-3.0, "−3"),
        (0.99964, "1.00"),
        (99.96, "100"),
        (0.0009996, "0.00100"),
        (1234.56, "1235"),
        (123456.7, "1.23 × 10⁵"),
        (0.000123, "1.23 × 10⁻⁴"),
        (float("nan"), "–"),
        (math.inf, "–"),
        (None, "–"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("neg_log_10", "text"),
    [
        (0.0, "1.0"),
        (1.30103, "0.050"),
        (3.0, "0.0010"),
        (3.0001, "1.0 × 10⁻³"),
        (7.30103, "5.0 × 10⁻⁸"),
        (411.4949, "3.2 × 10⁻⁴¹²"),
        (12.0, "1.0 × 10⁻¹²"),
        (11.98, "1.0 × 10⁻¹²"),
        (math.inf, "0"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_p_values_do_not_underflow(neg_log_10, text):
    assert p_text(neg_log_10) == text
    superscript = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "−0123456789")
    assert p_html(neg_log_10).replace("<sup>", "").replace("</sup>", "") == text.translate(superscript)


def test_interval_says_when_an_end_is_unknown():
    assert interval(0.7, None, 0.8) == "0.70 (?–0.80)"
    assert interval(None, 0.1, 0.2) == "–"
    assert interval(-0.2, -0.4, 0.1) == "−0.20 (−0.40 to 0.10)"
    assert interval(0.266, 0.19, 0.36, digits=0, scale=100, unit=" %") == "27 % (19–36 %)"


def test_cells_sort_by_the_value_not_by_the_text():
    assert number_cell(1.5e-7).sort == 1.5e-7
    assert number_cell(None).sort is None
    assert small_cell(0.0).text.startswith("&lt; 10")
    assert small_cell(0.5).sort == 0.5
    assert percent(0.256) == "26 %"
    assert percent(None) == "–"
