"""Intraclass correlations from the table of the analysis of variance, written out term by term."""

from __future__ import annotations

import math

from scipy.stats import f


def anova(rows):
    """Mean squares between subjects, within subjects and of the residual, from a list of lists."""
    rows = [row for row in rows if all(math.isfinite(v) for v in row)]
    n, k = len(rows), len(rows[0])
    grand = math.fsum(v for row in rows for v in row) / (n * k)
    subject = [math.fsum(row) / k for row in rows]
    repeat = [math.fsum(row[r] for row in rows) / n for r in range(k)]
    between = k * math.fsum((s - grand) ** 2 for s in subject)
    within = math.fsum((rows[i][r] - subject[i]) ** 2 for i in range(n) for r in range(k))
    error = math.fsum((rows[i][r] - subject[i] - repeat[r] + grand) ** 2 for i in range(n) for r in range(k))
    return n, k, between / (n - 1), within / (n * (k - 1)), error / ((n - 1) * (k - 1))


def _with_interval(between, error, df, df_error, k, level):
    tail = (1 + level) / 2
    ratio = between / error
    low, high = ratio / f.ppf(tail, df, df_error), ratio * f.ppf(tail, df_error, df)
    return [(r - 1) / (r + k - 1) for r in (ratio, low, high)]


def icc(rows, level=0.95):
    """ICC(1,1) and ICC(3,1), each as estimate, lower, upper."""
    n, k, between, within, error = anova(rows)
    return (
        _with_interval(between, within, n - 1, n * (k - 1), k, level),
        _with_interval(between, error, n - 1, (n - 1) * (k - 1), k, level),
    )
