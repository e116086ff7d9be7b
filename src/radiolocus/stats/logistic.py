"""Unpenalised logistic regression by iteratively reweighted least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import FitError, InputError
from radiolocus.kernels import logistic as kernels
from radiolocus.model import Array, BoolArray
from radiolocus.stats.batch import Batch
from radiolocus.stats.newton import maximise, standardise
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal

__all__ = ["LogisticBatch", "LogisticFit", "binary_labels", "fit_logistic", "logistic_univariate_batch"]


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A fitted logistic model.

    Parameters
    ----------
    coefficient : ndarray, shape (p,)
        Log odds ratio per unit of each column.
    intercept : float
    covariance : ndarray, shape (p + 1, p + 1)
        Of the columns and, last, the intercept.
    loglik, loglik_null : float
        At the estimate and with the intercept alone.
    score_statistic : float
        Score test of all columns, χ² with p degrees of freedom.
    iterations : int
    n, events : int
        Patients and positives.
    """

    coefficient: Array
    intercept: float
    covariance: Array
    loglik: float
    loglik_null: float
    score_statistic: float
    iterations: int
    n: int
    events: int

    @property
    def standard_error(self) -> Array:
        """Standard error of each coefficient, without the intercept, shape (p,)."""
        return np.sqrt(np.diag(self.covariance)[:-1])

    @property
    def statistic(self) -> Array:
        """Wald z of each coefficient, shape (p,)."""
        return self.coefficient / self.standard_error

    @property
    def neg_log10_p(self) -> Array:
        """−log10 of the two-sided Wald p-value of each coefficient, shape (p,)."""
        return np.asarray(neg_log10_p_normal(self.statistic))

    @property
    def likelihood_ratio(self) -> float:
        """Likelihood-ratio statistic of all columns, χ² with p degrees of freedom."""
        return 2.0 * (self.loglik - self.loglik_null)

    @property
    def neg_log10_p_test(self) -> float:
        """−log10 p-value of the likelihood-ratio test of all columns."""
        return float(neg_log10_p_chi2(self.likelihood_ratio, self.coefficient.size))


def binary_labels(label: npt.ArrayLike) -> BoolArray:
    """Labels as flags.

    Raises
    ------
    InputError
        Not a vector, or a value other than 0 and 1.
    """
    labels = np.asarray(label)
    if labels.ndim != 1 or labels.size == 0:
        raise InputError(f"labels of shape {labels.shape}", allowed="a vector with at least one entry")
    if labels.dtype == np.bool_:
        return labels
    numbers = labels.astype(np.float64)
    bad = np.flatnonzero((numbers != 0) & (numbers != 1))
    if bad.size:
        raise InputError(
            f"label {labels[bad[0]]}",
            where=f"index {bad[0]} ({bad.size} such)",
            allowed="0 or 1, False or True",
            todo="recode the column; 1/2 coding is not guessed",
        )
    return np.asarray(numbers == 1)


def fit_logistic(label: npt.ArrayLike, X: npt.ArrayLike, *, names: Sequence[str] | None = None) -> LogisticFit:
    """Fit a logistic model with intercept by maximum likelihood.

    Parameters
    ----------
    label : array_like, shape (n,)
        1 or True for the positive class.
    X : array_like, shape (n, p) or (n,)
        Covariates, finite. They are standardised inside; coefficients are per unit of the columns as given.
    names : sequence of str, optional
        Column names for messages.

    Raises
    ------
    InputError
        Unusable labels or covariates; names the first place.
    FitError
        One class, a constant or collinear column, or complete or quasi-complete separation, with the column's name.

    References
    ----------
    McCullagh & Nelder, *Generalized Linear Models*, 1989. Separation: Albert & Anderson, Biometrika 1984;71:1.
    """
    labels = binary_labels(label)
    positives = int(labels.sum())
    if positives in (0, labels.size):
        raise FitError(f"{positives} positives among {labels.size} patients: one class only", allowed="both classes")
    design = standardise(X, labels.size, names)
    full = np.column_stack([design.Z, np.ones(labels.size)])
    y = labels.astype(np.float64)

    def evaluate(beta: Array) -> tuple[float, Array, Array]:
        eta = full @ beta
        probability = special.expit(eta)
        weight = probability * special.expit(-eta)
        loglik = float(y @ eta - np.logaddexp(0.0, eta).sum())
        return loglik, full.T @ (y - probability), (full.T * weight) @ full

    start = np.zeros(full.shape[1])
    start[-1] = special.logit(positives / labels.size)
    found = maximise(evaluate, start, full, (*design.names, "intercept"), "separation")
    # Back from standardised columns: beta_j = gamma_j / scale_j, intercept = gamma_0 − Σ beta_j mean_j.
    back = np.diag(np.append(1.0 / design.scale, 1.0))
    back[-1, :-1] = -design.mean / design.scale
    beta = back @ found.beta
    return LogisticFit(
        beta[:-1],
        float(beta[-1]),
        back @ np.linalg.inv(found.information) @ back.T,
        found.loglik,
        found.loglik_start,
        found.score_statistic,
        found.iterations,
        labels.size,
        positives,
    )


@dataclass(frozen=True, eq=False)
class LogisticBatch(Batch):
    """Univariate logistic models of many columns; see :class:`radiolocus.stats.batch.Batch`.

    Parameters
    ----------
    intercept : ndarray, shape (p,)
        NaN where no model could be fitted.
    """

    reasons: ClassVar[Mapping[int, str]] = {
        kernels.FITTED: "",
        kernels.CONSTANT: "constant",
        kernels.ONE_CLASS: "one class only",
        kernels.SEPARATED: "separation: the values of the two classes do not overlap",
        kernels.NOT_CONVERGED: "Newton–Raphson did not converge",
    }

    intercept: Array


def logistic_univariate_batch(label: npt.ArrayLike, X: npt.ArrayLike) -> LogisticBatch:
    """Fit one univariate logistic model (with intercept) a column of `X`.

    Parameters
    ----------
    label : array_like, shape (n,)
        1 or True for the positive class.
    X : array_like, shape (n, p)
        Each column is fitted on the patients in whom it is not NaN. Infinite values are refused.

    Returns
    -------
    LogisticBatch
        A column that cannot be fitted is NaN with its reason; it never ends the batch. Separation is found exactly,
        before any iteration.

    Raises
    ------
    InputError
        Unusable labels, wrong shape, infinite values.
    """
    labels = binary_labels(label)
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != labels.size:
        raise InputError(f"a design of shape {matrix.shape} for {labels.size} patients", allowed=f"({labels.size}, p)")
    infinite = np.argwhere(np.isinf(matrix))
    if infinite.size:
        i, j = infinite[0]
        raise InputError(
            f"value {matrix[i, j]}",
            where=f"row {i}, column {j} ({len(infinite)} such)",
            allowed="finite numbers or NaN",
        )
    p = matrix.shape[1]
    result = np.full((p, 6), np.nan)
    counts, status = np.zeros((p, 2), np.int64), np.zeros(p, np.int64)
    kernels.logistic_batch(np.ascontiguousarray(matrix.T), labels, result, counts, status)
    intercept, beta, error, loglik, null, score = np.ascontiguousarray(result.T)
    used, positives = np.ascontiguousarray(counts.T)
    return LogisticBatch(beta, error, loglik, null, score, used, positives, status, intercept)
