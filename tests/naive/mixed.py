"""Linear mixed model with whole matrices, and stacked ridge regression with one solve at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar


class Wald(NamedTuple):
    ratio: float
    beta: float
    error: float
    t: float
    log_likelihood: float


def relationship(dosage, standardised=False):
    """GRM of variants × subjects, missing genotypes at the mean."""
    n = dosage.shape[1]
    total, count = np.zeros((n, n)), 0
    for row in dosage.astype(float):
        mean = np.nanmean(row)
        z = np.where(np.isnan(row), 0.0, row - mean)
        if standardised:
            z = z / np.sqrt(mean * (1 - mean / 2))
        total += np.outer(z, z)
        count += 1
    return total / count


def restricted(y, design, relation, ratio):
    """Restricted log-likelihood at the best residual variance, with coefficients and their covariance."""
    n, k = design.shape
    v = ratio * relation + np.eye(n)
    inverse = np.linalg.inv(v)
    information = design.T @ inverse @ design
    coefficients = np.linalg.solve(information, design.T @ inverse @ y)
    rest = y - design @ coefficients
    variance = rest @ inverse @ rest / (n - k)
    value = -0.5 * (
        (n - k) * np.log(2 * np.pi * variance)
        + np.linalg.slogdet(v)[1]
        + np.linalg.slogdet(information)[1]
        - np.linalg.slogdet(design.T @ design)[1]
        + (n - k)
    )
    return value, coefficients, variance * np.linalg.inv(information)


def best(y, design, relation):
    """Ratio of the largest restricted likelihood in [1e-5, 1e5]: every bracket of a fine grid, and both ends."""
    grid = np.linspace(np.log(1e-5), np.log(1e5), 101)

    def loss(place):
        return -restricted(y, design, relation, np.exp(place))[0]

    values = [loss(place) for place in grid]
    found = [(values[0], grid[0]), (values[-1], grid[-1])]
    for i in range(1, len(grid) - 1):
        if values[i] <= values[i - 1] and values[i] <= values[i + 1]:
            fit = minimize_scalar(loss, bounds=(grid[i - 1], grid[i + 1]), method="bounded", options={"xatol": 1e-9})
            found.append((fit.fun, fit.x))
    return float(np.exp(min(found)[1]))


def wald(y, covariates, x, relation, ratio=None):
    """Test of the last column; the ratio is estimated with it where none is given."""
    columns = [np.ones(len(y)), *covariates.T] + ([] if x is None else [x])
    design = np.column_stack(columns)
    if ratio is None:
        ratio = best(y, design, relation)
    value, coefficients, covariance = restricted(y, design, relation, ratio)
    error = np.sqrt(covariance[-1, -1])
    return Wald(ratio, coefficients[-1], error, coefficients[-1] / error, value)


def ridge(features, y, penalty):
    return np.linalg.solve(features @ features.T + penalty * np.eye(len(features)), features @ y)


def stacked(blocks, places, y, covariates, folds, chromosomes):
    """Predictions of the residuals, of unit length, without each chromosome (chromosomes × n); cross-validated R²."""
    n = len(y)
    design = np.column_stack([np.ones(n), covariates])
    hat = design @ np.linalg.pinv(design)
    y = y - hat @ y
    y = y / np.linalg.norm(y)
    total = sum(len(block) for block in blocks)
    explained = (0.01, 0.25, 0.5, 0.75, 0.99)
    level = []
    for block in blocks:
        z = []
        for row in block.astype(float):
            x = np.where(np.isnan(row), np.nanmean(row), row)
            x = x - hat @ x
            z.append(x / np.sqrt((x**2).mean()))
        z = np.array(z)
        for h in explained:
            out = np.empty(n)
            for fold in folds:
                rest = np.setdiff1d(np.arange(n), fold)
                out[fold] = z[:, fold].T @ ridge(z[:, rest], y[rest], total * (1 - h) / h)
            level.append((out - out.mean()) / out.std())
    level = np.array(level)
    place = np.repeat(places, len(explained))
    results = []
    for h in explained:
        offsets, whole = np.empty((len(chromosomes), n)), np.empty(n)
        for fold in folds:
            rest = np.setdiff1d(np.arange(n), fold)
            a = ridge(level[:, rest], y[rest], len(level) * (1 - h) / h)
            whole[fold] = level[:, fold].T @ a
            for c, chromosome in enumerate(chromosomes):
                others = place != chromosome
                offsets[c, fold] = level[others][:, fold].T @ a[others]
        results.append((((y - whole) ** 2).sum(), offsets))
    loss, offsets = min(results, key=lambda found: found[0])
    return offsets, 1 - loss
