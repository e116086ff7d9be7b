"""Slow and obvious: the Gibbs sampler of PRS-CS, one variant at a time, its scale by numpy's inverse Gaussian."""

from __future__ import annotations

import numpy as np


def sample(beta, ld, n, seed, *, phi, iterations, burn_in):
    rng = np.random.default_rng(seed)
    p = len(beta)
    current, psi, sigma, learn = np.zeros(p), np.ones(p), 1.0, phi is None
    phi = 1.0 if learn else phi
    kept = []
    for step in range(iterations):
        for j in range(p):  # the full conditional of one effect, the others held
            rest = beta[j] - ld[j] @ current + ld[j, j] * current[j]
            precision = ld[j, j] + 1 / psi[j]
            current[j] = rest / precision + np.sqrt(sigma / n / precision) * rng.normal()
        quadratic = current @ (ld + np.diag(1 / psi)) @ current
        error = n / 2 * max(1 - 2 * current @ beta + quadratic, (current**2 / psi).sum())
        sigma = 1 / rng.gamma((n + p) / 2, 1 / error)
        delta = rng.gamma(1.5, 1 / (psi + phi))
        for j in range(p):
            a, b = 2 * delta[j], n * current[j] ** 2 / sigma
            psi[j] = min(1 / rng.wald(np.sqrt(a / b), a), 1.0)
        if learn:
            phi = rng.gamma(p / 2 + 0.5, 1 / (delta.sum() + rng.gamma(1.0, 1 / (phi + 1))))
        if step >= burn_in:
            kept.append(current.copy())
    return np.array(kept)
