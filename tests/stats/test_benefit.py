"""Value of rules, calibration and benefit curves against their slow twins."""

import numpy as np
import pytest
from scipy.stats import norm

from naive.benefit import benefit_areas, hc3
from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.benefit import benefit_by_group, benefit_curve, calibration_test, policy_value


def scores(n=60, seed=4):
    rng = np.random.default_rng(seed)
    benefit = rng.integers(0, 12, n) / 10  # ties
    control = rng.normal(size=n)
    return benefit, control, control + benefit + rng.normal(size=n)


def test_areas_are_those_of_the_twin():
    benefit, control, treated = scores()
    found = benefit_curve(benefit, control, treated, draws=50)
    autoc, qini = benefit_areas(benefit, treated - control)
    assert (found.autoc.estimate, found.qini.estimate) == (pytest.approx(autoc), pytest.approx(qini))
    assert found.effect[-1] == pytest.approx((treated - control).mean())
    assert found.lower[-1] < found.effect[-1] < found.upper[-1]


def test_a_ranking_without_information_has_no_area():
    _, control, treated = scores()
    found = benefit_curve(np.zeros(60), control, treated, draws=50)
    assert abs(found.autoc.estimate) < 1e-12
    np.testing.assert_allclose(found.effect, (treated - control).mean())


def test_order_of_rows_does_not_matter():
    benefit, control, treated = scores()
    rows = np.random.default_rng(1).permutation(60)
    one, two = (benefit_curve(benefit[r], control[r], treated[r], draws=2) for r in (np.arange(60), rows))
    assert one.autoc.estimate == pytest.approx(two.autoc.estimate)
    np.testing.assert_allclose(one.effect, two.effect)


def test_interval_of_the_area_covers():
    """Error of the bootstrap against the spread over samples."""
    found = [benefit_curve(*scores(200, seed), draws=100).autoc for seed in range(60)]
    spread = np.std([f.estimate for f in found])
    assert np.mean([f.standard_error for f in found]) == pytest.approx(spread, rel=0.25)


def test_calibration_is_the_twins_regression():
    rng = np.random.default_rng(8)
    n = 120
    benefit, a, e = rng.normal(0.3, 0.5, n), rng.integers(0, 2, n), rng.uniform(0.3, 0.7, n)
    m = rng.normal(size=n)
    y = m + (a - e) * benefit + rng.normal(size=n)
    found = calibration_test(y, a, m, e, benefit)
    X = np.column_stack([benefit.mean() * (a - e), (benefit - benefit.mean()) * (a - e)])
    beta, errors = hc3(X, y - m)
    np.testing.assert_allclose([found.mean.estimate, found.differential.estimate], beta)
    np.testing.assert_allclose([found.mean.standard_error, found.differential.standard_error], errors)
    assert found.p_value < 0.05
    with pytest.raises(UndefinedError, match="one prediction for everybody"):
        calibration_test(y, a, m, e, np.full(n, 0.3))


def test_value_of_a_rule():
    control, treated = np.array([0.0, 1, 0, 1]), np.array([1.0, 1, 1, 0])
    found = policy_value(control, treated, [True, True, True, False])
    assert (found.rule.estimate, found.everybody.estimate, found.nobody.estimate) == (1.0, 0.75, 0.5)
    assert (found.over_everybody.estimate, found.over_nobody.estimate, found.share) == (0.25, 0.5, 0.75)
    assert not found.beats_alike
    again = policy_value(np.tile(control, (2, 1)), np.tile(treated, (2, 1)), [[True] * 4, [True, True, True, False]])
    assert again.rule.estimate == 0.875
    assert again.rule.n == 4  # repetitions are no further subjects
    strong = policy_value(np.tile(control, 100), np.tile(treated, 100), np.tile([True, True, True, False], 100))
    assert strong.beats_alike


def test_groups_of_rising_benefit():
    benefit, control, treated = scores()
    found = benefit_by_group(benefit, control, treated, 3)
    assert [e.n for e in found.effect] == [20, 20, 20]
    assert sorted(found.predicted) == list(found.predicted)
    assert np.mean([e.estimate for e in found.effect]) == pytest.approx((treated - control).mean())
    first, last = found.effect[0], found.effect[-1]
    assert found.most_less_least.estimate == last.estimate - first.estimate
    gamma = (treated - control)[np.argsort(benefit, kind="stable")]
    error = np.sqrt(gamma[:20].var(ddof=1) / 20 + gamma[40:].var(ddof=1) / 20)
    assert found.most_less_least.standard_error == pytest.approx(error)
    assert found.p_value == pytest.approx(norm.sf(found.most_less_least.estimate / error))
    for (low, high), effect in zip(found.band, found.effect, strict=True):
        assert low < effect.lower < effect.upper < high
    with pytest.raises(InputError, match="60 subjects in 31 groups"):
        benefit_by_group(benefit, control, treated, 31)


def test_the_band_holds_all_groups_together_and_equal_groups_are_told_apart_by_chance_alone():
    rng = np.random.default_rng(6)
    held, single, apart = [], [], []
    for _ in range(1500):
        gamma, tau = rng.normal(0.3, 1.0, 400), rng.normal(size=400)
        found = benefit_by_group(tau, np.zeros(400), gamma, 5)
        held.append(all(low <= 0.3 <= high for low, high in found.band))
        single.append(all(e.lower <= 0.3 <= e.upper for e in found.effect))
        apart.append(found.p_value < 0.05)
    assert abs(np.mean(held) - 0.95) < 0.02
    assert np.mean(single) < 0.83  # five intervals of 95 % each: 0.77 together
    assert abs(np.mean(apart) - 0.05) < 0.02
