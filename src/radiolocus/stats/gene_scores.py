"""Scores of gene sets in each sample: ssGSEA, GSVA, mean z and singscore.

Samples stand in the columns. ssGSEA and singscore look at one sample at a time; GSVA and mean z compare it with all
others, so that their values depend on who is in the cohort.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, pdtr
from scipy.stats import rankdata

from radiolocus.errors import InputError
from radiolocus.kernels.gene_scores import kernel_cdf, variation_scores
from radiolocus.model import Array

__all__ = ["Members", "gsva", "mean_z", "singscore", "ssgsea"]

Members = Sequence[npt.NDArray[np.intp]]

_STEP = 1e-3
_REACH = 10.0


def ssgsea(values: Array, sets: Members, weight: float = 0.25) -> Array:
    """Single-sample gene set enrichment analysis: the running sum over the ranking, summed over all places.

    Parameters
    ----------
    values : ndarray, shape (genes, samples)
        Any monotone scale; equal values share their mean rank, so that the order of the genes in the file is no matter.
    sets : sequence of ndarray of int
        Genes of each set, each once, fewer than all.
    weight : float
        Power of the rank by which genes of the set count.

    Returns
    -------
    ndarray, shape (sets, samples)
        Not divided by the range over all sets and samples, which would make a score depend on the others.

    Notes
    -----
    Source: Barbie et al. 2009, doi:10.1038/nature08460. The sum over the places of the weighted share of the set found
    so far is Σ w r / Σ w over the set with w = r^weight, and that of the other genes Σ r / (genes − m).
    """
    rank = _ranks(values, sets)
    weighted = rank**weight
    genes = values.shape[0]
    total = rank.sum(axis=0)
    out = np.empty((len(sets), values.shape[1]))
    for s, members in enumerate(sets):
        w, r = weighted[members], rank[members]
        out[s] = (w * r).sum(axis=0) / w.sum(axis=0) - (total - r.sum(axis=0)) / (genes - members.size)
    return out


def singscore(values: Array, sets: Members) -> Array:
    """Mean rank of the set, 0 where it could not be lower and 1 where it could not be higher, minus a half.

    Parameters
    ----------
    values : ndarray, shape (genes, samples)
    sets : sequence of ndarray of int
        Genes expected to go up, of each set.

    Returns
    -------
    ndarray, shape (sets, samples)
        −0.5 to 0.5.

    Notes
    -----
    Source: Foroutan et al. 2018, doi:10.1186/s12859-018-2435-4, for sets of known direction.
    """
    rank = _ranks(values, sets)
    genes = values.shape[0]
    out = np.empty((len(sets), values.shape[1]))
    for s, members in enumerate(sets):
        lowest = (members.size + 1.0) / 2.0
        out[s] = (rank[members].mean(axis=0) - lowest) / (genes - members.size) - 0.5
    return out


def mean_z(values: Array, sets: Members) -> Array:
    """Mean over the genes of a set of their standard scores over the samples; genes that do not vary are left out.

    Parameters
    ----------
    values : ndarray, shape (genes, samples)
        Logarithms.
    sets : sequence of ndarray of int

    Returns
    -------
    ndarray, shape (sets, samples)
        NaN for a set of which no gene varies.
    """
    _check(values, sets, outside=0)
    scale = values.std(axis=1, ddof=1)
    varies = scale > 0
    z = (values - values.mean(axis=1, keepdims=True)) / np.where(varies, scale, 1.0)[:, None]
    out = np.full((len(sets), values.shape[1]), np.nan)
    for s, members in enumerate(sets):
        used = members[varies[members]]
        if used.size:
            out[s] = z[used].mean(axis=0)
    return out


def gsva(values: Array, sets: Members, cdf: Literal["gaussian", "poisson"] = "gaussian") -> Array:
    """Gene set variation analysis: largest positive plus largest negative deviation of the running sum.

    Parameters
    ----------
    values : ndarray, shape (genes, samples)
        Logarithms for the Gaussian kernel, counts for the Poisson kernel. No gene may be constant.
    sets : sequence of ndarray of int
        Genes of each set, each once, fewer than all.
    cdf : {"gaussian", "poisson"}
        Kernel by which a gene's distribution over the samples is smoothed: of a quarter of its standard deviation, or
        with the count plus a half for its mean.

    Returns
    -------
    ndarray, shape (sets, samples)

    Raises
    ------
    InputError
        A constant gene; fewer than two samples; counts below 0.

    Notes
    -----
    Source: Hänzelmann, Castelo & Guinney 2013, doi:10.1186/1471-2105-14-7, with ``mx.diff = TRUE`` and ``tau = 1``.
    """
    _check(values, sets)
    if values.shape[1] < 2:
        raise InputError(f"{values.shape[1]} samples", allowed="at least 2, which GSVA compares with one another")
    spread = values.std(axis=1, ddof=1)
    if not np.all(spread > 0):
        raise InputError("a gene that does not vary", allowed="genes that vary over the samples")
    smooth = _poisson(values) if cdf == "poisson" else _gaussian(values, spread / 4.0)
    order = np.ascontiguousarray(np.argsort(-smooth, axis=0, kind="stable").T.astype(np.int64))
    out = np.empty((len(sets), values.shape[1]))
    for s, members in enumerate(sets):
        inside = np.zeros(values.shape[0], dtype=np.bool_)
        inside[members] = True
        variation_scores(order, inside, out[s])
    return out


def _gaussian(values: Array, width: Array) -> Array:
    table = ndtr(np.arange(0.0, _REACH + _STEP, _STEP))
    out = np.empty_like(values)
    kernel_cdf(np.ascontiguousarray(values), width, table, _STEP, out)
    return out


def _poisson(values: Array) -> Array:
    if values.min() < 0:
        raise InputError("a count below 0", allowed="counts, for the Poisson kernel")
    out = np.empty_like(values)
    for g, row in enumerate(values):
        out[g] = pdtr(np.floor(row)[:, None], row[None, :] + 0.5).mean(axis=1)
    return out


def _ranks(values: Array, sets: Members) -> Array:
    _check(values, sets)
    return np.asarray(rankdata(values, axis=0))


def _check(values: Array, sets: Members, outside: int = 1) -> None:
    if not np.isfinite(values).all():
        raise InputError("missing values", allowed="a finite value of every gene in every sample")
    for s, members in enumerate(sets):
        if not 0 < members.size <= values.shape[0] - outside:
            raise InputError(
                f"{members.size} of {values.shape[0]} genes in set {s + 1}",
                allowed="at least 1" + (", and fewer than all" if outside else ""),
            )
