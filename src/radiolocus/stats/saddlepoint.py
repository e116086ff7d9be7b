"""Score test of genotypes under a logistic model, its tails by the saddle-point approximation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from radiolocus.errors import FitError
from radiolocus.kernels.firth import CONVERGED, SEPARATED, fit_logit
from radiolocus.kernels.saddlepoint import score_pairs
from radiolocus.model import Array
from radiolocus.stats.tail import neg_log10_p_normal

__all__ = ["NullModel", "ScoreTest", "fit_null", "neg_log10_p_roots", "score_test"]

_LN10 = float(np.log(10.0))


@dataclass(frozen=True, eq=False)
class NullModel:
    """A logistic model of a phenotype on intercept and covariates.

    Parameters
    ----------
    y : ndarray, shape (n,)
        0 or 1.
    mu : ndarray, shape (n,)
        Fitted probabilities.
    basis : ndarray, shape (n, k)
        Intercept and covariates, orthonormal under the weights μ (1 − μ).
    coefficient : ndarray, shape (k,)
        Of the basis that the model was fitted on.
    """

    y: Array
    mu: Array
    basis: Array
    coefficient: Array


@dataclass(frozen=True, eq=False)
class ScoreTest:
    """Score tests of v genotypes; every array has shape (v,).

    Parameters
    ----------
    score, variance : ndarray
        Σ (g − fit of the covariates) (y − μ) and its variance under the null model.
    scale : ndarray
        What the variance would be without covariates: how much of the genotype is left is the ratio.
    neg_log10_p : ndarray
        Normal where the absolute z is at most the cutoff, otherwise of the saddle-point approximation; NaN where that
        fails.
    """

    score: Array
    variance: Array
    scale: Array
    neg_log10_p: Array


def fit_null(y: Array, basis: Array, start: Array | None = None) -> NullModel:
    """Fit the null model of a phenotype.

    Parameters
    ----------
    y : ndarray, shape (n,)
        0 or 1, both present.
    basis : ndarray, shape (n, k)
        Intercept and covariates, of about unit size, linearly independent.
    start : ndarray, shape (k,), optional
        Coefficients to begin with.

    Raises
    ------
    FitError
        Separation by the covariates, or covariates that determine each other.
    """
    beta, told = np.zeros(basis.shape[1]) if start is None else start.copy(), np.zeros(2)
    status = fit_logit(np.ascontiguousarray(basis), y, basis.shape[1], False, beta, told)
    if status != CONVERGED:
        raise FitError(
            "separation: the covariates tell the cases from the controls"
            if status == SEPARATED
            else "the covariates determine each other among these subjects",
            allowed="covariates no combination of which orders the phenotype perfectly",
            todo="leave out the covariate that does",
        )
    eta = basis @ beta
    mu = np.asarray(1.0 / (1.0 + np.exp(-eta)))
    # a basis of about unit size is far from singular under the weights: its Gram matrix loses no digits that count
    factor = np.linalg.cholesky((basis * (mu * (1.0 - mu))[:, None]).T @ basis)
    return NullModel(y, mu, np.ascontiguousarray(basis @ np.linalg.inv(factor).T), beta)


def score_test(genotypes: Array, null: NullModel, *, cutoff: float = 2.0, fast: bool = True) -> ScoreTest:
    """Test genotypes one by one against a null model.

    Parameters
    ----------
    genotypes : ndarray, shape (v, n)
        0 to 2, without missing values.
    null : NullModel
    cutoff : float
        The saddle-point approximation is used where the absolute z is larger; positive.
    fast : bool
        Let the subjects homozygous for the common allele, where they are the most, count as normal.

    Returns
    -------
    ScoreTest

    References
    ----------
    Dey et al., Am J Hum Genet 2017;101:37. Tail formula: Barndorff-Nielsen, Biometrika 1990;77:37.
    """
    columns = np.ascontiguousarray(genotypes, dtype=np.float64)
    result, about = np.empty((columns.shape[0], 4)), np.empty(columns.shape[0])
    score_pairs(columns, null.basis, null.mu, null.y, cutoff, fast, result, about)
    score, variance, one, other = result.T
    usable = variance > 1e-14 * about
    z = np.divide(score, np.sqrt(np.maximum(variance, 0.0)), out=np.full(score.shape, np.nan), where=usable)
    log_p = np.where(np.abs(z) > cutoff, neg_log10_p_roots(one, other), neg_log10_p_normal(z))
    return ScoreTest(score.copy(), variance.copy(), about, np.where(usable, log_p, np.nan))


def neg_log10_p_roots(one: Array, other: Array) -> Array:
    """−log10 p of both tails from their signed roots r*; NaN where one of them is unknown, or no tail is left."""
    out = np.full(one.shape, np.nan)
    known = ~(np.isnan(one) | np.isnan(other) | (np.isinf(one) & np.isinf(other)))
    both = np.logaddexp(log_ndtr(-np.abs(one[known])), log_ndtr(-np.abs(other[known])))
    out[known] = np.maximum(-both / _LN10, 0.0)
    return out
