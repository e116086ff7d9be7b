import numpy as np
import pytest

from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.stats.explained import restricted_mean, restricted_mean_difference, royston_d


def test_royston_equals_r(judged, told):
    found = royston_d(judged["t"], judged["e"], judged["s"])
    np.testing.assert_allclose([found.d, found.standard_error, found.r_squared], told["royston"], atol=1e-10)
    back = royston_d(judged["t"], judged["e"], -judged["s"])
    np.testing.assert_allclose([back.d, back.r_squared], [-found.d, found.r_squared], atol=1e-10)


def test_royston_looks_at_the_order_only(judged):
    one, two = (royston_d(judged["t"], judged["e"], r) for r in (judged["s"], np.exp(judged["s"])))
    assert one == two


def test_royston_finds_the_separation_it_was_given():
    # Normal prognostic index of standard deviation σ: D = σ·√(8/π), R² = σ²/(σ² + π²/6).
    rng = np.random.default_rng(5)
    index = rng.normal(0, 1.2, 4000)
    found = royston_d(rng.exponential(np.exp(-index)), np.ones(4000), index)
    assert found.d == pytest.approx(1.2 * (8 / np.pi) ** 0.5, abs=4 * found.standard_error)
    assert found.r_squared == pytest.approx(1.44 / (1.44 + np.pi**2 / 6), abs=0.03)


def test_royston_says_why_not():
    with pytest.raises(UndefinedError, match="the same risk"):
        royston_d([1, 2], [1, 1], [3, 3])
    with pytest.raises(FitError, match="no events"):
        royston_d([1, 2], [0, 0], [3, 4])
    with pytest.raises(FitError, match="normal score of the risk"):
        royston_d([1, 2, 3], [1, 1, 1], [3, 2, 1])
    with pytest.raises(InputError, match="risk nan"):
        royston_d([1, 2], [1, 1], [3, np.nan])


@pytest.mark.parametrize("horizon", [9, 14])
def test_restricted_means_equal_survfit(judged, told, horizon):
    found = restricted_mean_difference(judged["t"], judged["e"], judged["g"], horizon)
    for group, mean in enumerate((found.first, found.second)):
        expected = told[f"rmst.{horizon}.{group}"]
        np.testing.assert_allclose([mean.estimate, mean.standard_error], expected, atol=1e-10)
    assert found.difference == pytest.approx(found.second.estimate - found.first.estimate, abs=1e-14)
    assert found.standard_error**2 == pytest.approx(found.first.standard_error**2 + found.second.standard_error**2)
    assert found.statistic == pytest.approx(found.difference / found.standard_error)
    assert found.lower < found.difference < found.upper


def test_without_censoring_it_is_the_mean_of_cut_times():
    time = np.random.default_rng(2).exponential(size=50)
    found = restricted_mean(time, np.ones(50), 1.0)
    assert found.estimate == pytest.approx(np.minimum(time, 1).mean(), abs=1e-12)
    assert found.standard_error == pytest.approx(np.minimum(time, 1).std() / 50**0.5, abs=1e-12)
    # Everybody dead: the curve is zero and known beyond the last time.
    assert restricted_mean(time, np.ones(50), 100).estimate == pytest.approx(time.mean(), abs=1e-12)


def test_restricted_means_say_why_not():
    with pytest.raises(InputError, match="horizon 5 beyond follow-up"):
        restricted_mean([1, 2], [1, 0], 5)
    with pytest.raises(InputError, match="horizon 0"):
        restricted_mean([1, 2], [1, 0], 0)
    with pytest.raises(InputError, match="with 1 values"):
        restricted_mean_difference([1, 2], [1, 0], [1, 1], 1)
    with pytest.raises(InputError, match="level 2"):
        restricted_mean_difference([1, 2], [1, 0], [0, 1], 1, level=2)
    with pytest.raises(UndefinedError, match="no variance"):
        restricted_mean_difference([1, 2, 3, 4], [0, 0, 0, 0], [0, 1, 0, 1], 1)
