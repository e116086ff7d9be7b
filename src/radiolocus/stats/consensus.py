"""Consensus clustering of samples, and whether there is more structure than one cloud would show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["Clustering", "cluster_samples", "consensus_matrices", "consensus_table"]

_LOW, _HIGH = 0.1, 0.9  # of the proportion of ambiguous clustering
_ALIKE = 0.01
_GAIN = 1.1


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters of samples.

    Parameters
    ----------
    k : int
        Number of clusters that is most stable against the reference; the next number instead, as long as its
        proportion of ambiguous clustering is at most 0.01 more and its area a tenth larger.
    labels : ndarray of int, shape (samples,)
        From 1, the largest cluster first.
    consensus : ndarray, shape (samples,)
        Mean consensus of each sample with the others of its cluster.
    ks : tuple of int
    area, pac, reference_pac, stability : ndarray, shape (k,)
        Area under the distribution of the consensus, proportion of ambiguous clustering, its mean in the reference,
        and log10 of their ratio, for each k.
    p_value : float
        Of the largest stability over all k, against the references.
    """

    k: int
    labels: npt.NDArray[np.int64]
    consensus: Array
    ks: tuple[int, ...]
    area: Array
    pac: Array
    reference_pac: Array
    stability: Array
    p_value: float


def cluster_samples(
    values: Array,
    ks: Sequence[int],
    *,
    repeats: int = 100,
    share: float = 0.8,
    references: int = 20,
    seed: int = 1,
) -> Clustering:
    """Cluster samples by consensus and choose the number of clusters against a reference without clusters.

    Parameters
    ----------
    values : ndarray, shape (genes, samples)
    ks : sequence of int
        Numbers of clusters to try, at least 2 each.
    repeats : int
        Subsamples.
    share : float
        Part of the samples in each.
    references : int
        Simulated data sets of one cluster: normal, with the covariance of the genes.
    seed : int

    Returns
    -------
    Clustering

    Raises
    ------
    InputError
        Too few samples for the largest k, missing values, a sample that does not vary.

    Notes
    -----
    Sources: Monti et al. 2003, doi:10.1023/A:1023949509487 (hierarchical clustering, average linkage, 1 − Pearson's
    correlation); Șenbabaoğlu, Michailidis & Li 2014, doi:10.1038/srep06207 (proportion of ambiguous clustering); John
    et al. 2020, doi:10.1038/s41598-020-58766-1 (reference and relative stability). Consensus clustering finds clusters
    in any data; the reference tells whether these are more stable than those found in one cloud of the same shape.
    """
    tried = tuple(sorted(set(ks)))
    _check(values, tried, share)
    streams = np.random.SeedSequence(seed).spawn(references + 1)
    observed = consensus_matrices(values, tried, repeats, share, np.random.default_rng(streams[0]))
    area, pac = consensus_table(observed)
    null = np.empty((references, len(tried)))
    for b, stream in enumerate(streams[1:]):
        rng = np.random.default_rng(stream)
        null[b] = consensus_table(consensus_matrices(_one_cloud(values, rng), tried, repeats, share, rng))[1]
    tiny = 2.0 / (values.shape[1] * (values.shape[1] - 1))
    stability = np.log10(null.mean(axis=0) + tiny) - np.log10(pac + tiny)
    others = (null.sum(axis=0) - null) / max(references - 1, 1)
    by_chance = (np.log10(others + tiny) - np.log10(null + tiny)).max(axis=1)
    best = int(np.argmax(stability))
    # Clusters that are merged stay stable: a larger number as unambiguous, with a clear gain in area, tells more.
    while best + 1 < len(tried) and pac[best + 1] <= pac[best] + _ALIKE and area[best + 1] >= _GAIN * area[best]:
        best += 1
    labels = _labels(observed[best], tried[best])
    return Clustering(
        tried[best],
        labels,
        _item_consensus(observed[best], labels),
        tried,
        area,
        pac,
        null.mean(axis=0),
        stability,
        float((1 + (by_chance >= stability.max()).sum()) / (1 + references)),
    )


def consensus_matrices(values: Array, ks: Sequence[int], repeats: int, share: float, rng: np.random.Generator) -> Array:
    """Share of the subsamples with both samples in which they fell into one cluster, shape (k, samples, samples)."""
    n = values.shape[1]
    apart = np.array(1.0 - np.corrcoef(values.T))
    np.fill_diagonal(apart, 0.0)
    apart = np.maximum((apart + apart.T) / 2.0, 0.0)
    size = round(share * n)
    together = np.zeros((len(ks), n, n))
    drawn = np.zeros((n, n))
    for _ in range(repeats):
        kept = np.sort(rng.choice(n, size, replace=False, shuffle=False))
        block = np.ix_(kept, kept)
        drawn[block] += 1.0
        tree = linkage(squareform(apart[block], checks=False), "average")
        for i, k in enumerate(ks):
            label = fcluster(tree, k, "maxclust")
            together[i][block] += label[:, None] == label[None, :]
    return np.divide(together, drawn, out=np.zeros_like(together), where=drawn > 0)


def consensus_table(matrices: Array) -> tuple[Array, Array]:
    """Area under the distribution function of the consensus of all pairs, and the share between 0.1 and 0.9."""
    n = matrices.shape[1]
    pairs = np.sort(matrices[:, *np.triu_indices(n, 1)], axis=1)
    # The area under the distribution function on 0 to 1 is one minus the mean.
    area = 1.0 - pairs.mean(axis=1)
    pac = ((pairs > _LOW) & (pairs < _HIGH)).mean(axis=1)
    return np.asarray(area), np.asarray(pac)


def _one_cloud(values: Array, rng: np.random.Generator) -> Array:
    """Normal data with the means and covariance of the genes."""
    mean = values.mean(axis=1, keepdims=True)
    left, size, _ = np.linalg.svd(values - mean, full_matrices=False)
    n = values.shape[1]
    return np.asarray(mean + left @ ((size / np.sqrt(n - 1))[:, None] * rng.standard_normal((size.size, n))))


def _labels(matrix: Array, k: int) -> npt.NDArray[np.int64]:
    apart = 1.0 - matrix
    np.fill_diagonal(apart, 0.0)
    found = fcluster(linkage(squareform(apart, checks=False), "average"), k, "maxclust")
    names, first, count = np.unique(found, return_index=True, return_counts=True)
    order = sorted(range(names.size), key=lambda i: (-count[i], first[i]))
    rank = {int(names[i]): place + 1 for place, i in enumerate(order)}
    return np.array([rank[int(label)] for label in found], dtype=np.int64)


def _item_consensus(matrix: Array, labels: npt.NDArray[np.int64]) -> Array:
    same = labels[:, None] == labels[None, :]
    np.fill_diagonal(same, val=False)
    count = same.sum(axis=1)
    return np.asarray(np.where(count > 0, (matrix * same).sum(axis=1) / np.maximum(count, 1), np.nan))


def _check(values: Array, ks: tuple[int, ...], share: float) -> None:
    n = values.shape[1]
    if not ks or ks[0] < 2 or round(share * n) <= ks[-1]:
        raise InputError(
            f"{', '.join(map(str, ks)) or 'no'} clusters of {n} samples",
            allowed=f"2 clusters or more, fewer than the {round(share * n)} samples of a subsample",
        )
    if not np.isfinite(values).all() or not np.all(values.std(axis=0) > 0):
        raise InputError("missing values, or a sample that does not vary", allowed="finite values that vary")
