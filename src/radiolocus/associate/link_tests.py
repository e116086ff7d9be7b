"""The tests of links that are no matrix product of residuals: logistic, ordinal, and intervals of ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtri, stdtrit

from radiolocus.errors import FitError
from radiolocus.kernels.firth import CONVERGED, SEPARATED, fit_pairs
from radiolocus.model import Array, BoolArray
from radiolocus.stats.ordinal import fit_ordinal
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = [
    "Fits",
    "biserial_interval",
    "logistic_links",
    "normal_interval",
    "ordinal_links",
    "rho_interval",
    "t_interval",
]

LEVEL = 0.95
_Z = float(ndtri(0.5 + LEVEL / 2.0))


@dataclass(frozen=True, eq=False)
class Fits:
    """One model a feature, arrays of shape (p,); NaN where it could not be fitted.

    Parameters
    ----------
    estimate, error : ndarray
        Log odds ratio per standard deviation of the feature, and its standard error.
    statistic : ndarray
        Signed square root of the likelihood ratio.
    tail : ndarray
        −log10 p of the likelihood ratio.
    firth : ndarray of bool
        Whether the likelihood was penalised.
    """

    estimate: Array
    error: Array
    statistic: Array
    tail: Array
    firth: BoolArray


def _fits(beta: Array, error: Array, ratio: Array, firth: BoolArray) -> Fits:
    return Fits(beta, error, np.sign(beta) * np.sqrt(ratio), neg_log10_p_chi2(ratio, 1), firth)


def _scaled(F: Array) -> Array:
    spread = F.std(axis=0, ddof=1)
    return np.asarray(np.divide(F - F.mean(axis=0), spread, out=np.zeros_like(F), where=spread > 0))


def logistic_links(marker: Array, F: Array, basis: Array) -> Fits:
    """Regress a binary marker on covariates and one feature after the other, by logistic regression.

    Parameters
    ----------
    marker : ndarray, shape (n,)
        0 or 1.
    F : ndarray, shape (n, p)
    basis : ndarray, shape (n, r)
        Orthonormal basis of intercept and covariates.

    Returns
    -------
    Fits
        By maximum likelihood, or by Firth's penalised likelihood where the classes are separated.
    """
    n = len(marker)
    X = np.ascontiguousarray(_scaled(F).T)
    frame = np.ascontiguousarray(basis * np.sqrt(n))
    y = np.ascontiguousarray(marker, dtype=np.float64)
    start = np.zeros(frame.shape[1])
    result, status = np.full((len(X), 3), np.nan), np.zeros(len(X), np.int64)
    fit_pairs(frame, y, X, start, False, True, result, status)
    firth = status == SEPARATED
    if firth.any():
        again, now = np.full((int(firth.sum()), 3), np.nan), np.zeros(int(firth.sum()), np.int64)
        fit_pairs(frame, y, np.ascontiguousarray(X[firth]), start, True, True, again, now)
        result[firth], status[firth] = again, now
    result[status != CONVERGED] = np.nan
    return _fits(result[:, 0], result[:, 1], result[:, 2], firth)


def ordinal_links(marker: Array, F: Array, basis: Array) -> Fits:
    """Regress an ordinal marker on covariates and one feature after the other, by proportional odds.

    Parameters
    ----------
    marker : ndarray, shape (n,)
        Classes as whole numbers; a higher odds of a higher class is a positive estimate.
    F : ndarray, shape (n, p)
    basis : ndarray, shape (n, r)

    Returns
    -------
    Fits
        NaN where the classes are separated: there is no estimate.
    """
    values, codes, sizes = np.unique(marker, return_inverse=True, return_counts=True)
    classes, p = values.size, F.shape[1]
    out = np.full((p, 3), np.nan)
    if classes > 1:
        Z, X = basis[:, 1:], _scaled(F)
        null = float((sizes * np.log(sizes / len(marker))).sum())
        try:
            null = fit_ordinal(codes, Z, classes).loglik if Z.shape[1] else null
            for j in range(p):
                out[j] = _ordinal(codes.astype(np.intp), X[:, j], Z, classes, null)
        except FitError:  # the covariates alone separate the classes: no model can be fitted
            pass
    return _fits(out[:, 0], out[:, 1], out[:, 2], np.zeros(p, dtype=bool))


def _ordinal(codes: npt.NDArray[np.intp], x: Array, Z: Array, classes: int, null: float) -> tuple[float, float, float]:
    try:
        fit = fit_ordinal(codes, np.column_stack([x, Z]), classes)
    except FitError:
        return float("nan"), float("nan"), float("nan")
    return float(fit.coefficient[0]), float(np.sqrt(fit.covariance[0, 0])), max(2.0 * (fit.loglik - null), 0.0)


def t_interval(estimate: Array, error: Array, df: int) -> tuple[Array, Array]:
    """95 % interval by Student's t."""
    half = float(stdtrit(df, 0.5 + LEVEL / 2.0)) * error
    return estimate - half, estimate + half


def normal_interval(estimate: Array, error: Array) -> tuple[Array, Array]:
    """95 % interval by the normal distribution (Wald)."""
    return estimate - _Z * error, estimate + _Z * error


def rho_interval(rho: Array, df: int) -> tuple[Array, Array]:
    """95 % interval of a (partial) rank correlation by Fisher's z.

    Variance (1 + ρ²/2) / (df − 1) of Bonett & Wright 2000, doi:10.1007/BF02294183, with df = n − 2 − k.
    """
    z = np.arctanh(np.clip(rho, -1.0 + 1e-15, 1.0 - 1e-15))
    half = _Z * np.sqrt((1.0 + rho**2 / 2.0) / max(df - 1, 1))
    return np.tanh(z - half), np.tanh(z + half)


def biserial_interval(biserial: Array, present: Array, absent: Array) -> tuple[Array, Array]:
    """95 % interval of a rank-biserial correlation, 2 AUC − 1.

    The standard error of the AUC by Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747, on its logit.
    """
    auc = np.clip((biserial + 1.0) / 2.0, 1e-9, 1.0 - 1e-9)
    above, below = auc / (2.0 - auc), 2.0 * auc**2 / (1.0 + auc)
    variance = auc * (1 - auc) + (present - 1) * (above - auc**2) + (absent - 1) * (below - auc**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = _Z * np.sqrt(variance / (present * absent)) / (auc * (1.0 - auc))
    return 2.0 * expit(logit(auc) - half) - 1.0, 2.0 * expit(logit(auc) + half) - 1.0
