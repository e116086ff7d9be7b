import polars as pl
import pytest
from scipy.stats import beta, binom

from radiolocus.errors import InputError
from radiolocus.response.rates import clopper_pearson, response_rates


@pytest.mark.parametrize(
    ("events", "n", "lower", "upper"),
    [
        # R: binom.test(events, n)$conf.int
        (0, 10, 0.0, 0.3084971),
        (7, 20, 0.1539092, 0.5921885),
        (10, 10, 0.6915029, 1.0),
    ],
)
def test_interval_equals_r(events, n, lower, upper):
    assert clopper_pearson(events, n) == pytest.approx((lower, upper), abs=1e-7)


@pytest.mark.parametrize(("events", "n"), [(3, 17), (1, 40), (39, 40)])
def test_interval_ends_where_the_binomial_tails_are_2_5_percent(events, n):
    lower, upper = clopper_pearson(events, n)
    assert binom.sf(events - 1, n, lower) == pytest.approx(0.025, rel=1e-9)
    assert binom.cdf(events, n, upper) == pytest.approx(0.025, rel=1e-9)


def test_interval_ends_are_quantiles_of_the_beta_distribution():
    pairs = [(events, n) for n in (1, 2, 9, 140, 5000) for events in range(0, n + 1, max(1, n // 7))]
    for events, n in pairs:
        lower, upper = clopper_pearson(events, n)
        assert lower == (0 if events == 0 else pytest.approx(beta.ppf(0.025, events, n - events + 1), rel=1e-15))
        assert upper == (1 if events == n else pytest.approx(beta.ppf(0.975, events + 1, n - events), rel=1e-15))


@pytest.mark.parametrize(("events", "n", "level"), [(1, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 95)])
def test_impossible_counts_are_refused(events, n, level):
    with pytest.raises(InputError, match="0 ≤ events ≤ n"):
        clopper_pearson(events, n, level)


def test_rates_count_everybody_in_the_denominator():
    best = pl.DataFrame({"best_response": ["CR", "PR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "NE"]})
    rates = response_rates(best)
    assert rates["quantity"].to_list() == ["objective response rate", "disease control rate"]
    assert rates["events"].to_list() == [3, 5]
    assert rates["n"].to_list() == [8, 8]
    assert rates["estimate"].to_list() == [0.375, 0.625]
    assert (rates["lower"][0], rates["upper"][0]) == clopper_pearson(3, 8)
