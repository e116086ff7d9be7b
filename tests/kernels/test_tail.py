import math

import pytest

from radiolocus.kernels import tail


@pytest.mark.parametrize(("t", "df"), [(0.0, 3.0), (0.3, 2.0), (2.5, 7.0), (40.0, 30.0), (1e120, 5.0), (math.inf, 2.0)])
def test_plain_python_and_compiled_agree(t, df):
    plain = getattr(tail.log_p_t, "py_func", tail.log_p_t)
    assert plain(t, df) == pytest.approx(tail.log_p_t(t, df), rel=1e-13)


@pytest.mark.parametrize(("x", "df"), [(0.0, 1.0), (0.5, 3.0), (30.0, 2.0), (9000.0, 5.0), (math.inf, 2.0)])
def test_plain_python_and_compiled_agree_on_chi2(x, df):
    plain = getattr(tail.log_p_chi2, "py_func", tail.log_p_chi2)
    assert plain(x, df) == pytest.approx(tail.log_p_chi2(x, df), rel=1e-13)


def test_undefined_is_nan():
    for t, df in ((math.nan, 3.0), (1.0, 0.0), (1.0, -2.0), (1.0, math.nan)):
        assert math.isnan(tail.log_p_t(t, df))
    for x, df in ((math.nan, 3.0), (-1.0, 2.0), (1.0, 0.0)):
        assert math.isnan(tail.log_p_chi2(x, df))


def test_log_beta_changes_formula_without_a_step():
    below, above = 20.0 - 1e-9, 20.0
    exact = math.lgamma(20.0) + math.lgamma(0.5) - math.lgamma(20.5)
    assert tail.log_beta_half(below) == pytest.approx(exact, rel=1e-10)
    assert tail.log_beta_half(above) == pytest.approx(exact, rel=1e-14)
