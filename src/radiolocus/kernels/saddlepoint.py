"""Saddle points of the score of a genotype under a logistic model."""

from __future__ import annotations

import math

import numpy as np

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["score_pairs", "signed_roots"]

_MAX_ITERATIONS = 200


@kernel
def _cumulant(t: float, a: Array, mu: Array, spare: float) -> tuple[float, float, float]:
    """Cumulant generating function of Σ a (Y − μ) plus a normal of variance `spare`, and two derivatives."""
    k0, k1, k2 = 0.5 * spare * t * t, spare * t, spare
    for i in range(a.size):
        at = a[i] * t
        if at > 0.0:
            small = math.exp(-at)
            whole = mu[i] + (1.0 - mu[i]) * small
            k0 += at + math.log(whole) - at * mu[i]
            p = mu[i] / whole
            rest = (1.0 - mu[i]) * small / whole
        else:
            large = math.exp(at)
            whole = 1.0 - mu[i] + mu[i] * large
            k0 += math.log1p(mu[i] * math.expm1(at)) - at * mu[i]
            p = mu[i] * large / whole
            rest = (1.0 - mu[i]) / whole
        k1 += a[i] * (p - mu[i])
        k2 += a[i] * a[i] * p * rest
    return k0, k1, k2


@kernel
def _root(score: float, a: Array, mu: Array, spare: float) -> float:
    """Signed root r* with tail probability Φ(−|r*|) beyond `score`; infinite outside the support, NaN at its edge."""
    sign = 1.0 if score > 0.0 else -1.0
    target = abs(score)
    # the largest value that the sum can take on this side
    edge = 0.0
    variance = spare
    for i in range(a.size):
        b = sign * a[i]
        edge += b * (1.0 - mu[i]) if b > 0.0 else -b * mu[i]
        variance += b * b * mu[i] * (1.0 - mu[i])
    if spare <= 0.0:
        if target > edge * (1.0 + 1e-10):
            return sign * math.inf
        if target > edge * (1.0 - 1e-10):
            return math.nan
    low, high = 0.0, math.inf
    t = target / variance
    k0, k1, k2 = _cumulant(sign * t, a, mu, spare)
    for _ in range(_MAX_ITERATIONS):
        gap = sign * k1 - target
        if gap > 0.0:
            high = t
        else:
            low = t
        if abs(gap) <= 1e-12 * target or (high < math.inf and high - low <= 1e-14 * high):
            break
        following = t - gap / k2 if k2 > 0.0 else math.inf
        if not low < following < high:
            following = 2.0 * t if high == math.inf else 0.5 * (low + high)
        t = following
        k0, k1, k2 = _cumulant(sign * t, a, mu, spare)
    distance = t * target - k0
    if not (distance > 0.0 and k2 > 0.0):
        return math.nan
    w = math.sqrt(2.0 * distance)
    root = w + math.log(t * math.sqrt(k2) / w) / w
    return sign * root if root > 0.0 else math.nan


@kernel
def signed_roots(
    genotype: Array, adjusted: Array, mu: Array, score: float, fast: bool, room: Array, roots: Array
) -> None:
    """Saddle points of a score and of its mirror image.

    Parameters
    ----------
    genotype, adjusted : ndarray, shape (n,)
        Genotypes, and their residuals on the covariates under the weights of the null model.
    mu : ndarray, shape (n,)
        Probability of each subject under the null model.
    score : float
        Σ adjusted (y − μ).
    fast : bool
        Where most subjects are homozygous for one allele, their share in the score counts as normal (Dey et al. 2017).
    room : ndarray, shape (2, n)
    roots : ndarray, shape (2,)
        Receives r* of `score` and of its negative; see :func:`_root`.
    """
    n = genotype.size
    zeros = twos = 0
    for i in range(n):
        zeros += genotype[i] == 0.0
        twos += genotype[i] == 2.0
    common = 0.0 if zeros >= twos else 2.0
    partly = fast and 2 * max(zeros, twos) > n
    m, spare = 0, 0.0
    for i in range(n):
        if partly and genotype[i] == common:
            spare += adjusted[i] * adjusted[i] * mu[i] * (1.0 - mu[i])
        else:
            room[0, m], room[1, m] = adjusted[i], mu[i]
            m += 1
    roots[0] = _root(score, room[0, :m], room[1, :m], spare)
    roots[1] = _root(-score, room[0, :m], room[1, :m], spare)


@kernel
def score_pairs(
    genotypes: Array, basis: Array, mu: Array, y: Array, cutoff: float, fast: bool, result: Array, about: Array
) -> None:
    """Score test of genotype after genotype, and its saddle points where the score is large.

    Parameters
    ----------
    genotypes : ndarray, shape (v, n)
        Without missing values.
    basis : ndarray, shape (n, k)
        Intercept and covariates, orthonormal under the weights μ (1 − μ).
    mu, y : ndarray, shape (n,)
    cutoff : float
        Saddle points are found where the absolute z is larger.
    fast : bool
    result : ndarray, shape (v, 4)
        Receives score, its variance, and the two roots of :func:`signed_roots` (NaN where not asked for).
    about : ndarray, shape (v,)
        Receives the weighted sum of squares about the weighted mean.
    """
    n, k = basis.shape
    adjusted, loading, room, roots = np.empty(n), np.empty(k), np.empty((2, n)), np.empty(2)
    result[:] = math.nan
    for v in range(genotypes.shape[0]):
        weights = total = 0.0
        for i in range(n):
            weight = mu[i] * (1.0 - mu[i])
            weights += weight
            total += weight * genotypes[v, i]
        mean = total / weights
        loading[:] = 0.0
        about[v] = 0.0
        for i in range(n):
            adjusted[i] = genotypes[v, i] - mean
            part = mu[i] * (1.0 - mu[i]) * adjusted[i]
            about[v] += part * adjusted[i]
            for j in range(k):
                loading[j] += part * basis[i, j]
        score = variance = 0.0
        for i in range(n):
            for j in range(k):
                adjusted[i] -= loading[j] * basis[i, j]
            score += adjusted[i] * (y[i] - mu[i])
            variance += adjusted[i] * adjusted[i] * mu[i] * (1.0 - mu[i])
        result[v, 0], result[v, 1] = score, variance
        if variance > 1e-14 * about[v] and score * score > cutoff * cutoff * variance:
            signed_roots(genotypes[v], adjusted, mu, score, fast, room, roots)
            result[v, 2], result[v, 3] = roots[0], roots[1]
