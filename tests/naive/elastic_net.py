"""Slow, obvious twins of the elastic nets: risk sets written out, and a general optimiser."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize


def cox_loss(eta, time, event, ties):
    """Negative log partial likelihood, event time by event time."""
    total = 0.0
    for t in sorted({t for t, e in zip(time, event, strict=True) if e}):
        at_risk = np.exp(eta[time >= t]).sum()
        dying = (time == t) & (event == 1)
        tied = np.exp(eta[dying]).sum()
        for k in range(dying.sum()):
            share = k / dying.sum() if ties == "efron" else 0.0
            total += np.log(at_risk - share * tied)
        total -= eta[dying].sum()
    return total


def logistic_loss(eta, event):
    """Negative log likelihood."""
    return -sum(
        np.log(1 / (1 + np.exp(-h))) if y else np.log(1 / (1 + np.exp(h))) for h, y in zip(eta, event, strict=True)
    )


def slope(loss, eta, step=1e-5):
    """Gradient by central differences."""
    out = np.empty(eta.size)
    for i in range(eta.size):
        up, down = eta.copy(), eta.copy()
        up[i] += step
        down[i] -= step
        out[i] = (loss(up) - loss(down)) / (2 * step)
    return out


def minimum(loss, X, penalty, l1_ratio, intercept):
    """Coefficients and intercept at the minimum of the elastic-net criterion, by a general bounded optimiser.

    β = u − v with u, v ≥ 0, so that |β| is u + v at the minimum and the criterion is smooth.
    """
    n, p = X.shape

    def criterion(w):
        beta, shift = w[:p] - w[p : 2 * p], w[-1] if intercept else 0.0
        value = loss(X @ beta + shift) / n + penalty * (
            l1_ratio * w[: 2 * p].sum() + 0.5 * (1 - l1_ratio) * (beta @ beta)
        )
        along = X.T @ slope(loss, X @ beta + shift) / n + penalty * (1 - l1_ratio) * beta
        last = slope(loss, X @ beta + shift).sum() / n if intercept else 0.0
        return value, np.r_[along + penalty * l1_ratio, -along + penalty * l1_ratio, last]

    bounds = [(0, None)] * (2 * p) + [(None, None)]
    found = minimize(
        criterion,
        np.zeros(2 * p + 1),
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 5000, "maxfun": 20000},
    )
    return found.x[:p] - found.x[p : 2 * p], found.x[-1]
