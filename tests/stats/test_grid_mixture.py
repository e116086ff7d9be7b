"""The mixture on a grid against plain loops and planted components."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import adjusted_rand_score

from radiolocus.errors import InputError
from radiolocus.stats.grid_mixture import fit_grid_mixture, highest_density, mixture_of_size

GRID = np.linspace(0, 1, 51)


def _observed(rng, places, counts, depth=80):
    label = np.repeat(np.arange(len(places)), counts)
    share = np.array(places)[label]
    reads = rng.binomial(depth, share)
    told = binom.logpmf(reads[:, :, None], depth, np.clip(GRID, 0.001, 0.999)[None, None, :])
    return told, label


def test_likelihood_memberships_and_bic_are_those_of_plain_loops():
    told, _ = _observed(np.random.default_rng(1), [(0.2, 0.5), (0.7, 0.1)], (6, 5))
    fit = mixture_of_size(told, 2, np.random.default_rng(3))
    total = 0.0
    for i in range(11):
        joint = [
            fit.weight[k] * np.exp(sum(told[i, j, fit.place[k, j]] for j in range(2))) for k in range(len(fit.weight))
        ]
        total += np.log(sum(joint))
        assert fit.membership[i] == pytest.approx(np.array(joint) / sum(joint))
    assert fit.log_likelihood == pytest.approx(total)
    assert fit.bic == pytest.approx(-2 * total + (2 * 2 + 1) * np.log(11))
    assert fit.posterior.sum(2) == pytest.approx(np.ones((2, 2)))


def test_one_component_sits_where_the_likelihood_is_largest():
    told, _ = _observed(np.random.default_rng(2), [(0.3, 0.9)], (20,))
    fit = mixture_of_size(told, 1, np.random.default_rng(1), 1)
    assert fit.place[0].tolist() == told.sum(0).argmax(1).tolist()
    assert fit.log_likelihood == pytest.approx(told.sum(0).max(1).sum())


def test_planted_components_are_found():
    told, label = _observed(np.random.default_rng(4), [(0.1, 0.1), (0.5, 0.1), (0.5, 0.9)], (15, 15, 15))
    fit = fit_grid_mixture(told, np.random.default_rng(1))
    assert fit.weight.size == 3
    assert fit.bic == min(fit.tried)
    assert adjusted_rand_score(label, fit.membership.argmax(1)) > 0.95
    # the fit is no worse than the truth
    truth = np.array([np.abs(GRID - p).argmin() for p in (0.1, 0.5, 0.9)])
    at = told[:, :, truth][:, [0, 1], :]
    right = np.stack([at[:, 0, 0] + at[:, 1, 0], at[:, 0, 1] + at[:, 1, 0], at[:, 0, 1] + at[:, 1, 2]], axis=1)
    assert fit.log_likelihood >= np.log(np.exp(right).mean(1)).sum()


def test_what_was_not_observed_changes_no_place():
    told, _ = _observed(np.random.default_rng(5), [(0.2, 0.5)], (10,))
    blank = told.copy()
    blank[3, 1] = 0.0
    fit = mixture_of_size(blank, 1, np.random.default_rng(1), 1)
    kept = np.delete(told[:, 1], 3, axis=0).sum(0).argmax()
    assert fit.place[0, 1] == kept


def test_the_same_seed_gives_the_same_fit_and_nothing_is_refused():
    told, _ = _observed(np.random.default_rng(6), [(0.2, 0.5), (0.4, 0.6)], (9, 9))
    one, two = (fit_grid_mixture(told, np.random.default_rng(7)) for _ in range(2))
    assert (one.membership == two.membership).all()
    with pytest.raises(InputError, match="no observation"):
        fit_grid_mixture(told[:0], np.random.default_rng(1))


def test_highest_density_holds_its_share_and_the_mode():
    grid = np.arange(5.0)
    assert highest_density(grid, np.array([0.0, 0.02, 0.9, 0.06, 0.02])) == (2.0, 3.0)
    assert highest_density(grid, np.array([0.97, 0.03, 0, 0, 0])) == (0.0, 0.0)
