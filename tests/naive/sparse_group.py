"""Slow, obvious twin of the sparse group lasso: proximal gradient steps with the slopes written out."""

from __future__ import annotations

import numpy as np


def cox_slope(eta, time, event, ties):
    """Derivative of the negative log partial likelihood along each linear predictor."""
    hazard = np.exp(eta)
    out = -event.astype(float)
    for t in sorted({t for t, e in zip(time, event, strict=True) if e}):
        at_risk, dying = time >= t, (time == t) & (event == 1)
        for k in range(dying.sum()):
            share = k / dying.sum() if ties == "efron" else 0.0
            inside = hazard * (at_risk - share * dying)
            out += inside / inside.sum()
    return out


def logistic_slope(eta, event):
    """Derivative of the negative log likelihood."""
    return 1 / (1 + np.exp(-eta)) - event


def minimum(slope, X, group, weight, penalty, l1_ratio, intercept, steps=200_000):
    """Coefficients and intercept at the minimum: accelerated proximal gradient, restarted, until it stands still."""
    n, p = X.shape
    Z = np.column_stack([X, np.ones(n)]) if intercept else X
    # No curvature of either loss exceeds that of a sum of squares (of the logistic loss: a quarter of it).
    size = (0.25 if intercept else 1.0) * np.linalg.norm(Z, 2) ** 2 / n
    beta = np.zeros(Z.shape[1])
    ahead, t = beta.copy(), 1.0
    for _ in range(steps):
        moved = ahead - Z.T @ slope(Z @ ahead) / n / size
        new = moved.copy()
        new[:p] = np.sign(moved[:p]) * np.maximum(np.abs(moved[:p]) - penalty * l1_ratio / size, 0.0)
        for g, w in enumerate(weight):
            own = np.flatnonzero(group == g)
            norm = np.linalg.norm(new[own])
            if norm > 0:
                new[own] *= max(1 - penalty * (1 - l1_ratio) * w / size / norm, 0.0)
        if np.abs(new - ahead).max() < 1e-14:
            return new[:p], new[p] if intercept else 0.0
        if (ahead - new) @ (new - beta) > 0:
            ahead, t = new.copy(), 1.0
        else:
            following = (1 + np.sqrt(1 + 4 * t * t)) / 2
            ahead, t = new + (t - 1) / following * (new - beta), following
        beta = new
    raise AssertionError("no convergence")
