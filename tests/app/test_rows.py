"""How p-values are written on the command line."""

import math

import pytest

from radiolocus.app.rows import scientific_p


@pytest.mark.parametrize(
    ("neg_log_10", "text"),
    [
        (0.0, "1"), (0.159, "0.69"), (3.0, "0.001"), (3.55, "2.8e-04"), (4.0, "1.0e-04"), (5 + 1e-9, "1.0e-05"),
        (7.30103, "5.0e-08"), (411.5, "3.2e-412"), (5000.25, "5.6e-5001"), (math.inf, "0"),
    ],
)  # fmt: skip
def test_two_digits_however_small(neg_log_10, text):
    assert scientific_p(neg_log_10) == text
