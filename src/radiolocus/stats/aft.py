"""Accelerated failure time models by maximum likelihood: Weibull, log-normal and log-logistic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array, BoolArray
from radiolocus.stats.newton import maximise, standardise
from radiolocus.stats.survival import check_survival

__all__ = ["AftFit", "Distribution", "aft_loglik", "fit_aft", "log_survival"]

Distribution = Literal["weibull", "lognormal", "loglogistic"]


@dataclass(frozen=True, eq=False)
class AftFit:
    """A fitted model log T = intercept + X·coefficient + scale·W.

    Parameters
    ----------
    coefficient : ndarray, shape (p,)
        Change of the log time per unit of each column: positive is later.
    intercept : float
    scale : float
        σ; of a Weibull model the reciprocal of its shape.
    covariance : ndarray, shape (p + 2, p + 2)
        Of the intercept, the coefficients and log σ, in this order: inverse of the observed information.
    loglik, loglik_null : float
        On the scale of the times; with the intercept and the scale alone.
    distribution : {"weibull", "lognormal", "loglogistic"}
    n, events : int
    """

    coefficient: Array
    intercept: float
    scale: float
    covariance: Array
    loglik: float
    loglik_null: float
    distribution: Distribution
    n: int
    events: int

    def location(self, X: Array) -> Array:
        """Location of the log time, shape (n,)."""
        return np.asarray(self.intercept + X @ self.coefficient)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time, shape (n, t)."""
        wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
        with np.errstate(divide="ignore"):
            z = (np.log(wanted)[None, :] - self.location(X)[:, None]) / self.scale
        return np.asarray(np.exp(log_survival(z, self.distribution)))


def log_survival(z: Array, distribution: Distribution) -> Array:
    """Log survival of the standard error W of each distribution at `z`."""
    if distribution == "weibull":
        return np.asarray(-np.exp(np.minimum(z, 700.0)))
    if distribution == "lognormal":
        return np.asarray(special.log_ndtr(-z))
    return np.asarray(-np.logaddexp(0.0, z))


def aft_loglik(fit: AftFit, X: Array, time: Array, event: Array) -> float:
    """Log-likelihood of patients under a fitted model, on the scale of the times.

    Raises
    ------
    InputError
        A time of zero.
    """
    events = event == 1
    _check_positive(time)
    log_time = np.log(time)
    value, _, _ = _terms((log_time - fit.location(X)) / fit.scale, events, fit.distribution)
    return float(value.sum() - (log_time[events] + np.log(fit.scale)).sum())


def _check_positive(times: Array) -> None:
    zero = np.flatnonzero(times <= 0)
    if zero.size:
        raise InputError(
            f"time {times[zero[0]]:g}",
            where=f"index {zero[0]} ({zero.size} such)",
            allowed="positive: an accelerated failure time model takes the logarithm",
            todo="leave the subject out, or use another model",
        )


def fit_aft(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    X: npt.ArrayLike | None,
    *,
    distribution: Distribution = "weibull",
    ridge: float = 0.0,
    names: Sequence[str] | None = None,
) -> AftFit:
    """Fit an accelerated failure time model.

    In the parameters coefficient/σ and 1/σ the log-likelihood of a log-concave error is concave, so that Newton's
    method finds the one maximum (Burridge 1981, J R Stat Soc B 43:41).

    Parameters
    ----------
    time, event : array_like, shape (n,)
        Times are positive; see :func:`radiolocus.stats.survival.check_survival`.
    X : array_like, shape (n, p), or None
        Covariates, finite; None for none.
    distribution : {"weibull", "lognormal", "loglogistic"}
    ridge : float
        n·ridge/2 times the squared length of coefficient/σ is taken from the log-likelihood; zero for the
        maximum-likelihood estimate. With a penalty the columns are taken as they are (standardised by the caller),
        may be collinear and more than the patients, and the covariance is that of the penalised likelihood.
    names : sequence of str, optional

    Raises
    ------
    InputError
        Unusable times, events or covariates; a time of zero.
    FitError
        No events, a constant or collinear column, or a likelihood without a maximum (all events at one time).

    References
    ----------
    Kalbfleisch & Prentice, *The Statistical Analysis of Failure Time Data*, 2002, chapter 3; R ``survreg``.
    """
    if distribution not in get_args(Distribution):
        raise InputError(f"distribution '{distribution}'", allowed=", ".join(get_args(Distribution)))
    times, events = check_survival(time, event)
    _check_positive(times)
    if not events.any():
        raise FitError(f"no events among {times.size} patients", allowed="at least one event")
    log_time = np.log(times)
    null = _maximise(log_time, events, np.zeros((times.size, 0)), distribution, 0.0, ())
    Z, mean, scale, labels = _design(X, times.size, ridge, names)
    found = null if Z.shape[1] == 0 else _maximise(log_time, events, Z, distribution, ridge, labels)
    theta, information, loglik = found
    # From (intercept/σ, coefficient/σ per standard deviation, 1/σ) to (intercept, coefficient, log σ).
    sigma = 1.0 / theta[-1]
    beta = theta[1:-1] * sigma / scale
    intercept = float(theta[0] * sigma - beta @ mean)
    p = beta.size
    back = np.zeros((p + 2, p + 2))
    back[0, 0], back[0, 1:-1], back[0, -1] = sigma, -sigma * mean / scale, -sigma * intercept
    back[1:-1, 1:-1] = np.diag(sigma / scale)
    back[1:-1, -1], back[-1, -1] = -sigma * beta, -sigma
    covariance = back @ np.linalg.inv(information) @ back.T
    return AftFit(
        beta, intercept, float(sigma), covariance, loglik, null[2], distribution, times.size, int(events.sum())
    )


