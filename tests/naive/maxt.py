"""The slow, obvious twin of `radiolocus.stats.maxt`: one pair, one permutation at a time, from the definitions."""

import math

import numpy as np


def residual(y, design):
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


def z_of(r, df):
    return math.sqrt(-(df - 0.5) * math.log(1 - r * r))


def statistic(e, v, design):
    """|z| of a pair; `e` are residuals of the feature, which are taken off the covariates again, `v` of the marker."""
    both = ~np.isnan(e) & ~np.isnan(v)
    e = residual(e, design) if both.all() else e
    r = np.corrcoef(e[both], v[both])[0, 1]
    return z_of(r, both.sum() - 1 - design.shape[1])


def own_residual(y, design):
    there = ~np.isnan(y)
    out = np.full(len(y), np.nan)
    out[there] = residual(y[there], design[there])
    return out


def max_t(F, M, covariates, orders, groups):
    """Counts by pair alone and step-down; `groups` gives the hypotheses (feature, marker) of every family."""
    design = np.column_stack([np.ones(len(F)), *covariates])
    E = [own_residual(f, design) for f in F.T]
    V = [own_residual(m, design) for m in M.T]
    observed = {(i, j): statistic(e, v, design) for i, e in enumerate(E) for j, v in enumerate(V)}
    alone = dict.fromkeys(observed, 0)
    stepped = dict.fromkeys(observed, 0)
    for order in orders:
        permuted = {(i, j): statistic(e[order], v, design) for i, e in enumerate(E) for j, v in enumerate(V)}
        for pair in observed:
            alone[pair] += permuted[pair] >= observed[pair] * (1 - 4e-6)
        for pairs in groups:
            ranked = sorted(pairs, key=lambda pair: -observed[pair])
            for k, pair in enumerate(ranked):
                stepped[pair] += max(permuted[other] for other in ranked[k:]) >= observed[pair] * (1 - 4e-6)
    for pairs in groups:
        worst = 0
        for pair in sorted(pairs, key=lambda pair: -observed[pair]):
            worst = stepped[pair] = max(worst, stepped[pair])
    return observed, alone, stepped
