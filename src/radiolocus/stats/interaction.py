"""Does a marker change what a treatment does? Interaction of treatment and marker by likelihood ratio.

A marker is *prognostic* when it goes with the outcome under the control treatment, and *predictive* when the effect of
treatment, on the scale of the model, depends on it. Only the product terms speak of the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.firth import firth_block_test, fit_firth
from radiolocus.stats.logistic import fit_logistic
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal

__all__ = ["InteractionTest", "interaction_test"]

# A column of which less than this share of its length is not told by the columns before it says nothing of its own.
_OWN = 1e-7


@dataclass(frozen=True, eq=False)
class InteractionTest:
    """A likelihood-ratio test of treatment × marker.

    Parameters
    ----------
    statistic : float
        χ² with `df` degrees of freedom.
    df : int
        Product terms that the data can tell from the main effects.
    coefficient, standard_error : ndarray, shape (df,)
        Of the product terms: differences of log odds ratios or log hazard ratios.
    prognostic, prognostic_error : ndarray, shape (M,)
        Of the marker's columns under the control treatment.
    method : {"likelihood ratio", "penalised likelihood ratio"}
        Penalised (Firth) where the classes are separated.
    n, events : int
    """

    statistic: float
    df: int
    coefficient: Array
    standard_error: Array
    prognostic: Array
    prognostic_error: Array
    method: str
    n: int
    events: int

    @property
    def neg_log10_p(self) -> float:
        """−log10 p-value of the interaction."""
        return float(neg_log10_p_chi2(self.statistic, self.df))

    @property
    def neg_log10_p_prognostic(self) -> float:
        """−log10 Wald p-value of the marker under control: of its only column, or of all of them by Bonferroni."""
        found = np.asarray(neg_log10_p_normal(self.prognostic / self.prognostic_error))
        return float(max(found.max() - np.log10(found.size), 0.0))


def interaction_test(
    event: npt.ArrayLike,
    treatment: npt.ArrayLike,
    marker: npt.ArrayLike,
    covariates: npt.ArrayLike | None = None,
    *,
    time: npt.ArrayLike | None = None,
) -> InteractionTest:
    """Test whether the effect of treatment depends on a marker.

    Parameters
    ----------
    event : array_like, shape (n,)
        0 or 1.
    treatment : array_like, shape (n,) or (n, A)
        Indicators of the arms other than control.
    marker : array_like, shape (n,) or (n, M)
        A number, or indicators of all levels but one.
    covariates : array_like, shape (n, k), optional
        Further main effects.
    time : array_like, shape (n,), optional
        Time to event or censoring: a Cox model; without it a logistic one.

    Returns
    -------
    InteractionTest

    Raises
    ------
    FitError
        The product cannot be told from the main effects, one class only, no events, or a monotone likelihood.
    InputError
        Unequal lengths, or values that are not finite.

    References
    ----------
    Polley et al., J Natl Cancer Inst 2013;105:1677. Penalised likelihood ratio: Heinze & Schemper, Stat Med
    2002;21:2409.
    """
    y = np.asarray(event, dtype=np.float64)
    arm, level = _matrix(treatment, y.size), _matrix(marker, y.size)
    further = np.empty((y.size, 0)) if covariates is None else _matrix(covariates, y.size)
    main = np.hstack([level, arm, further])
    products = (arm[:, :, None] * level[:, None, :]).reshape(y.size, -1)
    kept = _independent(main, products)
    if not kept.size:
        raise FitError(
            "treatment × marker cannot be told from the main effects",
            allowed="each arm with at least two levels of the marker",
            todo="leave the marker out, or merge rare categories",
        )
    full = np.hstack([main, products[:, kept]])
    own, m, n = slice(main.shape[1], None), level.shape[1], y.size
    if time is not None:
        cox, null = fit_cox(time, y, full), fit_cox(time, y, main)
        return InteractionTest(
            2.0 * (cox.loglik - null.loglik),
            kept.size,
            cox.coefficient[own],
            cox.standard_error[own],
            cox.coefficient[:m],
            cox.standard_error[:m],
            "likelihood ratio",
            n,
            cox.events,
        )
    try:
        fit = fit_logistic(y, full)
        statistic, method = 2.0 * (fit.loglik - fit_logistic(y, main).loglik), "likelihood ratio"
        beta, error = fit.coefficient, fit.standard_error
    except FitError as refused:
        if not refused.got.startswith("separation"):
            raise
        penalised = fit_firth(y, full)
        statistic, method = firth_block_test(y, main, products[:, kept]), "penalised likelihood ratio"
        beta, error = penalised.coefficient, penalised.standard_error
    return InteractionTest(
        max(statistic, 0.0), kept.size, beta[own], error[own], beta[:m], error[:m], method, n, int(y.sum())
    )


def _matrix(values: npt.ArrayLike, n: int) -> Array:
    matrix = np.asarray(values, dtype=np.float64)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.shape[0] != n or not np.isfinite(matrix).all():
        raise InputError(
            f"columns of shape {matrix.shape} for {n} subjects", allowed="finite numbers, one row a subject"
        )
    return matrix


def _independent(main: Array, products: Array) -> npt.NDArray[np.intp]:
    """Products that are no combination of the intercept, the main effects and the products before them."""
    basis = np.linalg.qr(np.column_stack([np.ones(len(main)), main]))[0]
    kept: list[int] = []
    for j, column in enumerate(products.T):
        length = float(np.linalg.norm(column))
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if length > 0 and np.linalg.norm(rest) > _OWN * length:
            kept.append(j)
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return np.array(kept, dtype=np.intp)