def _design(
    X: npt.ArrayLike | None, n: int, ridge: float, names: Sequence[str] | None
) -> tuple[Array, Array, Array, tuple[str, ...]]:
    if X is None or np.asarray(X).size == 0:
        return np.zeros((n, 0)), np.zeros(0), np.ones(0), ()
    if ridge == 0.0:
        design = standardise(X, n, names)
        return design.Z, design.mean, design.scale, design.names
    matrix = np.asarray(X, dtype=np.float64)
    p = matrix.shape[1]
    return matrix, np.zeros(p), np.ones(p), tuple(f"column {j}" for j in range(p))


def _maximise(
    log_time: Array,
    events: BoolArray,
    Z: Array,
    distribution: Distribution,
    ridge: float,
    names: Sequence[str],
) -> tuple[Array, Array, float]:
    n = log_time.size
    # z = design · theta with theta = (intercept/σ, coefficient/σ, 1/σ).
    design = np.column_stack([-np.ones(n), -Z, log_time])
    weight = n * ridge * np.r_[0.0, np.ones(Z.shape[1]), 0.0]
    jacobian = float(log_time[events].sum())

    def evaluate(theta: Array) -> tuple[float, Array, Array]:
        if theta[-1] <= 0:
            return -np.inf, np.zeros(theta.size), np.eye(theta.size)
        z = design @ theta
        value, first, second = _terms(z, events, distribution)
        gradient = design.T @ first - weight * theta
        gradient[-1] += events.sum() / theta[-1]
        information = -(design.T * second) @ design + np.diag(weight)
        information[-1, -1] += events.sum() / theta[-1] ** 2
        loglik = float(value.sum() + events.sum() * np.log(theta[-1])) - jacobian
        return loglik - 0.5 * float(weight @ theta**2), gradient, information

    spread = max(float(log_time.std()), 1e-3)
    start = np.zeros(design.shape[1])
    start[0], start[-1] = log_time.mean() / spread, 1.0 / spread
    found = maximise(evaluate, start, design, ("intercept", *names, "scale"), "a likelihood without a maximum")
    # `maximise` returns the point one step beyond its last evaluation.
    loglik, _, information = evaluate(found.beta)
    return found.beta, information, loglik + 0.5 * float(weight @ found.beta**2)


def _terms(z: Array, events: BoolArray, distribution: Distribution) -> tuple[Array, Array, Array]:
    """Log density (event) or log survival (censored) of the standard error, with its two derivatives."""
    if distribution == "weibull":
        power = np.exp(np.minimum(z, 700.0))
        return np.where(events, z, 0.0) - power, events - power, -power
    if distribution == "lognormal":
        log_density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
        beyond = special.log_ndtr(-z)
        hazard = np.exp(log_density - beyond)
        return (
            np.where(events, log_density, beyond),
            np.where(events, -z, -hazard),
            np.where(events, -1.0, -hazard * (hazard - z)),
        )
    p = special.expit(z)
    soft = np.logaddexp(0.0, z)
    share = np.where(events, 2.0, 1.0)
    return np.where(events, z, 0.0) - share * soft, events - share * p, -share * p * special.expit(-z)
