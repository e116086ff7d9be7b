"""Filters and selections that look at training columns: nothing here sees a held-out subject."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from radiolocus.errors import FitError
from radiolocus.learn.families import family_of
from radiolocus.learn.linear import penalty_grid
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray
from radiolocus.stats.correlation import average_ranks
from radiolocus.stats.cox import cox_univariate_batch
from radiolocus.stats.logistic import logistic_univariate_batch

__all__ = ["column_scores", "not_redundant", "select_columns", "stability_frequency", "strongest"]


def not_redundant(X: Array, threshold: float) -> BoolArray:
    """Keep one column of every cluster of columns that all correlate with one another.

    Complete linkage on 1 − |ρ| (Spearman), cut where every pair of a cluster has |ρ| ≥ `threshold`. The column that
    correlates most with the others of its cluster stays; among equals the first. The outcome plays no part.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        No column constant.
    threshold : float
        0 to 1.

    Returns
    -------
    ndarray of bool, shape (p,)
    """
    keep = np.ones(X.shape[1], dtype=bool)
    ranks = average_ranks(X)
    ranks -= ranks.mean(axis=0)
    ranks /= np.linalg.norm(ranks, axis=0)
    rho = np.minimum(np.abs(ranks.T @ ranks), 1.0)
    np.fill_diagonal(rho, 0.0)
    slack = 1e-9
    partnered = np.flatnonzero((rho >= threshold - slack).any(axis=1))
    if partnered.size == 0:
        return keep
    rho = rho[np.ix_(partnered, partnered)]
    distance = 1.0 - rho
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="complete")
    cluster = fcluster(tree, 1.0 - threshold + slack, criterion="distance")
    together = cluster[:, None] == cluster[None, :]
    # Rounded, so that columns that are copies of one another tie exactly and the first of them stays.
    likeness = np.round((rho * together).sum(axis=1), 9)
    keep[partnered] = False
    for label in np.unique(cluster):
        members = np.flatnonzero(cluster == label)
        keep[partnered[members[np.argmax(likeness[members])]]] = True
    return keep


def strongest(score: Array, count: int) -> BoolArray:
    """Keep the `count` columns of largest absolute score; among equals the first.

    Parameters
    ----------
    score : ndarray, shape (p,)
    count : int

    Returns
    -------
    ndarray of bool, shape (p,)

    References
    ----------
    Sure independence screening: Fan & Lv (2008) J R Stat Soc B 70:849.
    """
    keep = np.zeros(score.size, dtype=bool)
    keep[np.argsort(-np.abs(score), kind="stable")[:count]] = True
    return keep


_STEPS = 5


def select_columns(X: Array, target: Target, options: ProtocolOptions, seed: int = 0) -> tuple[BoolArray, str]:
    """Choose columns that go with the outcome of a training part.

    ``univariate``: largest likelihood ratio of a one-column Cox or logistic model (of several classes and of a number:
    F statistic). ``mrmr``: one by one, the column of largest correlation with the outcome less its mean correlation
    with those already chosen. ``elastic_net``: the columns of the smallest penalty under which no more than
    ``select_count`` are used. ``stability``: columns that a lasso takes up early in most of many random halves.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised.
    target : Target
    options : ProtocolOptions
    seed : int
        Of the halves.

    Returns
    -------
    ndarray of bool, shape (p,)
    str
        What is to be said of it; empty when nothing is.

    References
    ----------
    mRMR: Ding & Peng (2005) J Bioinform Comput Biol 3:185. Stability: Meinshausen & Bühlmann (2010) J R Stat Soc B
    72:417; complementary halves: Shah & Samworth (2013) J R Stat Soc B 75:55.
    """
    if options.select == "univariate":
        return strongest(univariate_strength(X, target, options), options.select_count), ""
    if options.select == "mrmr":
        return _mrmr(X, _relevance(X, target, options), options.select_count), ""
    if options.select == "elastic_net":
        return _first_used(X, target, options, options.l1_ratio or 1.0, options.select_count), ""
    frequency, q = stability_frequency(X, target, options, seed)
    threshold = options.stability_threshold
    bound = q * q / ((2 * threshold - 1) * X.shape[1])
    told = (
        f"stability selection at {threshold:.0%} of the halves admits at most {options.stability_errors:g} columns in "
    )
    told += "error, on average (Meinshausen & Bühlmann 2010)"
    if bound > options.stability_errors:
        told = "too few columns for the bound on errors of stability selection: one column is taken of every half"
    return frequency >= threshold, told


def column_scores(X: Array, target: Target, options: ProtocolOptions) -> Array:
    """Univariate score of each standardised column, shape (p,): slope of the likelihood; of classes, correlation."""
    if target.levels:
        return np.sqrt(_between(X, target))
    return family_of(target, options).slopes(X, target)


def univariate_strength(X: Array, target: Target, options: ProtocolOptions) -> Array:
    """Likelihood ratio of a one-column model, infinite where the column separates; of classes or a number, F."""
    if target.number:
        share = _share(X, target)
        return np.asarray(share / np.maximum(1.0 - share, 1e-300))
    if target.levels:
        share = _between(X, target)
        return np.asarray(share / np.maximum(1.0 - share, 1e-300))
    if target.time is not None:
        ratio = cox_univariate_batch(target.time, target.event, X, ties=options.ties).likelihood_ratio
    else:
        ratio = logistic_univariate_batch(target.event, X).likelihood_ratio
    return np.nan_to_num(ratio, nan=np.inf)


def _between(X: Array, target: Target) -> Array:
    """Share of the variance of each column that lies between classes."""
    member = np.eye(target.classes)[target.event.astype(np.intp)]
    size = member.sum(axis=0)
    mean = (member.T @ X)[size > 0] / size[size > 0, None]
    return np.asarray(size[size > 0] @ (mean - X.mean(axis=0)) ** 2 / (target.n * X.var(axis=0)))


def _share(X: Array, target: Target) -> Array:
    """Share of the variance of a number that each column explains."""
    y = target.event - target.event.mean()
    Z = X - X.mean(axis=0)
    return np.asarray(np.minimum((Z.T @ y) ** 2 / ((Z**2).sum(axis=0) * (y @ y)), 1.0))


def _relevance(X: Array, target: Target, options: ProtocolOptions) -> Array:
    """Correlation of each column with the outcome: class, number, or the martingale residual without predictors."""
    if target.number:
        return np.asarray(np.sqrt(_share(X, target)))
    if target.time is None:
        return np.sqrt(_between(X, target))
    score = family_of(target, options).slopes(X, target)
    residual = family_of(target, options).slopes(np.eye(target.n), target) * target.n
    return np.abs(score) / max(float(residual.std()), 1e-300)


def _mrmr(X: Array, relevance: Array, count: int) -> BoolArray:
    n, p = X.shape
    keep = np.zeros(p, dtype=bool)
    likeness = np.zeros(p)
    for done in range(min(count, p)):
        gain = np.where(keep, -np.inf, relevance - likeness / max(done, 1))
        chosen = int(np.argmax(gain))
        keep[chosen] = True
        likeness += np.abs(X.T @ X[:, chosen]) / n
    return keep


def _first_used(X: Array, target: Target, options: ProtocolOptions, ratio: float, count: int) -> BoolArray:
    """Columns under the smallest penalty that uses no more than `count`; of more that enter at once the largest."""
    family = family_of(target, options)
    slopes = np.abs(family.slopes(X, target))
    grid = penalty_grid(float(slopes.max()), ratio, options.penalties, options.penalty_ratio)
    used, start = np.zeros(X.shape[1], dtype=bool), None
    for begin in range(0, grid.size, _STEPS):
        path = family.path(X, target, grid[begin : begin + _STEPS], ratio, 1e-5, start)
        for beta in path.coefficients:
            if (beta != 0).sum() > count:
                return used if used.any() else strongest(beta, count)
            used = beta != 0
        if path.penalties.size < min(_STEPS, grid.size - begin):
            break
        start = path.fit(-1)
    return used if used.any() else strongest(slopes, 1)


def stability_frequency(X: Array, target: Target, options: ProtocolOptions, seed: int) -> tuple[Array, int]:
    """Share of random halves in which each column is among the first that a lasso takes up.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised.
    target : Target
    options : ProtocolOptions
    seed : int

    Returns
    -------
    frequency : ndarray, shape (p,)
    q : int
        Columns taken of each half: the most for which q² / ((2 threshold − 1) p), the bound on the mean number of
        columns admitted in error, does not exceed ``stability_errors``.

    Raises
    ------
    FitError
        No half could be fitted.
    """
    p = X.shape[1]
    q = max(1, int(np.sqrt(options.stability_errors * (2 * options.stability_threshold - 1) * p)))
    generator = np.random.default_rng(seed)
    counts, fits = np.zeros(p), 0
    for _ in range(options.stability_draws):
        half = np.zeros(target.n, dtype=bool)
        for level in (0.0,) if target.number else np.unique(target.event):
            alike = np.ones(target.n, bool) if target.number else target.event == level
            members = generator.permutation(np.flatnonzero(alike))
            half[members[: members.size // 2 + int(generator.integers(2)) * (members.size % 2)]] = True
        for rows in (half, ~half):
            part = target.take(rows)
            if part.obstacle():
                continue
            Z = X[rows] - X[rows].mean(axis=0)
            size = Z.std(axis=0)
            Z = Z / np.where(size > 1e-10, size, 1.0)
            try:
                counts += _first_used(Z, part, options, 1.0, q)
            except FitError:
                continue
            fits += 1
    if fits == 0:
        raise FitError("no half of a training part could be fitted", where="stability selection")
    return counts / fits, q
