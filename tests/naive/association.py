"""One regression at a time, intercept, covariates and variant in one design matrix."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student


class Fit(NamedTuple):
    beta: float
    error: float
    t: float
    neg_log_10_p: float
    n: int
    df: int
    frequency: float


def regress(genotype, phenotype, covariates, missing: str) -> Fit | None:
    """None where the regression is not defined; a missing genotype is the mean of all subjects that have one."""
    genotype = genotype.astype(float)
    mean = float(np.nanmean(genotype)) if not np.isnan(genotype).all() else math.nan
    known = ~np.isnan(phenotype)
    g, y, c = genotype[known], phenotype[known], covariates[known]
    if np.isnan(g).all():
        return None
    frequency = float(np.nanmean(g)) / 2
    if missing == "drop":
        there = ~np.isnan(g)
        g, y, c = g[there], y[there], c[there]
    else:
        g = np.where(np.isnan(g), mean, g)
    others = np.column_stack([np.ones(len(y)), c])
    design = np.column_stack([others, g])
    df = len(y) - design.shape[1]
    if df < 1 or np.linalg.matrix_rank(design, tol=1e-8) < design.shape[1]:
        return None
    spread = np.linalg.norm(y - y.mean())
    if np.linalg.norm(y - others @ np.linalg.lstsq(others, y, rcond=None)[0]) <= 1e-7 * spread + 1e-12:
        return None
    coefficient = np.linalg.lstsq(design, y, rcond=None)[0]
    rest = y - design @ coefficient
    if np.linalg.norm(rest) < 1e-9 * spread:
        return None
    variance = rest @ rest / df * np.linalg.inv(design.T @ design)[-1, -1]
    t = coefficient[-1] / math.sqrt(variance)
    log_p = -(student.logsf(abs(t), df) + math.log(2)) / math.log(10)
    return Fit(coefficient[-1], math.sqrt(variance), t, log_p, len(y), df, frequency)
