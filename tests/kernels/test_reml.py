import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from radiolocus.kernels.reml import INTERIOR, LOWER, UPPER, best_ratio, log_likelihood, slope_at, wald_pairs
from radiolocus.stats.reml import GRID, grid_slopes


def draw(seed, m=60, ratio=1.0, with_variant=True):
    rng = np.random.default_rng(seed)
    delta = np.sort(rng.gamma(0.5, 1.0, m))
    x = rng.normal(size=m) * (1.0 if with_variant else 0.0)
    y = rng.normal(size=m) * np.sqrt(ratio * delta + 1) + 0.3 * x
    return delta, x, y


def slopes_of(delta, x, y, df):
    sums = np.empty(7)
    return np.array([slope_at(delta, x, y, float(np.exp(g)), df, sums) for g in GRID])


@pytest.mark.parametrize("with_variant", [True, False])
@pytest.mark.parametrize("place", [-5.0, 0.0, 4.0])
def test_the_slope_is_the_derivative_of_the_likelihood(with_variant, place):
    delta, x, y = draw(1, with_variant=with_variant)
    sums, df, step = np.empty(7), 60.0 - with_variant, 1e-5
    ends = [log_likelihood(delta, x, y, float(np.exp(place + s)), df, sums) for s in (-step, step)]
    found = slope_at(delta, x, y, float(np.exp(place)), df, sums)
    assert found == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_the_ratio_is_the_highest_of_a_fine_grid(seed):
    delta, x, y = draw(seed, m=25, ratio=3.0)
    sums = np.empty(7)

    def loss(place):
        return -log_likelihood(delta, x, y, float(np.exp(place)), 24.0, sums)

    fine = np.linspace(GRID[0], GRID[-1], 2001)
    start = fine[np.argmin([loss(p) for p in fine])]
    low, high = max(start - 0.02, GRID[0]), min(start + 0.02, GRID[-1])
    wanted = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    ratio, place = best_ratio(delta, x, y, 24.0, GRID, slopes_of(delta, x, y, 24.0), sums)
    assert loss(np.log(ratio)) <= wanted.fun + 1e-9
    if place == INTERIOR:
        assert abs(slope_at(delta, x, y, ratio, 24.0, sums)) < 1e-6


@pytest.mark.parametrize(("free", "side"), [(2, -1), (5, -1), (60, 1)])
def test_of_two_maxima_the_higher_is_taken(free, side):
    # three sets of directions whose sizes call for two ratios far apart
    delta = np.repeat([0.0, 1e4, 1.0], [free, 40, 40])
    y = np.repeat([1.0, 100.0, 40.0], [free, 40, 40])
    none, sums, df = np.zeros(delta.size), np.empty(7), float(delta.size)
    slopes = slopes_of(delta, none, y, df)
    assert int(((slopes[:-1] > 0) & (slopes[1:] <= 0)).sum()) == 2
    ratio, place = best_ratio(delta, none, y, df, GRID, slopes, sums)
    fine = np.linspace(GRID[0], GRID[-1], 4001)
    values = [log_likelihood(delta, none, y, float(np.exp(r)), df, sums) for r in fine]
    assert place == INTERIOR
    assert log_likelihood(delta, none, y, ratio, df, sums) >= max(values)
    assert np.sign(np.log(ratio)) == np.sign(fine[int(np.argmax(values))]) == side


def test_an_end_of_the_grid_is_told():
    delta = np.repeat([0.0, 2.0], 40)
    sums, none = np.empty(7), np.zeros(80)
    sign = np.where(np.arange(80) % 2, 1.0, -1.0)
    for first, second, wanted in ((5.0, 1.0, LOWER), (0.0, 1.0, UPPER)):
        y = sign * np.repeat([first, second], 40)
        ratio, place = best_ratio(delta, none, y, 80.0, GRID, slopes_of(delta, none, y, 80.0), sums)
        assert place == wanted
        assert ratio == pytest.approx(1e-5 if wanted == LOWER else 1e5)


def test_products_give_the_slopes_of_the_loop():
    rng = np.random.default_rng(3)
    delta = np.sort(rng.gamma(0.5, 1.0, 50))
    variants, phenotypes = rng.normal(size=(4, 50)), rng.normal(size=(3, 50))
    found = grid_slopes(delta, variants, phenotypes)
    for v in range(4):
        for p in range(3):
            np.testing.assert_allclose(found[:, v, p], slopes_of(delta, variants[v], phenotypes[p], 49.0), rtol=1e-9)


def test_pairs_that_are_closed_are_left_and_a_perfect_fit_is_told():
    delta, x, _ = draw(5)
    phenotypes, variants = np.stack([2 * x, x + 1]), np.stack([x, x])
    slopes = grid_slopes(delta, variants, phenotypes)
    beta, t, fits = np.full((2, 2), np.nan), np.full((2, 2), np.nan), np.zeros((2, 2), dtype=bool)
    open_pairs = np.array([[True, True], [False, False]])
    wald_pairs(delta, variants, phenotypes, GRID, slopes, 59.0, 1e-20, open_pairs, beta, t, fits)
    assert fits[0].tolist() == [True, False]
    assert np.isnan(t[0, 0])
    assert t[0, 1] > 0
    assert np.isnan(beta[1]).all()
