"""Logistic regression penalised by Jeffreys' prior: finite also where the classes are separated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from radiolocus.errors import FitError
from radiolocus.kernels.firth import CONVERGED, fit_logit
from radiolocus.model import Array
from radiolocus.stats.logistic import binary_labels
from radiolocus.stats.newton import standardise
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal

__all__ = ["FirthFit", "firth_block_test", "fit_firth"]


@dataclass(frozen=True, eq=False)
class FirthFit:
    """A logistic model fitted by Firth's penalised likelihood.

    Parameters
    ----------
    coefficient : ndarray, shape (p,)
        Log odds ratio per unit of each column.
    intercept : float
    covariance : ndarray, shape (p + 1, p + 1)
        Inverse information at the estimate, of the columns and, last, the intercept.
    likelihood_ratio : ndarray, shape (p,)
        Penalised likelihood-ratio statistic of each column, χ² with one degree of freedom; the penalty of the model
        without the column is that of the whole design.
    penalised_loglik : float
        Log-likelihood plus half the log determinant of the information of the columns as given.
    n, events : int
    """

    coefficient: Array
    intercept: float
    covariance: Array
    likelihood_ratio: Array
    penalised_loglik: float
    n: int
    events: int

    @property
    def standard_error(self) -> Array:
        """Standard error of each coefficient, without the intercept, shape (p,)."""
        return np.sqrt(np.diag(self.covariance)[:-1])

    @property
    def neg_log10_p(self) -> Array:
        """−log10 of the p-value of the penalised likelihood ratio of each column, shape (p,)."""
        return neg_log10_p_chi2(self.likelihood_ratio, 1)

    @property
    def neg_log10_p_wald(self) -> Array:
        """−log10 of the two-sided Wald p-value of each column, shape (p,)."""
        return neg_log10_p_normal(self.coefficient / self.standard_error)


def fit_firth(label: npt.ArrayLike, X: npt.ArrayLike, *, names: Sequence[str] | None = None) -> FirthFit:
    """Fit a logistic model with intercept by Firth's penalised likelihood.

    Parameters
    ----------
    label : array_like, shape (n,)
        1 or True for the positive class.
    X : array_like, shape (n, p) or (n,)
        Covariates, finite.
    names : sequence of str, optional
        Column names for messages.

    Returns
    -------
    FirthFit

    Raises
    ------
    InputError
        Unusable labels or covariates.
    FitError
        One class, a constant or collinear column, or no convergence.

    References
    ----------
    Firth, Biometrika 1993;80:27. Heinze & Schemper, Statistics in Medicine 2002;21:2409.
    """
    labels = binary_labels(label)
    positives = int(labels.sum())
    if positives in (0, labels.size):
        raise FitError(f"{positives} positives among {labels.size} subjects: one class only", allowed="both classes")
    design = standardise(X, labels.size, names)
    y, p = labels.astype(np.float64), design.Z.shape[1]
    full = np.ascontiguousarray(np.column_stack([design.Z, np.ones(labels.size)]))
    beta, value = _maximum(full, y, p + 1, "all columns")
    ratios = np.empty(p)
    for j in range(p):
        order = np.append(np.delete(np.arange(p + 1), j), j)
        ratios[j] = 2.0 * (value - _maximum(np.ascontiguousarray(full[:, order]), y, p, design.names[j])[1])
    probability = expit(full @ beta)
    information = (full.T * (probability * (1.0 - probability))) @ full
    # Back from standardised columns: beta_j = gamma_j / scale_j, intercept = gamma_0 − Σ beta_j mean_j.
    back = np.diag(np.append(1.0 / design.scale, 1.0))
    back[-1, :-1] = -design.mean / design.scale
    found = back @ beta
    return FirthFit(
        found[:-1],
        float(found[-1]),
        back @ np.linalg.inv(information) @ back.T,
        np.maximum(ratios, 0.0),
        value + float(np.log(design.scale).sum()),
        labels.size,
        positives,
    )


def _maximum(x: Array, y: Array, free: int, what: str) -> tuple[Array, float]:
    beta, told = np.zeros(x.shape[1]), np.zeros(2)
    if fit_logit(x, y, free, True, beta, told) != CONVERGED:
        raise FitError(
            f"Firth's penalised likelihood found no maximum ({what})",
            todo="leave out columns that are nearly collinear",
        )
    return beta, float(told[0])


def firth_block_test(label: npt.ArrayLike, kept: npt.ArrayLike, tested: npt.ArrayLike) -> float:
    """Penalised likelihood-ratio statistic of several columns at once, χ² with as many degrees of freedom.

    The penalty of the model without them is that of the whole design, as for single columns.

    Parameters
    ----------
    label : array_like, shape (n,)
    kept : array_like, shape (n, p)
        Columns of both models.
    tested : array_like, shape (n, q)

    Raises
    ------
    InputError, FitError
        As :func:`fit_firth`.
    """
    labels = binary_labels(label)
    first = np.asarray(kept, dtype=np.float64)
    design = standardise(np.column_stack([first, tested]), labels.size)
    p = first.shape[1]
    full = np.ascontiguousarray(np.column_stack([np.ones(labels.size), design.Z]))
    y = labels.astype(np.float64)
    whole = _maximum(full, y, full.shape[1], "all columns")[1]
    return max(2.0 * (whole - _maximum(full, y, p + 1, "the model without the tested columns")[1]), 0.0)
