"""A mixture whose components sit on a grid, one place in each of several samples; the number of components by BIC.

The log likelihood of every observation is known at every place of the grid, in every sample. A component is a place in
each sample; expectation–maximisation then is exact on the grid: the maximisation is a search for the best place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["GridMixture", "fit_grid_mixture", "highest_density", "mixture_of_size"]

_STEPS = 300


@dataclass(frozen=True, eq=False)
class GridMixture:
    """A fitted mixture of K components.

    Parameters
    ----------
    place : ndarray of int, shape (K, J)
        Index on the grid of every component in every sample.
    weight : ndarray, shape (K,)
    membership : ndarray, shape (n, K)
        Probability that an observation belongs to a component.
    posterior : ndarray, shape (K, J, G)
        Posterior of every place under a flat prior, the memberships taken as known; sums to 1 over the grid.
    log_likelihood, bic : float
    tried : tuple of float
        BIC with 1, 2, ... components.
    """

    place: npt.NDArray[np.intp]
    weight: Array
    membership: Array
    posterior: Array
    log_likelihood: float
    bic: float
    tried: tuple[float, ...] = ()


def fit_grid_mixture(
    log_likelihood: Array, rng: np.random.Generator, *, most: int = 8, restarts: int = 8
) -> GridMixture:
    """Fit mixtures of 1, 2, ... components and keep the one of the smallest BIC.

    Parameters
    ----------
    log_likelihood : ndarray, shape (n, J, G)
        Of every observation in every sample at every place of the grid; 0 everywhere where it was not observed.
    rng : numpy.random.Generator
    most : int
        Largest number of components; at most the number of observations are tried.
    restarts : int
        Starts of each number, by the seeding of k-means++.

    Raises
    ------
    InputError
        No observation.

    Notes
    -----
    BIC = −2 log L + (K J + K − 1) log n. The search ends after two numbers in a row that make it larger.

    References
    ----------
    Schwarz, Ann Stat 1978;6:461. Arthur & Vassilvitskii, SODA 2007:1027.
    """
    n = log_likelihood.shape[0]
    if n < 1:
        raise InputError("no observation to cluster")
    fits: list[GridMixture] = []
    for k in range(1, min(most, n) + 1):
        fits.append(mixture_of_size(log_likelihood, k, rng, 1 if k == 1 else restarts))
        if len(fits) >= 3 and fits[-1].bic > fits[-2].bic > fits[-3].bic:
            break
    best = min(fits, key=lambda fit: fit.bic)
    return replace(best, tried=tuple(fit.bic for fit in fits))


def mixture_of_size(log_likelihood: Array, k: int, rng: np.random.Generator, restarts: int = 8) -> GridMixture:
    """Best mixture of `k` components over some starts; components nobody belongs to are dropped."""
    fits = [_expect_maximise(log_likelihood, _seeds(log_likelihood, k, rng)) for _ in range(restarts)]
    return max(fits, key=lambda fit: fit.log_likelihood)


def _seeds(log_likelihood: Array, k: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Best places of observations far from each other in likelihood."""
    own = log_likelihood.argmax(2)
    chosen = [int(rng.integers(own.shape[0]))]
    top = log_likelihood.max(2).sum(1)
    loss = np.full(own.shape[0], np.inf)
    while len(chosen) < k:
        at = np.take_along_axis(log_likelihood, own[chosen[-1]][None, :, None], 2)[:, :, 0].sum(1)
        loss = np.minimum(loss, np.maximum(top - at, 0.0))
        total = loss.sum()
        share = loss / total if total > 0 else np.full(loss.size, 1 / loss.size)
        chosen.append(int(rng.choice(loss.size, p=share)))
    return np.asarray(own[chosen])


def _joint(log_likelihood: Array, place: npt.NDArray[np.intp], weight: Array) -> Array:
    """Log of weight times likelihood of every observation in every component."""
    at = np.stack([np.take_along_axis(log_likelihood, p[None, :, None], 2)[:, :, 0].sum(1) for p in place], axis=1)
    return np.asarray(at + np.log(weight))


def _log_sum(joint: Array) -> Array:
    """Logarithm of the sum of exponentials over the components; all entries are finite."""
    top = joint.max(1)
    return np.asarray(top + np.log(np.exp(joint - top[:, None]).sum(1)))


def _expect_maximise(log_likelihood: Array, place: npt.NDArray[np.intp]) -> GridMixture:
    n, samples, grid = log_likelihood.shape
    flat = log_likelihood.reshape(n, samples * grid)
    weight = np.full(len(place), 1 / len(place))
    before = -np.inf
    for _ in range(_STEPS):
        joint = _joint(log_likelihood, place, weight)
        each = _log_sum(joint)
        total = float(each.sum())
        membership = np.exp(joint - each[:, None])
        held = membership.sum(0) > 1e-6
        membership = membership[:, held] / membership[:, held].sum(1, keepdims=True)
        weight = membership.mean(0)
        scores = (membership.T @ flat).reshape(-1, samples, grid)
        place = scores.argmax(2)
        if held.all() and total - before < 1e-8 * abs(total):
            break
        before = total
    joint = _joint(log_likelihood, place, weight)
    each = _log_sum(joint)
    membership = np.exp(joint - each[:, None])
    scores = (membership.T @ flat).reshape(-1, samples, grid)
    total = float(each.sum())
    free = place.shape[0] * samples + place.shape[0] - 1
    posterior = np.exp(scores - logsumexp(scores, axis=2, keepdims=True))
    return GridMixture(place, weight, membership, posterior, total, -2 * total + free * np.log(n))


def highest_density(grid: Array, posterior: Array, level: float = 0.95) -> tuple[float, float]:
    """Smallest set of places that holds `level` of a posterior: its first and its last place."""
    order = np.argsort(-posterior, kind="stable")
    inside = order[: int(np.searchsorted(posterior[order].cumsum(), level)) + 1]
    return float(grid[inside.min()]), float(grid[inside.max()])
