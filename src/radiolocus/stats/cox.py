"""Cox's proportional hazards model by maximum partial likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError
from radiolocus.kernels import riskset
from radiolocus.model import Array
from radiolocus.stats.batch import Batch
from radiolocus.stats.newton import maximise, standardise
from radiolocus.stats.survival import by_descending_time, check_survival
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal

__all__ = ["CoxBatch", "CoxFit", "Ties", "check_ties", "cox_risk", "cox_univariate_batch", "fit_cox"]

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fitted Cox model.

    Parameters
    ----------
    coefficient : ndarray, shape (p,)
        Log hazard ratio per unit of each column.
    covariance : ndarray, shape (p, p)
        Inverse of the observed information.
    loglik, loglik_null : float
        Log partial likelihood at the estimate and at zero.
    score_statistic : float
        Score (log-rank type) test of all coefficients, χ² with p degrees of freedom.
    iterations : int
        Newton steps taken.
    n, events : int
    ties : {"efron", "breslow"}
    """

    coefficient: Array
    covariance: Array
    loglik: float
    loglik_null: float
    score_statistic: float
    iterations: int
    n: int
    events: int
    ties: Ties

    @property
    def standard_error(self) -> Array:
        """Standard error of each coefficient, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))

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
        """Likelihood-ratio statistic of all coefficients, χ² with p degrees of freedom."""
        return 2.0 * (self.loglik - self.loglik_null)

    @property
    def wald(self) -> float:
        """Wald statistic of all coefficients, χ² with p degrees of freedom."""
        return float(self.coefficient @ np.linalg.solve(self.covariance, self.coefficient))

    def neg_log10_p_test(self, test: Literal["likelihood_ratio", "wald", "score"] = "likelihood_ratio") -> float:
        """−log10 p-value of the test that all coefficients are zero."""
        statistic = {"likelihood_ratio": self.likelihood_ratio, "wald": self.wald, "score": self.score_statistic}[test]
        return float(neg_log10_p_chi2(statistic, self.coefficient.size))


def check_ties(ties: str) -> bool:
    """Whether ties are Efron's; InputError when they are neither his nor Breslow's."""
    if ties not in ("efron", "breslow"):
        raise InputError(f"ties '{ties}'", allowed="efron, breslow")
    return ties == "efron"


def fit_cox(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    X: npt.ArrayLike,
    *,
    ties: Ties = "efron",
    names: Sequence[str] | None = None,
) -> CoxFit:
    """Fit a Cox model by Newton–Raphson with step halving.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`radiolocus.stats.survival.check_survival`.
    X : array_like, shape (n, p) or (n,)
        Covariates, finite. They are standardised inside; coefficients are per unit of the columns as given.
    ties : {"efron", "breslow"}
        Approximation for tied event times.
    names : sequence of str, optional
        Column names for messages.

    Returns
    -------
    CoxFit

    Raises
    ------
    InputError
        Unusable times, events or covariates; names the first place.
    FitError
        No events, a constant or collinear column, or a monotone likelihood (a combination of columns that orders
        the events perfectly), with the column's name.

    References
    ----------
    Cox, JRSS B 1972;34:187. Efron, JASA 1977;72:557. Breslow, Biometrics 1974;30:89. Monotone likelihood:
    Heinze & Schemper, Biometrics 2001;57:114.
    """
    efron = check_ties(ties)
    times, events = check_survival(time, event)
    if not events.any():
        raise FitError(
            f"no events among {times.size} patients", allowed="at least one event", todo="check the event coding"
        )
    design = standardise(X, times.size, names)
    order, start = by_descending_time(times)
    Z, sorted_event = np.ascontiguousarray(design.Z[order]), events[order]
    p = Z.shape[1]

    def evaluate(beta: Array) -> tuple[float, Array, Array]:
        gradient, information = np.empty(p), np.empty((p, p))
        loglik = riskset.cox_sweep(Z, start, sorted_event, Z @ beta, efron, gradient, information)
        return float(loglik), gradient, information

    found = maximise(evaluate, np.zeros(p), Z, design.names, "monotone likelihood")
    covariance = np.linalg.inv(found.information) / np.outer(design.scale, design.scale)
    return CoxFit(
        found.beta / design.scale,
        covariance,
        found.loglik,
        found.loglik_start,
        found.score_statistic,
        found.iterations,
        times.size,
        int(events.sum()),
        ties,
    )


class CoxBatch(Batch):
    """Univariate Cox models of many columns; see :class:`radiolocus.stats.batch.Batch`."""

    reasons: ClassVar[Mapping[int, str]] = {
        riskset.FITTED: "",
        riskset.CONSTANT: "constant among the patients the likelihood compares",
        riskset.NO_EVENTS: "no events",
        riskset.MONOTONE: "monotone likelihood: every event has the most extreme value of its risk set",
        riskset.NOT_CONVERGED: "Newton–Raphson did not converge",
    }


def cox_univariate_batch(
    time: npt.ArrayLike, event: npt.ArrayLike, X: npt.ArrayLike, *, ties: Ties = "efron", fit: bool = True
) -> CoxBatch:
    """Fit one univariate Cox model a column of `X`, all in one sorted sweep, by full Newton–Raphson.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`radiolocus.stats.survival.check_survival`.
    X : array_like, shape (n, p)
        Each column is fitted on the patients in whom it is not NaN. Infinite values are refused.
    ties : {"efron", "breslow"}
    fit : bool
        False: only the score test is made, which asks for no iteration; coefficients, their errors and the likelihood
        at the maximum are NaN.

    Returns
    -------
    CoxBatch
        A column that cannot be fitted is NaN with its reason; it never ends the batch. Monotone likelihood is found
        exactly, before any iteration.

    Raises
    ------
    InputError
        Unusable times or events, wrong shape, infinite values.
    """
    efron = check_ties(ties)
    times, events = check_survival(time, event)
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != times.size:
        raise InputError(f"a design of shape {matrix.shape} for {times.size} patients", allowed=f"({times.size}, p)")
    infinite = np.argwhere(np.isinf(matrix))
    if infinite.size:
        i, j = infinite[0]
        raise InputError(
            f"value {matrix[i, j]}",
            where=f"row {i}, column {j} ({len(infinite)} such)",
            allowed="finite numbers or NaN",
        )
    order, start = by_descending_time(times)
    group = np.repeat(np.arange(start.size - 1), np.diff(start)).astype(np.int64)
    p = matrix.shape[1]
    result = np.full((p, 5), np.nan)
    counts, status = np.zeros((p, 2), np.int64), np.zeros(p, np.int64)
    riskset.cox_batch(np.ascontiguousarray(matrix[order].T), group, events[order], efron, fit, result, counts, status)
    beta, error, loglik, null, score = np.ascontiguousarray(result.T)
    used, happened = np.ascontiguousarray(counts.T)
    return CoxBatch(beta, error, loglik, null, score, used, happened, status)


def cox_risk(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    fitted: Array,
    predicted: Array,
    times: npt.ArrayLike,
    *,
    ties: Ties = "efron",
) -> Array:
    """Risk of the event by `times` from linear predictors, with the baseline hazard of the patients fitted.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        Of the patients fitted.
    fitted : ndarray, shape (n,)
        Their log relative hazards.
    predicted : ndarray, shape (m,)
        Log relative hazards of the patients to predict, on the same scale.
    times : array_like, shape (t,)
    ties : {"efron", "breslow"}

    Returns
    -------
    ndarray, shape (m, t)
        1 − exp(−H(t) exp(predicted)); constant beyond the last event.

    Raises
    ------
    InputError
        Unusable times or events.

    References
    ----------
    Breslow, JRSS B 1972;34:216; with Efron's increments for ties, as R ``survfit`` for a model fitted so.
    """
    efron = check_ties(ties)
    leave, events = check_survival(time, event)
    shift = float(fitted.max())
    relative = np.exp(fitted - shift)
    distinct, place = np.unique(leave, return_inverse=True)
    at_risk = np.bincount(place, weights=relative)[::-1].cumsum()[::-1]
    dying = np.bincount(place[events], weights=relative[events], minlength=distinct.size)
    deaths = np.bincount(place[events], minlength=distinct.size)
    # One entry a death: the k-th of d tied deaths leaves the share k / d of their risk out (Efron).
    group = np.repeat(np.arange(distinct.size), deaths)
    share = (np.arange(group.size) - (np.cumsum(deaths) - deaths)[group]) / deaths[group] if efron else 0.0
    cumulative = np.r_[0.0, np.cumsum(1.0 / (at_risk[group] - share * dying[group]))]
    wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
    hazard = cumulative[np.searchsorted(distinct[group], wanted, side="right")]
    with np.errstate(divide="ignore"):
        log_hazard = np.log(hazard)[None, :] + (predicted - shift)[:, None]
    # Beyond exp(50) the risk is 1 to the last digit.
    return np.asarray(-np.expm1(-np.exp(np.minimum(log_hazard, 50.0))))
