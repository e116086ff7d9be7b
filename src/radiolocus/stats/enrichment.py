"""Sets of genes in a ranking: running sum, and a comparison of means that knows how genes correlate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from radiolocus.kernels.enrichment import enrichment_scores
from radiolocus.model import Array

__all__ = ["Enrichment", "camera", "preranked", "random_places", "running_sum"]

Places = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Enrichment:
    """Enrichment of gene sets in one ranking; arrays of shape (sets,).

    Parameters
    ----------
    score : ndarray
        Enrichment score, −1 to 1.
    normalised : ndarray
        Score over the mean size of the random scores of its sign; NaN where none has that sign.
    p_value : ndarray
        (1 + c) / (1 + B⁺) of the B⁺ random sets whose score has the sign.
    q_value : ndarray
        False discovery rate of GSEA: of normalised scores of that sign, the share (1 + c) / (1 + B) of random ones at
        least as large over the share of observed ones, at most 1.
    """

    score: Array
    normalised: Array
    p_value: Array
    q_value: Array


def random_places(genes: int, sizes: Sequence[int], count: int, seed: int) -> dict[int, Places]:
    """Places of random sets in a ranking of `genes`, ascending, for each size; shape (count, size) each.

    They do not depend on the ranking, so that all features of a study share them.
    """
    drawn = {}
    for size in sorted(set(sizes)):
        rng = np.random.default_rng([seed, genes, size])
        rows = [np.sort(rng.choice(genes, size, replace=False, shuffle=False)) for _ in range(count)]
        drawn[size] = np.array(rows, dtype=np.int32)
    return drawn


def running_sum(statistic: Array, members: npt.NDArray[np.intp], power: float = 1.0) -> Array:
    """Running sum of one set over the genes from the largest statistic to the smallest, shape (genes,)."""
    order = np.argsort(-statistic, kind="stable")
    inside = np.zeros(statistic.size, dtype=bool)
    inside[members] = True
    hit = inside[order]
    weight = np.where(hit, np.abs(statistic[order]) ** power, 0.0)
    weight = weight if weight.sum() > 0 else hit.astype(float)
    return np.asarray(np.cumsum(weight) / weight.sum() - np.cumsum(~hit) / (statistic.size - members.size))


def preranked(
    statistic: Array, sets: Sequence[npt.NDArray[np.intp]], random: dict[int, Places], power: float = 1.0
) -> Enrichment:
    """Pre-ranked gene-set enrichment analysis.

    Parameters
    ----------
    statistic : ndarray, shape (genes,)
        Signed statistic by which genes are ranked.
    sets : sequence of ndarray of int
        Genes of each set; fewer than all.
    random : dict
        From :func:`random_places`.
    power : float
        Of the statistic in the weights; 1 is GSEA's default, 0 the unweighted Kolmogorov–Smirnov sum.

    Notes
    -----
    Source: Subramanian et al. 2005, doi:10.1073/pnas.0506580102. Genes are exchanged, not subjects: genes that go
    together make sets look enriched that are not. :func:`camera` allows for that.
    """
    order = np.argsort(-statistic, kind="stable")
    place = np.empty(order.size, dtype=np.int32)
    place[order] = np.arange(order.size)
    weight = np.ascontiguousarray(np.abs(statistic[order]) ** power)
    score = np.empty(len(sets))
    null = {size: np.empty(len(places)) for size, places in random.items()}
    for size, places in random.items():
        enrichment_scores(weight, places, null[size])
    for s, members in enumerate(sets):
        enrichment_scores(weight, np.sort(place[members])[None, :], score[s : s + 1])
    normalised, p_value = np.full(score.size, np.nan), np.ones(score.size)
    pooled = []
    for s, members in enumerate(sets):
        drawn = null[members.size]
        same = np.abs(drawn[(drawn >= 0) == (score[s] >= 0)])
        if same.size and same.mean() > 0:
            normalised[s] = score[s] / same.mean()
        p_value[s] = (1.0 + (same >= np.abs(score[s])).sum()) / (1.0 + same.size)
        pooled.append(_normalised(drawn))
    return Enrichment(score, normalised, p_value, _false_discovery(normalised, np.concatenate(pooled)))


def _normalised(drawn: Array) -> Array:
    """Random scores over the mean size of those of their sign."""
    out = np.zeros_like(drawn)
    for positive in (True, False):
        same = (drawn >= 0) == positive
        if same.any() and np.abs(drawn[same]).mean() > 0:
            out[same] = drawn[same] / np.abs(drawn[same]).mean()
    return out


def _false_discovery(observed: Array, null: Array) -> Array:
    out = np.full(observed.shape, np.nan)
    for sign in (1.0, -1.0):
        mine = np.flatnonzero(observed * sign >= 0) if sign > 0 else np.flatnonzero(observed < 0)
        ours, theirs = np.sort(observed[mine] * sign), np.sort(null[null * sign >= 0] * sign)
        if not mine.size or not theirs.size:
            continue
        size = observed[mine] * sign
        reached = theirs.size - np.searchsorted(theirs, size, side="left")
        by_chance = (1.0 + reached) / (1.0 + theirs.size)  # never 0: so many were drawn and no more
        found = 1.0 - np.searchsorted(ours, size, side="left") / ours.size
        out[mine] = np.minimum(by_chance / found, 1.0)
    return out


def camera(
    statistic: Array,
    members: npt.NDArray[np.intp],
    contrast: npt.ArrayLike,
    df: float,
    *,
    upper: bool = False,
    floor: float = 1.0,
) -> tuple[Array, Array]:
    """Compare the statistics of a set with those of all other genes, allowing for the correlation of genes.

    Parameters
    ----------
    statistic : ndarray, shape (genes,) or (genes, features)
        Normal z of each gene.
    members : ndarray of int
    contrast : array_like
        Variance of the difference of the two means for z of variance 1: 1/m + 1/r of m and r genes without correlation,
        (1 + (m − 1) ρ̄)/m + 1/r where the set's genes alone correlate; one value, or one a feature.
    df : float
        Residual degrees of freedom of the study; at most genes − 2 are used.
    upper : bool
        One-sided: the set's statistics are the larger ones.
    floor : float
        The pooled variance of the statistics is at least this. Under the null hypothesis it is 1, and falls below only
        because genes go together, which makes the original test, ``floor = 0``, reject too often.

    Returns
    -------
    t : ndarray, shape () or (features,)
    p_value : ndarray
        Two-sided unless `upper`.

    Notes
    -----
    Source: Wu & Smyth 2012, doi:10.1093/nar/gks461, parametric form; there the other genes count as uncorrelated.
    """
    genes, m = len(statistic), members.size
    rest = genes - m
    inside = statistic[members].mean(axis=0)
    delta = genes / rest * (inside - statistic.mean(axis=0))
    pooled = ((genes - 1) * statistic.var(axis=0, ddof=1) - delta**2 * m * rest / genes) / (genes - 2)
    t = np.asarray(delta / np.sqrt(np.maximum(pooled, floor) * np.asarray(contrast)))
    freedom = min(df, genes - 2)
    return t, np.asarray(stdtr(freedom, -t) if upper else 2.0 * stdtr(freedom, -np.abs(t)))
