"""Proportional-odds and multinomial logistic models by (ridge-penalised) maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array
from radiolocus.stats.newton import maximise, standardise

__all__ = ["MultinomialFit", "OrdinalFit", "fit_multinomial", "fit_ordinal"]


@dataclass(frozen=True, eq=False)
class OrdinalFit:
    """A fitted model logit P(Y ≤ k) = threshold_k − X·coefficient.

    Parameters
    ----------
    coefficient : ndarray, shape (p,)
        Log odds ratio of a higher class per unit of each column.
    threshold : ndarray, shape (K − 1,)
        Rising.
    covariance : ndarray, shape (p + K − 1, p + K − 1)
        Of coefficients and thresholds: inverse of the observed information of the (penalised) likelihood.
    loglik : float
        Without the penalty.
    """

    coefficient: Array
    threshold: Array
    covariance: Array
    loglik: float

    def probability(self, X: Array) -> Array:
        """Probability of each class, shape (n, K)."""
        below = special.expit(self.threshold[None, :] - (X @ self.coefficient)[:, None])
        return np.diff(np.column_stack([np.zeros(len(X)), below, np.ones(len(X))]), axis=1)


@dataclass(frozen=True, eq=False)
class MultinomialFit:
    """A fitted model P(Y = k) ∝ exp(intercept_k + X·coefficient_k).

    Parameters
    ----------
    coefficient : ndarray, shape (p, K)
        Their sum over the classes is zero, as the ridge penalty makes it.
    intercept : ndarray, shape (K,)
        Sum zero.
    loglik : float
        Without the penalty.
    """

    coefficient: Array
    intercept: Array
    loglik: float

    def probability(self, X: Array) -> Array:
        """Probability of each class, shape (n, K)."""
        return np.asarray(special.softmax(X @ self.coefficient + self.intercept, axis=1))


def _codes(label: npt.ArrayLike, classes: int) -> npt.NDArray[np.intp]:
    code = np.asarray(label, dtype=np.float64)
    if code.ndim != 1 or code.size == 0 or not np.isin(code, np.arange(classes)).all():
        raise InputError("labels that are no class numbers", allowed=f"a vector of numbers 0 to {classes - 1}")
    counts = np.bincount(code.astype(np.intp), minlength=classes)
    if not counts.all():
        raise FitError(f"nobody of class {int(np.argmin(counts))} among {code.size} patients", allowed="every class")
    return code.astype(np.intp)


def fit_ordinal(label: npt.ArrayLike, X: npt.ArrayLike, classes: int, *, ridge: float = 0.0) -> OrdinalFit:
    """Fit a proportional-odds model.

    Parameters
    ----------
    label : array_like, shape (n,)
        Class of each patient, 0 to `classes` − 1; every class occurs.
    X : array_like, shape (n, p)
        Covariates, finite. With a penalty they are taken as they are: standardised by the caller.
    classes : int
    ridge : float
        n·ridge/2 times the squared length of the coefficients is taken from the log-likelihood; zero for the
        maximum-likelihood estimate.

    Raises
    ------
    InputError
        Labels that are no classes; unusable covariates.
    FitError
        A class without a patient, a constant or collinear column, or separation (without a penalty).

    References
    ----------
    McCullagh (1980) J R Stat Soc B 42:109; R ``MASS::polr``.
    """
    code = _codes(label, classes)
    matrix = np.asarray(X, dtype=np.float64)
    mean, scale = np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
    Z, names = matrix, tuple(f"column {j}" for j in range(matrix.shape[1]))
    if ridge == 0.0 and matrix.shape[1]:
        design = standardise(matrix, code.size)
        Z, mean, scale, names = design.Z, design.mean, design.scale, design.names
    n, p = Z.shape
    upper, lower = np.arange(classes - 1) == code[:, None], np.arange(1, classes) == code[:, None]
    weight = n * ridge * np.r_[np.ones(p), np.zeros(classes - 1)]
    # Linear predictor at the upper and the lower end of each patient's class.
    above, below = np.column_stack([-Z, upper]), np.column_stack([-Z, lower])
    first, last = code == 0, code == classes - 1

    def evaluate(theta: Array) -> tuple[float, Array, Array]:
        if (np.diff(theta[p:]) <= 0).any():
            return -np.inf, np.zeros(theta.size), np.eye(theta.size)
        high = np.where(last, np.inf, above @ theta)
        low = np.where(first, -np.inf, below @ theta)
        F, f = (
            special.expit(np.array([high, low])),
            special.expit(np.array([high, low])) * special.expit(-np.array([high, low])),
        )
        # expit(high) − expit(low) without the loss of digits where both are near one.
        share = np.where(high + low > 0, special.expit(-low) - special.expit(-high), F[0] - F[1])
        share = np.maximum(share, 1e-300)
        slope = f * (1.0 - 2.0 * F)
        a, b = f[0] / share, f[1] / share
        gradient = above.T @ a - below.T @ b - weight * theta
        cross = (above.T * (a * b)) @ below
        information = (above.T * (a**2 - slope[0] / share)) @ above + (below.T * (b**2 + slope[1] / share)) @ below
        information -= cross + cross.T
        loglik = float(np.log(share).sum()) - 0.5 * float(weight @ theta**2)
        return loglik, gradient, information + np.diag(weight)

    cumulative = np.cumsum(np.bincount(code, minlength=classes))[:-1] / n
    start = np.r_[np.zeros(p), special.logit(cumulative)]
    labels = (*names, *(f"threshold {k}" for k in range(classes - 1)))
    found = maximise(evaluate, start, np.vstack([above, below]), labels, "separation")
    value, _, information = evaluate(found.beta)
    back = np.eye(p + classes - 1)
    back[:p, :p] = np.diag(1.0 / scale)
    back[p:, :p] = (mean / scale)[None, :]
    theta = back @ found.beta
    return OrdinalFit(
        theta[:p],
        theta[p:],
        back @ np.linalg.inv(information) @ back.T,
        value + 0.5 * float(weight @ found.beta**2),
    )


def fit_multinomial(label: npt.ArrayLike, X: npt.ArrayLike, classes: int, *, ridge: float) -> MultinomialFit:
    """Fit a multinomial logistic model with a ridge penalty.

    Parameters
    ----------
    label : array_like, shape (n,)
        Class of each patient, 0 to `classes` − 1; every class occurs.
    X : array_like, shape (n, p)
        Covariates, finite, standardised by the caller.
    classes : int
    ridge : float
        Positive: n·ridge/2 times the squared length of all coefficients is taken from the log-likelihood. Intercepts
        are not penalised.

    Raises
    ------
    InputError
        Labels that are no classes; no penalty.
    FitError
        A class without a patient, or no convergence.

    References
    ----------
    Friedman, Hastie, Tibshirani (2010) J Stat Softw 33(1): the symmetric parameters of R's ``glmnet``.
    """
    if ridge <= 0:
        raise InputError(f"ridge = {ridge:g}", allowed="positive")
    code = _codes(label, classes)
    Z = np.asarray(X, dtype=np.float64)
    n, p = Z.shape
    truth = np.eye(classes)[code]

    def loss(theta: Array) -> tuple[float, Array]:
        W = theta.reshape(p + 1, classes)
        eta = Z @ W[:-1] + W[-1]
        log_p = eta - special.logsumexp(eta, axis=1, keepdims=True)
        residual = (np.exp(log_p) - truth) / n
        gradient = np.vstack([Z.T @ residual + ridge * W[:-1], residual.sum(axis=0)])
        return float(-(truth * log_p).sum() / n + 0.5 * ridge * (W[:-1] ** 2).sum()), gradient.ravel()

    start = np.zeros((p + 1, classes))
    start[-1] = np.log(truth.mean(axis=0))
    found = optimize.minimize(
        loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9}
    )
    W = found.x.reshape(p + 1, classes)
    slack = float(np.abs(loss(found.x)[1]).max())
    if slack > 1e-5:
        raise FitError(f"no convergence: the gradient is {slack:.2g}", todo="look for columns with extreme values")
    W = W - W.mean(axis=1, keepdims=True)
    value = -n * (loss(found.x)[0] - 0.5 * ridge * (found.x.reshape(p + 1, classes)[:-1] ** 2).sum())
    return MultinomialFit(W[:-1], W[-1], float(value))
