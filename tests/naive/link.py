"""The slow, obvious twin of `radiolocus.associate.link`: one pair at a time, from the definitions."""

import math

import numpy as np
from scipy import stats


def ranks(x):
    """Mean of the places that a value could take in the sorted row: smaller ones, and half of the equal ones."""
    return np.array([sum(b < a for b in x) + (1 + sum(b == a for b in x)) / 2 for a in x])


def regress(y, x, covariates):
    """Coefficient, standard error and degrees of freedom of x in y ~ 1 + covariates + x."""
    design = np.column_stack([np.ones(len(y)), *covariates, x])
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    df = len(y) - np.linalg.matrix_rank(design)
    residual = y - design @ coefficients
    covariance = (residual @ residual / df) * np.linalg.pinv(design.T @ design)
    return coefficients[-1], math.sqrt(covariance[-1, -1]), df


def partial(y, x, covariates):
    """Correlation of what covariates leave of y and of x."""
    design = np.column_stack([np.ones(len(y)), *covariates])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (y, x)]
    return np.corrcoef(*left)[0, 1]


def linear(y, x, covariates, binary):
    beta, error, df = regress(y, x, covariates)
    scale = (1.0 if binary else np.std(x, ddof=1)) / np.std(y, ddof=1)
    t = beta / error
    return {
        "estimate": beta * scale,
        "standard_error": error * scale,
        "statistic": t,
        "p": 2 * stats.t.sf(abs(t), df),
        "correlation": partial(y, x, covariates),
    }


def rank_sum(y, x):
    with_it, without = y[x == 1], y[x == 0]
    wins = sum(float(a > b) - float(a < b) for a in with_it for b in without)
    pairs = len(with_it) * len(without)
    n = len(y)
    ties = sum(t**3 - t for t in np.unique(y, return_counts=True)[1])
    variance = pairs / 12 * ((n + 1) - ties / (n * (n - 1)))
    gap = wins / 2
    z = math.copysign(max(abs(gap) - 0.5, 0), gap) / math.sqrt(variance)
    return {
        "estimate": wins / pairs,
        "standard_error": None,
        "statistic": z,
        "p": 2 * stats.norm.sf(abs(z)),
        "correlation": np.corrcoef(ranks(y), x)[0, 1],
    }


def spearman(y, x, covariates):
    covariates = [ranks(c) for c in covariates]
    r = partial(ranks(y), ranks(x), covariates)
    df = len(y) - 1 - np.linalg.matrix_rank(np.column_stack([np.ones(len(y)), *covariates]))
    error = math.sqrt((1 - r * r) / df)
    return {
        "estimate": r,
        "standard_error": error,
        "statistic": r / error,
        "p": 2 * stats.t.sf(abs(r / error), df),
        "correlation": r,
    }


def link(features, markers, binary, covariates, *, binary_test, continuous_test, min_n, min_group):
    """Tests by (feature, marker), each with n; arrays by name, NaN where missing."""
    out = {}
    for f, y in features.items():
        for m, x in markers.items():
            keep = [i for i in range(len(y)) if all(np.isfinite(v[i]) for v in (y, x, *covariates.values()))]
            a, b = y[keep], x[keep]
            Z = [c[keep] for c in covariates.values()]
            if len(keep) < min_n or len(set(a)) < 2 or len(set(b)) < 2:
                continue
            if binary[m] and min(sum(b == 1), sum(b == 0)) < min_group:
                continue
            test = binary_test if binary[m] else continuous_test
            if test == "linear":
                found = linear(a, b, Z, binary[m])
            elif binary[m] and not Z:
                found = rank_sum(a, b)
            else:
                found = spearman(a, b, Z)
            out[f, m] = {**found, "n": len(keep)}
    return out
