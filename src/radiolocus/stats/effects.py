"""Effect of a treatment on everybody: balance, overlap weights, doubly robust scores, number needed to treat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtri

from radiolocus.errors import InputError
from radiolocus.model import Array
from radiolocus.stats.logistic import fit_logistic
from radiolocus.stats.proportion import wilson_limits

__all__ = [
    "Estimate",
    "doubly_robust_scores",
    "effective_size",
    "mean_estimate",
    "number_needed",
    "overlap_weighted",
    "rate_difference",
    "standardised_differences",
]


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error and normal 95 % interval, where no other interval is given.

    Parameters
    ----------
    estimate, standard_error, lower, upper : float
    n : int
        Subjects.
    """

    estimate: float
    standard_error: float
    lower: float
    upper: float
    n: int

    @classmethod
    def normal(cls, estimate: float, error: float, n: int, level: float = 0.95) -> Estimate:
        """With a normal interval."""
        half = float(ndtri(0.5 + level / 2)) * error
        return cls(estimate, error, estimate - half, estimate + half, n)


def mean_estimate(scores: npt.ArrayLike) -> Estimate:
    """Mean of independent scores.

    Raises
    ------
    InputError
        Fewer than two.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size < 2:
        raise InputError(f"{values.size} scores", allowed="at least two")
    return Estimate.normal(float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size)), values.size)


def rate_difference(treated: tuple[int, int], control: tuple[int, int], level: float = 0.95) -> Estimate:
    """Difference of two proportions, treated less control, with Newcombe's hybrid score interval.

    Parameters
    ----------
    treated, control : tuple of int
        Events and subjects.

    Raises
    ------
    InputError
        More events than subjects, or nobody.

    References
    ----------
    Newcombe, Stat Med 1998;17:873, method 10. Wilson, JASA 1927;22:209.
    """
    for events, n in (treated, control):
        if not 0 <= events <= n or n < 1:
            raise InputError(
                f"{events} events among {n} subjects", allowed="0 ≤ events ≤ subjects, at least one subject"
            )
    p, q = (events / n for events, n in (treated, control))
    (low, below), (high, above) = wilson_limits([p, q], [treated[1], control[1]], level)
    n = treated[1] + control[1]
    error = float(np.sqrt(p * (1 - p) / treated[1] + q * (1 - q) / control[1]))
    return Estimate(
        p - q,
        error,
        float(p - q - np.hypot(p - low, above - q)),
        float(p - q + np.hypot(high - p, q - below)),
        n,
    )


def standardised_differences(X: npt.ArrayLike, treated: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Array:
    """Standardised mean difference of each column, treated less control, in standard deviations.

    The denominator is that of the unweighted groups, √((s₁² + s₀²) / 2), before and after weighting, so that both can
    be compared. NaN entries are left out of their column; a column without spread has none (NaN).

    Parameters
    ----------
    X : array_like, shape (n, p)
    treated : array_like of bool, shape (n,)
    weight : array_like, shape (n,), optional

    Returns
    -------
    ndarray, shape (p,)

    References
    ----------
    Austin, Stat Med 2009;28:3083. Austin & Stuart, Stat Med 2015;34:3661.
    """
    matrix = np.asarray(X, dtype=np.float64)
    a = np.asarray(treated, dtype=bool)
    w = np.ones(a.size) if weight is None else np.asarray(weight, dtype=np.float64)
    out = np.full(matrix.shape[1], np.nan)
    for j, column in enumerate(matrix.T):
        here = np.isfinite(column)
        one, none = here & a, here & ~a
        if one.sum() < 2 or none.sum() < 2:
            continue
        spread = np.sqrt((column[one].var(ddof=1) + column[none].var(ddof=1)) / 2)
        gap = np.average(column[one], weights=w[one]) - np.average(column[none], weights=w[none])
        out[j] = gap / spread if spread > 0 else np.nan
    return out


def effective_size(weight: npt.ArrayLike) -> float:
    """Kish's effective sample size, (Σw)² / Σw²."""
    w = np.asarray(weight, dtype=np.float64)
    return float(w.sum() ** 2 / np.square(w).sum())


