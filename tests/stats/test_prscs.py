import numpy as np
import pytest
from scipy.stats import geninvgauss, kstest

from naive.prscs import sample
from radiolocus.errors import ConfigError, InputError
from radiolocus.stats.prscs import PrscsOptions, generalised_inverse_gaussian, prs_cs


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.3, 4.0), (50.0, 0.01), (2.0, 1e-12)])
def test_draws_have_the_distribution_that_scipy_knows(a, b):
    drawn = generalised_inverse_gaussian(np.full(4000, a), np.full(4000, b), np.random.default_rng(2))
    if b > 1e-9:
        assert kstest(drawn, geninvgauss(0.5, np.sqrt(a * b), scale=np.sqrt(b / a)).cdf).pvalue > 1e-3
    else:  # a gamma distribution of shape 1/2
        assert drawn.mean() == pytest.approx(1 / a, rel=0.1)
    assert (drawn > 0).all()


def test_an_effect_of_nothing_is_drawn_too():
    drawn = generalised_inverse_gaussian(np.full(1000, 2.0), np.zeros(1000), np.random.default_rng(1))
    assert np.isfinite(drawn).all()
    assert drawn.mean() == pytest.approx(0.5, rel=0.3)


def made_up(p=20, n=500, seed=1):
    rng = np.random.default_rng(seed)
    ld = 0.6 ** np.abs(np.arange(p)[:, None] - np.arange(p))
    truth = np.where(rng.random(p) < 0.2, rng.normal(0, 0.25, p), 0.0)
    beta = ld @ truth + np.linalg.cholesky(ld) @ rng.normal(size=p) / np.sqrt(n)
    return beta, ld, n, truth


@pytest.mark.parametrize("phi", [0.05, pytest.param(None, marks=pytest.mark.slow)])
def test_the_posterior_of_the_slow_twin(phi):
    beta, ld, n, _ = made_up()
    twin = sample(beta, ld, n, 3, phi=phi, iterations=2500, burn_in=400)
    ours = prs_cs(beta, [ld], n, np.random.default_rng(4), PrscsOptions(phi, 4000, 500, 1))
    # error of a mean of draws that follow each other, by batches
    batches = twin.reshape(30, -1, twin.shape[1]).mean(axis=1)
    error = batches.std(axis=0, ddof=1) / np.sqrt(30)
    assert (np.abs(ours.beta - twin.mean(axis=0)) < 4.5 * error + 1e-3).all()
    np.testing.assert_allclose(ours.spread, twin.std(axis=0), rtol=0.25)


def test_blocks_that_are_independent_may_be_split():
    beta, ld, n, _ = made_up()
    whole = np.block([[ld, np.zeros((20, 20))], [np.zeros((20, 20)), ld]])
    both = np.concatenate([beta, beta[::-1]])
    options = PrscsOptions(0.02, 3000, 500, 1)
    one = prs_cs(both, [whole], n, np.random.default_rng(1), options)
    two = prs_cs(both, [ld, ld], n, np.random.default_rng(2), options)
    np.testing.assert_allclose(one.beta, two.beta, atol=0.02)


def test_it_shrinks_noise_and_keeps_signals():
    beta, ld, n, truth = made_up(p=60, n=2000, seed=5)
    found = prs_cs(beta, [ld], n, np.random.default_rng(1))
    assert np.square(found.beta - truth).sum() < 0.7 * np.square(beta - truth).sum()
    assert 0 < found.phi < 1
    assert 0.2 < found.sigma < 1.2


def test_the_same_seed_gives_the_same_numbers():
    beta, ld, n, _ = made_up()
    one, two, other = (
        prs_cs(beta, [ld], n, np.random.default_rng(s), PrscsOptions(None, 60, 30, 3)) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.beta, two.beta)
    assert (one.beta != other.beta).any()


def test_what_cannot_be_sampled():
    beta, ld, n, _ = made_up()
    with pytest.raises(InputError, match="20 effects for blocks of 40"):
        prs_cs(beta, [ld, ld], n, np.random.default_rng(1))
    with pytest.raises(InputError, match="not finite"):
        prs_cs(np.full(20, np.nan), [ld], n, np.random.default_rng(1))
    for wrong in ({"phi": 0.0}, {"iterations": 10}, {"thin": 0}):
        with pytest.raises(ConfigError):
            PrscsOptions(**wrong)
