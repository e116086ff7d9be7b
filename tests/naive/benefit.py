"""Effects of treatment, rules and curves, written out subject by subject."""

import math

import numpy as np


def wilson(x, n, z=1.959963984540054):
    p = x / n
    centre = (2 * n * p + z * z) / (2 * (n + z * z))
    half = z * math.sqrt(z * z + 4 * n * p * (1 - p)) / (2 * (n + z * z))
    return centre - half, centre + half


def newcombe(x, n, y, m):
    (l1, u1), (l2, u2) = wilson(x, n), wilson(y, m)
    d = x / n - y / m
    return d - math.sqrt((x / n - l1) ** 2 + (u2 - y / m) ** 2), d + math.sqrt((u1 - x / n) ** 2 + (y / m - l2) ** 2)


def benefit_areas(benefit, gamma):
    """AUTOC and Qini: ties share the mean of their scores."""
    mean = {b: np.mean([g for c, g in zip(benefit, gamma, strict=True) if c == b]) for b in benefit}
    ranked = [mean[b] for b in sorted(benefit, reverse=True)]
    n, average = len(ranked), np.mean(gamma)
    gains = [np.mean(ranked[: k + 1]) - average for k in range(n)]
    return np.mean(gains), np.mean([(k + 1) / n * g for k, g in enumerate(gains)])


def hc3(X, y):
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y
    meat = np.zeros((X.shape[1], X.shape[1]))
    for row, target in zip(X, y, strict=True):
        rest = (target - row @ beta) / (1 - row @ inverse @ row)
        meat += rest**2 * np.outer(row, row)
    return beta, np.sqrt(np.diag(inverse @ meat @ inverse))


def ridge_leave_one_out(X, y, penalty, w):
    """Weighted ridge with a free intercept, fitted again without each subject; the sum of squared weighted errors."""
    error = 0.0
    for i in range(len(y)):
        keep = np.arange(len(y)) != i
        mean, level = np.average(X[keep], axis=0, weights=w[keep]), np.average(y[keep], weights=w[keep])
        Z, v, u = X[keep] - mean, y[keep] - level, w[keep]
        beta = np.linalg.solve((Z.T * u) @ Z + penalty * np.eye(X.shape[1]), (Z.T * u) @ v)
        error += w[i] * (y[i] - level - (X[i] - mean) @ beta) ** 2
    return error
