"""Genetic relationship matrices, summed over blocks of variants."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.compute import one_thread
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource

__all__ = ["Scaling", "relationship_sum", "relationship_variants"]

Whole = npt.NDArray[np.int64]
Scaling = Literal["centred", "standardised"]

_BLOCK = 1024
# Rows of the matrix that one product fills: fixed, so that the bytes do not depend on the number of threads.
_PANEL = 512


def relationship_variants(variants: pl.DataFrame, min_maf: float) -> Whole:
    """Which variants relate the subjects: analysed, autosomal, and common enough.

    Parameters
    ----------
    variants : polars.DataFrame
        Table ``genome/variants``.
    min_maf : float

    Returns
    -------
    ndarray of int64
        Index in the file.
    """
    minor = pl.min_horizontal("effect_allele_frequency", 1 - pl.col("effect_allele_frequency"))
    good = pl.col("kept") & pl.col("chromosome").is_in(AUTOSOMES) & (minor >= min_maf) & (minor > 0)
    return np.flatnonzero(variants.select(good).to_series().fill_null(False).to_numpy()).astype(np.int64)


def relationship_sum(
    source: GenotypeSource,
    rows: Whole,
    chosen: Whole,
    *,
    scaling: Scaling = "centred",
    dtype: Literal["float64", "float32"] = "float64",
    jobs: int = 1,
) -> Array:
    """Sum of zzᵀ over variants, z the genotypes about their mean, missing ones at the mean.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int64, shape (n,)
        Samples.
    chosen : ndarray of int64
        Index in the file of the variants, polymorphic among the samples.
    scaling : {"centred", "standardised"}
        centred: genotypes as they are (GEMMA's ``-gk 1``); standardised: over √(2p(1 − p)) (GCTA). Divided by the
        number of variants the sum is the relationship matrix.
    dtype : {"float64", "float32"}
        Of the product of a block; blocks are summed in float64.
    jobs : int
        Threads; the bytes do not depend on it.

    Returns
    -------
    ndarray of float64, shape (n, n)

    References
    ----------
    Zhou & Stephens 2012, doi:10.1038/ng.2310; Yang et al. 2011, doi:10.1016/j.ajhg.2010.11.011.
    """
    n = rows.size
    total = np.zeros((n, n))
    buffer, moments = np.zeros((_BLOCK, n), dtype=dtype), np.zeros((_BLOCK, 4))
    here = np.arange(n, dtype=np.int64)

    def fill(first: int) -> None:
        last = min(first + _PANEL, n)
        total[first:last, :last] += buffer[:, first:last].T @ buffer[:, :last]

    with ThreadPoolExecutor(max(jobs, 1)) as pool, one_thread():
        for start in range(0, source.variants.height, _BLOCK):
            index = chosen[(chosen >= start) & (chosen < start + _BLOCK)]
            if index.size == 0:
                continue
            dosage = source.read(rows, start, start + _BLOCK).dosage
            dosage = dosage if index.size == len(dosage) else dosage[index - start]
            buffer[index.size :] = 0.0
            centre_dosage(dosage, here, buffer, moments)
            if scaling == "standardised":
                frequency = moments[: index.size, 1] / 2
                buffer[: index.size] /= np.sqrt(2 * frequency * (1 - frequency))[:, None]
            list(pool.map(fill, range(0, n, _PANEL)))
    for first in range(0, n, _PANEL):
        last = min(first + _PANEL, n)
        total[:first, first:last] = total[first:last, :first].T
    return total
