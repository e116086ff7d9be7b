"""Read counts of genes made comparable between samples: counts per million, TMM factors, transcripts per million."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["log_cpm", "tmm_factors", "tpm"]

_LOG_RATIO_TRIM = 0.3
_SUM_TRIM = 0.05


def log_cpm(counts: Array, factors: Array | None = None, prior: float = 2.0) -> Array:
    """Logarithm to base 2 of the counts per million, with a prior count in proportion to the library.

    Parameters
    ----------
    counts : ndarray, shape (genes, samples)
    factors : ndarray, shape (samples,), optional
        Factors by which library sizes are multiplied, of :func:`tmm_factors`.
    prior : float
        Average count added to each observation.

    Returns
    -------
    ndarray, shape (genes, samples)

    Raises
    ------
    InputError
        Negative or missing counts, or a sample without any.

    Notes
    -----
    That of edgeR's ``cpm(log = TRUE)`` (Robinson, McCarthy & Smyth 2010, doi:10.1093/bioinformatics/btp616). The prior
    of a sample depends on the mean library of all samples.
    """
    library = _libraries(counts) * (1.0 if factors is None else factors)
    added = prior * library / library.mean()
    return np.asarray(np.log2((counts + added) / (library + 2.0 * added) * 1e6))


def tmm_factors(counts: Array) -> Array:
    """Trimmed mean of M-values of each sample against the one whose upper quartile is nearest to the mean of all.

    Parameters
    ----------
    counts : ndarray, shape (genes, samples)

    Returns
    -------
    ndarray, shape (samples,)
        Factors of geometric mean 1 by which library sizes are multiplied.

    Raises
    ------
    InputError
        Negative or missing counts, or a sample without any.

    Notes
    -----
    Source: Robinson & Oshlack 2010, doi:10.1186/gb-2010-11-3-r25, with the settings of edgeR's ``calcNormFactors``.
    """
    library = _libraries(counts)
    seen = counts[(counts > 0).any(axis=1)]
    upper = np.quantile(seen, 0.75, axis=0) / library
    if np.median(upper) < 1e-20:
        reference = int(np.argmax(np.sqrt(seen).sum(axis=0)))
    else:
        reference = int(np.argmin(np.abs(upper - upper.mean())))
    ratios = [_trimmed(seen[:, j], seen[:, reference], library[j], library[reference]) for j in range(counts.shape[1])]
    factors = 2.0 ** np.array(ratios)
    return np.asarray(factors / np.exp(np.log(factors).mean()))


def _trimmed(count: Array, reference: Array, library: float, reference_library: float) -> float:
    """Weighted trimmed mean of the log2 ratios of one sample to the reference."""
    both = (count > 0) & (reference > 0)
    share, other = count[both] / library, reference[both] / reference_library
    ratio, level = np.log2(share / other), (np.log2(share) + np.log2(other)) / 2.0
    if not ratio.size or np.abs(ratio).max() < 1e-6:
        return 0.0
    variance = (1.0 - share) / count[both] + (1.0 - other) / reference[both]
    n = ratio.size
    kept = np.ones(n, dtype=bool)
    for values, trim in ((ratio, _LOG_RATIO_TRIM), (level, _SUM_TRIM)):
        lowest = int(n * trim) + 1
        rank = rankdata(values)
        kept &= (rank >= lowest) & (rank <= n + 1 - lowest)
    if not kept.any():
        return 0.0
    return float((ratio[kept] / variance[kept]).sum() / (1.0 / variance[kept]).sum())


def tpm(counts: Array, lengths: Array) -> Array:
    """Transcripts per million: counts over the length of the gene, scaled to a million a sample.

    Parameters
    ----------
    counts : ndarray, shape (genes, samples)
    lengths : ndarray, shape (genes,)
        In bases, above 0.

    Returns
    -------
    ndarray, shape (genes, samples)

    Raises
    ------
    InputError
        Negative or missing counts, a sample without any, or a length that is not above 0.

    Notes
    -----
    Source: Wagner, Kin & Lynch 2012, doi:10.1007/s12064-012-0162-3.
    """
    _libraries(counts)
    if not np.all(lengths > 0):
        raise InputError("a gene without a length", allowed="bases, above 0")
    rate = counts / lengths[:, None]
    return np.asarray(rate / rate.sum(axis=0) * 1e6)


def _libraries(counts: Array) -> Array:
    if not np.all(counts >= 0):
        raise InputError("negative or missing counts", allowed="counts of 0 or more in every cell")
    library = np.asarray(counts.sum(axis=0))
    if not np.all(library > 0):
        raise InputError("a sample without any count", allowed="at least one count in every sample")
    return library
