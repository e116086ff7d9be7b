"""ROC and precision–recall of a class: DeLong's variance and paired test, average precision with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.concordance import check_classes
from radiolocus.stats.correlation import average_ranks
from radiolocus.stats.resampling import bootstrap_weights
from radiolocus.stats.tail import neg_log10_p_normal

__all__ = [
    "AveragePrecision",
    "DeLong",
    "DeLongTest",
    "average_precision",
    "average_precision_bootstrap",
    "delong",
    "delong_paired",
]


@dataclass(frozen=True)
class DeLong:
    """Area under the ROC curve with DeLong's interval.

    Parameters
    ----------
    estimate, standard_error : float
    lower, upper : float
        Wald interval cut to [0, 1]; NaN where the estimate is 0 or 1, which has variance zero and no such interval.
    level : float
    """

    estimate: float
    standard_error: float
    lower: float
    upper: float
    level: float


@dataclass(frozen=True)
class DeLongTest:
    """Two areas under ROC curves of the same patients.

    Parameters
    ----------
    first, second : float
    difference, standard_error : float
        First less second.
    statistic, neg_log10_p : float
        z and −log10 of its two-sided p-value.
    lower, upper : float
        Wald interval of the difference.
    level : float
    """

    first: float
    second: float
    difference: float
    standard_error: float
    statistic: float
    neg_log10_p: float
    lower: float
    upper: float
    level: float


@dataclass(frozen=True)
class AveragePrecision:
    """Area under the precision–recall curve.

    Parameters
    ----------
    estimate : float
        Precision averaged over the positives, by steps; chance has the share of positives.
    lower, upper : float
        Logit interval (Boyd et al. 2013); NaN where the estimate is 1.
    prevalence : float
        Share of positives.
    level : float
    """

    estimate: float
    lower: float
    upper: float
    prevalence: float
    level: float


def _quantile(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise InputError(f"an interval of level {level}", allowed="between 0 and 1, both excluded")
    return float(special.ndtri((1 + level) / 2))


def _components(label: npt.NDArray[np.bool_], score: Array) -> tuple[float, Array, Array]:
    """AUC, and the share of negatives below each positive and of positives above each negative (ties one half)."""
    ranks = average_ranks(score)
    positives, negatives = int(label.sum()), int((~label).sum())
    below = (ranks[label] - average_ranks(score[label])) / negatives
    above = 1.0 - (ranks[~label] - average_ranks(score[~label])) / positives
    return float(below.mean()), below, above


def _covariance(below: Array, above: Array) -> Array:
    """DeLong's covariance of AUCs from their components, shape (scores, patients of a class) each."""
    if below.shape[1] < 2 or above.shape[1] < 2:
        raise UndefinedError(
            f"{below.shape[1]} positives and {above.shape[1]} negatives",
            allowed="at least two of each class for DeLong's variance",
        )
    return np.asarray(np.atleast_2d(np.cov(below)) / below.shape[1] + np.atleast_2d(np.cov(above)) / above.shape[1])


def delong(label: npt.ArrayLike, score: npt.ArrayLike, *, level: float = 0.95) -> DeLong:
    """Area under the ROC curve with DeLong's variance, in O(n log n).

    Parameters
    ----------
    label : array_like, shape (n,)
        0 or 1.
    score : array_like, shape (n,)
        Higher means positive is expected.
    level : float

    Raises
    ------
    InputError
        Unusable labels, scores or level.
    UndefinedError
        Fewer than two of a class.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson, Biometrics 1988;44:837. Sun & Xu, IEEE Signal Process Lett 2014;21:1389.
    """
    z = _quantile(level)
    labels, scores = check_classes(label, score)
    estimate, below, above = _components(labels, scores)
    error = float(np.sqrt(_covariance(below[None], above[None])[0, 0]))
    if estimate in (0.0, 1.0):
        return DeLong(estimate, error, np.nan, np.nan, level)
    return DeLong(estimate, error, max(0.0, estimate - z * error), min(1.0, estimate + z * error), level)


def delong_paired(
    label: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95
) -> DeLongTest:
    """Compare the areas under the ROC curves of two scores of the same patients.

    Two nested models judged on the patients that they were fitted to are not what this test is for: it is then far too
    conservative (Demler et al. 2012). Judge scores of patients that were held out.

    Parameters
    ----------
    label, first, second : array_like, shape (n,)
    level : float

    Raises
    ------
    InputError
        Unusable labels, scores or level.
    UndefinedError
        Fewer than two of a class, or scores that rank the patients alike, so that the difference has no variance.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson, Biometrics 1988;44:837. Demler, Pencina & D'Agostino, Stat Med 2012;31:2577.
    """
    z = _quantile(level)
    labels, one = check_classes(label, first)
    _, two = check_classes(label, second)
    a, b = _components(labels, one), _components(labels, two)
    covariance = _covariance(np.stack([a[1], b[1]]), np.stack([a[2], b[2]]))
    difference = a[0] - b[0]
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= 1e-15:
        raise UndefinedError(
            "two scores whose AUCs differ without variance", allowed="scores that rank the patients differently"
        )
    error = variance**0.5
    return DeLongTest(
        a[0],
        b[0],
        difference,
        error,
        difference / error,
        float(neg_log10_p_normal(difference / error)),
        difference - z * error,
        difference + z * error,
        level,
    )


def _precision(positive: Array, negative: Array, score: Array) -> Array:
    """Average precision of each row of weights of the positives and negatives, shape (draws, n) each."""
    order = np.argsort(-score, kind="stable")
    sorted_score = score[order]
    first = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    gained = np.add.reduceat(positive[:, order], first, axis=1)
    found = np.cumsum(gained, axis=1)
    called = found + np.cumsum(np.add.reduceat(negative[:, order], first, axis=1), axis=1)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    return np.asarray((gained * precision).sum(axis=1) / found[:, -1])


def average_precision(label: npt.ArrayLike, score: npt.ArrayLike, *, level: float = 0.95) -> AveragePrecision:
    """Area under the precision–recall curve as average precision: steps, no interpolation; ties enter together.

    Parameters
    ----------
    label, score : array_like, shape (n,)
    level : float

    Raises
    ------
    InputError
        Unusable labels, scores or level.
    UndefinedError
        One class only.

    References
    ----------
    Boyd, Eng & Page, ECML PKDD 2013, LNCS 8190:451 (the logit interval). Davis & Goadrich, ICML 2006 (why not to
    interpolate linearly).
    """
    z = _quantile(level)
    labels, scores = check_classes(label, score)
    flags = labels[None].astype(np.float64)
    estimate = float(_precision(flags, 1.0 - flags, scores)[0])
    prevalence = float(labels.mean())
    if estimate >= 1.0:
        return AveragePrecision(estimate, np.nan, np.nan, prevalence, level)
    width = z / np.sqrt(labels.sum() * estimate * (1 - estimate))
    lower, upper = special.expit(special.logit(estimate) + np.array([-width, width]))
    return AveragePrecision(estimate, float(lower), float(upper), prevalence, level)


def average_precision_bootstrap(label: npt.ArrayLike, score: npt.ArrayLike, draws: int = 1000, seed: int = 0) -> Array:
    """Average precision in bootstrap draws, by weights, positives and negatives resampled among themselves.

    Returns
    -------
    ndarray, shape (draws,)
    """
    labels, scores = check_classes(label, score)
    blocks = [
        _precision((weights * labels).astype(np.float64), (weights * ~labels).astype(np.float64), scores)
        for weights in bootstrap_weights(labels.size, draws, seed, stratum=labels)
    ]
    return np.concatenate(blocks)