def overlap_weighted(outcome: npt.ArrayLike, treated: npt.ArrayLike, X: npt.ArrayLike) -> tuple[Estimate, Array]:
    """Effect of treatment among those who could have had either: overlap weights from a logistic propensity model.

    Treated subjects weigh 1 − e, controls e. With e from a logistic model by maximum likelihood the weighted means of
    all its columns are equal in both groups exactly. The standard error is the sandwich of the stacked estimating
    equations, which knows that e was estimated.

    Parameters
    ----------
    outcome : array_like, shape (n,)
    treated : array_like of bool, shape (n,)
    X : array_like, shape (n, p)
        Confounders, finite.

    Returns
    -------
    Estimate
        Weighted mean of the treated less that of the controls.
    ndarray, shape (n,)
        The weights.

    Raises
    ------
    FitError
        Treatment is told by the confounders (no overlap), or a column is constant or collinear.

    References
    ----------
    Li, Morgan & Zaslavsky, JASA 2018;113:390. Li, Thomas & Li, Am J Epidemiol 2019;188:250.
    """
    y, a = np.asarray(outcome, dtype=np.float64), np.asarray(treated, dtype=np.float64)
    columns = np.asarray(X, dtype=np.float64)
    n = y.size
    if columns.shape[1]:
        fit = fit_logistic(a, columns)
        e = expit(fit.intercept + columns @ fit.coefficient)
        scale = columns.std(axis=0)
        Z = np.column_stack([np.ones(n), (columns - columns.mean(axis=0)) / scale])
    else:
        e, Z = np.full(n, a.mean()), np.ones((n, 1))
    weight = np.where(a == 1, 1 - e, e)
    one = float((a * weight) @ y / (a * weight).sum())
    none = float(((1 - a) * weight) @ y / ((1 - a) * weight).sum())
    u1, u0 = a * weight * (y - one), (1 - a) * weight * (y - none)
    s = e * (1 - e)
    bread = np.linalg.solve((Z.T * s) @ Z, Z.T * (a - e)).T  # influence of each subject on the propensity model
    slope1 = -(Z.T @ (a * s * (y - one))) / (a * weight).sum()
    slope0 = (Z.T @ ((1 - a) * s * (y - none))) / ((1 - a) * weight).sum()
    influence = u1 / (a * weight).sum() - u0 / ((1 - a) * weight).sum() + bread @ (slope1 - slope0)
    return Estimate.normal(one - none, float(np.sqrt(influence @ influence)), n), weight


def doubly_robust_scores(
    outcome: npt.ArrayLike, treated: npt.ArrayLike, expected: tuple[Array, Array], propensity: npt.ArrayLike
) -> tuple[Array, Array]:
    """Augmented inverse-probability scores of each subject under control and under treatment.

    Their mean difference is the average effect when either the propensities or the expected outcomes are right; by
    subgroup, the effect in it. They are worth what out-of-fold `expected` and `propensity` are.

    Parameters
    ----------
    outcome : array_like, shape (n,)
    treated : array_like of bool, shape (n,)
    expected : tuple of ndarray, each shape (n,)
        Expected outcome under control and under treatment, predicted without the subject.
    propensity : array_like, shape (n,)
        Probability of treatment, between 0 and 1.

    Returns
    -------
    tuple of ndarray, each shape (n,)
        Under control, under treatment.

    References
    ----------
    Robins, Rotnitzky & Zhao, JASA 1994;89:846. Chernozhukov et al., Econom J 2018;21:C1.
    """
    y, a = np.asarray(outcome, dtype=np.float64), np.asarray(treated, dtype=np.float64)
    e = np.asarray(propensity, dtype=np.float64)
    if not np.all((e > 0) & (e < 1)):
        raise InputError("a propensity of 0 or 1", allowed="between 0 and 1, both excluded", todo="trim propensities")
    none, one = expected
    return none + (1 - a) * (y - none) / (1 - e), one + a * (y - one) / e


def number_needed(difference: Estimate) -> tuple[float, float, float]:
    """Number needed to treat for one more favourable outcome, with the interval that inverts that of the difference.

    Where the interval of the difference holds 0 the interval of the number needed runs through infinity (from benefit
    to harm): then `lower` is positive (benefit), `upper` negative (harm), and no number between them is in it.

    Returns
    -------
    number, lower, upper : float
        Negative: so many treated for one more unfavourable outcome. Infinite for a difference of 0.

    References
    ----------
    Altman, BMJ 1998;317:1309.
    """

    def inverse(value: float) -> float:
        return float("inf") if value == 0 else 1.0 / value

    return inverse(difference.estimate), inverse(difference.upper), inverse(difference.lower)
