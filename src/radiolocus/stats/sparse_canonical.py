"""Which combination of many columns goes with which combination of many others: sparse canonical correlation, and PLS.

Sparse canonical correlation is the penalised matrix decomposition of Witten, Tibshirani & Hastie, Biostatistics
2009;10:515: weights u and v of length at most 1 and absolute sum at most c that maximise uᵀXᵀYv, for columns of unit
variance whose own correlation is taken for the identity. Without the limits u and v are the first singular vectors of
XᵀY, that is partial least squares of two blocks (PLS-SVD).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.model import Array
from radiolocus.stats.maxt import permutations_of

__all__ = ["Canonical", "canonical_pairs", "partial_least_squares", "sparse_canonical"]

# Rounds of the authors' software; the start needs no more than to point the right way.
_ROUNDS, _CLOSE = 15, 1e-6
_DENSE_ROUNDS, _CAREFUL = 20, 100
#: Absolute sums allowed, as shares of the square root of the number of columns; those of the authors' software.
PENALTIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7)


@dataclass(frozen=True, eq=False)
class Canonical:
    """The first pair of combinations.

    Parameters
    ----------
    u : ndarray, shape (p,)
    v : ndarray, shape (q,)
        Weights; the largest of u is positive.
    correlation : float
        Of X u with Y v among these subjects: too large, since the weights were chosen to make it so.
    penalty : float or None
        Chosen among several by permutation; None for partial least squares.
    p_value : float
        Of the whole procedure, the choice of the penalty included.
    stable_u, stable_v : ndarray, shape (p,) and (q,)
        Share of half samples in which a column was selected; for partial least squares the mean weight of bootstrap
        samples over its standard deviation.
    """

    u: Array
    v: Array
    correlation: float
    penalty: float | None
    p_value: float
    stable_u: Array
    stable_v: Array


def sparse_canonical(
    X: Array,
    Y: Array,
    permutations: int,
    seed: int,
    *,
    penalties: Sequence[float] = PENALTIES,
    halves: int = 50,
    stratum: npt.ArrayLike | None = None,
) -> Canonical:
    """Sparse canonical correlation with a penalty chosen by permutation.

    Parameters
    ----------
    X : ndarray, shape (n, p)
    Y : ndarray, shape (n, q)
        Complete columns without covariates (residuals), none of them constant; standardised here.
    permutations : int
        At least 2.
    seed : int
    penalties : sequence of float
        Between 0 and 1; the same share for both sides.
    halves : int
        Samples of half of the subjects, without replacement, at the penalty chosen (Meinshausen & Bühlmann 2010).
    stratum : array_like, shape (n,), optional
        Subjects are exchanged within it only.

    Returns
    -------
    Canonical

    Notes
    -----
    For each penalty the logarithm of uᵀXᵀYv, which is what is maximised, is compared with its permuted values; the
    penalty with the largest distance from their mean, in their standard deviations, is taken. Witten & Tibshirani 2009
    (Stat Appl Genet Mol Biol 8:28) compare the correlation of Xu and Yv instead, which with many more columns than
    subjects is as high in permuted data. The same choice is made for every permuted data set, and p is the share of
    those whose best distance is at least as large.
    """
    x, y = _standard(X), _standard(Y)
    orders = np.vstack([np.arange(len(x)), permutations_of(len(x), permutations, seed, stratum)])
    start = _start(x, y, orders)
    found = np.log(np.stack([_covariances(x, y, orders, c, start) for c in penalties]))
    null = found[:, 1:]
    distance = (found - null.mean(axis=1, keepdims=True)) / (null.std(axis=1, ddof=1, keepdims=True) + 1e-12)
    best = distance.max(axis=0)
    penalty = float(penalties[int(np.argmax(distance[:, 0]))])
    p_value = (1.0 + (best[1:] >= best[0]).sum()) / (1.0 + permutations)
    u, v = _weights(x, y, orders[:1], penalty, start[:, :1])
    u, v = _signed(u[:, 0], v[:, 0])
    stable_u, stable_v = _selected(x, y, penalty, halves, seed)
    correlation = float(np.corrcoef(x @ u, y @ v)[0, 1])
    return Canonical(u, v, correlation, penalty, p_value, stable_u, stable_v)


def partial_least_squares(
    X: Array,
    Y: Array,
    permutations: int,
    seed: int,
    *,
    draws: int = 100,
    stratum: npt.ArrayLike | None = None,
) -> Canonical:
    """First pair of singular vectors of XᵀY; p by permutation of the covariance, stability by the bootstrap.

    Parameters and returns as :func:`sparse_canonical`; McIntosh & Lobaugh 2004, doi:10.1016/j.neuroimage.2004.07.020.
    """
    x, y = _standard(X), _standard(Y)
    n = len(x)
    orders = np.vstack([np.arange(n), permutations_of(n, permutations, seed, stratum)])
    root, other = _root(x), y @ y.T
    size = np.array([np.linalg.eigvalsh(root[order].T @ other @ root[order])[-1] for order in orders])
    u, v = _singular(x, y)
    rng = np.random.default_rng([seed, 1])
    boots: list[tuple[Array, Array]] = []
    for _ in range(draws):
        rows = rng.integers(n, size=n)
        a, b = _singular(_standard(x[rows]), _standard(y[rows]))
        sign = 1.0 if a @ u + b @ v >= 0 else -1.0
        boots.append((sign * a, sign * b))
    stable = [np.array(side) for side in zip(*boots, strict=True)]
    ratio = [np.divide(s.mean(axis=0), s.std(axis=0, ddof=1)) for s in stable]
    p_value = (1.0 + (size[1:] >= size[0] * (1 - 1e-10)).sum()) / (1.0 + permutations)
    correlation = float(np.corrcoef(x @ u, y @ v)[0, 1])
    return Canonical(u, v, correlation, None, p_value, ratio[0], ratio[1])


def canonical_pairs(X: Array, Y: Array, count: int, penalty: float = 0.5) -> tuple[Array, Array]:
    """Several sparse canonical pairs at a given penalty, one after the other, without any test.

    The score of a pair is taken off all columns of its side before the next one is looked for, so that the scores of a
    side do not correlate.

    Parameters
    ----------
    X : ndarray, shape (n, p)
    Y : ndarray, shape (n, q)
        Complete columns; standardised here. Constant columns get no weight.
    count : int
    penalty : float
        Absolute sum allowed, as a share of the square root of the number of columns.

    Returns
    -------
    u : ndarray, shape (p, k)
    v : ndarray, shape (q, k)
        ``X @ u`` and ``Y @ v`` of standardised columns are the scores; fewer pairs than `count` where nothing is left.
        Only the first are sparse: the others give back what was taken off before.
    """
    sides = (_standard(X), _standard(Y))
    left = list(sides)
    limits = [max(1.0, penalty * np.sqrt(side.shape[1])) for side in sides]
    found = [np.zeros((side.shape[1], 0)) for side in sides]
    size = float(np.abs(left[0].T @ left[1]).max(initial=0.0))
    for _ in range(min(count, *(side.shape[1] for side in sides))):
        cross = left[0].T @ left[1]
        if float(np.abs(cross).max(initial=0.0)) <= 1e-9 * size:
            break
        for k, weights in enumerate(_pair(cross, limits[0], limits[1])):
            score = left[k] @ weights
            # The score in terms of the columns themselves: less what earlier scores explain of them.
            earlier = sides[k] @ found[k]
            back = found[k] @ (earlier.T @ (sides[k] @ weights) / np.maximum((earlier**2).sum(axis=0), 1e-300))
            found[k] = np.column_stack([found[k], weights - back])
            left[k] = left[k] - np.outer(score, score @ left[k]) / max(float(score @ score), 1e-300)
    return found[0], found[1]


def _pair(cross: Array, limit_u: float, limit_v: float) -> tuple[Array, Array]:
    """Sparse singular vectors of a cross-product; the largest weight of the first is positive."""
    v = np.linalg.svd(cross, full_matrices=False)[2][:1].T
    u = np.zeros((cross.shape[0], 1))
    for _ in range(_CAREFUL):
        before = v
        u = _projected(cross @ v, limit_u)
        v = _projected(cross.T @ u, limit_v)
        if np.abs(v - before).max() < _CLOSE:
            break
    return _signed(u[:, 0], v[:, 0])


def _standard(values: Array) -> Array:
    centred = values - values.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0))


def _root(x: Array) -> Array:
    """Columns a of the order of the subjects with a aᵀ = x xᵀ: what is heavy is done with few rows."""
    value, vector = np.linalg.eigh(x @ x.T)
    keep = value > 1e-12 * max(float(value[-1]), 0.0)
    return np.asarray(vector[:, keep] * np.sqrt(value[keep]))


def _singular(x: Array, y: Array) -> tuple[Array, Array]:
    """First singular vectors of xᵀy."""
    root = _root(x)
    _, vectors = np.linalg.eigh(root.T @ (y @ y.T) @ root)
    v = y.T @ (root @ vectors[:, -1])
    v /= max(float(np.linalg.norm(v)), 1e-300)
    u = x.T @ (y @ v)
    u /= max(float(np.linalg.norm(u)), 1e-300)
    return _signed(u, v)


def _signed(u: Array, v: Array) -> tuple[Array, Array]:
    sign = 1.0 if u[int(np.argmax(np.abs(u)))] >= 0 else -1.0
    return sign * u, sign * v


def _weights(x: Array, y: Array, orders: npt.NDArray[np.int64], penalty: float, start: Array) -> tuple[Array, Array]:
    """Weights for every permutation of the subjects of `x` at once, as columns."""
    limit_u, limit_v = (max(1.0, penalty * np.sqrt(side.shape[1])) for side in (x, y))
    back = np.argsort(orders, axis=1).T
    forth = orders.T
    v = start
    u = np.zeros((x.shape[1], v.shape[1]))
    for _ in range(_ROUNDS):
        before = v
        # rows of x were exchanged: xᵀ P y v, column by column
        u = _projected(x.T @ np.take_along_axis(y @ v, back, axis=0), limit_u)
        v = _projected(y.T @ np.take_along_axis(x @ u, forth, axis=0), limit_v)
        if np.abs(v - before).max() < _CLOSE:
            break
    return u, v


def _start(x: Array, y: Array, orders: npt.NDArray[np.int64]) -> Array:
    """First right singular vectors, as the authors start from, by power iteration."""
    forth, back = orders.T, np.argsort(orders, axis=1).T
    v = y.T @ np.take_along_axis(np.repeat(x[:, :1], forth.shape[1], axis=1), forth, axis=0)
    v /= np.maximum(np.linalg.norm(v, axis=0), 1e-300)
    for _ in range(_DENSE_ROUNDS):
        before = v
        w = x.T @ np.take_along_axis(y @ v, back, axis=0)
        v = y.T @ np.take_along_axis(x @ w, forth, axis=0)
        v /= np.maximum(np.linalg.norm(v, axis=0), 1e-300)
        if np.abs(v - before).max() < 1e-4:
            break
    return np.asarray(v)


def _projected(values: Array, limit: float) -> Array:
    """Soft-threshold each column so that its length is 1 and its absolute sum at most `limit`."""
    size = np.abs(values)
    descending = -np.sort(-size, axis=0)
    threshold = np.zeros(values.shape[1])
    length = np.maximum(np.linalg.norm(size, axis=0), 1e-300)
    k = np.arange(1, len(values) + 1)[:, None]
    total, square = np.cumsum(descending, axis=0), np.cumsum(descending**2, axis=0)
    # With the k largest kept and a threshold t: (Σ − k t) = c √(Σ² − 2 t Σ + k t²), solved for t; the first k in reach.
    spread = np.maximum(k * square - total**2, 0.0)
    wide = np.maximum(k - limit**2, 1e-12)
    t = (total - limit * np.sqrt(spread / wide)) / k
    after = np.vstack([descending[1:], np.zeros((1, values.shape[1]))])
    fits = (k > limit**2) & (t <= descending * (1 + 1e-12)) & (t >= after * (1 - 1e-12)) & (t >= 0)
    over = size.sum(axis=0) > limit * length
    rows = np.argmax(fits, axis=0)
    threshold = np.where(over, t[rows, np.arange(values.shape[1])], 0.0)
    none = over & ~fits.any(axis=0)  # ties for the largest: those are kept alone
    threshold[none] = descending[0, none] * (1 - 1e-9)
    soft = np.sign(values) * np.maximum(size - threshold, 0.0)
    return np.asarray(soft / np.maximum(np.linalg.norm(soft, axis=0), 1e-300))


def _covariances(x: Array, y: Array, orders: npt.NDArray[np.int64], penalty: float, start: Array) -> Array:
    u, v = _weights(x, y, orders, penalty, start)
    reached = (np.take_along_axis(x @ u, orders.T, axis=0) * (y @ v)).sum(axis=0)
    return np.asarray(np.maximum(reached, 1e-300))


def _selected(x: Array, y: Array, penalty: float, halves: int, seed: int) -> tuple[Array, Array]:
    """Share of half samples in which each column has a weight."""
    rng = np.random.default_rng([seed, 1])
    n = len(x)
    counts = [np.zeros(x.shape[1]), np.zeros(y.shape[1])]
    for _ in range(halves):
        rows = rng.choice(n, n // 2, replace=False)
        a, b = _standard(x[rows]), _standard(y[rows])
        order = np.arange(rows.size)[None, :]
        for count, weight in zip(counts, _weights(a, b, order, penalty, _start(a, b, order)), strict=True):
            count += weight[:, 0] != 0
    return counts[0] / halves, counts[1] / halves
