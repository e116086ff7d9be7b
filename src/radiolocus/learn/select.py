"""Filters that look at training columns: nothing here sees a held-out subject."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from radiolocus.model import Array, BoolArray
from radiolocus.stats.correlation import average_ranks

__all__ = ["not_redundant", "strongest"]


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
