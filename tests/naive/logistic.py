"""Penalised logistic regression and the saddle-point approximation by general maximisation and root finding, slowly."""

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit
from scipy.stats import norm


def _penalised(beta, design, y):
    eta = design @ beta
    p = expit(eta)
    information = (design.T * (p * (1 - p))) @ design
    return y @ eta - np.logaddexp(0, eta).sum() + 0.5 * np.linalg.slogdet(information)[1]


def firth(y, X):
    """Coefficients (intercept first), standard errors, likelihood-ratio statistic of the last column, maximum."""
    design = np.column_stack([np.ones(len(y)), X])
    k = design.shape[1]
    exact = {"method": "BFGS", "options": {"gtol": 1e-10, "maxiter": 5000}}

    def best(fun, size):
        found = minimize(fun, np.zeros(size), **exact)
        return minimize(fun, found.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20000})

    whole = best(lambda b: -_penalised(b, design, y), k)
    without = best(lambda b: -_penalised(np.append(b, 0.0), design, y), k - 1)
    p = expit(design @ whole.x)
    error = np.sqrt(np.diag(np.linalg.inv((design.T * (p * (1 - p))) @ design)))
    return whole.x, error, 2 * (without.fun - whole.fun), -whole.fun


def null_fit(y, X):
    """Fitted probabilities of a logistic model with intercept, by Newton's method without any care."""
    design = np.column_stack([np.ones(len(y)), X])
    beta = np.zeros(design.shape[1])
    beta[0] = logit(y.mean())
    for _ in range(50):
        p = expit(design @ beta)
        beta = beta + np.linalg.solve((design.T * (p * (1 - p))) @ design, design.T @ (y - p))
    return expit(design @ beta)


def adjusted(g, mu, X):
    """Residual of a genotype on intercept and covariates under the weights of the null model."""
    design, w = np.column_stack([np.ones(len(g)), X]), mu * (1 - mu)
    return g - design @ np.linalg.solve((design.T * w) @ design, design.T @ (w * g))


def tail(a, mu, score, spare=0.0):
    """Probability that Σ a (Y − μ), with a normal of variance `spare`, lies beyond `score`, by r*."""

    def k0(t):
        return np.sum(np.log(1 - mu + mu * np.exp(a * t)) - t * a * mu) + spare * t * t / 2

    def k1(t):
        return np.sum(a * (mu * np.exp(a * t) / (1 - mu + mu * np.exp(a * t)) - mu)) + spare * t

    def k2(t):
        p = mu * np.exp(a * t) / (1 - mu + mu * np.exp(a * t))
        return np.sum(a * a * p * (1 - p)) + spare

    reach = 1.0
    while (k1(np.sign(score) * reach) - score) * np.sign(score) < 0:
        reach *= 2
        if reach * np.abs(a).max() > 500:
            return 0.0
    t = brentq(lambda u: k1(u) - score, 0, np.sign(score) * reach, xtol=1e-15, rtol=1e-14)
    w, v = np.sign(t) * np.sqrt(2 * (t * score - k0(t))), t * np.sqrt(k2(t))
    return norm.sf(abs(w + np.log(v / w) / w))


def score_test(y, g, X, *, quick=False):
    """Score, variance, two-sided p-value of the saddle-point approximation; `quick`: the common genotype is normal."""
    mu = null_fit(y, X)
    a = adjusted(g, mu, X)
    score, parts = a @ (y - mu), a * a * mu * (1 - mu)
    most = g == (0 if (g == 0).sum() >= (g == 2).sum() else 2)
    most &= quick and 2 * most.sum() > len(g)
    beyond = [tail(a[~most], mu[~most], side * score, parts[most].sum()) for side in (1, -1)]
    return score, parts.sum(), sum(beyond)
