"""What a second score adds to a first: likelihood ratio within strata, for many weightings of the patients at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["likelihood_gain"]

_STEPS, _HALVINGS = 30, 30
Folds = npt.NDArray[np.int64]


def likelihood_gain(
    event: Array,
    first: Array,
    second: Array,
    stratum: Folds,
    weights: Array,
    time: Array | None = None,
) -> Array:
    """Likelihood ratio of a second score given a first, 2 (log L of both − log L of the first alone).

    Parameters
    ----------
    event : ndarray, shape (n,)
        1 event or positive class.
    first, second : ndarray, shape (n,)
        Scores, finite.
    stratum : ndarray of int64, shape (n,)
        Each has a baseline hazard, or an intercept, of its own: that of the fold, since models of different folds have
        different baselines.
    weights : ndarray, shape (draws, n)
        How often each patient counts.
    time : ndarray, shape (n,), optional
        A Cox model with Breslow's ties; without times a logistic model.

    Returns
    -------
    ndarray, shape (draws,)
        Zero where the second score would have to be turned round: such a score adds nothing.

    Raises
    ------
    InputError
        Scores that are not finite.
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError("a score that is not finite", allowed="finite scores of every patient")
    Z = np.column_stack([_standard(first), _standard(second)])
    part = _Cox(event, time, stratum, weights) if time is not None else _Logistic(event, stratum, weights)
    alone, _ = _maximum(part, Z[:, :1])
    both, beta = _maximum(part, Z)
    return np.asarray(np.where(beta[:, -1] > 0, np.maximum(2.0 * (both - alone), 0.0), 0.0))


def _standard(score: Array) -> Array:
    spread = float(score.std())
    return np.asarray((score - score.mean()) / spread) if spread > 1e-12 else np.zeros_like(score)


class _Cox:
    """Stratified partial log-likelihood under each row of weights."""

    def __init__(self, event: Array, time: Array | None, stratum: Folds, weights: Array) -> None:
        times = np.zeros(event.size) if time is None else time
        # Latest first within a stratum; a sum over a risk set is a running sum up to the last patient of equal time.
        self.order = np.lexsort((-times, stratum))
        where, at = stratum[self.order], times[self.order]
        new = np.r_[True, (where[1:] != where[:-1]) | (at[1:] != at[:-1])]
        last = np.append(np.flatnonzero(new)[1:], event.size) - 1
        self.end = last[np.cumsum(new) - 1]
        begin = np.flatnonzero(np.r_[True, where[1:] != where[:-1]])
        self.begin = begin[np.cumsum(np.r_[True, where[1:] != where[:-1]]) - 1]
        self.weights = weights[:, self.order]
        self.failing = self.weights * event[self.order]

    def start(self, columns: int) -> Array:
        """Return coefficients from which to begin, shape (draws, k)."""
        return np.zeros((len(self.weights), columns))

    def rows(self, Z: Array) -> Array:
        """Design in the order of the sums."""
        return np.asarray(Z[self.order])

    def _sums(self, values: Array) -> Array:
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        return np.asarray(total[:, self.end + 1] - total[:, self.begin])

    def value(self, Z: Array, beta: Array) -> Array:
        """Log-likelihood, shape (draws,)."""
        eta = beta @ Z.T
        top = eta.max(axis=1, keepdims=True)
        at_risk = self._sums(self.weights * np.exp(eta - top))
        # Whoever does not count has no event that counts: the logarithm of nobody is never used.
        logs = np.log(np.where(at_risk > 0, at_risk, 1.0)) + top
        return np.asarray((self.failing * (eta - logs)).sum(axis=1))

    def slopes(self, Z: Array, beta: Array) -> tuple[Array, Array]:
        """Gradient (draws, k) and information (draws, k, k)."""
        eta = beta @ Z.T
        hazard = self.weights * np.exp(eta - eta.max(axis=1, keepdims=True))
        at_risk = self._sums(hazard)
        # Where a score separates, the hazard of a late risk set falls below what has a reciprocal: it weighs nothing.
        inverse = np.divide(1.0, at_risk, out=np.zeros_like(at_risk), where=at_risk > np.finfo(np.float64).tiny)
        k = Z.shape[1]
        means = [self._sums(hazard * Z[:, a]) * inverse for a in range(k)]
        gradient = np.column_stack([(self.failing * (Z[:, a] - means[a])).sum(axis=1) for a in range(k)])
        information = np.empty((len(beta), k, k))
        for a in range(k):
            for b in range(a, k):
                square = self._sums(hazard * Z[:, a] * Z[:, b]) * inverse
                information[:, a, b] = (self.failing * (square - means[a] * means[b])).sum(axis=1)
                information[:, b, a] = information[:, a, b]
        return gradient, information


class _Logistic:
    """Log-likelihood with an intercept for each stratum under each row of weights."""

    def __init__(self, event: Array, stratum: Folds, weights: Array) -> None:
        self.event, self.weights = event, weights
        self.intercepts = (stratum[:, None] == np.unique(stratum)[None, :]).astype(np.float64)

    def start(self, columns: int) -> Array:
        """Return coefficients from which to begin, shape (draws, k); those of the intercepts come first."""
        rate = float(np.clip(self.event.mean(), 0.01, 0.99))
        begin = np.zeros((len(self.weights), self.intercepts.shape[1] + columns))
        begin[:, : self.intercepts.shape[1]] = np.log(rate / (1.0 - rate))
        return begin

    def rows(self, Z: Array) -> Array:
        """Design with the intercepts."""
        return np.column_stack([self.intercepts, Z])

    def value(self, Z: Array, beta: Array) -> Array:
        """Log-likelihood, shape (draws,)."""
        eta = beta @ Z.T
        return np.asarray((self.weights * (self.event * eta - np.logaddexp(0.0, eta))).sum(axis=1))

    def slopes(self, Z: Array, beta: Array) -> tuple[Array, Array]:
        """Gradient (draws, k) and information (draws, k, k)."""
        probability = 1.0 / (1.0 + np.exp(-np.clip(beta @ Z.T, -700, 700)))
        gradient = (self.weights * (self.event - probability)) @ Z
        mass = self.weights * probability * (1.0 - probability)
        pairs = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)
        return gradient, (mass @ pairs).reshape(len(beta), Z.shape[1], Z.shape[1])


def _maximum(part: _Cox | _Logistic, scores: Array) -> tuple[Array, Array]:
    """Largest log-likelihood of each draw, and its coefficients: Newton steps, halved where they overshoot."""
    Z = part.rows(scores)
    beta = part.start(scores.shape[1])
    value = part.value(Z, beta)
    for _ in range(_STEPS):
        gradient, information = part.slopes(Z, beta)
        # So small a ridge moves nothing that is determined, and keeps what is not (a score without variance) at rest.
        information = information + 1e-8 * (1.0 + np.abs(information).max()) * np.eye(Z.shape[1])
        step = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        gain = (step * gradient).sum(axis=1)
        if gain.max() < 1e-10:
            break
        share = np.ones(len(beta))
        for _ in range(_HALVINGS):
            there = part.value(Z, beta + share[:, None] * step)
            short = there < value - 1e-12 * (1.0 + np.abs(value))
            if not short.any():
                break
            share[short] *= 0.5
        better = there >= value
        beta = np.where(better[:, None], beta + share[:, None] * step, beta)
        value = np.where(better, there, value)
    return value, beta
