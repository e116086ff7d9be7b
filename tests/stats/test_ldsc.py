import numpy as np
import pytest
from scipy.stats import norm

from radiolocus.errors import ConfigError, FitError
from radiolocus.stats.ldsc import genetic_correlation, ld_score_regression, liability_factor
from reference.ldsc import made_up, two_phenotypes

# h², its error, intercept, its error: LDSC 2.0.1 on made_up(), by tests/reference/ldsc.py
LDSC = {
    "two step": ({"two_step": 30.0}, [0.3665550642, 0.03404069524, 1.189045916, 0.1090905098]),
    "small two step": ({"two_step": 8.0}, [0.3363443839, 0.02594708173, 1.283132117, 0.07959370104]),
    "fixed": ({"intercept": 1.0}, [0.4361715035, 0.02097536804, 1.0, 0.0]),
    "fixed off 1": ({"intercept": 1.1}, [0.3977429309, 0.01970519975, 1.1, 0.0]),
}


@pytest.mark.parametrize("name", LDSC)
def test_the_numbers_of_ldsc(name):
    options, expected = LDSC[name]
    chi2, score, weight, n, total = made_up()
    found = ld_score_regression(chi2, score, n, total, weight_ld=weight, **options)
    numbers = [found.heritability, found.heritability_se, found.intercept, found.intercept_se]
    np.testing.assert_allclose(numbers, expected, rtol=1e-9)
    assert (found.variants, found.left_out, found.blocks) == (3994, 6, 200)
    assert found.ratio == pytest.approx((found.intercept - 1) / (found.mean_chi2 - 1))


# genetic correlation, its error, covariance, its error, intercept, its error: the same
RG = [0.5769413899, 0.05876933243, 0.2477604526, 0.02703429085, -0.03456932353, 0.07190644783]


def test_the_genetic_correlation_of_ldsc():
    z1, z2, score, weight, n1, n2, total = two_phenotypes()
    found = genetic_correlation(z1, z2, score, n1, n2, total, weight_ld=weight)
    numbers = [found.correlation, found.correlation_se, found.covariance, found.covariance_se]
    np.testing.assert_allclose([*numbers, found.intercept, found.intercept_se], RG, rtol=1e-8)
    # the truth is 0.6
    assert abs(found.correlation - 0.6) < 3 * found.correlation_se
    turned = genetic_correlation(z1, -z2, score, n1, n2, total, weight_ld=weight)
    assert turned.correlation == pytest.approx(-found.correlation)


def test_a_phenotype_without_heritability_has_no_genetic_correlation():
    rng = np.random.default_rng(3)
    score = rng.uniform(1, 60, 500)
    z = rng.normal(size=500) / np.sqrt(score)
    with pytest.raises(FitError) as caught:
        genetic_correlation(z, z, score, 1000, 1000, 1e4)
    assert caught.value.got.startswith("heritabilities -")
    with pytest.raises(FitError, match="5 variants"):
        genetic_correlation(z[:5], z[:5], score[:5], 1000, 1000, 1e4)


def test_heritability_and_confounding_come_back():
    found = [
        ld_score_regression(chi2, score, n, total, two_step=1e9, max_chi2=1e9)
        for chi2, score, weight, n, total in (
            made_up(20_000, seed, heritability=0.25, confounding=0.12) for seed in range(12)
        )
    ]
    for name, truth in (("heritability", 0.25), ("intercept", 1.12)):
        values = np.array([getattr(f, name) for f in found])
        errors = np.array([getattr(f, f"{name}_se") for f in found])
        assert abs(values.mean() - truth) < 3.5 * values.std(ddof=1) / np.sqrt(len(found))
        # the jackknife tells the spread between repeats
        assert 0.5 < errors.mean() / values.std(ddof=1) < 2.0


def test_no_association_has_no_heritability():
    rng = np.random.default_rng(5)
    score = rng.uniform(1, 80, 10_000)
    found = ld_score_regression(rng.chisquare(1, 10_000), score, 5000, 1e5)
    assert abs(found.heritability) < 4 * found.heritability_se
    assert abs(found.intercept - 1) < 4 * found.intercept_se
    assert 0.9 < found.lambda_gc < 1.1


def test_what_is_missing_or_too_large_is_left_out():
    chi2, score, weight, n, total = made_up()
    base = ld_score_regression(chi2, score, n, total, weight_ld=weight)
    more = [np.append(part, extra) for part, extra in ((chi2, [np.nan, 500]), (score, [3, 3]), (n, [1e4, 1e4]))]
    again = ld_score_regression(*more, total, weight_ld=np.append(weight, [1, 1]))
    assert again.left_out == base.left_out + 1
    assert again.heritability == pytest.approx(base.heritability)


def test_what_cannot_be_fitted():
    for values, got in ((np.ones(5), "5 variants"), (np.ones(100), "all of the same score")):
        with pytest.raises(FitError) as caught:
            ld_score_regression(values, values, 100, 1e4)
        assert got in caught.value.got
        assert "200,000" in caught.value.allowed
    with pytest.raises(FitError) as caught:
        ld_score_regression(np.full(50, 40.0), np.arange(50.0), 100, 1e4)
    assert "below 30" in caught.value.got
    for options in ({"blocks": 1}, {"two_step": 0.0}):
        with pytest.raises(ConfigError):
            ld_score_regression(np.ones(50), np.arange(50.0), 100, 1e4, **options)


def test_liability_scale():
    # Lee 2011: a random sample of the population, K = P
    k = 0.1
    assert liability_factor(k, k) == pytest.approx(k * (1 - k) / norm.pdf(norm.isf(k)) ** 2)
    assert liability_factor(0.5, 0.01) == pytest.approx(0.0099**2 / (0.25 * norm.pdf(norm.isf(0.01)) ** 2))
    with pytest.raises(ConfigError):
        liability_factor(0.0, 0.1)
